import type { Metrics } from "./units.ts";

/** One metering window of one job, as a usage file tells it. */
export interface MeteredWindow {
  readonly job: string;
  readonly order: string;
  readonly lease: string;
  /** Seconds from the file's own zero; `start` < `end`. */
  readonly start: bigint;
  readonly end: bigint;
  readonly metrics: Metrics;
  /** Line of the file that it comes from, from 1. */
  readonly line: number;
}

/** What a reader of a usage file has counted once it has read the whole file. */
export interface FileCounts {
  /** Jobs of the file, those beyond a limit not counted. */
  jobs: number;
  /** Jobs that never ran: never scheduled, or for zero seconds. */
  skipped: number;
  /** The latest end of any job of the whole file, whatever the limit; undefined: no job ran. */
  lastInstant: bigint | undefined;
}

export function noCounts(): FileCounts {
  return { jobs: 0, skipped: 0, lastInstant: undefined };
}

/** Ids on the chain are at most 128 bytes of UTF-8. */
export const ID_BYTES_MAX = 128;
