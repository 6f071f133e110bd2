import { describe, expect, it } from "vitest";
import { Counter } from "../../../../src/provider/collect/counter.ts";
import { EarlierCursor } from "../../../../src/provider/collect/cursor.ts";
import { AREA_PER_SECOND, Gauge } from "../../../../src/provider/collect/gauge.ts";
import { Remainder } from "../../../../src/provider/collect/remainder.ts";
import { SpanClock } from "../../../../src/provider/collect/span_clock.ts";
import { at } from "./moments.ts";

describe("a counter", () => {
  it("counts nothing at the first look, growth after that, and from 0 after a reset", () => {
    const counter = new Counter();
    expect(counter.advance(1000n)).toEqual({ grown: 0n, wasReset: false });
    expect(counter.advance(1250n)).toEqual({ grown: 250n, wasReset: false });
    expect(counter.advance(30n)).toEqual({ grown: 30n, wasReset: true });
    expect(counter.advance(30n)).toEqual({ grown: 0n, wasReset: false });
  });

  it("is exact beyond 64 bits", () => {
    const counter = new Counter(2n ** 64n - 1n);
    expect(counter.advance(2n ** 64n + 1n).grown).toBe(2n);
  });
});

describe("a gauge", () => {
  it("is the straight line between looks, and nothing beside a look that failed", () => {
    const gauge = new Gauge();
    const seconds = (area: bigint | undefined) =>
      area === undefined ? undefined : Number(area) / Number(AREA_PER_SECOND);
    expect(gauge.look(100n, 0)).toBeUndefined();
    expect(seconds(gauge.look(300n, 1000))).toBe(200);
    expect(gauge.look(undefined, 2000)).toBeUndefined();
    expect(gauge.look(300n, 3000)).toBeUndefined();
    expect(seconds(gauge.hold(5000))).toBe(600);
  });

  it("keeps parts of a byte-second for the next span", () => {
    const gauge = new Gauge();
    const left = new Remainder(AREA_PER_SECOND, 0n);
    gauge.look(1n, 0);
    let whole = 0n;
    // 1 byte for 1001 s, in 3000 spans that are no whole number of nanoseconds.
    for (let look = 1; look <= 3000; look += 1) {
      left.add(gauge.look(1n, (look * 1001) / 3) as bigint);
      whole += left.take();
    }
    expect(whole).toBe(1001n);
    expect(left.fine).toBe(0n);
  });
});

describe("the spans of a collector", () => {
  it("touch, and are not shared out by time after a restart, a suspension or a clock step", () => {
    const clock = new SpanClock(at(0), undefined);
    const first = clock.cut(at(1000));
    expect(first).toMatchObject({ startMs: at(0).wallMs, endMs: at(1000).wallMs });
    expect(first.isContinuous).toBe(true);
    const asleep = clock.cut({ wallMs: at(61_000).wallMs, steadyMs: 2000 });
    expect(asleep.startMs).toBe(first.endMs);
    expect(asleep.isContinuous).toBe(false);

    const resumed = new SpanClock(at(90_000), asleep.endMs);
    const away = resumed.cut(at(91_000));
    expect(away).toMatchObject({ startMs: asleep.endMs, isContinuous: false });
    expect(resumed.cut(at(92_000))).toMatchObject({ startMs: away.endMs, isContinuous: true });
  });

  it("never end before they start, whatever the clock says after a restart", () => {
    const clock = new SpanClock(at(1000), at(5000).wallMs);
    const span = clock.cut(at(2000));
    expect(span.startMs).toBe(at(5000).wallMs);
    expect(span.endMs).toBe(span.startMs);
  });
});

describe("a cursor", () => {
  it("of another place is not used, and one that is none is refused", () => {
    const cursor = { version: 1, kind: "disk", place: "/a", wallMs: 5, bootId: "" };
    expect(EarlierCursor.read(cursor, "disk", "/a")?.wallMs).toBe(5);
    expect(EarlierCursor.read(cursor, "disk", "/b")).toBeUndefined();
    expect(() => EarlierCursor.read("nonsense", "disk", "/a")).toThrow(/not a cursor/);
  });

  it("takes decimal texts for amounts and nothing else", () => {
    const cursor = {
      version: 1,
      kind: "k",
      place: "p",
      wallMs: 5,
      bootId: "",
      good: "12",
      bad: 12,
    };
    const read = EarlierCursor.read(cursor, "k", "p");
    expect(read?.amount("good")).toBe(12n);
    expect(read?.amount("bad")).toBeUndefined();
    expect(read?.amount("missing")).toBeUndefined();
  });
});
