import type * as state from "../../src/gen/settled/settlement/v1/state.ts";
import type * as own from "../../src/gen/settled/settlement/v1/tx.ts";
import { costOf, type Discount, type Invoice, need, type Rules } from "./model_state.ts";
import type { Terms, Usage, World } from "./model_state.ts";
import {
  type Coins,
  coin,
  decimal,
  less,
  mapped,
  max,
  min,
  NONE,
  ONE,
  parsed,
} from "./model_sums.ts";
import { plus, sum } from "./model_sums.ts";

// RULES 30; README, "Discounts", "Tax" and "Terms".

/** A record that is settled, and what it is settled for. */
export interface Taken {
  readonly usage: Usage;
  readonly paid: bigint;
  readonly discount: bigint;
  /** Whether that is less than its price. */
  readonly isShort: boolean;
}

/** What discounts and tax make of records. */
export interface Bill {
  readonly taken: readonly Taken[];
  /** Of the escrow, without the tax. */
  readonly total: Coins;
  /** Of the escrow. */
  readonly tax: Coins;
  readonly discount: Coins;
  readonly invoice: Pick<Invoice, "subtotal" | "total" | "discounts" | "tax" | "taxTerms">;
  /** Whether the order has discounts or tax now. */
  readonly hasTerms: boolean;
  /** What fixed discounts gave. */
  readonly used: readonly { readonly discount: Discount; readonly amount: Coins }[];
}

function termsNow(w: World, orderId: string) {
  const terms = w.terms.get(orderId);
  const discounts = (terms?.discounts ?? []).filter(({ validFrom, validUntil }) => {
    return w.seconds >= validFrom && (validUntil === 0n || w.seconds <= validUntil);
  });
  const tax = terms?.tax;
  const isWithin = tax?.mode === "inclusive";
  return { discounts, tax, isWithin, hasTerms: discounts.length > 0 || tax !== undefined };
}

/** What each discount takes off the costs of records of one denom. */
function reductionsOf(discounts: readonly Discount[], denom: string, records: readonly Usage[]) {
  const [cost, units] = [sum(records, (u) => u.cost), sum(records, (u) => u.units)];
  let rest = cost;
  return discounts.map((discount) => {
    const { kind, rateBps, tiers, amount, minTotal, maxDiscount } = discount;
    const tier = tiers.findLast(({ minUnits }) => minUnits <= units)?.rateBps ?? 0;
    const share = (cost * BigInt(kind === "volume" ? tier : rateBps)) / 10_000n;
    const asked = kind === "fixed" ? (amount.get(denom) ?? 0n) : share;
    const most = min(asked, maxDiscount.get(denom) ?? asked);
    const given = cost < (minTotal.get(denom) ?? 0n) ? 0n : min(most, rest);
    rest -= given;
    return given;
  });
}

function taxOn(w: World, tax: Terms["tax"], net: bigint): bigint {
  const rounded = (dividend: bigint): bigint => {
    const [down, twice] = [dividend / ONE, (dividend % ONE) * 2n];
    const mode = w.params.taxRounding;
    if (mode === "half_up") return twice >= ONE ? down + 1n : down;
    if (mode === "half_even" && twice === ONE) return down + (down % 2n);
    if (mode === "half_even") return twice > ONE ? down + 1n : down;
    return mode === "up" && twice > 0n ? down + 1n : down;
  };
  return (tax?.rates ?? []).reduce((all, { rate, compound }) => {
    return all + rounded((compound ? net + all : net) * (decimal(rate, "0") as bigint));
  }, 0n);
}

/** The largest amount that fits with the tax on it. */
function netWithin(w: World, tax: Terms["tax"], gross: bigint): bigint {
  let [low, high] = [0n, gross];
  while (low < high) {
    const middle = (low + high + 1n) / 2n;
    if (middle + taxOn(w, tax, middle) <= gross) low = middle;
    else high = middle - 1n;
  }
  return low;
}

/** Floored shares; the remainder on the last that can take it. */
function divided(amount: bigint, weights: readonly bigint[]): bigint[] {
  const whole = sum(weights, (each) => each);
  const parts = weights.map((weight) => (whole === 0n ? 0n : (amount * weight) / whole));
  let rest = amount - sum(parts, (each) => each);
  return parts.reduceRight<bigint[]>((all, part, at) => {
    const more = min(rest, (weights[at] as bigint) - part);
    rest -= more;
    return [part + more, ...all];
  }, []);
}

/** What records cost an escrow, less discounts and with the tax on top. */
export function chargeOf(w: World, orderId: string, denom: string, records: readonly Usage[]) {
  const { discounts, tax, isWithin } = termsNow(w, orderId);
  const reductions = reductionsOf(discounts, denom, records);
  const price = sum(records, (u) => u.cost) - sum(reductions, (each) => each);
  return isWithin ? price : price + taxOn(w, tax, price);
}

/** Divides what a balance has of one denom over its records. */
function partOf(w: World, orderId: string, denom: string, records: readonly Usage[], most: bigint) {
  const { discounts, tax: terms, isWithin } = termsNow(w, orderId);
  const reductions = reductionsOf(discounts, denom, records);
  const discount = sum(reductions, (each) => each);
  const off = divided(
    discount,
    records.map(({ cost }) => cost),
  );
  const prices = records.map(({ cost }, at) => cost - (off[at] as bigint));
  const price = sum(prices, (each) => each);
  const paid = min(price, isWithin ? most : netWithin(w, terms, most));
  const taxIn = (amount: bigint): bigint =>
    isWithin ? amount - netWithin(w, terms, amount) : taxOn(w, terms, amount);
  const [tax, whole] = [taxIn(paid), taxIn(price)];
  let left = paid;
  const given = prices.map((each) => {
    const part = min(each, left);
    left -= part;
    return part;
  });
  const taxes = divided(isWithin ? tax : 0n, given);
  const taken = records.map((usage, at): Taken => {
    const [part = 0n, within = 0n, reduced = 0n, asked = 0n] = [
      ...[given[at], taxes[at], off[at], prices[at]],
    ];
    return { usage, paid: part - within, discount: reduced, isShort: part < asked };
  });
  const total = isWithin ? price : price + whole;
  return { denom, taken, reductions, discount, tax, whole, total };
}

