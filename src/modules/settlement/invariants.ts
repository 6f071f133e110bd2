import type { Context } from "../../baseapp/context.ts";
import type { Invariant } from "../../baseapp/module.ts";
import { assert } from "../../lib/assert.ts";
import type { Key } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import type { Accounts } from "./accounts.ts";
import type { BankKeeper } from "./expected_keepers.ts";
import { TOTAL_PREFIX, type TotalName } from "./keys.ts";
import type { Records } from "./records.ts";

/**
 * What must hold after every block, by running totals. I-09 per escrow, I-10 and I-14 are asserted
 * where the records are written.
 */
export function settlementInvariants(parts: {
  records: Records;
  bank: BankKeeper;
  accounts: Accounts;
}): Invariant[] {
  const { records, bank, accounts } = parts;
  const total = (ctx: Context, name: TotalName, denom: string): bigint =>
    records.total(ctx, name, denom);
  const equal = (
    name: string,
    left: (ctx: Context, denom: string) => bigint,
    right: (ctx: Context, denom: string) => bigint,
  ): Invariant => ({
    name,
    check: (ctx) => {
      for (const denom of denomsOf(ctx)) {
        const [a, b] = [left(ctx, denom), right(ctx, denom)];
        assert(a === b, `${name}: settlement totals differ`, { denom, left: a, right: b });
      }
    },
  });
  return [
    equal(
      "I-08 escrow balances are in the escrow account",
      (ctx, denom) => total(ctx, "escrowed", denom),
      (ctx, denom) => bank.balance(ctx, accounts.escrow, denom),
    ),
    equal(
      "I-09 settled totals are those of the escrows",
      (ctx, denom) => total(ctx, "escrowSettled", denom),
      (ctx, denom) => total(ctx, "settled", denom),
    ),
    equal(
      "I-09 taxes of escrows are those of their settlements",
      (ctx, denom) => total(ctx, "escrowTax", denom),
      (ctx, denom) => total(ctx, "settledTax", denom),
    ),
    equal(
      "I-11 the settlement account holds unfinished payouts",
      (ctx, denom) => total(ctx, "payoutsUnfinished", denom),
      (ctx, denom) => bank.balance(ctx, accounts.settlement, denom),
    ),
    ...FEE_ACCOUNTS.map(({ account, taken, withdrawn }) =>
      equal(
        `I-11 the account ${account} holds what was not withdrawn`,
        (ctx, denom) => total(ctx, taken, denom) - total(ctx, withdrawn, denom),
        (ctx, denom) => bank.balance(ctx, accounts[account], denom),
      ),
    ),
    equal(
      "I-12 settled records sum to their settlements",
      (ctx, denom) => total(ctx, "usageSettled", denom),
      (ctx, denom) => total(ctx, "settledWithUsage", denom),
    ),
    equal(
      "I-13 claimable rewards are in the rewards account",
      (ctx, denom) => total(ctx, "claimable", denom),
      (ctx, denom) => bank.balance(ctx, accounts.rewards, denom),
    ),
    equal(
      "I-13 distributions are claimable, claimed, expired or cancelled",
      (ctx, denom) => total(ctx, "distributed", denom),
      (ctx, denom) =>
        total(ctx, "claimable", denom) +
        total(ctx, "claimed", denom) +
        total(ctx, "expired", denom) +
        total(ctx, "cancelled", denom),
    ),
  ];
}

/** What a fee account was given less what refunds took back, and what left it by withdrawals. */
const FEE_ACCOUNTS = [
  { account: "platformFee", taken: "platformFees", withdrawn: "platformFeesWithdrawn" },
  { account: "validatorFee", taken: "validatorFees", withdrawn: "validatorFeesWithdrawn" },
  { account: "tax", taken: "taxes", withdrawn: "taxesWithdrawn" },
] as const;

/** Denoms that any running total knows, and the bond denom. */
function denomsOf(ctx: Context): string[] {
  const denoms = new KeyMap<true>();
  denoms.set(ctx.chain.bondDenom, true);
  for (const [key] of ctx.kv.iterate(TOTAL_PREFIX)) {
    // Behind the prefix: one byte of quantity, the denom.
    denoms.set(key.slice(TOTAL_PREFIX.length + 1) as Key, true);
  }
  return denoms.sortedKeys();
}
