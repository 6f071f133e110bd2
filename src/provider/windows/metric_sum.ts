import { mulDivFloor } from "../../lib/int.ts";
import type { MetricName } from "../collect/collector.ts";
import { type Metrics, NO_METRICS } from "../units.ts";

/** In the order in which they are written to disk: never changes. */
export const METRIC_NAMES = Object.freeze(Object.keys(NO_METRICS)) as readonly MetricName[];

export type MutableMetrics = { -readonly [Name in MetricName]: bigint };

export function addMetrics(sum: MutableMetrics, more: Partial<Metrics>): void {
  for (const name of METRIC_NAMES) sum[name] += more[name] ?? 0n;
}

export function isZero(metrics: Partial<Metrics>): boolean {
  return METRIC_NAMES.every((name) => (metrics[name] ?? 0n) === 0n);
}

/**
 * Shares amounts out over parts by their lengths: floor for each, what that leaves for the last, so
 * that the parts sum to the whole. @param lengths not empty, their sum above 0
 */
export function shareOut(metrics: Partial<Metrics>, lengths: readonly number[]): MutableMetrics[] {
  if (lengths.length === 1) return [{ ...NO_METRICS, ...metrics }];
  const whole = BigInt(lengths.reduce((sum, length) => sum + length, 0));
  const rest: MutableMetrics = { ...NO_METRICS };
  addMetrics(rest, metrics);
  return lengths.map((length, index) => {
    if (index === lengths.length - 1) return rest;
    const part: MutableMetrics = { ...NO_METRICS };
    for (const name of METRIC_NAMES) {
      part[name] = mulDivFloor(metrics[name] ?? 0n, BigInt(length), whole);
      rest[name] -= part[name];
    }
    return part;
  });
}

/** "cpuMilliseconds 5, gpuSeconds 2": those that are not 0. */
export function describeMetrics(metrics: Partial<Metrics>): string {
  return METRIC_NAMES.filter((name) => (metrics[name] ?? 0n) !== 0n)
    .map((name) => `${name} ${metrics[name]}`)
    .join(", ");
}
