import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Usage } from "../../src/provider/collect/collector.ts";
import {
  NO_METRICS,
  RAW_PER_UNIT,
  RESOURCES,
  type Resource,
  rawUsage,
} from "../../src/provider/units.ts";
import type { ClosedWindow } from "../../src/provider/windows/closed_window.ts";
import { METRIC_NAMES } from "../../src/provider/windows/metric_sum.ts";
import { WindowBook } from "../../src/provider/windows/window_book.ts";
import { runs } from "./runs.ts";

const REF = { order: "o", lease: "l" };
const amount = fc.oneof(fc.bigInt(0n, 50n), fc.bigInt(0n, 2n ** 70n), fc.constant(0n));
const metrics = fc.record({
  cpuMilliseconds: amount,
  memoryByteSeconds: amount,
  storageByteSeconds: amount,
  gpuSeconds: amount,
  networkBytesIn: amount,
  networkBytesOut: amount,
});

// What happens to a daemon: it measures, it is suspended or its clock steps, it is killed between
// two writes, it closes windows, an old row comes.
const event = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("span"), ms: fc.nat(90_000), metrics }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("gap"), ms: fc.nat(400_000), metrics }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("late"), ms: fc.nat(200_000), metrics }) },
  { weight: 2, arbitrary: fc.constant({ kind: "restart" } as const) },
  { weight: 3, arbitrary: fc.constant({ kind: "close" } as const) },
);

interface Step {
  readonly kind: string;
  readonly ms?: number;
  readonly metrics?: typeof NO_METRICS;
}

/** The book of a daemon that may die at any time: what it has not written is gone with it. */
class Daemon {
  readonly intervalSeconds: bigint;
  readonly disk = new Map<string, string>();
  readonly closed: ClosedWindow[] = [];
  book: WindowBook;
  now: number;

  constructor(intervalSeconds: bigint, startS: bigint, rounding: "carry" | "floor") {
    this.intervalSeconds = intervalSeconds;
    this.book = new WindowBook({ intervalSeconds });
    this.book.open({ ...REF, rounding, billsFootprint: false, startS });
    this.now = Number(startS) * 1000;
    this.write();
  }

  write(windows: readonly ClosedWindow[] = []): void {
    this.closed.push(...windows);
    for (const [name, text] of this.book.takeChanges()) {
      if (text === undefined) this.disk.delete(name);
      else this.disk.set(name, text);
    }
  }

  run({ kind, ms = 0, metrics = NO_METRICS }: Step): typeof NO_METRICS {
    const { book } = this;
    if (kind === "restart") {
      // What is in memory only is lost, as the source's cursor is: it tells the span again.
      book.add(REF, this.span(this.now, this.now + 5000, { ...NO_METRICS, gpuSeconds: 77n }));
      this.book = new WindowBook({ intervalSeconds: this.intervalSeconds });
      this.book.restore(this.disk);
    } else if (kind === "close") {
      this.write(book.closeUntil(BigInt(Math.floor(this.now / 1000))));
    } else {
      const from = kind === "late" ? Math.max(0, this.now - ms) : this.now;
      if (kind !== "late") this.now += ms;
      const usage = this.span(from, this.now, metrics);
      book.add(REF, { ...usage, isContinuous: kind !== "gap" });
      this.write();
      return metrics;
    }
    return NO_METRICS;
  }

  span(startMs: number, endMs: number, used: typeof NO_METRICS): Usage {
    return { startMs, endMs, metrics: used, isContinuous: true, faults: [] };
  }
}

