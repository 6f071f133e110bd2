import { utf8Length } from "../../lib/bytes.ts";
import { INT64_MAX, parseInteger } from "../../lib/int.ts";
import { NS_PER_SECOND, parseTime } from "../../types/time.ts";
import type { Metrics } from "../units.ts";
import { ID_BYTES_MAX } from "../window.ts";
import type { FeedRow } from "./feed.ts";

/** Names in files and events; all of them are needed, so that a misspelt one is not taken for 0. */
export const METRIC_FIELDS = {
  cpu_milliseconds: "cpuMilliseconds",
  memory_byte_seconds: "memoryByteSeconds",
  storage_byte_seconds: "storageByteSeconds",
  gpu_seconds: "gpuSeconds",
  network_bytes_in: "networkBytesIn",
  network_bytes_out: "networkBytesOut",
} as const satisfies Record<string, keyof Metrics>;

/** Fields that a row must have. */
export const REQUIRED_FIELDS: readonly string[] = [
  ...["order", "lease", "start", "end"],
  ...Object.keys(METRIC_FIELDS),
];
/** `job` is what files of `provider replay` have; nothing depends on it. */
const FIELDS: ReadonlySet<string> = new Set([...REQUIRED_FIELDS, "id", "job"]);

/** Ids of rows and events, in bytes of UTF-8. */
const ROW_ID_BYTES_MAX = 512;
/** The chain takes no longer period. */
const ROW_SECONDS_MAX = 31n * 86_400n;
/** 253402300799 is the last second of the year 9999. */
const TIME_MAX = 253_402_300_799n;

/** A field of a row that cannot be taken. */
export class FieldError extends Error {
  readonly field: string;

  constructor(field: string, detail: string) {
    super(`"${field}" ${detail}`);
    this.name = "FieldError";
    this.field = field;
  }
}

/**
 * A row of named fields: order, lease, start and end (unix seconds or RFC 3339, on whole seconds),
 * the six metrics (integers from 0 to 2^63-1, as numbers or decimal texts), optionally id.
 * @throws FieldError
 */
export function readFeedRow(fields: Readonly<Record<string, unknown>>, place: string): FeedRow {
  for (const name of Object.keys(fields)) {
    if (!FIELDS.has(name)) throw new FieldError(name.slice(0, 40), "is not a field of usage");
  }
  const [startS, endS] = [readTime(fields, "start"), readTime(fields, "end")];
  if (endS <= startS) throw new FieldError("end", `is not after the start: ${startS} to ${endS}`);
  if (endS - startS > ROW_SECONDS_MAX) {
    throw new FieldError("end", `is more than 31 days after the start: ${startS} to ${endS}`);
  }
  const metrics = {} as Record<keyof Metrics, bigint>;
  for (const [field, name] of Object.entries(METRIC_FIELDS)) metrics[name] = amount(fields, field);
  return {
    order: readText(fields, "order", ID_BYTES_MAX),
    lease: readText(fields, "lease", ID_BYTES_MAX),
    id: fields["id"] === undefined ? "" : readText(fields, "id", ROW_ID_BYTES_MAX),
    ...{ startS, endS, metrics, place },
  };
}

export function readText(
  fields: Readonly<Record<string, unknown>>,
  name: string,
  bytesMax: number,
): string {
  const value = fields[name];
  if (value === undefined) throw new FieldError(name, "is missing");
  if (typeof value !== "string" || value === "") {
    throw new FieldError(name, "must be a text that is not empty");
  }
  if (utf8Length(value) > bytesMax) throw new FieldError(name, `is longer than ${bytesMax} bytes`);
  // Half a character has no UTF-8, and so no place on the chain.
  if (/\p{Cs}/u.test(value)) throw new FieldError(name, "is not well-formed Unicode");
  return value;
}

function readTime(fields: Readonly<Record<string, unknown>>, name: string): bigint {
  const value = fields[name];
  if (value === undefined) throw new FieldError(name, "is missing");
  const rule = "must be unix seconds or a time like 2026-01-31T12:00:00Z";
  const found = JSON.stringify(value)?.slice(0, 40);
  const seconds = integerOf(value) ?? secondsOf(value, name);
  if (seconds === undefined || seconds < 0n || seconds > TIME_MAX) {
    // A number of this size counts something else.
    const hint = seconds !== undefined && seconds > TIME_MAX ? ", not milliseconds" : "";
    throw new FieldError(name, `${rule}${hint}, found ${found}`);
  }
  return seconds;
}

function secondsOf(value: unknown, name: string): bigint | undefined {
  const time = typeof value === "string" ? parseTime(value) : undefined;
  if (time === undefined) return undefined;
  if (time % NS_PER_SECOND !== 0n) {
    throw new FieldError(name, `must be on a whole second, found "${value as string}"`);
  }
  return time / NS_PER_SECOND;
}

function amount(fields: Readonly<Record<string, unknown>>, name: string): bigint {
  const value = fields[name];
  if (value === undefined) throw new FieldError(name, "is missing");
  const integer = integerOf(value);
  if (integer === undefined || integer < 0n || integer > INT64_MAX) {
    const found = JSON.stringify(value)?.slice(0, 40);
    throw new FieldError(name, `is not an integer from 0 to 2^63-1: ${found}`);
  }
  return integer;
}

function integerOf(value: unknown): bigint | undefined {
  if (typeof value === "string") return parseInteger(value);
  return typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : undefined;
}
