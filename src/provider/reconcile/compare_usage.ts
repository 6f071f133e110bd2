import type { BilledUsage } from "../../client/usage_records.ts";
import type { Difference } from "./difference.ts";
import { explain, fileCost } from "./explain.ts";
import type { OutsideRow } from "./outside_row.ts";
import { areWithin, quantityText, wholeUnits } from "./quantity.ts";

/** One resource of one lease, as file and chain have it. */
export interface UsageGroup {
  readonly rows: readonly OutsideRow[];
  readonly records: readonly BilledUsage[];
}

/** What a group comes to: the differences add up to what the chain bills less what the file says. */
export interface Comparison {
  /** Windows that are on both sides with the same period. */
  readonly matched: number;
  readonly differences: readonly Difference[];
}

interface Period {
  readonly periodStart: bigint;
  readonly periodEnd: bigint;
}

/** Farthest that the same windows may lie apart, in seconds: a day covers every time zone. */
const SHIFT_SECONDS_MAX = 86_400n;

/**
 * Compares file and chain: windows that lie apart by the same time if most do, then those of the same
 * period, then others that are shifted, then whatever overlaps.
 */
export function compareUsage(group: UsageGroup): Comparison {
  const differences: Difference[] = [];
  const { rows, repeated } = withoutRepeats(group.rows);
  differences.push(...repeated);
  let left: UsageGroup = { rows, records: group.records };
  const takeShift = (shift: Shift) => {
    differences.push(...describeShift(shift));
    left = without(left, shift.pairs);
  };
  const common = findShift(left);
  if (common !== undefined && common.seconds !== 0n && common.pairs.length > 1) takeShift(common);
  const exact = pairsOfPeriod(left);
  for (const { row, record } of exact) differences.push(...explain([row], [record]));
  left = without(left, exact);
  for (let shift = findShift(left); shift !== undefined; shift = findShift(left)) takeShift(shift);
  for (const part of overlapping(left)) differences.push(...describePart(part));
  return { matched: exact.length, differences };
}

function without({ rows, records }: UsageGroup, pairs: readonly Pair[]): UsageGroup {
  const taken = new Set<object>(pairs.flatMap(({ row, record }) => [row, record]));
  return {
    rows: rows.filter((row) => !taken.has(row)),
    records: records.filter((record) => !taken.has(record)),
  };
}

interface Pair {
  readonly row: OutsideRow;
  readonly record: BilledUsage;
}

function withoutRepeats(all: readonly OutsideRow[]): {
  rows: OutsideRow[];
  repeated: Difference[];
} {
  const first = new Map<string, OutsideRow>();
  const repeated: Difference[] = [];
  for (const row of all) {
    const key = `${row.periodStart}/${row.periodEnd}`;
    const known = first.get(key);
    if (known === undefined) first.set(key, row);
    else {
      const detail = `the file has this period already at ${known.place}; the chain bills it once`;
      repeated.push(onlyInFile(row, "duplicate", detail));
    }
  }
  return { rows: [...first.values()], repeated };
}

function pairsOfPeriod({ rows, records }: UsageGroup): Pair[] {
  const byPeriod = new Map(records.map((each) => [`${each.periodStart}/${each.periodEnd}`, each]));
  return rows.flatMap((row) => {
    const record = byPeriod.get(`${row.periodStart}/${row.periodEnd}`);
    return record === undefined ? [] : [{ row, record }];
  });
}

interface Shift {
  /** Seconds that the chain's windows begin later than the file's. */
  readonly seconds: bigint;
  readonly pairs: readonly Pair[];
}

/** The shift that most windows of equal length and units have in common. */
function findShift({ rows, records }: UsageGroup): Shift | undefined {
  const sorted = [...records].sort(byStart);
  const shifts = new Map<bigint, Pair[]>();
  let from = 0;
  for (const row of [...rows].sort(byStart)) {
    const earliest = row.periodStart - SHIFT_SECONDS_MAX;
    while (from < sorted.length && (sorted[from] as BilledUsage).periodStart < earliest) from += 1;
    for (let at = from; at < sorted.length; at += 1) {
      const record = sorted[at] as BilledUsage;
      const seconds = record.periodStart - row.periodStart;
      if (seconds > SHIFT_SECONDS_MAX) break;
      if (lengthOf(record) !== lengthOf(row)) continue;
      if (!areWithin(wholeUnits(record.usageUnits), row.units, wholeUnits(1n))) continue;
      const pairs = shifts.get(seconds) ?? [];
      pairs.push({ row, record });
      shifts.set(seconds, pairs);
    }
  }
  let best: Shift | undefined;
  for (const [seconds, pairs] of shifts) {
    const isMore = best === undefined || pairs.length > best.pairs.length;
    const isNearer = pairs.length === best?.pairs.length && size(seconds) < size(best.seconds);
    if (isMore || isNearer) best = { seconds, pairs };
  }
  if (best === undefined) return undefined;
  // One window of the same length at another time may as well be another window.
  const isLikely = best.pairs.length > 1 || size(best.seconds) < lengthOf(best.pairs[0]?.row);
  return isLikely ? best : undefined;
}

