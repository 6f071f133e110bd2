import type { Coverage } from "../../gen/settled/settlement/v1/state.ts";
import { minBigint, toSafeNumber } from "../../lib/int.ts";

/** Last records of a meter that the next one is compared with (RULES 23). */
const RECENT_MAX = 8;

/** Longer periods count as this; `max_usage_period` allows none. */
const SECONDS_MAX = 0xffff_ffffn;

/** What a meter remembers of a record: its units, and the seconds of its period. */
export interface Recent {
  readonly units: bigint;
  readonly seconds: bigint;
}

/** Notes a new record in a coverage that nobody else has yet; the oldest of nine is dropped. */
export function addRecent(coverage: Coverage, { units, seconds }: Recent): void {
  const from = coverage.recentUnits.length < RECENT_MAX ? 0 : 1;
  const recentUnits = coverage.recentUnits.slice(from);
  const recentSeconds = coverage.recentSeconds.slice(from);
  recentUnits.push(units);
  recentSeconds.push(numberOf(seconds));
  coverage.recentUnits = recentUnits;
  coverage.recentSeconds = recentSeconds;
  coverage.reports += 1n;
}

/**
 * With other facts in the place of a record, should that be among the last ones.
 * @param place number of the record on its meter
 */
export function replaceRecent(before: Coverage, place: bigint, by: Recent): Coverage {
  const fromEnd = before.reports - place;
  if (fromEnd >= BigInt(before.recentUnits.length)) return before;
  const at = before.recentUnits.length - 1 - toSafeNumber(fromEnd);
  const recentUnits = before.recentUnits.slice();
  const recentSeconds = before.recentSeconds.slice();
  recentUnits[at] = by.units;
  recentSeconds[at] = numberOf(by.seconds);
  return { ...before, recentUnits, recentSeconds };
}

/** As if a record had not been among the last ones: its place stays, and counts for nothing. */
export function forgetRecent(before: Coverage, place: bigint): Coverage {
  return replaceRecent(before, place, { units: 0n, seconds: 0n });
}

/** How many of the last records count, and what they sum to. */
export function sumRecent({ recentUnits, recentSeconds }: Coverage): Recent & { count: number } {
  let [count, units, seconds] = [0, 0n, 0];
  for (let index = 0; index < recentSeconds.length; index += 1) {
    const each = recentSeconds[index] as number;
    // Withdrawn.
    if (each === 0) continue;
    count += 1;
    seconds += each;
    units += recentUnits[index] as bigint;
  }
  return { count, units, seconds: BigInt(seconds) };
}

function numberOf(seconds: bigint): number {
  return toSafeNumber(minBigint(seconds, SECONDS_MAX));
}
