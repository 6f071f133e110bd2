import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Discount, UsageState } from "../../src/gen/settled/settlement/v1/state.ts";
import type { Allocation } from "../../src/modules/settlement/allocate.ts";
import { dropBelowMinimum } from "../../src/modules/settlement/allocate.ts";
import { allocateUnder } from "../../src/modules/settlement/allocate_billed.ts";
import { type BillingRules, divideOver } from "../../src/modules/settlement/bill.ts";
import { BilledMeans } from "../../src/modules/settlement/billed_means.ts";
import { validDiscounts } from "../../src/modules/settlement/discount.ts";
import { netWithin, taxOfTerms, taxOn } from "../../src/modules/settlement/tax.ts";
import { amountOf, type Coins } from "../../src/types/coins.ts";
import { DEC_ONE, type Dec, formatDec } from "../../src/types/dec.ts";
import { fixed, percentage, volume } from "../testkit/billing.ts";
import { runs } from "./runs.ts";

const DENOMS = ["uusd", "uve"] as const;
const MODES = ["half_up", "half_even", "down", "up"] as const;

/** Small amounts, where everything is a remainder, and ones that no number holds. */
const amounts = fc.oneof(fc.bigInt(0n, 60n), fc.bigInt(0n, 2n ** 200n));
const coins = fc
  .tuple(amounts, amounts)
  .map(
    (list): Coins =>
      DENOMS.map((denom, index) => ({ denom, amount: list[index] ?? 0n })).filter(
        ({ amount }) => amount > 0n,
      ),
  );
const text = coins.map((list) => list.map(({ amount, denom }) => `${amount}${denom}`).join(","));
const wired = coins.map((list) =>
  list.map(({ denom, amount }) => ({ denom, amount: `${amount}` })),
);

const bps = fc.integer({ min: 1, max: 10_000 });
const discount: fc.Arbitrary<Discount> = fc
  .tuple(
    fc.constantFrom("percentage", "fixed", "volume"),
    bps,
    text,
    fc.array(fc.tuple(fc.bigInt(0n, 30n), bps), { minLength: 1, maxLength: 8 }),
    fc.option(wired),
    fc.option(wired),
  )
  .map(([kind, rate, amount, tiers, minTotal, maxDiscount]) => {
    const bounds = { minTotal: minTotal ?? [], maxDiscount: maxDiscount ?? [] };
    if (kind === "percentage") return percentage(rate, bounds);
    if (kind === "fixed") return fixed(amount, bounds);
    const sorted = tiers.toSorted(([a], [b]) => Number(a - b));
    const ascending = sorted.filter(([min], index) => sorted[index - 1]?.[0] !== min);
    return volume(ascending, bounds);
  });

const rate = fc.oneof(
  fc.bigInt(1n, DEC_ONE),
  fc.constantFrom(DEC_ONE / 2n, DEC_ONE / 20n, (DEC_ONE * 19n) / 100n, 1n, DEC_ONE),
);
const terms = fc.record({
  mode: fc.constantFrom("exclusive", "inclusive", "reverse_charge"),
  rates: fc.array(fc.record({ rate, compound: fc.boolean() }), { minLength: 1, maxLength: 4 }),
  rounding: fc.constantFrom(...MODES),
});

const rules: fc.Arbitrary<BillingRules> = fc
  .tuple(fc.array(discount, { maxLength: 8 }), fc.option(terms))
  .map(([discounts, given]) => {
    const taxTerms =
      given === null
        ? undefined
        : {
            ...{ mode: given.mode, jurisdiction: "", customerTaxId: "" },
            rates: (given.mode === "reverse_charge" ? [] : given.rates).map((each) => {
              return { name: "t", rate: formatDec(each.rate as Dec), compound: each.compound };
            }),
          };
    const tax = taxOfTerms(taxTerms, given?.rounding ?? "half_up");
    return { discounts: validDiscounts(discounts, 1n), tax, taxTerms };
  });

