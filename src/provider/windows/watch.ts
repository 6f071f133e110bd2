import type { MetricName } from "../collect/collector.ts";
import { METRIC_NAMES } from "./metric_sum.ts";
import { Spans, type Span } from "./spans.ts";

/** A lease begins and ends on whole seconds; its meters do not. */
const EDGE_MS = 1000;

/** Metrics as bits, in the order of METRIC_NAMES. */
type Mask = number;

const BIT_OF = Object.fromEntries(METRIC_NAMES.map((name, at) => [name, 1 << at])) as Readonly<
  Record<MetricName, Mask>
>;

/** What a watch keeps on disk. */
export interface WatchState {
  /** When the metrics of a source were watched. */
  readonly spans: readonly { readonly of: Mask; readonly at: readonly Span[] }[];
  readonly expected: Mask;
}

export const NOTHING_WATCHED: WatchState = Object.freeze({ spans: [], expected: 0 });

/** When each metric of a lease was watched, as far as windows are open. */
export class Watch {
  /** By what a source tells at once: nearly always one for all six, or one per collector. */
  readonly #groups = new Map<Mask, Spans>();
  // Those of the last window that had any: one that falls silent is missed for a window.
  #expected: Mask;

  constructor(state: WatchState = NOTHING_WATCHED) {
    for (const { of, at } of state.spans) this.#groups.set(of, new Spans(at));
    this.#expected = state.expected;
  }

  add(names: readonly string[], from: number, to: number): void {
    if (to <= from || names.length === 0) return;
    let of: Mask = 0;
    for (const name of names) of |= BIT_OF[name as MetricName];
    let spans = this.#groups.get(of);
    if (spans === undefined) this.#groups.set(of, (spans = new Spans()));
    spans.add(from, to);
  }

  /**
   * What nobody watched of a window, in words; empty when all was. Forgets the window.
   * @param edge which of the window's ends are the lease's own
   */
  close(
    from: number,
    to: number,
    edge: { readonly start: boolean; readonly end: boolean },
  ): string[] {
    let watched: Mask = 0;
    for (const [of, spans] of this.#groups) if (spans.touches(from, to)) watched |= of;
    const expected = watched | this.#expected;
    if (watched !== 0) this.#expected = watched;
    const missed = new Map<string, string[]>();
    for (const [names, spans] of this.#bySpans(expected)) {
      for (const gap of spans.gaps(from, to)) {
        const isAtStart = edge.start && gap[0] === from && gap[1] - from < EDGE_MS;
        const isAtEnd = edge.end && gap[1] === to && to - gap[0] < EDGE_MS;
        if (isAtStart || isAtEnd) continue;
        const period = describePeriod(...gap);
        missed.set(period, [...(missed.get(period) ?? []), ...names]);
      }
    }
    this.#forget(to);
    if (expected === 0) return [`nothing was watched ${describePeriod(from, to)}`];
    return [...missed].map(([period, of]) => `${of.join(", ")} not watched ${period}`);
  }

  /** Expected metrics with when they were watched, by whatever source. */
  #bySpans(expected: Mask): [names: readonly string[], spans: Spans][] {
    const [only] = this.#groups;
    if (this.#groups.size === 1 && only?.[0] === expected) return [[namesOf(expected), only[1]]];
    return namesOf(expected).map((name) => {
      const spans = new Spans();
      for (const [of, each] of this.#groups) {
        if ((of & BIT_OF[name]) === 0) continue;
        for (const [start, end] of each.list) spans.add(start, end);
      }
      return [[name], spans];
    });
  }

  #forget(before: number): void {
    for (const [of, spans] of this.#groups) {
      spans.dropBefore(before);
      if (spans.list.length === 0) this.#groups.delete(of);
    }
  }

  state(): WatchState {
    const spans = [...this.#groups].map(([of, { list }]) => ({ of, at: list }));
    return { spans, expected: this.#expected };
  }
}

function namesOf(mask: Mask): MetricName[] {
  return METRIC_NAMES.filter((name) => (mask & BIT_OF[name]) !== 0);
}

/** "from 2026-01-01T00:00:00Z to …Z", milliseconds only where there are any. */
export function describePeriod(from: number, to: number): string {
  return `from ${isoTime(from)} to ${isoTime(to)}`;
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
