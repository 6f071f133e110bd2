/** A stretch of time, [from, to), in unix milliseconds. */
export type Span = readonly [from: number, to: number];

/** Sorted disjoint spans: when something was watched. */
export class Spans {
  #list: Span[];

  constructor(list: readonly Span[] = []) {
    this.#list = [...list];
  }

  get list(): readonly Span[] {
    return this.#list;
  }

  add(from: number, to: number): void {
    if (to <= from) return;
    const last = this.#list.at(-1);
    // A span that goes on where the last one ended is what nearly always comes.
    if (last === undefined || from > last[1]) {
      this.#list.push([from, to]);
    } else if (from >= last[0]) {
      this.#list[this.#list.length - 1] = [last[0], Math.max(last[1], to)];
    } else {
      this.#insert(from, to);
    }
  }

  #insert(from: number, to: number): void {
    const before = this.#list.filter(([, end]) => end < from);
    const after = this.#list.filter(([start]) => start > to);
    const touched = this.#list.slice(before.length, this.#list.length - after.length);
    const first = touched[0]?.[0] ?? from;
    const last = touched.at(-1)?.[1] ?? to;
    this.#list = [...before, [Math.min(first, from), Math.max(last, to)], ...after];
  }

  /** What of [from, to) is in none of them. */
  gaps(from: number, to: number): Span[] {
    const gaps: Span[] = [];
    let at = from;
    for (const [start, end] of this.#list) {
      if (end <= at) continue;
      if (start >= to) break;
      if (start > at) gaps.push([at, start]);
      at = end;
    }
    if (at < to) gaps.push([at, to]);
    return gaps;
  }

  touches(from: number, to: number): boolean {
    return this.#list.some(([start, end]) => start < to && end > from);
  }

  /** Forgets what is before a time. */
  dropBefore(time: number): void {
    if ((this.#list[0]?.[0] ?? time) >= time) return;
    this.#list = this.#list
      .filter(([, end]) => end > time)
      .map(([start, end]) => [Math.max(start, time), end]);
  }
}