const records = fc
  .array(
    fc.record({ denom: fc.constantFrom(...DENOMS), cost: amounts, units: fc.bigInt(1n, 9n) }),
    {
      maxLength: 14,
    },
  )
  .map((list) =>
    list.map(({ denom, cost, units }, index) =>
      UsageState.fromPartial({ seq: BigInt(index + 1), denom, units, cost: `${cost}` }),
    ),
  );

function sum(list: readonly bigint[]): bigint {
  return list.reduce((total, each) => total + each, 0n);
}

/** What must hold of every allocation, denom by denom. */
function check(allocation: Allocation, billing: BillingRules, balance: Coins): void {
  const { taken, total, bill } = allocation;
  if (bill === undefined) throw new Error("an order with terms has a bill");
  for (const denom of DENOMS) {
    const lines = taken.filter(({ usage }) => usage.denom === denom);
    const costs = sum(lines.map(({ usage }) => BigInt(usage.cost)));
    const off = sum(lines.map((line) => line.discount ?? 0n));
    const of = (list: Coins) => amountOf(list, denom);
    expect(of(bill.subtotal)).toBe(costs);
    expect(of(bill.discount)).toBe(off);
    expect(sum(bill.reductions.map(({ amount }) => of(amount)))).toBe(off);
    expect(off).toBeLessThanOrEqual(costs);
    for (const { usage, amount, discount: each = 0n } of lines) {
      expect(amount).toBeGreaterThanOrEqual(0n);
      expect(each).toBeGreaterThanOrEqual(0n);
      expect(amount).toBeLessThanOrEqual(BigInt(usage.cost) - each);
    }
    expect(of(total)).toBe(sum(lines.map(({ amount }) => amount)));
    // Never overdrawn, and never more tax than the invoice has.
    expect(of(total) + of(bill.tax)).toBeLessThanOrEqual(of(balance));
    expect(of(bill.tax)).toBeLessThanOrEqual(of(bill.invoiceTax));
    expect(of(total) + of(bill.tax)).toBeLessThanOrEqual(of(bill.invoiceTotal));
    const { tax } = billing;
    const price = costs - off;
    if (tax === undefined || tax.isWithin) expect(of(bill.invoiceTotal)).toBe(price);
    else expect(of(bill.invoiceTotal)).toBe(price + taxOn(tax, price));
    if (tax !== undefined && !tax.isWithin) expect(of(bill.tax)).toBe(taxOn(tax, of(total)));
  }
}

