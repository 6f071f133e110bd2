import type { OrderUsage } from "../client/settlement_msgs.ts";
import { mulFloor, type Dec } from "../types/dec.ts";
import type { OrderPlan } from "./plan.ts";
import { recordKey, type UsageReport } from "./reports.ts";
import type { TxSender } from "./submit.ts";
import type { Refusal } from "./tx_facts.ts";

/** One order while it is replayed. */
export interface OrderRun {
  readonly plan: OrderPlan;
  /** Sends for the order's customer; undefined: orders are not the daemon's to manage. */
  readonly customer: TxSender | undefined;
  /** The first so many records are acknowledged. */
  readonly acknowledgements: number;
  /** Records that the chain had when the order was taken up, by `recordKey`. */
  readonly known: Map<string, OrderUsage>;
  escrowId: string;
  /** What its escrow needs before records can come. */
  next: "create" | "activate" | "nothing";
  /** Whether the order's escrow was terminal already: then there is nothing to settle. */
  closed: boolean;
  /** Why none of its records can be submitted. */
  refusal: Refusal | undefined;
  /** Windows of the file that have not come by yet. */
  windowsLeft: number;
  /** Reports that have come by. */
  reports: number;
  /** Records on the chain that no settlement has settled. */
  open: number;
  /** What of the escrow was settled before this run, coins as text. */
  settledBefore: string;
}

export function orderRun(plan: OrderPlan, customer: TxSender | undefined, ackShare: Dec): OrderRun {
  const acknowledgements = Number(mulFloor(ackShare, BigInt(plan.records)));
  const windowsLeft = plan.windows;
  return {
    ...{ plan, customer, acknowledgements, known: new Map(), windowsLeft, reports: 0, open: 0 },
    ...{ escrowId: "", next: "nothing", closed: false, refusal: undefined, settledBefore: "" },
  };
}

/** A report with its order and its place among the order's reports. */
export interface PlacedReport {
  readonly run: OrderRun;
  readonly place: number;
  readonly report: UsageReport;
}

/** A stretch of the file that goes through the stages of the replay together. */
export interface Chunk {
  /** Orders whose first window is here. */
  readonly starts: readonly OrderRun[];
  /** In the order in which they are recorded. */
  readonly reports: readonly PlacedReport[];
  /** Orders whose last window is here. */
  readonly ends: readonly OrderRun[];
}

/** A record that the customer has yet to acknowledge. */
export interface Unacknowledged {
  readonly run: OrderRun;
  readonly usageId: string;
  readonly totalCost: string;
}

/** Takes note of what the chain has of an order already. */
export function takeUp(run: OrderRun, records: readonly OrderUsage[]): void {
  for (const record of records) {
    if (record.leaseId !== run.plan.lease) continue;
    run.known.set(recordKey(record), record);
    if (!record.settled) run.open += 1;
  }
}
