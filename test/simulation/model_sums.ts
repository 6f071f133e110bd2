// Coins, numbers, ids and usage types of the model.

/** Amounts above 0 by denom. */
export type Coins = ReadonlyMap<string, bigint>;
export const NONE: Coins = new Map();
export const SECOND = 1_000_000_000n;
export const ONE = 10n ** 18n;
export const UNITS_MAX = 2n ** 64n - 1n;

export function coin(denom: string, amount: bigint): Coins {
  return mapped(new Map([[denom, amount]]), (each) => each);
}

/** Every amount changed; what becomes 0 is left out. */
export function mapped(coins: Coins, change: (amount: bigint, denom: string) => bigint): Coins {
  const all = [...coins].map(([denom, amount]) => [denom, change(amount, denom)] as const);
  return new Map(all.filter(([, amount]) => amount > 0n));
}

export function plus(...all: readonly Coins[]): Coins {
  const sum = new Map<string, bigint>();
  for (const coins of all)
    for (const [denom, amount] of coins) sum.set(denom, (sum.get(denom) ?? 0n) + amount);
  return mapped(sum, (each) => each);
}

/** @returns undefined when `a` does not cover `b` */
export function minus(a: Coins, b: Coins): Coins | undefined {
  if ([...b].some(([denom, amount]) => amount > (a.get(denom) ?? 0n))) return undefined;
  return mapped(a, (amount, denom) => amount - (b.get(denom) ?? 0n));
}

/** Of coins that are known to be covered. */
export function less(a: Coins, b: Coins): Coins {
  const rest = minus(a, b);
  if (rest === undefined) throw new Error(`${text(a)} does not cover ${text(b)}`);
  return rest;
}

/** Sorted by denom: "5uusd,10uve". */
export function text(coins: Coins): string {
  const sorted = [...coins].sort(([a], [b]) => compareText(a, b));
  return sorted.map(([denom, amount]) => `${amount}${denom}`).join(",");
}

export interface WireCoin {
  readonly denom: string;
  readonly amount: string;
}

/** Coins of a message. @returns undefined unless each denom stands once, with an amount above 0 */
export function parsed(coins: readonly WireCoin[]): Coins | undefined {
  const found = new Map(coins.map(({ denom, amount }) => [denom, amount]));
  const isGood = coins.every(({ denom, amount }) => {
    return isDenom(denom) && /^[1-9][0-9]*$/.test(amount) && BigInt(amount) < 2n ** 256n;
  });
  if (!isGood || found.size !== coins.length) return undefined;
  return new Map([...found].map(([denom, amount]) => [denom, BigInt(amount)]));
}

export function isDenom(denom: string): boolean {
  return /^[a-zA-Z][a-zA-Z0-9/:._-]{2,127}$/.test(denom);
}

/** The generator's bad addresses do not begin like good ones. */
export function isAddress(text: string): boolean {
  return /^ve1[02-9ac-hj-np-z]{38}$/.test(text);
}

/** "0.05" in 10^-18; empty is the default. @returns undefined when it is no such number */
export function decimal(rate: string, fallback: string): bigint | undefined {
  const found = /^([0-9]+)(?:\.([0-9]{1,18}))?$/.exec(rate === "" ? fallback : rate);
  return found === null ? undefined : BigInt(found[1] + (found[2] ?? "").padEnd(18, "0"));
}

/** floor(coins × rate), rate as text. */
export function split(coins: Coins, rate: string, fallback: string): Coins {
  return mapped(coins, (amount) => (amount * (decimal(rate, fallback) as bigint)) / ONE);
}

/** The lesser amount of each denom. */
export function least(a: Coins, b: Coins): Coins {
  return mapped(a, (amount, denom) => min(amount, b.get(denom) ?? 0n));
}

export function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

export function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

export function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

export function sum<T>(list: readonly T[], amount: (each: T) => bigint): bigint {
  return list.reduce((total, each) => total + amount(each), 0n);
}

/** "usage-1767225600-7" */
export function idOf(kind: string, ns: bigint, seq: bigint): string {
  return `${kind}-${ns / SECOND}-${seq}`;
}

/** The first records, so many and no more units than 64 bits hold (D-21). */
export function limited<T extends { readonly units: bigint }>(records: readonly T[], most: number) {
  const fits = (end: number): boolean => sum(records.slice(0, end), (u) => u.units) <= UNITS_MAX;
  const end = records.findIndex((_, at) => at === most || !fits(at + 1));
  return end === -1 ? records : records.slice(0, end);
}

/** settlement.md 3.6 */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  cpu: ["compute", "cpu_core_hours", "core-hour", "core_hours", "corehours", "cpu_hours"],
  memory: ["ram", "mem", "memory_gb_hours", "gb-hour", "gb_hours"],
  storage: ["disk", "storage_gb_hours"],
  gpu: ["gpu_hours", "gpu-hour"],
  network: ["bandwidth", "network_gb"],
};

/** RULES 9: the normalised usage type. */
export function kindOf(usageType: string): string {
  const trimmed = usageType.replace(/^[ \t]+|[ \t]+$/g, "");
  const lower = trimmed.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const found = Object.entries(ALIASES).find(([, aliases]) => aliases.includes(lower));
  return found?.[0] ?? lower;
}
