import { addCoins, type Coins, formatCoins, NO_COINS, parseCoinsText } from "../../types/coins.ts";
import type { Outbox } from "../outbox/outbox.ts";

/** Notes of the watcher: how far it is, the sums, orders by name, payouts and disputes that are open. */
export const HEIGHT_NOTE = "watch/height";
export const SUMS_NOTE = "watch/sums";
export const PAYOUT_NOTES = "payout/";
export const DISPUTE_NOTES = "dispute/";

export const orderNote = (orderId: string): string => `order/${encodeURIComponent(orderId)}`;
export const payoutNote = (payoutId: string): string => `${PAYOUT_NOTES}${payoutId}`;
export const disputeNote = (disputeId: string): string => `${DISPUTE_NOTES}${disputeId}`;

/** Sums of one order, or of all. Coins as text, "15uve". */
export interface Sums {
  /** What settlements took from escrows. */
  readonly settled: string;
  /** Of that, what is the provider's after fees. */
  readonly share: string;
  /** What has reached the provider's account. */
  readonly paid: string;
  /** What went back to customers afterwards. */
  readonly refunded: string;
}

export const NO_SUMS: Sums = Object.freeze({ settled: "", share: "", paid: "", refunded: "" });

/** A payout that has not reached the provider. */
export interface OpenPayout {
  readonly orderId: string;
  readonly settlementId: string;
  /** "pending", "held" or "failed". */
  readonly state: string;
  readonly net: string;
  /** Why it is held, or failed. */
  readonly reason: string;
}

/** A dispute of one of the provider's records that nobody has decided. */
export interface OpenDispute {
  readonly usageId: string;
  readonly orderId: string;
  readonly reason: string;
  /** Unix seconds. */
  readonly expiresAt: string;
}

/** What the chain owes and has paid, as far as the watcher has come. */
export interface MoneyReport extends Sums {
  /** The last block that was looked at; undefined: none yet. */
  readonly height: bigint | undefined;
  readonly payouts: readonly (OpenPayout & { readonly payoutId: string })[];
  /** Sums of the open payouts by state. */
  readonly waiting: Readonly<Record<string, string>>;
  readonly disputes: readonly (OpenDispute & { readonly disputeId: string })[];
}

export async function readMoney(outbox: Outbox): Promise<MoneyReport> {
  const height = await outbox.note(HEIGHT_NOTE);
  const sums = readSums(await outbox.note(SUMS_NOTE));
  const payouts: (OpenPayout & { payoutId: string })[] = [];
  const waiting: Record<string, string> = {};
  for (const [name, text] of await outbox.notes(PAYOUT_NOTES)) {
    const payout = JSON.parse(text) as OpenPayout;
    payouts.push({ ...payout, payoutId: name.slice(PAYOUT_NOTES.length) });
    waiting[payout.state] = plus(waiting[payout.state] ?? "", payout.net);
  }
  const disputes = [...(await outbox.notes(DISPUTE_NOTES))].map(([name, text]) => {
    return { ...(JSON.parse(text) as OpenDispute), disputeId: name.slice(DISPUTE_NOTES.length) };
  });
  const known = height === undefined ? undefined : BigInt(height);
  return { ...sums, height: known, payouts, waiting, disputes };
}

export function readSums(text: string | undefined): Sums {
  return text === undefined ? NO_SUMS : { ...NO_SUMS, ...(JSON.parse(text) as Partial<Sums>) };
}

/** Two sums of coins as text. */
export function plus(a: string, b: string): string {
  return formatCoins(addCoins(coins(a), coins(b)));
}

function coins(text: string): Coins {
  return text === "" ? NO_COINS : (parseCoinsText(text) ?? NO_COINS);
}
