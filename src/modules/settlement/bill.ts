import type { TaxTerms } from "../../gen/settled/settlement/v1/state.ts";
import { minBigint, mulDivFloor } from "../../lib/int.ts";
import { amountOf, type Coins } from "../../types/coins.ts";
import { CoinSums } from "./coin_sums.ts";
import { reductionsOf, type Takings, type ValidDiscount } from "./discount.ts";
import { netWithin, type Tax, taxOn } from "./tax.ts";

/** Discounts and tax of an order, as they hold for a settlement of this block. */
export interface BillingRules {
  readonly discounts: readonly ValidDiscount[];
  /** Undefined when there is none to pay here. */
  readonly tax: Tax | undefined;
  /** With those of a reverse charge, of which nothing is paid. */
  readonly taxTerms: TaxTerms | undefined;
}

/** What one discount took off. */
export interface Reduction {
  /** In the list of the order's discounts, from 0. */
  readonly place: number;
  readonly kind: string;
  readonly description: string;
  readonly amount: Coins;
}

/** What discounts and tax make of the records that a settlement takes. */
export interface Bill {
  /** Costs of the records. */
  readonly subtotal: Coins;
  /** Those that took something off. */
  readonly reductions: readonly Reduction[];
  /** Their sum. */
  readonly discount: Coins;
  /** Of what is paid at once, besides the settlement's total. */
  readonly tax: Coins;
  /** Of what is due later, too. */
  readonly invoiceTax: Coins;
  /** Costs less discounts, and tax that is on top. */
  readonly invoiceTotal: Coins;
  readonly taxTerms: TaxTerms | undefined;
}

/** The part of a bill in one denom, in base units. */
export interface DenomBill extends Takings {
  /** Of each discount of the rules. */
  readonly reductions: readonly bigint[];
  readonly discount: bigint;
  /** Costs less discounts; tax is within it when prices contain it. */
  readonly price: bigint;
  /** Of the price: what can be paid. Tax is within it when prices contain it. */
  readonly paid: bigint;
  /** Of what is paid. */
  readonly tax: bigint;
  readonly isTaxWithin: boolean;
  readonly invoiceTax: bigint;
  readonly invoiceTotal: bigint;
}

/** What records of one denom cost, less discounts and with the tax that is on top. */
export function chargeOf({ discounts, tax }: BillingRules, takings: Takings): bigint {
  const price = takings.sum - sumOf(reductionsOf(discounts, takings));
  return tax === undefined || tax.isWithin ? price : price + taxOn(tax, price);
}

/** @param most what may be paid, tax included; the rest is due later */
export function denomBill(
  { discounts, tax }: BillingRules,
  takings: Takings,
  most: bigint,
): DenomBill {
  const reductions = reductionsOf(discounts, takings);
  const discount = sumOf(reductions);
  const price = takings.sum - discount;
  const isOnTop = tax !== undefined && !tax.isWithin;
  const paid = minBigint(price, isOnTop ? netWithin(tax, most) : most);
  const invoiceTax = taxWith(tax, price);
  return {
    ...takings,
    ...{ reductions, discount, price, paid, invoiceTax },
    tax: taxWith(tax, paid),
    isTaxWithin: tax?.isWithin ?? false,
    invoiceTotal: isOnTop ? price + invoiceTax : price,
  };
}

/** The tax on top of a price, or within it: then what the largest net that fits leaves. */
function taxWith(tax: Tax | undefined, price: bigint): bigint {
  if (tax === undefined) return 0n;
  return tax.isWithin ? price - netWithin(tax, price) : taxOn(tax, price);
}

/** Puts a settlement's denoms together. */
export function billOf(rules: BillingRules, parts: readonly DenomBill[]): Bill {
  const of = (amount: (part: DenomBill) => bigint): Coins => {
    const sums = new CoinSums();
    for (const part of parts) sums.add(part.denom, amount(part));
    return sums.coins();
  };
  const reductions = rules.discounts.map(({ place, kind, description }, index) => {
    const amount = of((part) => part.reductions[index] ?? 0n);
    return { place, kind, description, amount };
  });
  return {
    subtotal: of(({ sum }) => sum),
    reductions: reductions.filter(({ amount }) => amount.length > 0),
    discount: of(({ discount }) => discount),
    tax: of(({ tax }) => tax),
    invoiceTax: of(({ invoiceTax }) => invoiceTax),
    invoiceTotal: of(({ invoiceTotal }) => invoiceTotal),
    taxTerms: rules.taxTerms,
  };
}

/** The bill without the denoms that a settlement leaves out. @param total what it takes */
export function billWithin(bill: Bill, total: Coins): Bill {
  const kept = (coins: Coins): Coins => coins.filter(({ denom }) => amountOf(total, denom) > 0n);
  const reductions = bill.reductions.map((each) => ({ ...each, amount: kept(each.amount) }));
  return {
    subtotal: kept(bill.subtotal),
    reductions: reductions.filter(({ amount }) => amount.length > 0),
    discount: kept(bill.discount),
    tax: kept(bill.tax),
    invoiceTax: kept(bill.invoiceTax),
    invoiceTotal: kept(bill.invoiceTotal),
    taxTerms: bill.taxTerms,
  };
}

/**
 * Divides an amount in the ratio of `weights`, floored, each part at most its weight. The remainder
 * goes to the last one, and what that cannot take to the ones before (RULES 30).
 * @param amount at most the sum of the weights
 */
export function divideOver(amount: bigint, weights: readonly bigint[]): bigint[] {
  const sum = sumOf(weights);
  if (sum === 0n || amount === 0n) return weights.map(() => 0n);
  const parts = weights.map((weight) => mulDivFloor(amount, weight, sum));
  let rest = amount - sumOf(parts);
  for (let index = parts.length - 1; rest > 0n && index >= 0; index -= 1) {
    const part = parts[index] as bigint;
    const more = minBigint(rest, (weights[index] as bigint) - part);
    parts[index] = part + more;
    rest -= more;
  }
  return parts;
}

function sumOf(amounts: readonly bigint[]): bigint {
  return amounts.reduce((sum, amount) => sum + amount, 0n);
}
