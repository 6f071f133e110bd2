import type { Context } from "../../baseapp/context.ts";
import type { Coin } from "../../gen/cosmos/base/v1beta1/coin.ts";
import type { JournalEntry } from "../../gen/settled/bank/v1/state.ts";
import type { Key } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import type { Coins } from "../../types/coins.ts";
import type { TimeNs } from "../../types/time.ts";

/** What settlement needs of the bank: the one way to move coins, and balances. */
export interface BankKeeper {
  post(
    ctx: Context,
    posting: {
      readonly kind: string;
      readonly reference: string;
      readonly movements: readonly {
        readonly source: string;
        readonly destination: string;
        readonly coins: Coins;
      }[];
      readonly reverses?: bigint;
    },
  ): bigint;
  balance(ctx: Context, address: string, denom: string): bigint;
  supply(ctx: Context, denom: string): bigint;
}

/** What settlement needs of auth: the key that a signature is checked with. */
export interface AccountKeeper {
  account(ctx: Context, address: string): { readonly publicKey: Uint8Array } | undefined;
}

/** What queries of settlement, and invariants over its whole state, need of the bank. */
export interface BankReader {
  /** All coins of an account, sorted. */
  coinsOf(reader: Reader, address: string): Promise<Coin[]>;
  /** Where the journal's entries of an account are looked up. */
  journalOfAccount(address: string): Key;
  /** The keys of that look-up between which the entries of a time stand, the end not included. */
  journalBounds(
    reader: Reader,
    address: string,
    span: { from: TimeNs | undefined; to: TimeNs | undefined },
  ): Promise<{ from: Key | undefined; to: Key | undefined }>;
  /** The entry that a key of the look-up stands for. */
  journalEntryAt(reader: Reader, key: Key): Promise<JournalEntry>;
  /** The entry with a number; undefined when there is none. */
  journalEntry(reader: Reader, seq: bigint): Promise<JournalEntry | undefined>;
  /** All entries by number. */
  journalEntries(reader: Reader): AsyncIterable<JournalEntry>;
}

/** Source of minted coins and destination of burned ones, as the bank names them. */
export const MINT = "mint";
export const BURN = "burn";
