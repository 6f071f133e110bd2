import { divFloor, divFloorSize, INT64_MAX, toSafeNumber } from "../lib/int.ts";

/** Nanoseconds since 1970-01-01T00:00:00Z, from a block header; never from a clock in the core. */
export type TimeNs = bigint & { readonly __timeNs: unique symbol };

export const NS_PER_SECOND = 1_000_000_000n;
const SECONDS_PER_DAY = 86_400n;

export function timeOfSeconds(seconds: bigint): TimeNs {
  return (seconds * NS_PER_SECOND) as TimeNs;
}

// A block asks for the seconds of its time again and again; the answer depends on the time alone.
let last = { time: 0n, seconds: 0n };

/** Whole seconds, floored, as the wire shows them. */
export function secondsOf(time: TimeNs): bigint {
  if (time !== last.time) last = { time, seconds: divFloor(time, NS_PER_SECOND) };
  return last.seconds;
}

export function addSeconds(time: TimeNs, seconds: bigint): TimeNs {
  return (time + seconds * NS_PER_SECOND) as TimeNs;
}

/** RFC 3339 in UTC with as many digits of the second as there are (0 to 9), as Go writes it. */
export function formatTime(time: TimeNs): string {
  const seconds = secondsOf(time);
  const nanos = time - seconds * NS_PER_SECOND;
  const day = divFloor(seconds, SECONDS_PER_DAY);
  const second = toSafeNumber(seconds - day * SECONDS_PER_DAY);
  const { year, month, date } = civilOfDay(day);
  const fraction = nanos === 0n ? "" : `.${nanos.toString().padStart(9, "0").replace(/0+$/, "")}`;
  const clock = [divFloorSize(second, 3600), divFloorSize(second % 3600, 60), second % 60];
  const hours = clock.map(two).join(":");
  return `${year.toString().padStart(4, "0")}-${two(month)}-${two(date)}T${hours}${fraction}Z`;
}

function two(value: number): string {
  return value.toString().padStart(2, "0");
}

/** Whether a time fits 64 bits of nanoseconds, as stored times must: the years 1678 to 2262. */
export function isStorableTime(time: TimeNs): boolean {
  return time <= INT64_MAX && time >= -INT64_MAX;
}

/** The instant of an RFC 3339 text with Z or an offset; undefined for any other text. */
export function parseTime(text: string): TimeNs | undefined {
  const match =
    /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(Z|z|[+-]\d{2}:\d{2})$/.exec(
      text,
    );
  if (match === null) return undefined;
  const [year, month, date, hour, minute, second] = match
    .slice(1, 7)
    .map((part) => BigInt(part)) as [bigint, bigint, bigint, bigint, bigint, bigint];
  if (month < 1n || month > 12n || date < 1n || date > daysInMonth(year, month)) return undefined;
  if (hour > 23n || minute > 59n || second > 59n) return undefined;
  const zone = match[8] as string;
  const offset = /^[zZ]$/.test(zone)
    ? 0n
    : (zone.startsWith("-") ? -60n : 60n) *
      (BigInt(zone.slice(1, 3)) * 60n + BigInt(zone.slice(4)));
  const day = dayOfCivil(year, month, date);
  const seconds = day * SECONDS_PER_DAY + hour * 3600n + minute * 60n + second - offset;
  return (seconds * NS_PER_SECOND + BigInt((match[7] ?? "").padEnd(9, "0"))) as TimeNs;
}

function daysInMonth(year: bigint, month: bigint): bigint {
  if (month === 2n) {
    const leap = (year % 4n === 0n && year % 100n !== 0n) || year % 400n === 0n;
    return leap ? 29n : 28n;
  }
  return [4n, 6n, 9n, 11n].includes(month) ? 30n : 31n;
}

// Days from civil and back in the proleptic Gregorian calendar, with years that begin in March so
// that the leap day is the last day of the year (H. Hinnant, "chrono-Compatible Low-Level Date
// Algorithms").
function dayOfCivil(year: bigint, month: bigint, date: bigint): bigint {
  const shifted = month <= 2n ? year - 1n : year;
  const era = divFloor(shifted, 400n);
  const yearOfEra = shifted - era * 400n;
  const monthFromMarch = month > 2n ? month - 3n : month + 9n;
  const dayOfYear = divFloor(153n * monthFromMarch + 2n, 5n) + date - 1n;
  const leapDays = divFloor(yearOfEra, 4n) - divFloor(yearOfEra, 100n);
  return era * 146_097n + yearOfEra * 365n + leapDays + dayOfYear - 719_468n;
}

function civilOfDay(day: bigint): { year: number; month: number; date: number } {
  const shifted = day + 719_468n;
  const era = divFloor(shifted, 146_097n);
  const dayOfEra = shifted - era * 146_097n;
  const yearOfEra = divFloor(
    dayOfEra -
      divFloor(dayOfEra, 1460n) +
      divFloor(dayOfEra, 36_524n) -
      divFloor(dayOfEra, 146_096n),
    365n,
  );
  const yearStart = 365n * yearOfEra + divFloor(yearOfEra, 4n) - divFloor(yearOfEra, 100n);
  const dayOfYear = dayOfEra - yearStart;
  const monthFromMarch = divFloor(5n * dayOfYear + 2n, 153n);
  const date = dayOfYear - divFloor(153n * monthFromMarch + 2n, 5n) + 1n;
  const month = monthFromMarch < 10n ? monthFromMarch + 3n : monthFromMarch - 9n;
  const year = yearOfEra + era * 400n + (month <= 2n ? 1n : 0n);
  return { year: toSafeNumber(year), month: toSafeNumber(month), date: toSafeNumber(date) };
}
