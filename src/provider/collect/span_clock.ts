import { stepBetween } from "../windows/meter_clock.ts";
import type { Moment } from "./collector.ts";

/** A span between two reads of a collector. */
interface Span {
  readonly startMs: number;
  readonly endMs: number;
  readonly isContinuous: boolean;
}

/** Cuts the time of a collector into spans that touch, also across a restart. */
export class SpanClock {
  #last: Moment;
  #isResumed: boolean;
  /** Milliseconds that nobody watched before the start; 0 for a new workload. */
  readonly #awayMs: number;

  /** @param leftAtMs where the collector before had come to; undefined: there was none */
  constructor(now: Moment, leftAtMs: number | undefined) {
    const startMs = Math.min(now.wallMs, leftAtMs ?? now.wallMs);
    this.#last = { wallMs: Math.max(startMs, leftAtMs ?? 0), steadyMs: now.steadyMs };
    this.#isResumed = leftAtMs !== undefined;
    this.#awayMs = now.wallMs - startMs;
  }

  /** Unix milliseconds up to which spans have been cut. */
  get wallMs(): number {
    return this.#last.wallMs;
  }

  /** What to say of levels, which nobody saw before the start. */
  awayText(what: string): string {
    return `the meter was away for ${this.#awayMs} ms: ${what} of that time count 0`;
  }

  cut(now: Moment): Span {
    const startMs = this.#last.wallMs;
    const endMs = Math.max(startMs, now.wallMs);
    // The wall clock stepped, or the machine was suspended: time tells nothing of when it was used.
    const isContinuous = !this.#isResumed && stepBetween(this.#last, now) === 0;
    this.#last = { wallMs: endMs, steadyMs: now.steadyMs };
    this.#isResumed = false;
    return { startMs, endMs, isContinuous };
  }
}
