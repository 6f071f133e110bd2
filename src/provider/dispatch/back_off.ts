/** Numbers from 0 inclusive to 1 exclusive; seeded in tests. */
export type Random = () => number;

export interface BackOffBounds {
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * How long to wait before the try after so many failures: doubled each time up to the longest, of
 * which the second half is by chance, so that many daemons that failed together do not come back
 * together. @param failures at least 1
 */
export function backOffMs(failures: number, bounds: BackOffBounds, random: Random): number {
  const doubled = bounds.minMs * 2 ** Math.min(failures - 1, 30);
  const longest = Math.min(doubled, bounds.maxMs);
  return Math.ceil(longest / 2 + (random() * longest) / 2);
}
