/**
 * - `pending`: written, not sent, or sent and known to be in no block.
 * - `sent`: in a tx that was handed to a node; whether it is in a block is not known yet.
 * - `included`: on the chain, with a usage id.
 * - `refused`: the chain refuses it; it waits for a person (`retry`, `park`).
 * - `parked`: a person took it out of the queue.
 * - `acknowledged`, `settled`: what became of an included one.
 */
export const RECORD_STATES = [
  "pending",
  "sent",
  "included",
  "acknowledged",
  "settled",
  "refused",
  "parked",
] as const;

export type RecordState = (typeof RECORD_STATES)[number];

/** Why a record is not on the chain: codespace and code for programs, the text for people. */
export interface RecordReason {
  readonly codespace: string;
  readonly code: number;
  readonly log: string;
}

/** One usage report on its way to the chain. */
export interface OutboxRecord {
  readonly orderId: string;
  readonly leaseId: string;
  /** "cpu", "memory", "storage", "gpu" or "network". */
  readonly usageType: string;
  /** Unix seconds. */
  readonly periodStart: bigint;
  readonly periodEnd: bigint;
  readonly usageUnits: bigint;
  readonly denom: string;
  /** Atomics: 10^-18 of the denom per unit. */
  readonly unitPrice: bigint;
  /** What the chain will charge: floor(units × price), base units of the denom. */
  readonly cost: bigint;
  readonly state: RecordState;
  /** Times that it was put into a tx. */
  readonly attempts: number;
  /** Unix milliseconds before which it is not sent again; 0: at once. */
  readonly notBeforeMs: number;
  /** Upper-case hex of the last tx that it was put into; "" for none. */
  readonly txHash: string;
  /** "" until it is included. */
  readonly usageId: string;
  readonly reason: RecordReason | undefined;
  /** Unix milliseconds. */
  readonly createdMs: number;
  readonly changedMs: number;
}

/**
 * The natural key as text: what the chain tells records apart by (one per order, lease, type and
 * period). Orders and leases are encoded, so that "/" in one cannot be taken for the separator.
 */
export function naturalKey(
  record: Pick<OutboxRecord, "orderId" | "leaseId" | "usageType" | "periodStart" | "periodEnd">,
): string {
  const { orderId, leaseId, usageType, periodStart, periodEnd } = record;
  const names = [orderId, leaseId].map((name) => encodeURIComponent(name));
  const times = [periodStart, periodEnd].map((time) => time.toString().padStart(11, "0"));
  return [...names, times[0], times[1], usageType].join("/");
}
