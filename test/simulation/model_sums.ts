import type { ModelParams } from "./model_params.ts";

// Coins, ids, usage types and the reward formula of the model.

/** Amounts above 0 by denom. */
export type Coins = ReadonlyMap<string, bigint>;
export const NONE: Coins = new Map();

const UNITS_MAX = 2n ** 64n - 1n;

function tidy(amounts: ReadonlyMap<string, bigint>): Coins {
  return new Map([...amounts].filter(([, amount]) => amount > 0n));
}

export function plus(a: Coins, b: Coins): Coins {
  const sum = new Map(a);
  for (const [denom, amount] of b) sum.set(denom, (sum.get(denom) ?? 0n) + amount);
  return tidy(sum);
}

/** @returns undefined when `a` does not cover `b` */
export function minus(a: Coins, b: Coins): Coins | undefined {
  const rest = new Map(a);
  for (const [denom, amount] of b) rest.set(denom, (rest.get(denom) ?? 0n) - amount);
  return [...rest.values()].some((amount) => amount < 0n) ? undefined : tidy(rest);
}

/** Sorted by denom: "5uusd,10uve". */
export function text(coins: Coins): string {
  const sorted = [...tidy(coins)].sort(([a], [b]) => compareText(a, b));
  return sorted.map(([denom, amount]) => `${amount}${denom}`).join(",");
}

/** Coins of a message. @returns undefined unless each denom stands once, with an amount above 0 */
export function parsed(coins: readonly { denom: string; amount: string }[]): Coins | undefined {
  const found = new Map(coins.map(({ denom, amount }) => [denom, amount]));
  const isGood = coins.every(({ denom, amount }) => {
    return isDenom(denom) && /^[0-9]+$/.test(amount) && isAmount(BigInt(amount));
  });
  if (!isGood || found.size !== coins.length) return undefined;
  return new Map([...found].map(([denom, amount]) => [denom, BigInt(amount)]));
}

/** Of a coin: at most 256 bits. */
function isAmount(amount: bigint): boolean {
  return amount > 0n && amount < 2n ** 256n;
}

export function isDenom(denom: string): boolean {
  return /^[a-zA-Z][a-zA-Z0-9/:._-]{2,127}$/.test(denom);
}

/** The generator's bad addresses do not begin like good ones. */
export function isAddress(text: string): boolean {
  return /^ve1[02-9ac-hj-np-z]{38}$/.test(text);
}

/** floor(coins × rate), rate in 10^-18. */
export function split(coins: Coins, rate: bigint): Coins {
  return tidy(new Map([...coins].map(([denom, amount]) => [denom, (amount * rate) / 10n ** 18n])));
}

/** "0.05" in 10^-18; empty is the default. */
export function rateOf(rate: string, fallback: string): bigint {
  const [whole = "0", digits = ""] = (rate === "" ? fallback : rate).split(".");
  return BigInt(whole) * 10n ** 18n + BigInt(digits.padEnd(18, "0"));
}

export function of(value: string | number | bigint): bigint {
  return BigInt(value);
}

export function bytesOf(value: string): number {
  return Buffer.byteLength(value);
}

export function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The first records, so many and no more units than 64 bits hold (D-21). */
export function limited<T extends { readonly units: bigint }>(
  records: readonly T[],
  most: number,
): T[] {
  let units = 0n;
  const end = records.findIndex((each, at) => {
    units += each.units;
    return at === most || units > UNITS_MAX;
  });
  return end === -1 ? [...records] : records.slice(0, end);
}

export const ids = {
  escrow: ({ seq }: { readonly seq: bigint }): string => `escrow-${seq}`,
  usage: (usage: { readonly seq: bigint; readonly submittedAtNs: bigint }): string =>
    `usage-${usage.submittedAtNs / 1_000_000_000n}-${usage.seq}`,
};

export function seqOf(id: string): number {
  return Number(/[0-9]+$/.exec(id)?.[0] ?? 0);
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

interface Rewarded {
  readonly usageType: string;
  readonly periodEnd: bigint;
  readonly submittedAtNs: bigint;
  readonly acknowledged: boolean;
}

/** RULES 33 */
export function usageReward(params: ModelParams, usage: Rewarded, settled: bigint): bigint {
  const kind = kindOf(usage.usageType);
  const resource = {
    cpu: params.usage_reward_cpu_multiplier_bps,
    memory: params.usage_reward_memory_multiplier_bps,
    storage: params.usage_reward_storage_multiplier_bps,
    gpu: params.usage_reward_gpu_multiplier_bps,
    network: params.usage_reward_network_multiplier_bps,
  }[kind];
  const grace = of(params.usage_grace_period);
  const due = (usage.periodEnd + grace) * 1_000_000_000n;
  const sla =
    grace > 0n && usage.submittedAtNs > due
      ? params.usage_reward_sla_late_multiplier_bps
      : params.usage_reward_sla_ontime_multiplier_bps;
  const ack = usage.acknowledged
    ? params.usage_reward_ack_multiplier_bps
    : params.usage_reward_unack_multiplier_bps;
  const factors = [
    params.usage_reward_rate_bps,
    resource ?? params.usage_reward_cpu_multiplier_bps,
    sla,
    ack,
  ];
  return factors.reduce((product: bigint, factor) => product * of(factor), settled) / 10n ** 16n;
}
