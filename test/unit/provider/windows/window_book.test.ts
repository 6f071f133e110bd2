import { describe, expect, it } from "vitest";
import type { Usage } from "../../../../src/provider/collect/collector.ts";
import { type Metrics, NO_METRICS } from "../../../../src/provider/units.ts";
import type { ClosedWindow } from "../../../../src/provider/windows/closed_window.ts";
import type { LeaseTerms } from "../../../../src/provider/windows/lease_windows.ts";
import { WindowBook } from "../../../../src/provider/windows/window_book.ts";

const REF = { order: "order/1", lease: "lease 1" };
const TERMS: LeaseTerms = { ...REF, rounding: "carry", billsFootprint: true, startS: 1000n };

function book(terms: Partial<LeaseTerms> = {}, intervalSeconds = 3600n): WindowBook {
  const opened = new WindowBook({ intervalSeconds });
  opened.open({ ...TERMS, ...terms });
  return opened;
}

/** A span in seconds that was watched; all six metrics are told, 0 but for these. */
function watched(startS: number, endS: number, metrics: Partial<Metrics> = {}): Usage {
  const all = { ...NO_METRICS, ...metrics };
  const [startMs, endMs] = [startS * 1000, endS * 1000];
  return { startMs, endMs, metrics: all, isContinuous: true, faults: [] };
}

function unwatched(startS: number, endS: number, metrics: Partial<Metrics>): Usage {
  return { ...watched(startS, endS, metrics), isContinuous: false };
}

function restarted(before: WindowBook, intervalSeconds = 3600n): WindowBook {
  const after = new WindowBook({ intervalSeconds });
  const notes = [...before.takeChanges()] as [string, string][];
  after.restore(new Map(notes.map(([name, text]) => [name, JSON.parse(JSON.stringify(text))])));
  return after;
}

function periods(windows: readonly ClosedWindow[]): string[] {
  return windows.map(({ start, end }) => `${start}-${end}`);
}

function units(window: ClosedWindow | undefined): string {
  return window?.units.map((each) => `${each.resource} ${each.units}`).join(", ") ?? "none";
}

