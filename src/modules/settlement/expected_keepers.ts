import type { Context } from "../../baseapp/context.ts";
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

/** Source of minted coins and destination of burned ones, as the bank names them. */
export const MINT = "mint";
export const BURN = "burn";
