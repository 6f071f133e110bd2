import type { Context } from "../../baseapp/context.ts";

/** What bank needs of auth: an account for whoever receives coins. */
export interface AccountKeeper {
  ensureAccount(ctx: Context, address: string): void;
}