describe("windows of a lease", () => {
  it("are aligned to the interval, but for the lease's start and end, and touch", () => {
    const windows = book();
    windows.add(REF, watched(1000, 9000));
    const closed = windows.closeUntil(8000n);
    expect(periods(closed)).toEqual(["1000-3600", "3600-7200"]);
    expect(windows.closeUntil(8000n)).toEqual([]);
    expect(windows.openSince(REF)).toBe(7200n);
    expect(periods(windows.end(REF, 9000n).windows)).toEqual(["7200-9000"]);
    expect(windows.openSince(REF)).toBeUndefined();
  });

  it("share a watched span by time: floor each, the rest in the last", () => {
    const windows = book();
    windows.add(REF, watched(1000, 9000, { cpuMilliseconds: 100n, gpuSeconds: 8000n }));
    const closed = [...windows.closeUntil(7200n), ...windows.end(REF, 9000n).windows];
    // 2600, 3600 and 1800 of 8000 seconds.
    expect(closed.map(({ metrics }) => metrics.cpuMilliseconds)).toEqual([32n, 45n, 23n]);
    expect(closed.map(({ metrics }) => metrics.gpuSeconds)).toEqual([2600n, 3600n, 1800n]);
    expect(closed.every(({ isPartial }) => !isPartial)).toBe(true);
  });

  it("give a span that nobody watched to the window of its end; those before are partial", () => {
    const windows = book();
    windows.add(REF, watched(1000, 2000, { gpuSeconds: 1n }));
    windows.add(REF, unwatched(2000, 7201, { gpuSeconds: 7000n }));
    windows.add(REF, watched(7201, 10_800, { gpuSeconds: 5n }));
    const closed = windows.closeUntil(10_800n);
    expect(closed.map(({ metrics }) => metrics.gpuSeconds)).toEqual([1n, 0n, 7005n]);
    const all = Object.keys(NO_METRICS).join(", ");
    expect(closed.map(({ faults }) => faults)).toEqual([
      [`${all} not watched from 1970-01-01T00:33:20Z to 1970-01-01T01:00:00Z`],
      [`${all} not watched from 1970-01-01T01:00:00Z to 1970-01-01T02:00:00Z`],
      [`${all} not watched from 1970-01-01T02:00:00Z to 1970-01-01T02:00:01Z`],
    ]);
    expect(closed.map(units)).toEqual(["", "", "gpu 1"]);
  });

  it("give a span that ends on a boundary to the window that ends there", () => {
    const windows = book();
    windows.add(REF, unwatched(1000, 3600, { gpuSeconds: 5n }));
    windows.add(REF, unwatched(3600, 3600, { gpuSeconds: 2n }));
    expect(windows.closeUntil(3600n).map(({ metrics }) => metrics.gpuSeconds)).toEqual([7n]);
  });

  it("count late usage in the next one to close, and name it there", () => {
    const windows = book();
    windows.add(REF, watched(1000, 3600));
    windows.closeUntil(3600n);
    windows.add(REF, watched(3000, 4200, { gpuSeconds: 12n }));
    windows.add(REF, unwatched(3000, 3500, { gpuSeconds: 7n }));
    windows.add(REF, watched(3000, 3500));
    const [window] = windows.closeUntil(7200n);
    expect(window?.metrics.gpuSeconds).toBe(19n);
    expect(window?.late).toEqual([
      "gpuSeconds 6 from 1970-01-01T00:50:00Z to 1970-01-01T01:00:00Z",
      "gpuSeconds 7 from 1970-01-01T00:50:00Z to 1970-01-01T00:58:20Z",
    ]);
  });

  it("count usage from before the lease in its first window, by name", () => {
    const windows = book();
    windows.add(REF, watched(900, 1100, { gpuSeconds: 200n }));
    const [window] = windows.closeUntil(3600n);
    expect(window?.metrics.gpuSeconds).toBe(200n);
    expect(window?.late[0]).toMatch(/^gpuSeconds 100 .* before the lease began$/);
  });

  it("RULES 37 bill the footprint of a window that was watched and idle", () => {
    const windows = book();
    windows.add(REF, watched(1000, 7200));
    expect(windows.closeUntil(7200n).map(units)).toEqual(["cpu 1", "cpu 1"]);
  });

  it("RULES 37 bill no footprint where something was used, under floor only a whole unit's", () => {
    const used = watched(1000, 3600, { cpuMilliseconds: 1n });
    const carry = book();
    carry.add(REF, used);
    expect(carry.closeUntil(3600n).map(units)).toEqual([""]);
    const floor = book({ rounding: "floor" });
    floor.add(REF, used);
    expect(floor.closeUntil(3600n).map(units)).toEqual(["cpu 1"]);
  });

  it("never bill the footprint of time that passed while nobody watched, nor where it is off", () => {
    for (const rounding of ["carry", "floor"] as const) {
      const windows = book({ rounding });
      const closed = windows.closeUntil(10_800n);
      expect(closed.map(units)).toEqual(["", "", ""]);
      expect(closed.map(({ isPartial }) => isPartial)).toEqual([true, true, true]);
      expect(closed[1]?.faults).toEqual([
        "nothing was watched from 1970-01-01T01:00:00Z to 1970-01-01T02:00:00Z",
      ]);
    }
    const off = book({ billsFootprint: false });
    off.add(REF, watched(1000, 3600));
    expect(off.closeUntil(3600n).map(units)).toEqual([""]);
  });

  it("are partial when a source fell silent or told a fault, or the clock stepped", () => {
    const windows = book();
    const cpu = (from: number, to: number) => ({
      ...watched(from, to),
      metrics: { cpuMilliseconds: 0n },
    });
    const disk = { ...watched(1000, 3600), metrics: { storageByteSeconds: 1n } };
    for (const usage of [cpu(1000, 3600), disk, cpu(3600, 7200)]) windows.add(REF, usage);
    windows.add(REF, { ...cpu(7200, 10_800), faults: ["/proc/1/stat: no such file"] });
    windows.add(REF, cpu(10_800, 14_400));
    windows.addFault(11_000_000, "the clock was set back by 5.0 s");
    expect(windows.closeUntil(14_400n).map(({ faults }) => faults)).toEqual([
      [],
      ["storageByteSeconds not watched from 1970-01-01T01:00:00Z to 1970-01-01T02:00:00Z"],
      ["/proc/1/stat: no such file"],
      ["the clock was set back by 5.0 s"],
    ]);
  });

  it("forgive less than a second unwatched at the lease's own start and end, nowhere else", () => {
    const windows = book();
    const ms = (startMs: number, endMs: number) => ({ ...watched(0, 0), startMs, endMs });
    windows.add(REF, ms(1_000_999, 3_600_000));
    windows.add(REF, ms(3_600_001, 8_000_200));
    expect(windows.closeUntil(7200n).map(({ isPartial }) => isPartial)).toEqual([false, true]);
    expect(windows.end(REF, 8001n).windows.map(({ isPartial }) => isPartial)).toEqual([false]);
  });

  it("do not grow without end by what they say of themselves", () => {
    const windows = book();
    for (let index = 0; index < 100; index += 1) windows.addFault(0, `fault ${index}`);
    const [window] = windows.closeUntil(3600n);
    expect(window?.faults).toHaveLength(21);
    expect(window?.faults.at(-1)).toBe("and more");
  });
});