function describeShift({ seconds, pairs }: Shift): Difference[] {
  const rows = pairs.map(({ row }) => row);
  const records = pairs.map(({ record }) => record);
  const direction = seconds > 0n ? "later" : "earlier";
  const detail = `${pairs.length} windows lie ${size(seconds)} s ${direction} on the chain`;
  return [
    shiftOf({ rows, records }, detail),
    ...pairs.flatMap(({ row, record }) => explain([row], [record])),
  ];
}

/** What overlaps in time, in parts that do not touch each other. */
function overlapping({
  rows,
  records,
}: UsageGroup): { rows: OutsideRow[]; records: BilledUsage[] }[] {
  const all: (Period & { row?: OutsideRow; record?: BilledUsage })[] = [
    ...rows.map((row) => ({ ...periodOf(row), row })),
    ...records.map((record) => ({ ...periodOf(record), record })),
  ];
  const parts: { rows: OutsideRow[]; records: BilledUsage[] }[] = [];
  let end: bigint | undefined;
  for (const { row, record, periodStart, periodEnd } of all.sort(byStart)) {
    if (end === undefined || periodStart >= end) parts.push({ rows: [], records: [] });
    end = end === undefined || periodEnd > end ? periodEnd : end;
    const part = parts.at(-1) as (typeof parts)[number];
    if (row !== undefined) part.rows.push(row);
    if (record !== undefined) part.records.push(record);
  }
  return parts;
}

function describePart(part: { rows: OutsideRow[]; records: BilledUsage[] }): Difference[] {
  const { rows, records } = part;
  if (records.length === 0) return rows.flatMap(describeAbsent);
  if (rows.length === 0) return records.map(onlyOnChain);
  const detail = `${rows.length} windows of the file are ${records.length} on the chain`;
  return [shiftOf(part, detail), ...explain(rows, records)];
}

/** A row that the chain does not have: less than a unit may have been floored to nothing. */
function describeAbsent(row: OutsideRow): Difference[] {
  const { units } = row;
  if (units.numerator === 0n) {
    const isFree = fileCost(row, 0n) === 0n;
    return isFree ? [] : [onlyInFile(row, "unexplained", "no units, but a cost in the file")];
  }
  if (units.numerator >= units.denominator) {
    return [onlyInFile(row, "missing_on_chain", `${quantityText(units)} units are not billed`)];
  }
  const detail = `${quantityText(units)} units are less than one, and not billed`;
  return [onlyInFile(row, "rounding", detail)];
}

function onlyInFile(row: OutsideRow, kind: Difference["kind"], detail: string): Difference {
  const { orderId, leaseId, usageType, denom = "", place } = row;
  const amount = -fileCost(row, row.unitPrice ?? 0n);
  return {
    ...{ kind, orderId, leaseId, usageType, ...periodOf(row), denom, amount },
    ...{ detail, usageIds: [], places: [place] },
  };
}

function onlyOnChain(record: BilledUsage): Difference {
  const { orderId, leaseId, usageType, denom, cost, usageUnits, usageId } = record;
  return {
    ...{ kind: "missing_in_file", orderId, leaseId, usageType, ...periodOf(record), denom },
    ...{ amount: cost, detail: `${usageUnits} units are not in the file` },
    ...{ usageIds: [usageId], places: [] },
  };
}

function shiftOf({ rows, records }: UsageGroup, detail: string): Difference {
  const [first] = records as readonly [BilledUsage];
  const all: Period[] = [...rows, ...records];
  return {
    ...{ kind: "window_shift", orderId: first.orderId, leaseId: first.leaseId },
    ...{ usageType: rows[0]?.usageType ?? first.usageType },
    periodStart: all.map((each) => each.periodStart).reduce((a, b) => (a < b ? a : b)),
    periodEnd: all.map((each) => each.periodEnd).reduce((a, b) => (a > b ? a : b)),
    ...{ denom: first.denom, amount: 0n, detail },
    usageIds: records.map(({ usageId }) => usageId),
    places: rows.map(({ place }) => place),
  };
}

function periodOf({ periodStart, periodEnd }: Period): Period {
  return { periodStart, periodEnd };
}

function byStart(a: Period, b: Period): number {
  if (a.periodStart !== b.periodStart) return a.periodStart < b.periodStart ? -1 : 1;
  return a.periodEnd < b.periodEnd ? -1 : a.periodEnd > b.periodEnd ? 1 : 0;
}

function lengthOf(period: Period | undefined): bigint {
  return period === undefined ? 0n : period.periodEnd - period.periodStart;
}

function size(value: bigint): bigint {
  return value < 0n ? -value : value;
}
