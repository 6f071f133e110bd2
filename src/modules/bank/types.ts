import type { Coins } from "../../types/coins.ts";

/** Stands for what is outside of the supply: coins come into being from here. */
export const MINT = "mint";
/** Coins that go here cease to be. */
export const BURN = "burn";

/** Coins from one account to another, or from MINT, or to BURN. */
export interface Movement {
  readonly source: string;
  readonly destination: string;
  readonly coins: Coins;
}

/** One journal entry to be posted. */
export interface Posting {
  /** What moved the coins: "send", "fee", "escrow_deposit", "settlement", … */
  readonly kind: string;
  /** The id of the record that caused it; "" for none. */
  readonly reference: string;
  readonly movements: readonly Movement[];
  /** The seq of the entry that this one reverses. */
  readonly reverses?: bigint;
}
