import {
  type Coverage,
  type UsageState,
  UsageStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { ChainError } from "../../lib/errors.ts";
import * as errors from "./errors.ts";
import { addRecent, forgetRecent, replaceRecent } from "./recent_records.ts";

/** Disjoint periods that one meter may have (RULES 17). */
const INTERVALS_MAX = 256;

/** Unix seconds, from `start` to before `end`. */
interface Period {
  readonly start: bigint;
  readonly end: bigint;
}

/** Where a period belongs in a meter's coverage, and whether it meets a period that is there. */
export function placeIn(
  coverage: Coverage | undefined,
  { start, end }: Period,
): { place: number; meets: boolean } {
  if (coverage === undefined) return { place: 0, meets: false };
  const { starts, ends } = coverage;
  let place = starts.length;
  // Reports come in order of time almost always: the place is at or near the end.
  while (place > 0 && (starts[place - 1] as bigint) > start) place -= 1;
  const [lowEnd, highStart] = [ends[place - 1], starts[place]];
  const meetsLow = lowEnd !== undefined && lowEnd > start;
  const meetsHigh = highStart !== undefined && highStart < end;
  return { place, meets: meetsLow || meetsHigh };
}

/**
 * Adds [start, end) to a meter's coverage. A new one has no number yet: 0.
 * @param at what `placeIn` gives
 * @throws ChainError settlement/1512 when it meets a period that is there.
 */
export function cover(
  before: Coverage | undefined,
  period: Period,
  at = placeIn(before, period).place,
): Coverage {
  const starts = before === undefined ? [] : before.starts.slice();
  const ends = before === undefined ? [] : before.ends.slice();
  const [lowEnd, highStart] = [ends[at - 1], starts[at]];
  if (lowEnd !== undefined && lowEnd > period.start) throw overlap(period, starts[at - 1], lowEnd);
  if (highStart !== undefined && highStart < period.end) throw overlap(period, highStart, ends[at]);
  const [touchesLow, touchesHigh] = [lowEnd === period.start, highStart === period.end];
  if (touchesLow && touchesHigh) {
    starts.splice(at, 1);
    ends.splice(at - 1, 1);
  } else if (touchesLow) ends[at - 1] = period.end;
  else if (touchesHigh) starts[at] = period.start;
  else {
    starts.splice(at, 0, period.start);
    ends.splice(at, 0, period.end);
  }
  const { meter = 0n, recentUnits = [], recentSeconds = [], reports = 0n } = before ?? {};
  return { starts, ends, meter, recentUnits, recentSeconds, reports };
}

/** Takes [start, end), which one interval covers, out of a meter's coverage. */
export function uncover(before: Coverage, { start, end }: Period): Coverage {
  const at = placeIn(before, { start, end }).place - 1;
  const [low, high] = [before.starts[at], before.ends[at]];
  const isCovered = low !== undefined && high !== undefined && low <= start && end <= high;
  if (!isCovered) assert(false, "settlement: a record's period is covered", { start, end });
  const left = [
    { start: low as bigint, end: start },
    { start: end, end: high as bigint },
  ].filter((part) => part.start < part.end);
  const starts = before.starts.slice();
  const ends = before.ends.slice();
  starts.splice(at, 1, ...left.map((part) => part.start));
  ends.splice(at, 1, ...left.map((part) => part.end));
  return { ...before, starts, ends };
}

/** @throws ChainError settlement/1512 when the meter's periods are not close enough together. */
export function requireFewGaps({ starts }: Coverage): void {
  if (starts.length <= INTERVALS_MAX) return;
  const detail = `too many gaps: at most ${INTERVALS_MAX} disjoint periods; report in order`;
  throw new ChainError(errors.ErrInvalidUsageRecord, detail);
}

/** What a meter is once it had this record, in recording order and whatever has become of it. */
export function withReport(before: Coverage, usage: UsageState): Coverage {
  const { units, correctsSeq, meterPlace } = usage;
  const report = { units, seconds: usage.periodEnd - usage.periodStart };
  let after = { ...before };
  if (correctsSeq === 0n) addRecent(after, report);
  else after = replaceRecent(after, meterPlace, report);
  const isWithdrawn = usage.status === UsageStatus.USAGE_STATUS_WITHDRAWN;
  return isWithdrawn ? forgetRecent(after, meterPlace) : after;
}

function overlap(period: Period, start: bigint | undefined, end: bigint | undefined): ChainError {
  const detail = `period [${period.start}, ${period.end}) overlaps [${start}, ${end}), which is recorded`;
  return new ChainError(errors.ErrInvalidUsageRecord, detail);
}
