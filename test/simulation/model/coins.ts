import type { Coin } from "../../../src/gen/cosmos/base/v1beta1/coin.ts";

// Coins: sorted, each denom once, none of 0. Amounts are rounded down.

export type Coins = Coin[];
export const SECOND = 10n ** 9n;
/** Prices and rates are in 10^-18. */
export const ONE = 10n ** 18n;

export const lower = (a: bigint, b: bigint): bigint => (a < b ? a : b);
export const higher = (a: bigint, b: bigint): bigint => (a > b ? a : b);
/** floor(part × of / all); of nothing, 0. */
export const per = (part: bigint, of: bigint, all: bigint): bigint =>
  all === 0n ? 0n : (part * of) / all;

export const amountOf = (coins: Coins, denom: string): bigint =>
  coins.reduce((sum, each) => sum + (each.denom === denom ? BigInt(each.amount) : 0n), 0n);

/** A rule for each denom that one of the lists has. */
export function perDenom(rule: (...amounts: bigint[]) => bigint, ...lists: Coins[]): Coins {
  const denoms = [...new Set(lists.flat().map(({ denom }) => denom))].sort();
  return denoms.flatMap((denom) => {
    const amount = rule(...lists.map((coins) => amountOf(coins, denom)));
    return amount === 0n ? [] : [{ denom, amount: `${amount}` }];
  });
}

export const plus = (...lists: Coins[]): Coins =>
  perDenom((...all) => all.reduce((a, b) => a + b, 0n), ...lists);
export const minus = (...lists: Coins[]): Coins =>
  perDenom((...all) => all.reduce((a, b) => a - b), ...lists);
export const least = (...lists: Coins[]): Coins =>
  perDenom((...all) => all.reduce(lower), ...lists);
export const coin = (denom: string, amount: bigint): Coins =>
  amount === 0n ? [] : [{ denom, amount: `${amount}` }];
export const covers = (has: Coins, wanted: Coins): boolean =>
  wanted.every(({ denom, amount }) => amountOf(has, denom) >= BigInt(amount));
export const text = (coins: Coins): string =>
  coins.map(({ denom, amount }) => `${amount}${denom}`).join(",");

/** "0.05" in 10^-18; undefined for what is no decimal. */
export function decimal(value: string): bigint | undefined {
  const [, whole, part = ""] = /^([0-9]+)(?:\.([0-9]{1,18}))?$/.exec(value) ?? [];
  return whole === undefined ? undefined : BigInt(whole + part.padEnd(18, "0"));
}

/** floor(amount × rate) of each denom; the default stands for an empty rate. */
export const share = (coins: Coins, rate: string, whenEmpty: string): Coins =>
  perDenom((amount) => (amount * (decimal(rate || whenEmpty) ?? 0n)) / ONE, coins);

/** A price as events show it: "0.050000000000000000uve". */
export function priceText(price: Coin | undefined): string {
  const digits = `${price?.amount ?? ""}`.padStart(19, "0");
  return price === undefined ? "" : `${digits.slice(0, -18)}.${digits.slice(-18)}${price.denom}`;
}

/** floor(whole × part / sum) each, of its denom; the rest goes to the last that can take it. */
export function spread(whole: Coins, parts: Coins): bigint[] {
  const shares = parts.map(({ denom, amount }) =>
    per(amountOf(whole, denom), BigInt(amount), amountOf(parts, denom)),
  );
  let rest = minus(whole, ...parts.map(({ denom }, at) => coin(denom, shares[at] ?? 0n)));
  for (const [at, { denom, amount }] of [...parts.entries()].reverse()) {
    const more = lower(amountOf(rest, denom), BigInt(amount) - (shares[at] ?? 0n));
    shares[at] = (shares[at] ?? 0n) + more;
    rest = minus(rest, coin(denom, more));
  }
  return shares;
}
