import fc from "fast-check";
import { expect, it } from "vitest";
import { Spans } from "../../../../src/provider/windows/spans.ts";

const MAX = 40;
const span = fc.tuple(fc.nat(MAX), fc.nat(MAX));

it("spans are a set of milliseconds, whatever order they come in", () => {
  const property = fc.property(fc.array(span), fc.nat(MAX), span, (list, dropped, [from, to]) => {
    const spans = new Spans();
    const set = new Set<number>();
    for (const [start, end] of list) {
      spans.add(start, end);
      for (let at = start; at < end; at += 1) set.add(at);
    }
    spans.dropBefore(dropped);
    for (let at = 0; at < dropped; at += 1) set.delete(at);
    const covered = spans.list.flatMap(([start, end]) => range(start, end));
    expect(covered).toEqual([...set].sort((a, b) => a - b));
    // Touching ones are one: what is kept does not grow with what came.
    expect(spans.list.every(([start], at) => start > (spans.list[at - 1]?.[1] ?? -1))).toBe(true);
    const missed = range(from, to).filter((at) => !set.has(at));
    expect(spans.gaps(from, to).flatMap(([start, end]) => range(start, end))).toEqual(missed);
    const isTouched = range(from, to).some((at) => set.has(at));
    if (from < to) expect(spans.touches(from, to)).toBe(isTouched);
  });
  fc.assert(property);
});

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
}
