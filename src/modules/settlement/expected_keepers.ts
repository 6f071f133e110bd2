import type { Context } from "../../baseapp/context.ts";
import type { Coin } from "../../gen/cosmos/base/v1beta1/coin.ts";
import type { Reader } from "../../store/read_view.ts";
import type { Coins } from "../../types/coins.ts";

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

/** What queries of settlement need of the bank: all coins of an account at one height, sorted. */
export interface BankReader {
  coinsOf(reader: Reader, address: string): Promise<Coin[]>;
}

/** Source of minted coins and destination of burned ones, as the bank names them. */
export const MINT = "mint";
export const BURN = "burn";