describe("the end of a lease", () => {
  it("RULES 37 drops what carry has left and says what it was", () => {
    const windows = book();
    windows.add(REF, watched(1000, 3600, { cpuMilliseconds: 3_600_005n, networkBytesIn: 7n }));
    const [first] = windows.closeUntil(3600n);
    expect(first?.carried).toMatchObject({ cpu: 5n, network: 7n });
    const { windows: last, unbilled } = windows.end(REF, 3600n);
    expect(last).toEqual([]);
    expect(unbilled).toEqual({ cpu: 5n, memory: 0n, storage: 0n, gpu: 0n, network: 7n });
  });

  it("counts what was used after it in the last window, by name", () => {
    const windows = book();
    windows.add(REF, watched(1000, 7300, { gpuSeconds: 6300n }));
    const { windows: last } = windows.end(REF, 3500n);
    expect(periods(last)).toEqual(["1000-3500"]);
    expect(last[0]?.metrics.gpuSeconds).toBe(6300n);
    expect(last[0]?.late).toEqual([
      "gpuSeconds 3600 from after the end of the lease",
      "gpuSeconds 100 from after the end of the lease",
    ]);
  });

  it("adds a second when the last window is closed and usage is left; never overlaps", () => {
    const windows = book();
    windows.closeUntil(3600n);
    windows.add(REF, watched(3000, 3600, { gpuSeconds: 5n }));
    const { windows: last } = windows.end(REF, 3100n);
    expect(periods(last)).toEqual(["3600-3601"]);
    expect(last[0]?.metrics.gpuSeconds).toBe(5n);
    expect(last[0]?.isPartial).toBe(true);
  });

  it("stays ended over restarts, and begins anew only from there on", () => {
    const windows = book();
    windows.end(REF, 5000n);
    const after = restarted(windows);
    expect(after.open(TERMS)).toBe(false);
    expect(() => after.add(REF, watched(1, 2))).toThrow(/lease 1 of order order\/1 ended at 5000/);
    expect(after.open({ ...TERMS, startS: 5000n })).toBe(true);
    expect(periods(after.closeUntil(7200n))).toEqual(["5000-7200"]);
    after.end(REF, 7200n);
    after.forget(REF);
    expect([...after.takeChanges().values()]).toEqual([undefined]);
    expect(after.open(TERMS)).toBe(true);
  });
});

describe("leases that have ended", () => {
  it("are forgotten when they ended long ago, on the disk too; others stay known", () => {
    const windows = new WindowBook({ intervalSeconds: 60n });
    for (let lease = 0; lease < 1000; lease += 1) {
      const ref = { ...REF, lease: `${lease}` };
      windows.open({ ...TERMS, ...ref, startS: 0n });
      windows.end(ref, BigInt(lease + 1));
    }
    windows.open(TERMS);
    expect([...windows.takeChanges().values()].filter((text) => text !== undefined)).toHaveLength(
      1001,
    );
    expect(windows.forgetEnded(991n)).toBe(990);
    const removed = windows.takeChanges();
    expect(removed.size).toBe(990);
    expect([...removed.values()].every((text) => text === undefined)).toBe(true);
    expect(windows.open({ ...TERMS, lease: "995", startS: 0n })).toBe(false);
    expect(windows.leases()).toEqual([TERMS]);
    expect(windows.forgetEnded(991n)).toBe(0);
  });
});

