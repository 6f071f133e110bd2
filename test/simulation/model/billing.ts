import type * as own from "../../../src/gen/settled/settlement/v1/tx.ts";
import { amountOf, coin, type Coins, least, lower, minus, perDenom, plus } from "./coins.ts";
import { spread } from "./coins.ts";
import { type Escrow, isSame, refuse, type Usage, WORDS } from "./records.ts";
import { State } from "./state.ts";
import { discountsOf, fitting, taxOf } from "./terms.ts";

// Terms of an order, and what a settlement of records costs by them.

export type Bill = ReturnType<Billing["bill"]>;

export class Billing extends State {
  MsgSetDiscounts({ sender, orderId, discounts }: own.MsgSetDiscounts): void {
    const escrow = this.newest(orderId);
    const isGiver = ["active", "disputed"].includes(escrow.status);
    this.only(sender, this.params.authority, isGiver ? escrow.recipient : "");
    const before = this.termsOf(orderId)?.discounts ?? [];
    refuse([1518, this.isOver(escrow)], [1506, isSame(before, discounts)]);
    this.setTerms(orderId, { discounts });
    const [old, now] = [before, discounts].map((each) => (each.length > 0 ? WORDS : ""));
    this.emit("DiscountsSet", escrow, { setBy: sender, old, new: now });
  }

  MsgSetTax({ sender, orderId, tax }: own.MsgSetTax): void {
    const escrow = this.newest(orderId);
    const before = this.termsOf(orderId)?.tax;
    const bearers = [before, tax].map((terms) => {
      return terms?.mode === "inclusive" ? escrow.recipient : terms && escrow.depositor;
    });
    const isBearer = bearers.every((bearer) => bearer === undefined || bearer === sender);
    const { depositor, recipient } = escrow;
    this.only(sender, this.params.authority, ...(isBearer ? [depositor, recipient] : []));
    refuse([1518, this.isOver(escrow)], [1506, isSame(before, tax)]);
    this.setTerms(orderId, { tax });
    const [old, now] = [before, tax].map((each) => (each === undefined ? "" : WORDS));
    this.emit("TaxSet", escrow, { setBy: sender, old, new: now });
  }

  /** What a settlement of these records costs. */
  bill(escrow: Escrow, taken: readonly Usage[]) {
    const { discounts = [], tax: terms } = this.termsOf(escrow.orderId) ?? {};
    const parts = taken.map(({ denom, cost }) => ({ denom, amount: `${cost}` }));
    const costs = plus(...parts.map((part) => [part]));
    const unitsOf = (denom?: string) => {
      return taken.reduce(
        (sum, each) => sum + (each.denom === (denom ?? each.denom) ? each.units : 0n),
        0n,
      );
    };
    const given = discountsOf(discounts, costs, { unitsOf, second: this.second });
    const off = spread(plus(...given), parts);
    const price = minus(costs, ...given);
    const taxOn = (net: bigint) => taxOf(terms, net, this.params.taxRounding);
    const isWithin = terms?.mode === "inclusive";
    const tax = perDenom(taxOn, price);
    const charge = isWithin ? price : plus(price, tax);
    const units = unitsOf();
    return { discounts, terms, isWithin, costs, units, given, off, price, taxOn, tax, charge };
  }

  /** What of a bill is paid: net of tax, and the tax. */
  paidOf({ isWithin, price, taxOn }: Bill, available: Coins): { net: Coins; tax: Coins } {
    const most = isWithin ? least(price, available) : available;
    const net = perDenom((all, has) => fitting(taxOn, has, all), price, most);
    return { net, tax: isWithin ? minus(most, net) : perDenom(taxOn, net) };
  }

  /** A fixed discount is given once per order. */
  useFixed({ orderId }: Escrow, { discounts, given }: Bill): void {
    const left = discounts.map((discount, at) => {
      const amount = minus(discount.amount, given[at] ?? []);
      return discount.kind === "fixed" ? { ...discount, amount } : discount;
    });
    if (left.length > 0) this.setTerms(orderId, { discounts: left });
  }

  /** @returns the first record that is not paid whole */
  closeUsage(
    taken: readonly Usage[],
    { off, isWithin }: Bill,
    { net, tax, ...of }: { net: Coins; tax: Coins; settlementSeq: bigint; invoiceSeq: bigint },
  ): Usage | undefined {
    let left = isWithin ? plus(net, tax) : net;
    const gross = taken.map(({ denom, cost }, at) => {
      const paid = lower(cost - (off[at] ?? 0n), amountOf(left, denom));
      left = minus(left, coin(denom, paid));
      return { denom, amount: `${paid}` };
    });
    const taxes = spread(isWithin ? tax : [], gross);
    const paid = (at: number) => BigInt(gross[at]?.amount ?? 0);
    const short = taken.find(({ cost }, at) => paid(at) < cost - (off[at] ?? 0n));
    for (const [at, usage] of taken.entries()) {
      const settledAmount = paid(at) - (taxes[at] ?? 0n);
      this.change(usage, { status: "settled", settledAmount, discount: off[at] ?? 0n, ...of });
    }
    return short;
  }
}