describe("metering windows", () => {
  test.each(["carry", "floor"] as const)(
    "touch, are aligned, and sum to the whole: %s",
    (rounding) => {
      const property = fc.property(
        fc.constantFrom(7n, 60n, 3600n),
        fc.bigInt(0n, 10_000n),
        fc.array(event, { maxLength: 40 }),
        fc.bigInt(0n, 300n),
        (interval, startS, steps, early) => {
          const daemon = new Daemon(interval, startS, rounding);
          const whole = { ...NO_METRICS } as Record<string, bigint>;
          for (const step of steps) {
            const used = daemon.run(step as Step);
            for (const name of METRIC_NAMES) whole[name] = (whole[name] ?? 0n) + used[name];
          }
          const lastS = BigInt(Math.ceil(daemon.now / 1000));
          const endS = lastS > early ? lastS - early : 0n;
          const { windows, unbilled } = daemon.book.end(REF, endS);
          const all = [...daemon.closed, ...windows];

          // One `expect` per window and resource would cost more than the book.
          const wrong: string[] = [];
          let at = startS;
          for (const { start, end } of all) {
            const isAligned = start === startS || start % interval === 0n;
            const isShort = end > start && end <= start - (start % interval) + interval;
            if (start !== at || !isAligned || !isShort) wrong.push(`${at}: ${start}-${end}`);
            at = end;
          }
          if (all.length > 0 && at < endS) wrong.push(`ends at ${at}, not at ${endS}`);

          // Records of a resource never overlap, begin with a window, and under carry leave no gap.
          const billedUntil: Partial<Record<Resource, bigint>> = {};
          const starts = new Set(all.map(({ start }) => start));
          for (const { start, end, units } of all) {
            for (const { resource, since } of units) {
              const before = billedUntil[resource];
              const isOwn = since === start && (rounding === "floor" || before === undefined);
              const touches = since === before || end - (before ?? end) > 604_800n;
              const isRight = since <= start && since >= (before ?? since) && starts.has(since);
              if (!isRight || !(isOwn || touches)) wrong.push(`${resource} ${since}-${end}`);
              billedUntil[resource] = end;
            }
          }

          const sum = { ...NO_METRICS } as Record<string, bigint>;
          const billed = rawUsage(NO_METRICS);
          let carried = rawUsage(NO_METRICS);
          for (const window of all) {
            for (const name of METRIC_NAMES) sum[name] = (sum[name] ?? 0n) + window.metrics[name];
            for (const each of window.units) billed[each.resource] += each.units;
            const raw = rawUsage(window.metrics);
            for (const resource of RESOURCES) {
              const due = raw[resource] + carried[resource];
              const own = window.units.find((each) => each.resource === resource)?.units ?? 0n;
              const left = rounding === "carry" ? due % RAW_PER_UNIT[resource] : 0n;
              const isRight = own === due / RAW_PER_UNIT[resource];
              if (!isRight || window.carried[resource] !== left) wrong.push(`${resource} ${due}`);
            }
            carried = { ...window.carried };
          }
          expect(wrong).toEqual([]);
          expect(sum).toEqual(whole);
          expect(unbilled).toEqual(carried);
          if (rounding === "carry") {
            const raw = rawUsage(whole as unknown as typeof NO_METRICS);
            for (const resource of RESOURCES) {
              const accounted = billed[resource] * RAW_PER_UNIT[resource] + unbilled[resource];
              expect(accounted).toBe(raw[resource]);
            }
          }
        },
      );
      fc.assert(property, runs(150));
    },
  );

  test("give every watched second its own: a constant rate is constant in all windows", () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 50 });
    const property = fc.property(fc.nat(100_000), lengths, (startS, spans) => {
      const book = new WindowBook({ intervalSeconds: 60n });
      book.open({ ...REF, rounding: "carry", billsFootprint: true, startS: BigInt(startS) });
      let now = startS * 1000;
      const closed: ClosedWindow[] = [];
      for (const ms of spans) {
        // One per millisecond: whatever the cuts, a share is its length.
        const used = { networkBytesIn: BigInt(ms) };
        book.add(REF, {
          ...{ startMs: now, endMs: now + ms, metrics: used, isContinuous: true, faults: [] },
        });
        now += ms;
        closed.push(...book.closeUntil(BigInt(Math.floor(now / 1000))));
      }
      for (const { start, end, metrics, isPartial } of closed) {
        expect(metrics.networkBytesIn).toBe((end - start) * 1000n);
        expect(isPartial).toBe(false);
      }
    });
    fc.assert(property, runs(100));
  });
});
