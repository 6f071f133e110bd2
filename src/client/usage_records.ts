import {
  QueryUsageRecordsRequest,
  QueryUsageRecordsResponse,
} from "../gen/settled/settlement/v1/query.ts";
import type { UsageRecord } from "../gen/virtengine/settlement/v1/query.ts";
import type { Client } from "./client.ts";

/** What is asked for; what is left out is not asked for. */
export interface UsageFilter {
  readonly orderId?: string | undefined;
  readonly provider?: string | undefined;
  readonly customer?: string | undefined;
  /** "open", "settled", "written_off", "superseded" or "withdrawn". */
  readonly state?: string | undefined;
  /** Unix seconds: periods that end at this time or later. */
  readonly periodStart?: bigint | undefined;
  /** Unix seconds: periods that begin at this time or earlier. */
  readonly periodEnd?: bigint | undefined;
}

/** A usage record as the chain bills it. */
export interface BilledUsage {
  readonly usageId: string;
  readonly orderId: string;
  readonly leaseId: string;
  readonly provider: string;
  readonly customer: string;
  readonly usageType: string;
  readonly usageUnits: bigint;
  /** Unix seconds. */
  readonly periodStart: bigint;
  readonly periodEnd: bigint;
  readonly denom: string;
  /** Atomics: 10^-18 of the denom per unit. */
  readonly unitPrice: bigint;
  /** Base units of the denom. */
  readonly cost: bigint;
  readonly isAcknowledged: boolean;
  readonly isSettled: boolean;
  /** "superseded", "withdrawn" or "written_off"; "" for a record that stands. */
  readonly status: string;
}

const PAGE_ROWS = 1000n;

/** Usage records that match, whatever became of them, page by page. */
export async function* usageRecords(
  client: Client,
  filter: UsageFilter,
): AsyncGenerator<readonly BilledUsage[]> {
  const path = "/settled.settlement.v1.Query/UsageRecords";
  let key = new Uint8Array(0);
  do {
    const input = { ...filter, pagination: { key, limit: PAGE_ROWS } };
    const [request, response] = [QueryUsageRecordsRequest, QueryUsageRecordsResponse];
    const page = await client.query(path, request, input, response);
    if (page.usageRecords.length > 0) yield page.usageRecords.map(billedUsage);
    key = Uint8Array.from(page.pagination?.nextKey ?? []);
  } while (key.length > 0);
}

function billedUsage(record: UsageRecord): BilledUsage {
  const { usageId, orderId, leaseId, provider, customer, usageType, usageUnits } = record;
  const { denom = "", amount = "0" } = record.unitPrice ?? {};
  const cost = record.totalCost.find((coin) => coin.denom === denom)?.amount ?? "0";
  return {
    ...{ usageId, orderId, leaseId, provider, customer, usageType, usageUnits },
    ...{ periodStart: record.periodStart, periodEnd: record.periodEnd },
    ...{ denom, unitPrice: BigInt(amount), cost: BigInt(cost) },
    ...{ isAcknowledged: record.customerAcknowledged, isSettled: record.settled },
    status: record.metadata["status"] ?? "",
  };
}
