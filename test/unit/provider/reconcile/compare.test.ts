import fc from "fast-check";
import { expect, test } from "vitest";
import type { BilledUsage } from "../../../../src/client/usage_records.ts";
import type { OutsideRow } from "../../../../src/provider/reconcile/outside_row.ts";
import { parseQuantity } from "../../../../src/provider/reconcile/quantity.ts";
import { compareAll, type Reconciliation } from "../../../../src/provider/reconcile/reconcile.ts";

const ONE = 10n ** 18n;
const HOUR = 3600n;

function row(start: bigint, units: string, more: Partial<OutsideRow> = {}): OutsideRow {
  const quantity = parseQuantity(units);
  if (quantity === undefined) throw new Error(`not a quantity: ${units}`);
  return {
    ...{ orderId: "o", leaseId: "l", usageType: "cpu", units: quantity },
    ...{ periodStart: start, periodEnd: start + HOUR },
    ...{ denom: "uve", unitPrice: 100n * ONE, cost: undefined, place: `file:${start}` },
    ...more,
  };
}

function record(start: bigint, units: bigint, more: Partial<BilledUsage> = {}): BilledUsage {
  const unitPrice = more.unitPrice ?? 100n * ONE;
  return {
    ...{ usageId: `usage-${start}`, orderId: "o", leaseId: "l", usageType: "cpu" },
    ...{ provider: "p", customer: "c", usageUnits: units, denom: "uve", unitPrice },
    ...{ periodStart: start, periodEnd: start + HOUR, cost: (units * unitPrice) / ONE },
    ...{ isAcknowledged: false, isSettled: false, status: "" },
    ...more,
  };
}

function kinds({ differences }: Reconciliation): [string, bigint][] {
  return differences.map(({ kind, amount }) => [kind, amount]);
}

test("the same on both sides is no difference", () => {
  const result = compareAll([row(0n, "5"), row(HOUR, "0")], [record(0n, 5n)]);
  expect(result).toMatchObject({ matched: 1, differences: [] });
  expect(result.money).toEqual([
    { denom: "uve", chain: 500n, file: 500n, difference: 0n, residual: 0n },
  ]);
});

test("less than a unit in a window is rounding, also of one that is not billed", () => {
  const rows = [row(0n, "5.75"), row(HOUR, "0.5"), row(2n * HOUR, "0.25")];
  const result = compareAll(rows, [record(0n, 5n), record(HOUR, 1n)]);
  expect(kinds(result)).toEqual([
    ["rounding", -75n],
    ["rounding", 50n],
    ["rounding", -25n],
  ]);
});

test("an idle window billed as one CPU-hour is rounding, and of another type it is not", () => {
  expect(kinds(compareAll([row(0n, "0")], [record(0n, 1n)]))).toEqual([["rounding", 100n]]);
  const memory = { usageType: "memory" };
  const result = compareAll([row(0n, "0", memory)], [record(0n, 1n, memory)]);
  expect(kinds(result)).toEqual([["units", 100n]]);
});

test("other units for the same time", () => {
  expect(kinds(compareAll([row(0n, "5")], [record(0n, 7n)]))).toEqual([["units", 200n]]);
});

test("another price, and another price with other units: two causes that add up", () => {
  const dear = { unitPrice: 150n * ONE };
  expect(kinds(compareAll([row(0n, "5")], [record(0n, 5n, dear)]))).toEqual([["price", 250n]]);
  expect(kinds(compareAll([row(0n, "5")], [record(0n, 7n, dear)]))).toEqual([
    ["price", 350n],
    ["units", 200n],
  ]);
});

test("another denom: each side stands for itself", () => {
  const result = compareAll([row(0n, "5", { denom: "uusd" })], [record(0n, 5n)]);
  expect(kinds(result)).toEqual([
    ["price", 500n],
    ["price", -500n],
  ]);
  expect(result.money.map(({ denom, difference }) => [denom, difference])).toEqual([
    ["uve", 500n],
    ["uusd", -500n],
  ]);
});

test("what one side alone has", () => {
  const result = compareAll([row(0n, "5")], [record(9n * 24n * HOUR, 3n)]);
  expect(kinds(result)).toEqual([
    ["missing_on_chain", -500n],
    ["missing_in_file", 300n],
  ]);
});

test("a period that the file has twice", () => {
  const result = compareAll([row(0n, "5"), row(0n, "5", { place: "file:2" })], [record(0n, 5n)]);
  expect(kinds(result)).toEqual([["duplicate", -500n]]);
  expect(result.differences[0]?.places).toEqual(["file:2"]);
});

