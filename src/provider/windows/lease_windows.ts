import type { Usage } from "../collect/collector.ts";
import {
  type Metrics,
  NO_METRICS,
  type Resource,
  UnitCounter,
  type UnitRounding,
} from "../units.ts";
import { BilledPeriods, type BilledResources } from "./billed_periods.ts";
import type { ClosedWindow, LeaseRef } from "./closed_window.ts";
import {
  addMetrics,
  describeMetrics,
  isZero,
  type MutableMetrics,
  shareOut,
} from "./metric_sum.ts";
import { describePeriod, Watch, type WatchState } from "./watch.ts";

/** How the windows of a lease are billed. */
export interface LeaseTerms extends LeaseRef {
  readonly rounding: UnitRounding;
  /** Whether a watched window without a unit bills one cpu unit. */
  readonly billsFootprint: boolean;
  /** Unix seconds. */
  readonly startS: bigint;
}

/** A window to which usage is still added. */
export interface OpenWindow {
  readonly metrics: MutableMetrics;
  readonly faults: string[];
  readonly late: string[];
}

/** How long windows are, in milliseconds. */
export interface LeaseInterval {
  readonly ms: number;
  /** Of windows that were open when it became another one, and where the last of them ends. */
  readonly formerMs: number;
  readonly untilMs: number;
}

/** All that a lease's windows have to know after a restart. Times in unix milliseconds. */
export interface LeaseState {
  readonly terms: LeaseTerms;
  /** undefined: the book's, for all of its windows. */
  readonly interval?: LeaseInterval | undefined;
  readonly nextMs: number;
  readonly remainders: Readonly<Record<Resource, bigint>>;
  readonly billed: BilledResources;
  /** By start. */
  readonly open: ReadonlyMap<number, OpenWindow>;
  readonly watch: WatchState;
}

/** A window says no more about itself than this many times. */
const TEXTS_MAX = 20;
/** No report may last longer; a longer span cannot have been watched either. */
const SPAN_MS_MAX = 31 * 86_400_000;
const SECOND_MS = 1000;

/** The open windows of one lease, and what of a unit the closed ones have left. */
export class LeaseWindows {
  readonly terms: LeaseTerms;
  readonly #interval: LeaseInterval;
  readonly #startMs: number;
  // Where the first window that is not closed begins.
  #nextMs: number;
  readonly #counter: UnitCounter;
  readonly #billed: BilledPeriods;
  readonly #watch: Watch;
  readonly #open = new Map<number, OpenWindow>();

  constructor(intervalMs: number, state: LeaseState) {
    this.terms = state.terms;
    this.#startMs = Number(state.terms.startS) * SECOND_MS;
    this.#nextMs = state.nextMs;
    this.#counter = new UnitCounter(state.terms.rounding, state.remainders);
    this.#billed = new BilledPeriods(state.terms.rounding, state.billed);
    this.#watch = new Watch(state.watch);
    this.#interval = intervalFrom(intervalMs, state);
    for (const [start, kept] of state.open) {
      const window = this.#windowAt(start);
      addMetrics(window.metrics, kept.metrics);
      for (const text of kept.faults) note(window.faults, text);
      for (const text of kept.late) note(window.late, text);
    }
  }

  get nextMs(): number {
    return this.#nextMs;
  }

  /** When the first open window ends; unix milliseconds. */
  get nextEndMs(): number {
    return this.#endOf(this.#nextMs);
  }

  state(): LeaseState {
    return {
      terms: this.terms,
      interval: this.#interval,
      nextMs: this.#nextMs,
      remainders: this.#counter.remainders,
      billed: this.#billed.state,
      open: this.#open,
      watch: this.#watch.state(),
    };
  }

  add(usage: Usage): void {
    const [start, end] = [usage.startMs, usage.endMs];
    const length = end - start;
    if (usage.isContinuous && length > 0 && length <= SPAN_MS_MAX) this.#addShared(usage);
    else this.#addWhole(usage);
  }

