import { ChainError } from "../lib/errors.ts";
import { parseInteger } from "../lib/int.ts";
import { compareKeys } from "../lib/key_map.ts";
import { ErrInsufficientFunds, ErrInvalidCoins } from "./sdk_errors.ts";
import { isDenom } from "./denom.ts";

/** An amount of one denom, in base units. Not negative. */
export interface Coin {
  readonly denom: string;
  readonly amount: bigint;
}

/** Coins sorted by denom, unique and positive. The empty list is no money. */
export type Coins = readonly Coin[];

export const NO_COINS: Coins = Object.freeze([]);

/** Amounts are below 2^256, as in the Cosmos SDK. */
export const AMOUNT_MAX = (1n << 256n) - 1n;

export function coinsOf(denom: string, amount: bigint): Coins {
  return amount === 0n ? NO_COINS : [{ denom, amount }];
}

/** Coins as they come over the wire: amounts as decimal text. */
export interface WireCoin {
  readonly denom: string;
  readonly amount: string;
}

/**
 * Checks coins from outside: known form of denom, positive amounts below 2^256, sorted or not, no
 * denom twice. Returns them sorted.
 * @throws ChainError sdk/10 naming the coin at fault.
 */
export function parseCoins(wire: readonly WireCoin[]): Coins {
  const coins = wire.map(({ denom, amount }) => {
    if (!isDenom(denom)) throw invalidCoins(`invalid denom ${quote(denom)}`);
    const value = amount.length <= 78 ? parseInteger(amount) : undefined;
    if (value === undefined || value > AMOUNT_MAX) {
      throw invalidCoins(`amount of ${denom} is not an integer below 2^256: ${quote(amount)}`);
    }
    if (value <= 0n) throw invalidCoins(`amount of ${denom} is not positive: ${amount}`);
    return { denom: denom as string, amount: value };
  });
  coins.sort((a, b) => compareKeys(a.denom, b.denom));
  for (let index = 1; index < coins.length; index += 1) {
    const denom = coins[index]?.denom;
    if (denom === coins[index - 1]?.denom) throw invalidCoins(`denom ${denom} appears twice`);
  }
  return coins;
}

function invalidCoins(detail: string): ChainError {
  return new ChainError(ErrInvalidCoins, detail);
}

function quote(text: string): string {
  return `"${text.length > 80 ? `${text.slice(0, 80)}…` : text}"`;
}

export function wireCoins(coins: Coins): WireCoin[] {
  return coins.map(({ denom, amount }) => ({ denom, amount: amount.toString() }));
}

/** "10uusd,5uve"; the empty text for no coins. */
export function formatCoins(coins: Coins): string {
  const [first] = coins;
  if (coins.length === 1 && first !== undefined) return first.amount.toString() + first.denom;
  return coins.map(({ denom, amount }) => `${amount}${denom}`).join(",");
}

/** Coins of the text that `formatCoins` writes. @throws ChainError sdk/10 */
export function parseCoinsText(text: string): Coins {
  if (text.trim() === "") return NO_COINS;
  const wire = text.split(",").map((part) => {
    const match = /^([0-9]+)([a-zA-Z].*)$/.exec(part.trim());
    if (match === null) throw invalidCoins(`expected <amount><denom>, found ${quote(part)}`);
    return { amount: (match[1] as string).replace(/^0+(?=[0-9])/, ""), denom: match[2] as string };
  });
  return parseCoins(wire);
}

export function amountOf(coins: Coins, denom: string): bigint {
  for (const coin of coins) if (coin.denom === denom) return coin.amount;
  return 0n;
}

export function isZeroCoins(coins: Coins): boolean {
  return coins.length === 0;
}

/** Sum by denom. */
export function addCoins(a: Coins, b: Coins): Coins {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  return merge(a, b, 1n);
}

/** a − b. @throws ChainError sdk/5 naming the denom, what is there and what is missing. */
export function subCoins(a: Coins, b: Coins): Coins {
  if (b.length === 0) return a;
  const difference = merge(a, b, -1n);
  for (const { denom, amount } of difference) {
    if (amount < 0n) {
      const [have, need] = [amountOf(a, denom), amountOf(b, denom)];
      throw new ChainError(ErrInsufficientFunds, `${have}${denom} is smaller than ${need}${denom}`);
    }
  }
  return difference;
}

function merge(a: Coins, b: Coins, sign: bigint): Coins {
  const merged: Coin[] = [];
  let [left, right] = [0, 0];
  while (left < a.length || right < b.length) {
    const x = a[left];
    const y = b[right];
    const order = x === undefined ? 1 : y === undefined ? -1 : compareKeys(x.denom, y.denom);
    const amount =
      (order <= 0 ? (x?.amount ?? 0n) : 0n) + (order >= 0 ? (y?.amount ?? 0n) * sign : 0n);
    const denom = (order <= 0 ? x?.denom : y?.denom) as string;
    if (amount !== 0n) merged.push({ denom, amount });
    if (order <= 0) left += 1;
    if (order >= 0) right += 1;
  }
  return merged;
}

/** Whether `a` holds at least `b` of every denom. */
export function coversCoins(a: Coins, b: Coins): boolean {
  return b.every(({ denom, amount }) => amountOf(a, denom) >= amount);
}

/** Applies `f` to every amount and drops zeros. */
export function mapCoins(coins: Coins, f: (amount: bigint, denom: string) => bigint): Coins {
  return coins.flatMap(({ denom, amount }) => coinsOf(denom, f(amount, denom)));
}

export function equalCoins(a: Coins, b: Coins): boolean {
  return (
    a.length === b.length &&
    a.every(({ denom, amount }, index) => b[index]?.denom === denom && b[index].amount === amount)
  );
}
