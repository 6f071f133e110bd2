import type { Context } from "../../baseapp/context.ts";
import { BillingTerms, type OrderState } from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import type { Key } from "../../lib/key.ts";
import { subCoins, wireCoins } from "../../types/coins.ts";
import { secondsOf } from "../../types/time.ts";
import type { Bill, BillingRules } from "./bill.ts";
import { validDiscounts } from "./discount.ts";
import { BILLING_TERMS_PREFIX, textIndexKey } from "./keys.ts";
import { coinsIn, type Records } from "./records.ts";
import { taxOfTerms } from "./tax.ts";

/** Discounts and tax of orders, as the state keeps them. */

/** Gas of each byte of terms that is written; one that is read costs 1. */
const BYTE_GAS = 10n;

export function billingTermsKey(orderId: string): Key {
  return textIndexKey(BILLING_TERMS_PREFIX, orderId);
}

/** The terms of an order; without any, they are empty. */
export function termsOf(
  ctx: Context,
  orderId: string,
  order: OrderState | undefined,
): BillingTerms {
  // The order says whether there are any: one that has none is not asked for them.
  const bytes = order?.hasBillingTerms === true ? ctx.kv.get(billingTermsKey(orderId)) : undefined;
  if (bytes !== undefined) {
    ctx.gas.consume(BigInt(bytes.length), "read billing terms");
    return BillingTerms.decode(bytes);
  }
  return { orderId, discounts: [], tax: undefined };
}

/** Writes the terms of an order that is there; empty ones leave nothing behind. */
export function writeTerms(ctx: Context, records: Records, terms: BillingTerms): void {
  const { orderId } = terms;
  const order = must(records.order(ctx, orderId), "settlement: an order is there");
  const hasBillingTerms = terms.discounts.length > 0 || terms.tax !== undefined;
  const key = billingTermsKey(orderId);
  if (hasBillingTerms) {
    const bytes = BillingTerms.encode(terms).finish();
    ctx.gas.consume(BYTE_GAS * BigInt(bytes.length), "write billing terms");
    ctx.kv.set(key, bytes);
  }
  if (!hasBillingTerms && order.hasBillingTerms) ctx.kv.delete(key);
  if (order.hasBillingTerms === hasBillingTerms) return;
  records.setOrder(ctx, orderId, { ...order, hasBillingTerms });
}

/** What a settlement of an order goes by; undefined when it has no discounts or tax now. */
export function billingRules(
  ctx: Context,
  records: Records,
  orderId: string,
  order = records.order(ctx, orderId),
): BillingRules | undefined {
  if (order?.hasBillingTerms !== true) return undefined;
  const terms = termsOf(ctx, orderId, order);
  const discounts = validDiscounts(terms.discounts, secondsOf(ctx.time));
  if (discounts.length === 0 && terms.tax === undefined) return undefined;
  const { taxRounding } = records.params(ctx).extended;
  return { discounts, tax: taxOfTerms(terms.tax, taxRounding), taxTerms: terms.tax };
}

/** What a fixed discount gave is given: settling record by record does not multiply it. */
export function useUpDiscounts(ctx: Context, records: Records, orderId: string, bill: Bill): void {
  const used = bill.reductions.filter(({ kind }) => kind === "fixed");
  if (used.length === 0) return;
  const terms = termsOf(ctx, orderId, records.order(ctx, orderId));
  const discounts = terms.discounts.map((discount, place) => {
    const given = used.find((each) => each.place === place)?.amount;
    if (given === undefined) return discount;
    return { ...discount, amount: wireCoins(subCoins(coinsIn(discount.amount), given)) };
  });
  writeTerms(ctx, records, { ...terms, discounts });
}
