import { parseTime, secondsOf, type TimeNs } from "../../src/types/time.ts";

/** Genesis time of every test chain. */
export const GENESIS_TIME = parseTime("2026-01-01T00:00:00Z") as TimeNs;
/** The same in unix seconds. */
export const GENESIS = secondsOf(GENESIS_TIME);

export const HOUR = 3600n;
export const DAY = 86_400n;

/** A period of usage in unix seconds. */
export interface Slot {
  readonly start: bigint;
  readonly end: bigint;
}

/** The n-th of consecutive short periods that begin twelve hours before genesis: all on time. */
export function slot(n: number, seconds = 60n): Slot {
  const start = GENESIS - 12n * HOUR + BigInt(n) * seconds;
  return { start, end: start + seconds };
}
