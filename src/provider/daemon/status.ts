import { readMoney } from "../dispatch/money.ts";
import { type OrderHold, readHolds } from "../dispatch/order_holds.ts";
import type { Outbox } from "../outbox/outbox.ts";
import { type OutboxRecord, RECORD_STATES, type RecordState } from "../outbox/outbox_record.ts";
import { exportRow } from "./export_row.ts";

/** A node as the daemon sees it. */
export interface NodeFacts {
  readonly url: string;
  readonly isUp: boolean;
  /** Decimal text; "" before it has answered. */
  readonly height: string;
  /** Unix milliseconds of its last answer; undefined: never. */
  readonly answeredMs: number | undefined;
  /** Of its last failure; "" when it works. */
  readonly fault: string;
}

/** A workload or a feed as the daemon sees it. */
export interface SourceFacts {
  readonly name: string;
  readonly kind: "workload" | "feed";
  /** Unix milliseconds of the last usage that it gave; undefined: none yet. */
  readonly readMs: number | undefined;
  /** Rows of a feed, looks at a workload. */
  readonly reads: number;
  readonly isEnded: boolean;
  /** What is wrong with it now; "" when it works. */
  readonly fault: string;
}

export interface FaultFacts {
  /** Unix milliseconds. */
  readonly atMs: number;
  /** Whose: a workload, a feed with its line, a window. */
  readonly place: string;
  readonly text: string;
}

/** What only a running daemon knows. */
export interface LiveFacts {
  readonly pid: number;
  /** Unix milliseconds. */
  readonly startedMs: number;
  readonly version: string;
  readonly chainId: string;
  readonly provider: string;
  /** "" when there is none. */
  readonly metricsUrl: string;
  readonly nodes: readonly NodeFacts[];
  readonly sources: readonly SourceFacts[];
  /** The newest first. */
  readonly faults: readonly FaultFacts[];
  /** Base units of the denom of gas; undefined: not asked yet. */
  readonly funds: { readonly denom: string; readonly amount: string } | undefined;
  readonly txsInFlight: number;
  /** Why nothing can be sent; "" when all is well. */
  readonly trouble: string;
  /** Why /healthz says 503; empty when it says 200. */
  readonly unhealthy: readonly string[];
}

export interface MoneyFacts {
  /** Height of the last block that was looked at; "": none yet. */
  readonly height: string;
  /** What settlements took from escrows. */
  readonly settled: string;
  /** Of that, what is the provider's after fees. */
  readonly share: string;
  readonly paid: string;
  readonly refunded: string;
  /** Of payouts that have not arrived: by state. */
  readonly waiting: Readonly<Record<string, string>>;
  readonly disputes: readonly string[];
}

/** Money of one denom, in base units as decimal text: records by their state, and what was paid. */
export interface AmountFacts extends Readonly<Record<RecordState, string>> {
  readonly denom: string;
  /** All records together. */
  readonly metered: string;
}

export interface StatusReport {
  readonly daemon: LiveFacts | undefined;
  readonly counts: Readonly<Record<RecordState, number>>;
  readonly amounts: readonly AmountFacts[];
  /** What settlements gave, and what of it was paid: coins as text. */
  readonly money: MoneyFacts;
  readonly oldestPending: { readonly key: string; readonly ageSeconds: number } | undefined;
  /** Unix seconds of the end of the last closed window; undefined: none. */
  readonly lastWindowEnd: number | undefined;
  readonly outboxBytes: number;
  /** Windows that wait for a price: nothing of them is billed until it is there. */
  readonly unpriced: readonly string[];
  /** Orders of which the chain takes no record yet, and why: up to ten. */
  readonly held: readonly (OrderHold & { readonly order: string })[];
  /** Of records that wait for a person: up to ten, with key and reason. */
  readonly stuck: readonly {
    readonly key: string;
    readonly state: string;
    readonly reason: string;
  }[];
}

/** Notes of windows that could not be priced yet. */
export const UNPRICED_NOTES = "unpriced/";
const PAGE_ROWS = 5000;
const STUCK_MAX = 10;
const HELD_MAX = 10;

/** Reads all records once for the sums: seconds with hundreds of thousands of them. */
export async function statusOf(
  outbox: Outbox,
  daemon: LiveFacts | undefined,
  nowMs: number,
): Promise<StatusReport> {
  const [pending] = await outbox.due(Number.MAX_SAFE_INTEGER, 1, new Set());
  const [newest] = await outbox.windows({ limit: 1, isNewestFirst: true });
  return {
    daemon,
    counts: outbox.counts(),
    amounts: await amountsOf(outbox),
    money: await moneyOf(outbox),
    oldestPending: pending === undefined ? undefined : ageOf(pending, nowMs),
    lastWindowEnd: newest === undefined ? undefined : Number(newest.end),
    outboxBytes: await outbox.sizeBytes(),
    unpriced: [...(await outbox.notes(UNPRICED_NOTES)).keys()].map((name) =>
      name.slice(UNPRICED_NOTES.length),
    ),
    held: [...(await readHolds(outbox))]
      .slice(0, HELD_MAX)
      .map(([order, hold]) => ({ order, ...hold })),
    stuck: await stuckOf(outbox),
  };
}

function ageOf(record: OutboxRecord, nowMs: number): { key: string; ageSeconds: number } {
  const ageSeconds = Math.max(0, Math.floor((nowMs - record.createdMs) / 1000));
  return { key: exportRow(record).key, ageSeconds };
}

async function moneyOf(outbox: Outbox): Promise<MoneyFacts> {
  const { height, settled, share, paid, refunded, waiting, disputes } = await readMoney(outbox);
  const texts = disputes.map(
    ({ usageId, orderId, reason }) => `${usageId} (${orderId}): ${reason}`,
  );
  const sums = { settled, share, paid, refunded, waiting };
  return { height: height?.toString() ?? "", ...sums, disputes: texts };
}

async function amountsOf(outbox: Outbox): Promise<AmountFacts[]> {
  const sums = new Map<string, Map<RecordState, bigint>>();
  let after: string | undefined;
  for (;;) {
    const query = after === undefined ? {} : { after };
    const page = await outbox.records({ ...query, limit: PAGE_ROWS });
    for (const { denom, state, cost } of page) {
      const byState = sums.get(denom) ?? new Map<RecordState, bigint>();
      byState.set(state, (byState.get(state) ?? 0n) + cost);
      sums.set(denom, byState);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE_ROWS) break;
    after = exportRow(last).key;
  }
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(amountFacts);
}

function amountFacts([denom, byState]: [string, ReadonlyMap<RecordState, bigint>]): AmountFacts {
  const states = RECORD_STATES.map((state) => [state, (byState.get(state) ?? 0n).toString()]);
  const metered = [...byState.values()].reduce((sum, each) => sum + each, 0n).toString();
  return { denom, metered, ...(Object.fromEntries(states) as Record<RecordState, string>) };
}

async function stuckOf(outbox: Outbox): Promise<StatusReport["stuck"]> {
  const pages = await Promise.all(
    (["refused", "parked"] as const).map((state) => outbox.records({ state, limit: STUCK_MAX })),
  );
  return pages
    .flat()
    .slice(0, STUCK_MAX)
    .map((record) => {
      const { key, state, reason } = exportRow(record);
      return { key, state, reason };
    });
}
