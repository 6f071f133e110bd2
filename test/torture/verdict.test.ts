import { expect, test } from "vitest";
import type { BilledCharge, Charge } from "../../src/torture/charge.ts";
import { compare, findingText, worstOf } from "../../src/torture/verdict.ts";

const HOUR = 3600n;

function metered(hour: bigint, units: bigint, more: Partial<Charge> = {}): Charge {
  return {
    ...{ order: "order-1", lease: "lease-1", type: "cpu", denom: "uve" },
    ...{ start: hour * HOUR, end: (hour + 1n) * HOUR, units, cost: units * 1500n },
    ...more,
  };
}

let ids = 0;
function billed(hour: bigint, units: bigint, more: Partial<Charge> = {}): BilledCharge {
  ids += 1;
  return { ...metered(hour, units, more), usageId: `usage-${ids}` };
}

const kinds = (...sides: Parameters<typeof compare>) =>
  compare(...sides).findings.map(({ kind, times, difference }) => [
    kind,
    times,
    Object.fromEntries(difference),
  ]);

test("the same on both sides, in any order, is no finding", () => {
  const [one, two] = [metered(1n, 3n), metered(2n, 4n)];
  expect(kinds([one, two], [billed(2n, 4n), billed(1n, 3n)])).toEqual([]);
});

test("windows cut otherwise are compared as a whole", () => {
  const whole = billed(1n, 7n, { end: 3n * HOUR });
  expect(kinds([metered(1n, 3n), metered(2n, 4n)], [whole])).toEqual([]);
});

test("a period that is on the chain once more under another period is billed twice", () => {
  const sides = [[metered(5n, 3n)], [billed(5n, 3n), billed(1n, 3n), billed(2n, 3n)]] as const;
  expect(kinds(...sides)).toEqual([["billed_twice", 3, { uve: 9000n }]]);
  const [finding] = compare(...sides).findings;
  expect(finding && findingText(finding)).toMatch(
    /^billed 3 times, \+9000uve: cpu of order-1\/lease-1, 1970-01-01T05:00:00Z to .* \(usage-/,
  );
});

test("overlapping records are billed twice", () => {
  const longer = billed(1n, 5n, { end: 3n * HOUR });
  expect(kinds([metered(1n, 3n)], [billed(1n, 3n), longer])).toEqual([
    ["billed_twice", 2, { uve: 7500n }],
  ]);
});

test("one record under a wrong period is one bill", () => {
  expect(kinds([metered(5n, 3n)], [billed(1n, 3n)])).toEqual([]);
});

test("what is missing is lost, unless it was nothing", () => {
  expect(kinds([metered(1n, 3n), metered(2n, 0n)], [])).toEqual([["lost", 0, { uve: -4500n }]]);
});

test("other units, another price and another denom are wrong amounts", () => {
  expect(kinds([metered(1n, 3n)], [billed(1n, 6n)])).toEqual([["wrong_amount", 1, { uve: 4500n }]]);
  const other = billed(1n, 3n, { denom: "uusd" });
  expect(kinds([metered(1n, 3n)], [other])).toEqual([
    ["wrong_amount", 1, { uve: -4500n, uusd: 4500n }],
  ]);
  const free = metered(1n, 3n, { cost: 0n });
  expect(kinds([free], [billed(1n, 6n, { cost: 0n })])).toEqual([["wrong_amount", 1, {}]]);
});

test("what nothing was metered for is unknown; leases and types are apart", () => {
  expect(kinds([metered(1n, 3n)], [billed(1n, 3n), billed(1n, 3n, { type: "gpu" })])).toEqual([
    ["unknown", 1, { uve: 4500n }],
  ]);
});

test("the kind that says most comes first", () => {
  const { findings } = compare(
    [metered(1n, 3n), metered(2n, 4n), metered(9n, 9n)],
    [billed(1n, 6n), billed(2n, 4n), billed(7n, 4n)],
  );
  expect(findings.map(({ kind }) => kind).sort()).toEqual(["billed_twice", "lost", "wrong_amount"]);
  expect(worstOf(findings)).toBe("billed_twice");
  expect(worstOf([])).toBeUndefined();
});
