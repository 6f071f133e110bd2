import { Counter } from "./counter.ts";
import { amountOf, recordOf } from "./cursor.ts";

/** A series that is away for longer is another one when it comes back. */
const FORGET_MS = 6 * 3600 * 1000;

interface Known {
  readonly counter: Counter;
  seenMs: number;
  /** Whether it was on the last page. */
  isThere: boolean;
}

/** What a page says of one series. */
export interface SeriesTotal {
  readonly key: string;
  /** In billionths; undefined when the page has no number for it that could be. */
  readonly nano: bigint | undefined;
  /** Whether its growth is billed: it is not within another series. */
  readonly isCounted: boolean;
}

/** Growth of the counters of one rule, series by series, with what may have been lost. */
export class SeriesCounters {
  readonly #known = new Map<string, Known>();
  // Whether a page has been seen: a series that comes later began at 0.
  #hasPage: boolean;

  /** @param json what the collector before had; undefined for a new workload */
  constructor(json: unknown, nowMs: number) {
    this.#hasPage = json !== undefined;
    for (const [key, last] of Object.entries(recordOf(json) ?? {})) {
      const amount = amountOf(last);
      if (amount === undefined) continue;
      this.#known.set(key, { counter: new Counter(amount), seenMs: nowMs, isThere: true });
    }
  }

  get hasPage(): boolean {
    return this.#hasPage;
  }

  /** Growth of the counted series since the page before, in billionths. */
  look(totals: readonly SeriesTotal[], nowMs: number, limit: number): Counted {
    const faults: string[] = [];
    let grown = 0n;
    const there = new Set(totals.map(({ key }) => key));
    for (const { key, nano, isCounted } of totals) {
      const known = this.#knownOf(key, limit);
      if (known === undefined) {
        faults.push(`${key} is beyond the limit of ${limit} series and counts 0`);
        continue;
      }
      known.seenMs = nowMs;
      known.isThere = true;
      if (nano === undefined) continue;
      const { last } = known.counter;
      const growth = known.counter.advance(nano);
      if (isCounted) grown += growth.grown;
      if (growth.wasReset && isCounted) {
        faults.push(
          `${key} went back from ${decimal(last ?? 0n)} to ${decimal(nano)}: counted from 0 again`,
        );
      }
    }
    for (const [key, known] of this.#known) {
      if (there.has(key)) continue;
      if (known.isThere) faults.push(`${key} is gone: what it counted after the last look is lost`);
      known.isThere = false;
      if (nowMs - known.seenMs > FORGET_MS) this.#known.delete(key);
    }
    this.#hasPage = true;
    return { grown, faults };
  }

  #knownOf(key: string, limit: number): Known | undefined {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= limit) return undefined;
    const counter = new Counter(this.#hasPage ? 0n : undefined);
    const made = { counter, seenMs: 0, isThere: true };
    this.#known.set(key, made);
    return made;
  }

  /** For a cursor; undefined while no page has been seen. */
  toJson(): Record<string, string> | undefined {
    if (!this.#hasPage) return undefined;
    const all = [...this.#known].filter(([, { counter }]) => counter.last !== undefined);
    return Object.fromEntries(all.map(([key, { counter }]) => [key, `${counter.last}`]));
  }
}

interface Counted {
  readonly grown: bigint;
  readonly faults: readonly string[];
}

/** Billionths as decimal text. */
function decimal(nano: bigint): string {
  const digits = nano.toString().padStart(10, "0");
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/\.?0+$/, "");
}
