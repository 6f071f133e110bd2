import fc from "fast-check";
import { expect, test } from "vitest";
import type { Coverage } from "../../src/gen/settled/settlement/v1/state.ts";
import { ChainError } from "../../src/lib/errors.ts";
import { cover } from "../../src/modules/settlement/keeper_usage.ts";
import { runs } from "./runs.ts";

const period = fc
  .record({ start: fc.integer({ min: -40, max: 40 }), length: fc.integer({ min: 1, max: 9 }) })
  .map(({ start, length }) => ({ start, end: start + length }));

test("RULES 17 coverage is the set of the seconds that were recorded, as few intervals as can be", () => {
  const property = fc.property(fc.array(period, { maxLength: 60 }), (periods) => {
    const seconds = new Set<number>();
    let coverage: Coverage | undefined;
    for (const { start, end } of periods) {
      const wanted = Array.from({ length: end - start }, (_, n) => start + n);
      const free = wanted.every((second) => !seconds.has(second));
      const before = coverage;
      try {
        coverage = cover(before, { start: BigInt(start), end: BigInt(end) });
        expect(free).toBe(true);
        for (const second of wanted) seconds.add(second);
      } catch (error) {
        if (!(error instanceof ChainError)) throw error;
        expect([free, error.code, error.message.includes("overlaps")]).toEqual([false, 1512, true]);
        expect(named(error)).toBe(true);
      }
    }
    expect(coverage ?? intervalsOf(new Set())).toEqual(intervalsOf(seconds));

    /** Whether the interval that the text names is one of those that are there. */
    function named(error: ChainError): boolean {
      const [, start = "", end = ""] = /overlaps \[(-?\d+), (-?\d+)\)/.exec(error.message) ?? [];
      const at = coverage?.starts.indexOf(BigInt(start)) ?? -1;
      return at >= 0 && coverage?.ends[at] === BigInt(end);
    }
  });
  fc.assert(property, runs(300));
});

function intervalsOf(seconds: ReadonlySet<number>): Coverage {
  const coverage: Coverage = { starts: [], ends: [], meter: 0n };
  for (const second of [...seconds].sort((a, b) => a - b)) {
    if (!seconds.has(second - 1)) coverage.starts.push(BigInt(second));
    if (!seconds.has(second + 1)) coverage.ends.push(BigInt(second + 1));
  }
  return coverage;
}

test("RULES 17 what was there before is never changed by a refusal", () => {
  const before: Coverage = { starts: [0n, 20n], ends: [10n, 30n], meter: 7n };
  const copy = structuredClone(before);
  expect(() => cover(before, { start: 5n, end: 25n })).toThrow("overlaps");
  // The number of the meter stays.
  expect(cover(before, { start: 10n, end: 20n })).toEqual({ starts: [0n], ends: [30n], meter: 7n });
  expect(before).toEqual(copy);
});
