import type { FieldKind } from "../gen/schema.ts";
import { divFloor, parseInteger, toSafeNumber } from "../lib/int.ts";
import type { Dec } from "../types/dec.ts";
import { formatTime, NS_PER_SECOND, secondsOf, type TimeNs } from "../types/time.ts";

/** Longest text of an amount that is looked at; sdk integers have 78 digits at most. */
const MAX_DIGITS = 100;

/** The atomics of a cosmos.Dec as it travels: integer text; undefined for any other. */
export function decAtomics(text: string): Dec | undefined {
  return text.length > MAX_DIGITS ? undefined : (parseInteger(text) as Dec | undefined);
}

const RANGES: Readonly<Partial<Record<FieldKind, readonly [bigint, bigint]>>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  sint32: [-(2n ** 31n), 2n ** 31n - 1n],
  sfixed32: [-(2n ** 31n), 2n ** 31n - 1n],
  enum: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  fixed32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  sint64: [-(2n ** 63n), 2n ** 63n - 1n],
  sfixed64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  fixed64: [0n, 2n ** 64n - 1n],
};

/** Whether an integer fits a protobuf kind. */
export function fitsKind(value: bigint, kind: FieldKind): boolean {
  const range = RANGES[kind];
  return range !== undefined && value >= range[0] && value <= range[1];
}

// 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z, the range that RFC 3339 and protobuf JSON share.
const MIN_SECONDS = -62_135_596_800n;
const MAX_SECONDS = 253_402_300_799n;
const MAX_DURATION_SECONDS = 315_576_000_000n;

/** A google.protobuf.Timestamp or Duration as generated. */
export interface SecondsNanos {
  readonly seconds: bigint;
  readonly nanos: number;
}

/** The instant of a Timestamp; undefined outside years 1 to 9999 or with impossible nanos. */
export function timeOfTimestamp({ seconds, nanos }: SecondsNanos): TimeNs | undefined {
  if (seconds < MIN_SECONDS || seconds > MAX_SECONDS) return undefined;
  if (nanos < 0 || nanos > 999_999_999) return undefined;
  return (seconds * NS_PER_SECOND + BigInt(nanos)) as TimeNs;
}

export function timestampOfTime(time: TimeNs): SecondsNanos {
  const seconds = secondsOf(time);
  return { seconds, nanos: toSafeNumber(time - seconds * NS_PER_SECOND) };
}

/** RFC 3339 with 0, 3, 6 or 9 digits of the second, as protobuf JSON writes it. */
export function timestampText(timestamp: SecondsNanos): string | undefined {
  const time = timeOfTimestamp(timestamp);
  if (time === undefined) return undefined;
  return formatTime(time).replace(/\.(\d+)Z$/, (_, digits: string) => `.${inThrees(digits)}Z`);
}

function inThrees(digits: string): string {
  return digits.padEnd(digits.length > 6 ? 9 : digits.length > 3 ? 6 : 3, "0");
}

/** "-1.500s"; undefined outside ±10,000 years, with impossible nanos or with two signs. */
export function durationText({ seconds, nanos }: SecondsNanos): string | undefined {
  if (seconds > MAX_DURATION_SECONDS || seconds < -MAX_DURATION_SECONDS) return undefined;
  if (nanos > 999_999_999 || nanos < -999_999_999) return undefined;
  if ((seconds > 0n && nanos < 0) || (seconds < 0n && nanos > 0)) return undefined;
  const sign = seconds < 0n || nanos < 0 ? "-" : "";
  const whole = seconds < 0n ? -seconds : seconds;
  const digits = `${nanos < 0 ? -nanos : nanos}`.padStart(9, "0").replace(/0+$/, "");
  return `${sign}${whole}${digits === "" ? "" : `.${inThrees(digits)}`}s`;
}

/** The Duration of "1.5s"; undefined for any other text. */
export function durationOfText(text: string): SecondsNanos | undefined {
  const match = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "0", fraction = ""] = match;
  const total = BigInt(whole) * NS_PER_SECOND + BigInt(fraction.padEnd(9, "0"));
  const seconds = divFloor(total, NS_PER_SECOND);
  const nanos = toSafeNumber(total - seconds * NS_PER_SECOND);
  if (seconds > MAX_DURATION_SECONDS) return undefined;
  // 0 - nanos: a plain minus would make -0 of 0.
  return sign === "-" ? { seconds: -seconds, nanos: 0 - nanos } : { seconds, nanos };
}
