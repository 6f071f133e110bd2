import type { Client } from "../client/client.ts";
import { type OrderUsage, readRecordUsage, usageOfOrder } from "../client/settlement_msgs.ts";
import { messageGas } from "./gas.ts";
import type { PlacedReport, Unacknowledged } from "./order_run.ts";
import { recordKey, signedAcknowledgement, signedReport, type UsageReport } from "./reports.ts";
import type { Outcome, TxSender } from "./submit.ts";
import type { Tally } from "./tally.ts";
import type { Outgoing, Refusal } from "./tx_facts.ts";

/** The chain has a record of this period already. */
const USAGE_RECORD_EXISTS = 1514;
/** The record is settled: nothing is left to acknowledge. */
const USAGE_ALREADY_SETTLED = 1515;

export interface RecordsOptions {
  readonly client: Client;
  readonly provider: TxSender;
  readonly tally: Tally;
}

/**
 * Submits usage reports that the chain does not have, in their order. A record that is there
 * already, the same in all it says, counts as done. Returns those that are still to be acknowledged
 * by the share of their order.
 */
export async function submitReports(
  reports: readonly PlacedReport[],
  options: RecordsOptions,
): Promise<Unacknowledged[]> {
  const { client, provider, tally } = options;
  const open: Unacknowledged[] = [];
  const sent: PlacedReport[] = [];
  const items: Outgoing[] = [];
  for (const placed of reports) {
    const { run, report } = placed;
    const known = run.known.get(recordKey(report));
    if (known !== undefined) noteKnown(placed, known, open, tally);
    else if (run.refusal !== undefined) tally.refuse(describe(report), run.refusal);
    else {
      sent.push(placed);
      const message = signedReport(report, provider.signer, client.chainId);
      items.push({ message, gas: messageGas("record") });
    }
  }
  const outcomes = await provider.send(items);
  const repeated: PlacedReport[] = [];
  sent.forEach((placed, index) => {
    const { refusal, response } = outcomes[index] as Outcome & { response?: Uint8Array };
    if (response !== undefined) {
      tally.record(placed.report);
      placed.run.open += 1;
      if (isAcknowledged(placed)) open.push({ run: placed.run, ...readRecordUsage(response) });
    } else if (refusal?.code === USAGE_RECORD_EXISTS) repeated.push(placed);
    else tally.refuse(describe(placed.report), refusal as Refusal);
  });
  await lookUpRepeated(repeated, open, options);
  return open;
}

function isAcknowledged({ run, place }: PlacedReport): boolean {
  return run.customer !== undefined && place < run.acknowledgements;
}

function describe({ orderId, usageType, periodStart, periodEnd }: UsageReport): string {
  return `record ${usageType} of order ${orderId}, period ${periodStart} to ${periodEnd}`;
}

function noteKnown(
  placed: PlacedReport,
  known: OrderUsage,
  open: Unacknowledged[],
  tally: Tally,
): void {
  const { run, report } = placed;
  const { denom, amount } = known.unitPrice;
  const samePrice = denom === report.denom && amount === report.unitPrice.toString();
  if (known.usageUnits !== report.usageUnits || !samePrice) {
    const log = `${known.usageId} has other units or another price for this period`;
    tally.refuse(describe(report), { codespace: "settlement", code: USAGE_RECORD_EXISTS, log });
    return;
  }
  tally.record(report);
  const due = isAcknowledged(placed) && !known.acknowledged && !known.settled;
  if (due) open.push({ run, usageId: known.usageId, totalCost: known.totalCost });
}

/** Somebody else recorded these meanwhile, or an earlier tx of ours did after all. */
async function lookUpRepeated(
  repeated: readonly PlacedReport[],
  open: Unacknowledged[],
  { client, tally }: RecordsOptions,
): Promise<void> {
  const orders = new Map<string, Map<string, OrderUsage>>();
  for (const placed of repeated) {
    const { orderId, leaseId } = placed.report;
    let records = orders.get(orderId);
    if (records === undefined) {
      const all = (await usageOfOrder(client, orderId)).filter((each) => each.leaseId === leaseId);
      orders.set(orderId, (records = new Map(all.map((each) => [recordKey(each), each]))));
    }
    const known = records.get(recordKey(placed.report));
    if (known !== undefined) {
      if (!known.settled) placed.run.open += 1;
      noteKnown(placed, known, open, tally);
    }
  }
}

/** Acknowledges records as their customers, customers side by side. */
export async function acknowledge(
  records: readonly Unacknowledged[],
  { client, tally }: RecordsOptions,
): Promise<void> {
  const senders = [...new Set(records.map(({ run }) => run.customer as TxSender))];
  await Promise.all(
    senders.map(async (sender) => {
      const own = records.filter(({ run }) => run.customer === sender);
      const outcomes = await sender.send(
        own.map((record) => ({
          message: signedAcknowledgement(record, sender.signer, client.chainId),
          gas: messageGas("acknowledge"),
        })),
      );
      outcomes.forEach(({ refusal }, index) => {
        if (refusal === undefined || refusal.code === USAGE_ALREADY_SETTLED) return;
        tally.refuse(`acknowledge ${own[index]?.usageId}`, refusal);
      });
    }),
  );
}
