/** The middle of the values, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[half]];
  if (low === undefined || high === undefined) throw new Error("no values have no median");
  return (low + high) / 2;
}

/** The value that a share of all values does not exceed. @param share 0 to 1 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1));
  const found = sorted[at];
  if (found === undefined) throw new Error("no values have no percentile");
  return found;
}

/**
 * How far values lie apart, as a share of their median: twice the median distance from it, which
 * is about the width of the middle half. One outlier of five does not move it.
 */
export function spread(values: readonly number[]): number {
  const middle = median(values);
  if (middle === 0) return 0;
  return (2 * median(values.map((value) => Math.abs(value - middle)))) / Math.abs(middle);
}
