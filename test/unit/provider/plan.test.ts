import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Coverage } from "../../../src/provider/coverage.ts";
import { planReplay } from "../../../src/provider/plan.ts";
import { PriceBook } from "../../../src/provider/price_book.ts";
import { NO_METRICS } from "../../../src/provider/units.ts";
import { type MeteredWindow, noCounts } from "../../../src/provider/window.ts";

const prices = PriceBook.parse({ denom: "uve", prices: { cpu: "1.5", gpu: "10" } }, "test");

function window(changes: Partial<MeteredWindow>): MeteredWindow {
  const metrics = { ...NO_METRICS, cpuMilliseconds: 10_800_000n };
  const ids = { job: "j", order: "o", lease: "l", line: 1 };
  return { ...ids, start: 0n, end: 3600n, metrics, ...changes };
}

async function plan(windows: readonly MeteredWindow[], withOrders = true) {
  async function* source() {
    yield* windows;
  }
  return planReplay(source(), noCounts(), { prices, unitRounding: "floor", withOrders });
}

describe("the plan of a replay", () => {
  it("adds up windows, records and the exact cost of every order", async () => {
    const gpu = { ...NO_METRICS, cpuMilliseconds: 3_600_000n, gpuSeconds: 7200n };
    const result = await plan([
      window({}),
      window({ start: 3600n, end: 5000n, metrics: gpu }),
      window({ job: "k", order: "p", lease: "m" }),
    ]);
    expect(result).toMatchObject({
      windows: 3,
      records: 4,
      cost: new Map([["uve", 4n + 1n + 20n + 4n]]),
    });
    expect(result.orders.get("o")).toMatchObject({
      ...{ index: 0, windows: 2, records: 3, cost: new Map([["uve", 25n]]), start: 0n, end: 5000n },
      first: { resource: "cpu", start: 0n, end: 3600n },
    });
    expect(result.orders.get("p")).toMatchObject({
      index: 1,
      records: 1,
      cost: new Map([["uve", 4n]]),
    });
  });

  it("D-16 refuses windows of a lease that overlap, naming line and window", async () => {
    const broken = plan([window({}), window({ start: 3599n, end: 7200n, line: 9 })]);
    await expect(broken).rejects.toThrow(
      /line 9: window \[3599, 7200\) of job "j" overlaps \[0, 3600\)/,
    );
  });

  it("refuses an order with two leases, and with escrows one with two jobs", async () => {
    const later = { start: 3600n, end: 7200n, line: 2 };
    await expect(plan([window({}), window({ ...later, lease: "m" })])).rejects.toThrow(
      /line 2: order "o" has lease "l" on earlier lines, here "m"/,
    );
    const jobs = [window({}), window({ ...later, job: "k" })];
    await expect(plan(jobs)).rejects.toThrow(/line 2: order "o" belongs to job "j"/);
    await expect(plan(jobs, false)).resolves.toMatchObject({ windows: 2 });
  });

  it("names a resource without a price", async () => {
    const metrics = { ...NO_METRICS, networkBytesIn: 2n ** 31n };
    await expect(plan([window({ metrics })])).rejects.toThrow(/order "o" has no price for network/);
  });
});

describe("coverage", () => {
  it("merges touching spans and finds every overlap", () => {
    const span = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 8 }));
    fc.assert(
      fc.property(fc.array(span, { maxLength: 40 }), (spans) => {
        const coverage = new Coverage();
        const taken = new Set<number>();
        for (const [start, length] of spans) {
          const seconds = Array.from({ length }, (_, at) => start + at);
          const overlaps = seconds.some((second) => taken.has(second));
          const found = coverage.add(BigInt(start), BigInt(start + length));
          expect(found !== undefined).toBe(overlaps);
          if (!overlaps) for (const second of seconds) taken.add(second);
        }
        const runs = [...taken].filter((second) => !taken.has(second - 1));
        expect(coverage.size).toBe(runs.length);
      }),
    );
  });
});
