import { must } from "../../src/lib/assert.ts";
import * as time from "../../src/types/time.ts";

/** RFC 3339 as nanoseconds. */
export function parseTime(text: string): bigint {
  return must(time.parseTime(text), `not a time: ${text}`);
}

/** The wall clock, in nanoseconds. */
export function nowTime(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}
