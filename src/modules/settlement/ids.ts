import { type TimeNs, secondsOf } from "../../types/time.ts";

/** Ids as the deployed module writes them: a name, the block time in unix seconds, a number. */

export function escrowId(seq: bigint): string {
  return `escrow-${seq}`;
}

/** The number of an escrow id; undefined when the text is not one. */
export function escrowSeqOf(id: string): bigint | undefined {
  const match = /^escrow-([1-9][0-9]{0,13})$/.exec(id);
  return match === null ? undefined : BigInt(match[1] as string);
}

export type TimedIdName =
  | "usage"
  | "settle"
  | "payout"
  | "invoice"
  | "credit"
  | "refund"
  | "receivable"
  | "staking"
  | "provider"
  | "verify";

export function timedId(name: TimedIdName, at: bigint, seq: bigint): string {
  return `${name}-${secondsOf(at as TimeNs)}-${seq}`;
}

/** The number of an id; the caller compares the whole id with the record's own. */
export function timedSeqOf(name: TimedIdName, id: string): bigint | undefined {
  const match = /^([a-z]+)-(?:-?[0-9]{1,12})-([1-9][0-9]{0,13})$/.exec(id);
  return match === null || match[1] !== name ? undefined : BigInt(match[2] as string);
}

/** A provider's own number of a credit note. */
export function creditNoteNumber(number: bigint): string {
  return `CN-${number.toString().padStart(6, "0")}`;
}

/** The payout of one invoice and settlement, once. */
export function payoutIdempotencyKey(invoiceId: string, settlementId: string): string {
  return `payout-${invoiceId}-${settlementId}`;
}
