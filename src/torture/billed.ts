import type { Client } from "../client/client.ts";
import { type OrderUsage, usageOfOrder } from "../client/settlement_msgs.ts";
import { parseCoinsText } from "../types/coins.ts";
import type { BilledCharge } from "./charge.ts";

/** What the chain bills for orders: every usage record that counts, settled or not. */
export async function billedCharges(
  client: Client,
  orders: Iterable<string>,
): Promise<BilledCharge[]> {
  const charges: BilledCharge[] = [];
  for (const order of orders) {
    const records = await usageOfOrder(client, order);
    charges.push(...records.map((record) => chargeOf(order, record)));
  }
  return charges;
}

function chargeOf(order: string, record: OrderUsage): BilledCharge {
  const { usageId, leaseId, usageType, usageUnits, periodStart, periodEnd, unitPrice } = record;
  // No coins at all when the cost comes to zero; a record has the denom of its price.
  const [cost] = record.totalCost === "" ? [] : parseCoinsText(record.totalCost);
  return {
    ...{ usageId, order, lease: leaseId, type: usageType.trim().toLowerCase() },
    ...{ start: periodStart, end: periodEnd, units: usageUnits },
    denom: cost?.denom ?? unitPrice.denom,
    cost: cost?.amount ?? 0n,
  };
}
