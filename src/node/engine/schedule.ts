import type { BlockMode } from "../config.ts";

/** When the solo engine makes blocks; times are milliseconds. */
export interface BlockSchedule {
  readonly blockMode: BlockMode;
  readonly blockIntervalMs: number;
  readonly emptyBlockIntervalMs: number;
}

/**
 * Milliseconds until the next block is due; undefined while none is.
 * @param txsWait whether there is a tx to put into it
 * @param sinceMs since the start of the last block
 */
export function nextBlockIn(
  schedule: BlockSchedule,
  txsWait: boolean,
  sinceMs: number,
): number | undefined {
  const rest = (interval: number) => Math.max(0, interval - sinceMs);
  switch (schedule.blockMode) {
    case "manual":
      return undefined;
    case "instant":
      return txsWait ? 0 : undefined;
    case "interval":
      return rest(schedule.blockIntervalMs);
    case "mixed":
      return rest(txsWait ? schedule.blockIntervalMs : schedule.emptyBlockIntervalMs);
  }
}
