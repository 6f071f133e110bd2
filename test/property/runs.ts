import process from "node:process";
import fc from "fast-check";

/** More of everything with SETTLED_LONG=1. */
export const LONG = process.env["SETTLED_LONG"] === "1";

const IS_CI = (process.env["CI"] ?? "") !== "";

/** Milliseconds that a property may take. */
export const TIMEOUT = LONG ? 1_800_000 : 120_000;

/** fast-check's settings for a number of runs; a failure prints seed and path to run it again. */
export function runs(count: number): fc.Parameters<unknown> {
  const seed = process.env["SETTLED_SEED"];
  return {
    // Half of a count fits into the three minutes of `npm test`; CI and long runs do all.
    numRuns: LONG ? count * 20 : IS_CI ? count : Math.ceil(count / 2),
    verbose: fc.VerbosityLevel.None,
    interruptAfterTimeLimit: TIMEOUT / 2,
    ...(seed === undefined ? {} : { seed: Number(seed) }),
  };
}