describe("RULES 30 allocation with discounts and tax", () => {
  test("RULES 30 sums are exact and nothing is overdrawn, whatever terms and records", () => {
    const property = fc.property(rules, records, coins, (billing, list, balance) => {
      const allocation = allocateUnder(billing, list, balance, false);
      check(allocation, billing, balance);
      // What is taken is paid in full: the invoice owes nothing.
      const { bill, total } = allocation;
      for (const denom of DENOMS) {
        const paid = amountOf(total, denom) + amountOf(bill?.tax ?? [], denom);
        expect(paid).toBe(amountOf(bill?.invoiceTotal ?? [], denom));
      }
    });
    fc.assert(property, runs(300));
  });

  test("RULES 30 final: in order, each in full until the first one that is not", () => {
    const property = fc.property(rules, records, coins, (billing, list, balance) => {
      const allocation = allocateUnder(billing, list, balance, true);
      check(allocation, billing, balance);
      expect(allocation.taken.map(({ usage }) => usage.seq)).toEqual(list.map(({ seq }) => seq));
      const { tax } = billing;
      for (const denom of DENOMS) {
        const lines = allocation.taken.filter(({ usage }) => usage.denom === denom);
        const { bill, total } = allocation;
        const of = (coinsOf: Coins | undefined) => amountOf(coinsOf ?? [], denom);
        const paid = of(total) + of(bill?.tax);
        if (paid === of(bill?.invoiceTotal)) continue;
        // One unit more would not fit.
        const next = of(total) + 1n;
        const more = tax === undefined || tax.isWithin ? paid + 1n : next + taxOn(tax, next);
        expect(more).toBeGreaterThan(amountOf(balance, denom));
        if (tax?.isWithin === true) continue;
        const short = lines.findIndex(
          ({ usage, amount, discount: off = 0n }) => amount < BigInt(usage.cost) - off,
        );
        expect(lines.slice(short + 1).every(({ amount }) => amount === 0n)).toBe(true);
      }
    });
    fc.assert(property, runs(300));
  });

  test("a settlement takes what its selection covered, and denoms whole or not at all", () => {
    const property = fc.property(rules, records, coins, amounts, (billing, list, balance, min) => {
      const means = new BilledMeans(billing, balance);
      const covered = list.filter((usage) => !means.isSpent(usage.denom) && means.covers(usage));
      const all = allocateUnder(billing, list, balance, false);
      expect(all.taken.map(({ usage }) => usage)).toEqual(covered);
      const again = allocateUnder(billing, covered, balance, false);
      expect(again.total).toEqual(all.total);
      const kept = dropBelowMinimum(all, min);
      check(kept, billing, balance);
      for (const denom of DENOMS) {
        const before = amountOf(all.total, denom);
        const isKept = before > 0n && before >= min;
        expect(amountOf(kept.total, denom)).toBe(isKept ? before : 0n);
      }
    });
    fc.assert(property, runs(200));
  });
});

test("RULES 30 a remainder goes to the last part that can take it", () => {
  const weights = fc.array(amounts, { maxLength: 12 });
  const property = fc.property(weights, amounts, (list, share) => {
    const whole = sum(list);
    const amount = share < whole ? share : whole;
    const parts = divideOver(amount, list);
    expect(sum(parts)).toBe(amount);
    const floors = list.map((weight) => (whole === 0n ? 0n : (amount * weight) / whole));
    const changed = parts.findIndex((part, index) => part !== floors[index]);
    parts.forEach((part, index) => {
      const weight = list[index] ?? 0n;
      expect(part >= (floors[index] ?? 0n) && part <= weight).toBe(true);
      // After the first one that got more, all are full.
      if (changed >= 0 && index > changed) expect(part).toBe(weight);
    });
  });
  fc.assert(property, runs(300));
});

test("the net within a price is the largest one that fits, in every rounding mode", () => {
  const property = fc.property(terms, amounts, ({ rates, rounding }, gross) => {
    const taxTerms = {
      ...{ mode: "inclusive", jurisdiction: "", customerTaxId: "" },
      rates: rates.map(({ rate: each, compound }) => {
        return { name: "t", rate: formatDec(each as Dec), compound };
      }),
    };
    const tax = taxOfTerms(taxTerms, rounding);
    if (tax === undefined) throw new Error("it has rates");
    const net = netWithin(tax, gross);
    expect(net + taxOn(tax, net)).toBeLessThanOrEqual(gross);
    expect(net + 1n + taxOn(tax, net + 1n)).toBeGreaterThan(gross);
    // One rate, without compounding: against the plain definition of each mode.
    const only = rates[0]?.rate ?? 0n;
    const exact = gross * only;
    const [down, rest] = [exact / DEC_ONE, exact % DEC_ONE];
    const isOver = rest * 2n > DEC_ONE;
    const isHalf = rest * 2n === DEC_ONE;
    const up = {
      down: false,
      up: rest > 0n,
      half_up: isOver || isHalf,
      half_even: isOver || (isHalf && down % 2n === 1n),
    }[rounding];
    const single = { ...tax, rates: tax.rates.slice(0, 1) };
    expect(taxOn(single, gross)).toBe(down + (up ? 1n : 0n));
  });
  fc.assert(property, runs(500));
});
