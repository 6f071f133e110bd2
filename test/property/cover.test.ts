import fc from "fast-check";
import { expect, test } from "vitest";
import { Coverage } from "../../src/gen/settled/settlement/v1/state.ts";
import { InvariantError } from "../../src/lib/assert.ts";
import { ChainError } from "../../src/lib/errors.ts";
import { cover, uncover } from "../../src/modules/settlement/coverage.ts";
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
  const coverage = Coverage.fromPartial({});
  for (const second of [...seconds].sort((a, b) => a - b)) {
    if (!seconds.has(second - 1)) coverage.starts.push(BigInt(second));
    if (!seconds.has(second + 1)) coverage.ends.push(BigInt(second + 1));
  }
  return coverage;
}

test("RULES 17 what was there before is never changed by a refusal", () => {
  const before = Coverage.fromPartial({ starts: [0n, 20n], ends: [10n, 30n], meter: 7n });
  const copy = structuredClone(before);
  expect(() => cover(before, { start: 5n, end: 25n })).toThrow("overlaps");
  // The number of the meter stays.
  const merged = Coverage.fromPartial({ starts: [0n], ends: [30n], meter: 7n });
  expect(cover(before, { start: 10n, end: 20n })).toEqual(merged);
  expect(before).toEqual(copy);
});

test("RULES 19 what is taken out again leaves the set of the seconds of the others", () => {
  const steps = fc.array(fc.tuple(period, fc.nat(1_000_000)), { maxLength: 60 });
  const property = fc.property(steps, (all) => {
    const held: { start: number; end: number }[] = [];
    let coverage: Coverage | undefined;
    for (const [each, pick] of all) {
      if (coverage !== undefined && held.length > 0 && pick % 3 === 0) {
        const [{ start, end }] = held.splice(pick % held.length, 1) as [typeof each];
        coverage = uncover(coverage, { start: BigInt(start), end: BigInt(end) });
      } else if (held.every(({ start, end }) => end <= each.start || each.end <= start)) {
        held.push(each);
        const wanted = { start: BigInt(each.start), end: BigInt(each.end) };
        coverage = cover(coverage, wanted);
      }
      const seconds = held.flatMap(({ start, end }) => {
        return Array.from({ length: end - start }, (_, n) => start + n);
      });
      expect(coverage ?? intervalsOf(new Set())).toEqual(intervalsOf(new Set(seconds)));
    }
  });
  fc.assert(property, runs(300));
});

test("RULES 19 a period that nothing covers is a broken promise, not a refusal", () => {
  const before = Coverage.fromPartial({ starts: [0n], ends: [10n], meter: 1n });
  for (const [start, end] of [
    [5n, 11n],
    [-1n, 5n],
    [10n, 12n],
  ] as const) {
    expect(() => uncover(before, { start, end })).toThrow(InvariantError);
  }
});