/** Divides what a balance has over records, whatever it does not cover. */
export function billOf(w: World, orderId: string, records: readonly Usage[], balance: Coins): Bill {
  const { discounts, tax, hasTerms } = termsNow(w, orderId);
  const denoms = [...new Set(records.map(({ denom }) => denom))];
  const parts = denoms.map((denom) => {
    const own = records.filter((usage) => usage.denom === denom);
    return partOf(w, orderId, denom, own, balance.get(denom) ?? 0n);
  });
  const coins = (of: (part: (typeof parts)[number]) => bigint): Coins =>
    plus(...parts.map((part) => coin(part.denom, of(part))));
  const lines = parts.flatMap((part) => part.taken);
  const taken = records.map((usage) => lines.find((line) => line.usage === usage) as Taken);
  const reduced = discounts.map((discount, at) => {
    return { discount, amount: coins(({ reductions }) => reductions[at] ?? 0n) };
  });
  const given = reduced.filter(({ amount }) => amount.size > 0);
  return {
    ...{ taken, hasTerms, total: plus(...taken.map((t) => coin(t.usage.denom, t.paid))) },
    ...{ tax: coins((part) => part.tax), discount: coins((part) => part.discount) },
    invoice: {
      ...{ subtotal: plus(...records.map(costOf)), total: coins((part) => part.total) },
      ...{ tax: coins((part) => part.whole), taxTerms: tax },
      discounts: given.map(({ discount: { kind, description }, amount }) => {
        return { kind, description, amount };
      }),
    },
    used: given.filter(({ discount }) => discount.kind === "fixed"),
  };
}

/** A fixed discount is given once. */
export function useUp(w: World, orderId: string, { used }: Bill): void {
  const terms = w.terms.get(orderId);
  if (terms === undefined || used.length === 0) return;
  const discounts = terms.discounts.map((discount) => {
    const given = used.find((each) => each.discount === discount)?.amount ?? NONE;
    return { ...discount, amount: less(discount.amount, given) };
  });
  w.put(w.terms, orderId, { ...terms, discounts });
}

/** The tax in a payment of an invoice. */
export function taxInPayment({ total, tax, amountPaid, taxPaid }: Invoice, amount: Coins): Coins {
  return mapped(amount, (each, denom) => {
    const of = (coins: Coins): bigint => coins.get(denom) ?? 0n;
    const share = ((of(amountPaid) + each) * of(tax)) / of(total);
    return min(max(share - of(taxPaid), 0n), each);
  });
}

function same(a: unknown, b: unknown): boolean {
  const plain = (value: unknown): string =>
    JSON.stringify(value, (_, each) => {
      if (each instanceof Map)
        return [...each].map(([denom, amount]) => `${amount}${denom}`).sort();
      return typeof each === "bigint" ? `${each}` : each;
    }) ?? "";
  return plain(a) === plain(b);
}

function write(w: World, orderId: string, change: Partial<Terms>): void {
  const before = w.terms.get(orderId) ?? { orderId, discounts: [], tax: undefined };
  const after = { ...before, ...change };
  need(!same(before, after), 1506);
  const isEmpty = after.discounts.length === 0 && after.tax === undefined;
  w.put(w.terms, orderId, isEmpty ? undefined : after);
}

export const billingRules: Rules = {
  MsgSetDiscounts: (w, { sender, orderId, discounts }: own.MsgSetDiscounts) => {
    const escrow = w.newest(orderId);
    need(escrow !== undefined, 1501);
    const provides = escrow.status === "active" || escrow.status === "disputed";
    const isProvider = provides && sender === escrow.recipient;
    need(isProvider || sender === w.params.authority, 1505);
    write(w, orderId, { discounts: discounts.map(discountFrom) });
    // How discounts are written no document says.
    w.emit("DiscountsSet", { set_by: sender, old: "*", new: "*" }, escrow);
    return {};
  },
  MsgSetTax: (w, { sender, orderId, tax }: own.MsgSetTax) => {
    const escrow = w.newest(orderId);
    need(escrow !== undefined, 1501);
    const { depositor, recipient } = escrow;
    // Who bears the tax that there was, and the one that comes.
    const bears = (terms: Terms["tax"]): boolean =>
      (terms?.mode !== "inclusive" && sender === depositor) ||
      (terms?.mode !== "exclusive" && terms?.mode !== "reverse_charge" && sender === recipient);
    const mayChange = bears(w.terms.get(orderId)?.tax) && bears(tax);
    need(mayChange || sender === w.params.authority, 1505);
    write(w, orderId, { tax });
    w.emit("TaxSet", { set_by: sender, old: "*", new: "*" }, escrow);
    return {};
  },
};

function discountFrom({ amount, minTotal, maxDiscount, ...rest }: state.Discount): Discount {
  const of = (coins: state.Discount["amount"]): Coins => parsed(coins) as Coins;
  return { ...rest, amount: of(amount), minTotal: of(minTotal), maxDiscount: of(maxDiscount) };
}