describe("the book's state", () => {
  it("goes through JSON notes: remainders, open windows, what was watched, terms", () => {
    const windows = book();
    windows.add(REF, watched(1000, 4000, { cpuMilliseconds: 3000n }));
    windows.addFault(4_000_000, "half");
    windows.closeUntil(3600n);
    windows.add(REF, watched(3500, 3600, { cpuMilliseconds: 9n }));
    const after = restarted(windows);
    expect(after.takeChanges().size).toBe(0);
    expect(after.terms(REF)).toEqual(TERMS);
    expect(after.open({ ...TERMS, rounding: "floor" })).toBe(true);
    expect(after.leases()).toEqual([TERMS]);
    for (const each of [windows, after]) each.add(REF, watched(4000, 7200, { gpuSeconds: 1n }));
    const [expected, found] = [windows.closeUntil(7200n), after.closeUntil(7200n)];
    expect(found).toEqual(expected);
    expect(found[0]).toMatchObject({
      metrics: { cpuMilliseconds: 409n, gpuSeconds: 1n },
      carried: { cpu: 3009n },
      faults: ["half"],
      late: ["cpuMilliseconds 9 from 1970-01-01T00:58:20Z to 1970-01-01T01:00:00Z"],
    });
  });

  it("may be taken over with another interval: nothing is lost, windows still touch", () => {
    const windows = book();
    windows.add(REF, watched(1000, 5000, { gpuSeconds: 4000n }));
    windows.closeUntil(3600n);
    const after = restarted(windows, 600n);
    after.add(REF, watched(5000, 5400, { gpuSeconds: 400n }));
    const closed = [...after.closeUntil(5000n), ...after.end(REF, 5400n).windows];
    expect(periods(closed)).toEqual(["3600-5400"]);
    expect(closed.reduce((sum, { metrics }) => sum + metrics.gpuSeconds, 0n)).toBe(1800n);
  });

  it("keeps the length of windows that are open when the interval becomes another one", () => {
    const windows = book();
    windows.add(REF, watched(0, 5000, { cpuMilliseconds: 5_000_000n }));
    windows.closeUntil(3600n);
    const once = restarted(windows, 600n);
    once.add(REF, watched(5000, 8000, { cpuMilliseconds: 3_000_000n }));
    const again = restarted(once, 600n);
    again.add(REF, watched(8000, 9000, { cpuMilliseconds: 1_000_000n }));
    const closed = again.closeUntil(9000n);
    expect(periods(closed)).toEqual(["3600-7200", "7200-7800", "7800-8400", "8400-9000"]);
    // No part of the hour is taken for an idle window, which would bill its footprint.
    const used = closed.map(({ metrics }) => metrics.cpuMilliseconds);
    expect(used).toEqual([3_600_000n, 600_000n, 600_000n, 600_000n]);
    const longer = restarted(again, 3600n);
    longer.add(REF, watched(9000, 11_000));
    expect(periods(longer.closeUntil(10_800n))).toEqual(["9000-10800"]);
  });

  it("tells only what changed", () => {
    const windows = new WindowBook({ intervalSeconds: 60n });
    for (let index = 0; index < 100; index += 1) {
      windows.open({ ...TERMS, lease: `${index}`, startS: 0n });
    }
    expect(windows.takeChanges().size).toBe(100);
    windows.add({ ...REF, lease: "7" }, watched(0, 30));
    expect([...windows.takeChanges().keys()]).toEqual(["lease/order%2F1/7"]);
    expect(windows.closeUntil(59n)).toEqual([]);
    expect(windows.takeChanges().size).toBe(0);
    expect(windows.closeUntil(60n)).toHaveLength(100);
    expect(windows.takeChanges().size).toBe(100);
  });

  it("closes a bounded number of windows at a time, and goes on with the next call", () => {
    const windows = new WindowBook({ intervalSeconds: 1n });
    for (const lease of ["a", "b"]) windows.open({ ...TERMS, lease, startS: 0n });
    const counts = [1, 2, 3].map(() => windows.closeUntil(14_000n).length);
    expect(counts).toEqual([20_000, 8000, 0]);
    expect(windows.openSince({ ...REF, lease: "b" })).toBe(14_000n);
  });

  const broken: [string, string][] = [
    ["half a text", '{"start":"1"'],
    ["another rounding", '{"start":"1","rounding":"up","next":0,"open":[]}'],
    ["a number", '{"start":1,"rounding":"carry","next":0,"open":[]}'],
    ["a bad window", '{"start":"1","rounding":"carry","next":0,"open":[{"start":0,"used":[]}]}'],
  ];
  it.each(broken)("refuses %s, by the note's name", (_what, text) => {
    const windows = new WindowBook({ intervalSeconds: 60n });
    expect(() => windows.restore(new Map([["lease/a/b", text]]))).toThrow(/^note lease\/a\/b: /);
  });
});

describe("usage that cannot be", () => {
  const bad: [string, Partial<Usage>, RegExp][] = [
    ["a span backwards", { endMs: 5 }, /span of unix milliseconds expected, found 2000000 to 5/],
    ["half a millisecond", { startMs: 0.5 }, /found 0.5 to/],
    ["a negative amount", { metrics: { gpuSeconds: -1n } }, /gpuSeconds is negative: -1/],
  ];
  it.each(bad)("is refused: %s", (_what, change, message) => {
    const windows = book();
    windows.takeChanges();
    expect(() => windows.add(REF, { ...watched(2000, 3000), ...change })).toThrow(message);
    expect(windows.takeChanges().size).toBe(0);
  });

  it("is refused for a lease that nobody opened, and an interval of nothing", () => {
    const windows = new WindowBook({ intervalSeconds: 60n });
    expect(() => windows.add(REF, watched(1, 2))).toThrow(/is not open: open it before/);
    expect(() => new WindowBook({ intervalSeconds: 0n })).toThrow(/above 0, found 0/);
  });
});
