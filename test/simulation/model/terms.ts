import type { Discount, TaxTerms } from "../../../src/gen/settled/settlement/v1/state.ts";
import { amountOf, coin, type Coins, decimal, least, lower, minus, ONE } from "./coins.ts";

// README, "Discounts" and "Tax".

/** Each rate rounded, a compound one on the rates before it too. */
export function taxOf(terms: TaxTerms | undefined, net: bigint, rounding: string): bigint {
  if (terms === undefined || terms.mode === "reverse_charge") return 0n;
  return terms.rates.reduce((sum, { rate, compound }) => {
    return sum + rounded((compound ? net + sum : net) * (decimal(rate) ?? 0n), rounding);
  }, 0n);
}

/** Whole units of what is in 10^-18. */
export function rounded(value: bigint, rounding: string): bigint {
  const [down, rest] = [value / ONE, value % ONE];
  const isEven = rest * 2n > ONE || (rest * 2n === ONE && down % 2n === 1n);
  const isUp = { down: false, up: rest > 0n, half_up: rest * 2n >= ONE, half_even: isEven };
  return isUp[rounding as "up"] ? down + 1n : down;
}

/** The largest amount up to `most` that fits within a limit with the tax on it. */
export function fitting(tax: (net: bigint) => bigint, limit: bigint, most: bigint): bigint {
  let [fits, fails] = [0n, most + 1n];
  while (fails - fits > 1n) {
    const middle = (fits + fails) / 2n;
    if (middle + tax(middle) <= limit) fits = middle;
    else fails = middle;
  }
  return fits;
}

/** What each discount gives of costs, in the order of the terms. */
export function discountsOf(
  discounts: readonly Discount[],
  costs: Coins,
  at: { unitsOf: (denom: string) => bigint; second: bigint },
): Coins[] {
  let left = costs;
  return discounts.map(({ kind, amount, rateBps, tiers, minTotal, maxDiscount, ...of }) => {
    const isOver = of.validUntil > 0n && at.second > of.validUntil;
    const isValid = at.second >= of.validFrom && !isOver;
    const given = costs.flatMap(({ denom, amount: cost }) => {
      if (!isValid || BigInt(cost) < amountOf(minTotal, denom)) return [];
      const tier = tiers.findLast(({ minUnits }) => at.unitsOf(denom) >= minUnits)?.rateBps ?? 0;
      const part = (BigInt(cost) * BigInt(kind === "percentage" ? rateBps : tier)) / 10_000n;
      const asked = kind === "fixed" ? amountOf(amount, denom) : part;
      const isCapped = maxDiscount.some((each) => each.denom === denom);
      return coin(denom, isCapped ? lower(asked, amountOf(maxDiscount, denom)) : asked);
    });
    const gives = least(given, left);
    left = minus(left, gives);
    return gives;
  });
}