  /** Says something about the window of a time, or about the first open one. */
  addFault(atMs: number, fault: string): void {
    note(this.#windowAt(Math.max(atMs, this.#nextMs)).faults, fault);
  }

  closeUntil(untilMs: number, limit = Number.POSITIVE_INFINITY): ClosedWindow[] {
    const closed: ClosedWindow[] = [];
    while (closed.length < limit && this.nextEndMs <= untilMs)
      closed.push(this.#close(this.nextEndMs, false));
    return closed;
  }

  /**
   * Closes all there is, the last window at the lease's end. Usage from after it is counted in the
   * last window; where no window is left to take it, one of a second is added.
   */
  end(endMs: number): { windows: ClosedWindow[]; unbilled: Record<Resource, bigint> } {
    let end = Math.max(endMs, this.#nextMs);
    if (end === this.#nextMs && [...this.#open.values()].some(({ metrics }) => !isZero(metrics))) {
      this.addFault(end, "usage became known after the last window of the lease was closed");
      end += SECOND_MS;
    }
    const windows: ClosedWindow[] = [];
    if (end > this.#nextMs) {
      windows.push(...this.closeUntil(this.#startOf(end - 1)));
      this.#foldInto(this.#windowAt(this.#nextMs));
      windows.push(this.#close(end, true));
    }
    return { windows, unbilled: { ...this.#counter.close() } };
  }

  #foldInto(last: OpenWindow): void {
    for (const [start, window] of this.#open) {
      if (window === last) continue;
      addMetrics(last.metrics, window.metrics);
      for (const text of window.faults) note(last.faults, text);
      for (const text of window.late) note(last.late, text);
      const used = describeMetrics(window.metrics);
      if (used !== "") note(last.late, `${used} from after the end of the lease`);
      this.#open.delete(start);
    }
  }

  #addShared(usage: Usage): void {
    const cuts = this.#cuts(usage.startMs, usage.endMs);
    const lengths = cuts.map(({ from, to }) => to - from);
    const parts = shareOut(usage.metrics, lengths);
    cuts.forEach(({ from, to, start }, index) => {
      const part = parts[index] as MutableMetrics;
      const window = this.#windowAt(start);
      addMetrics(window.metrics, part);
      for (const fault of usage.faults) note(window.faults, fault);
      if (from < this.#nextMs) this.#noteLate(window, part, from, to);
    });
    const from = Math.max(usage.startMs, this.#nextMs);
    this.#watch.add(Object.keys(usage.metrics), from, usage.endMs);
  }

  // What of a span is in which window; what closed windows would have had is the first open one's.
  #cuts(startMs: number, endMs: number): { from: number; to: number; start: number }[] {
    const cuts: { from: number; to: number; start: number }[] = [];
    let from = startMs;
    if (from < this.#nextMs) {
      const to = Math.min(this.#nextMs, endMs);
      cuts.push({ from, to, start: this.#nextMs });
      from = to;
    }
    while (from < endMs) {
      const start = this.#startOf(from);
      const to = Math.min(this.#endOf(start), endMs);
      cuts.push({ from, to, start });
      from = to;
    }
    return cuts;
  }

  #addWhole({ startMs, endMs, metrics, faults }: Usage): void {
    // A span that ends where a window does is that window's.
    const start = this.#startOf(Math.max(endMs - 1, this.#nextMs));
    const window = this.#windowAt(start);
    addMetrics(window.metrics, metrics);
    for (const fault of faults) note(window.faults, fault);
    const first = this.#startOf(Math.max(startMs, this.#nextMs));
    if (first < start) for (const fault of faults) note(this.#windowAt(first).faults, fault);
    const isLate = endMs <= this.#nextMs && endMs !== this.#startMs;
    if (isLate) this.#noteLate(window, metrics, startMs, endMs);
  }

  #noteLate(window: OpenWindow, metrics: Partial<Metrics>, from: number, to: number): void {
    const used = describeMetrics(metrics);
    if (used === "") return;
    const before = to <= this.#startMs ? ", before the lease began" : "";
    note(window.late, `${used} ${describePeriod(from, to)}${before}`);
  }

  #close(endMs: number, isLast: boolean): ClosedWindow {
    const startMs = this.#nextMs;
    const kept = this.#open.get(startMs);
    const { metrics, faults, late } = kept ?? { metrics: { ...NO_METRICS }, faults: [], late: [] };
    const edge = { start: startMs === this.#startMs, end: isLast };
    for (const gap of this.#watch.close(startMs, endMs, edge)) note(faults, gap);
    const isPartial = faults.length > 0;
    // Nobody knows that a window was idle that was not watched whole: it bills no footprint.
    const billed = this.#counter.add(metrics, this.terms.billsFootprint && !isPartial);
    const [start, end] = [BigInt(startMs / SECOND_MS), BigInt(endMs / SECOND_MS)];
    const units = billed.map((each) => {
      return { ...each, since: this.#billed.take(each.resource, start, end) };
    });
    this.#open.delete(startMs);
    this.#nextMs = endMs;
    const { order, lease } = this.terms;
    return {
      ...{ order, lease, start, end, metrics, units, isPartial, faults, late },
      carried: this.#counter.remainders,
    };
  }

  #windowAt(timeMs: number): OpenWindow {
    const start = this.#startOf(timeMs);
    let window = this.#open.get(start);
    if (window === undefined) {
      window = { metrics: { ...NO_METRICS }, faults: [], late: [] };
      this.#open.set(start, window);
    }
    return window;
  }

  #startOf(timeMs: number): number {
    const aligned = timeMs - (timeMs % this.#intervalAt(timeMs));
    const { untilMs } = this.#interval;
    return Math.max(aligned, this.#nextMs, timeMs < untilMs ? 0 : untilMs);
  }

  #endOf(startMs: number): number {
    const intervalMs = this.#intervalAt(startMs);
    return startMs - (startMs % intervalMs) + intervalMs;
  }

  #intervalAt(timeMs: number): number {
    const { ms, formerMs, untilMs } = this.#interval;
    return timeMs < untilMs ? formerMs : ms;
  }
}

/**
 * Windows that were open under another interval keep theirs, up to the end of the last of them:
 * their usage is not squeezed into a first part of them, nor is the rest taken for idle.
 */
function intervalFrom(ms: number, { interval, nextMs, open }: LeaseState): LeaseInterval {
  const known = interval ?? { ms, formerMs: ms, untilMs: 0 };
  const isPending = nextMs < known.untilMs;
  if (known.ms === ms) return isPending ? known : { ms, formerMs: ms, untilMs: 0 };
  const formerMs = isPending ? known.formerMs : known.ms;
  const ends = [...open.keys()].map((start) => start - (start % formerMs) + formerMs);
  return { ms, formerMs, untilMs: Math.max(0, ...ends) };
}

function note(list: string[], text: string): void {
  if (list.length > TEXTS_MAX || list.includes(text)) return;
  list.push(list.length === TEXTS_MAX ? "and more" : text);
}