test("windows that lie an hour later on the chain: one shift of no money", () => {
  const rows = [row(0n, "5"), row(HOUR, "6.5"), row(2n * HOUR, "7")];
  const records = [record(HOUR, 5n), record(2n * HOUR, 6n), record(3n * HOUR, 7n)];
  // Two of the periods are on both sides as well, with other units: more windows agree on the shift.
  const result = compareAll(rows, records);
  expect(kinds(result)).toEqual([
    ["window_shift", 0n],
    ["rounding", -50n],
  ]);
  expect(result.differences[0]?.detail).toBe("3 windows lie 3600 s later on the chain");
});

test("windows of the same usage hour by hour are not taken for shifted ones", () => {
  const rows = [0n, 1n, 2n].map((at) => row(at * HOUR, "5"));
  const records = [1n, 2n, 3n].map((at) => record(at * HOUR, 5n));
  expect(compareAll(rows, [record(0n, 5n), ...records.slice(0, 2)])).toMatchObject({ matched: 3 });
});

test("windows that begin a few seconds apart, and one that has no counterpart", () => {
  const rows = [row(7n, "5"), row(7n + HOUR, "6.5"), row(7n + 9n * HOUR, "7")];
  const shifted = compareAll(rows, [record(0n, 5n), record(HOUR, 6n)]);
  expect(kinds(shifted)).toEqual([
    ["window_shift", 0n],
    ["rounding", -50n],
    ["missing_on_chain", -700n],
  ]);
  expect(shifted.differences[0]?.detail).toBe("2 windows lie 7 s earlier on the chain");
});

test("windows that are cut otherwise", () => {
  const day = row(0n, "24", { periodEnd: 24n * HOUR });
  const hours = Array.from({ length: 24 }, (_, at) => record(BigInt(at) * HOUR, 1n));
  const result = compareAll([day], hours);
  expect(kinds(result)).toEqual([["window_shift", 0n]]);
  expect(result.differences[0]?.detail).toBe("1 windows of the file are 24 on the chain");
});

test("a file that contradicts itself has a residual", () => {
  const result = compareAll([row(0n, "5", { cost: 777n })], [record(0n, 5n)]);
  expect(kinds(result)).toEqual([["unexplained", -277n]]);
  expect(result.money[0]).toMatchObject({ difference: -277n, residual: -277n });
  // A cost that was rounded up is within one base unit.
  const up = compareAll([row(0n, "5", { cost: 501n })], [record(0n, 5n)]);
  expect(kinds(up)).toEqual([["rounding", -1n]]);
});

test("a file without prices is worth what the chain charges at that time", () => {
  const free = { denom: undefined, unitPrice: undefined };
  const rows = [row(0n, "5", free), row(HOUR, "5", free), row(2n * HOUR, "5", free)];
  const records = [record(0n, 5n), record(HOUR, 5n, { unitPrice: 200n * ONE })];
  expect(kinds(compareAll(rows, records))).toEqual([["missing_on_chain", -1000n]]);
});

test("usage types are compared by alias", () => {
  expect(compareAll([row(0n, "5")], [record(0n, 5n, { usageType: " Compute" })])).toMatchObject({
    matched: 1,
    differences: [],
  });
});

const units = fc.bigInt({ min: 0n, max: 9n });
const start = fc.bigInt({ min: 0n, max: 30n }).map((at) => at * 1800n);
const anyRow = fc
  .tuple(start, units, fc.constantFrom("", ".5", ".999"), fc.option(fc.bigInt(0n, 999n)), start)
  .map(([at, whole, part, cost, longer]) =>
    row(at, `${whole}${part}`, { cost: cost ?? undefined, periodEnd: at + HOUR + longer }),
  );
const anyRecord = fc
  .tuple(start, units, fc.constantFrom(100n * ONE, 3n * ONE, ONE / 3n))
  .map(([at, whole, unitPrice]) => record(at, whole, { unitPrice }));

test("whatever the two sides are, the differences add up to chain less file", () => {
  fc.assert(
    fc.property(
      fc.array(anyRow, { maxLength: 12 }),
      fc.array(anyRecord, { maxLength: 12 }),
      (rows, all) => {
        // Periods of a lease are disjoint on the chain.
        const records = all.filter((each, at) => {
          return all
            .slice(0, at)
            .every(({ periodStart }) => distance(each.periodStart, periodStart) >= HOUR);
        });
        const result = compareAll(rows, records);
        const explained = result.differences.reduce((sum, { amount }) => sum + amount, 0n);
        const chain = records.reduce((sum, { cost }) => sum + cost, 0n);
        const file = rows.reduce((sum, { cost, units: { numerator, denominator } }) => {
          return sum + (cost ?? (numerator * 100n) / denominator);
        }, 0n);
        expect(explained).toBe(chain - file);
      },
    ),
    { numRuns: 500 },
  );
});

function distance(a: bigint, b: bigint): bigint {
  return a > b ? a - b : b - a;
}
