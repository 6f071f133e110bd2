import { performance } from "node:perf_hooks";
import type { Moment } from "../collect/collector.ts";

/** The two clocks of a machine, in milliseconds. */
export interface ClockSource {
  /** Unix time, which people and time servers may set. */
  wallMs(): number;
  /** Never set; stands still while the machine is suspended (CLOCK_MONOTONIC). */
  steadyMs(): number;
}

/** The wall clock went another way than the steady one. */
export interface ClockStep {
  /** Milliseconds that the wall clock is ahead of where it should be; negative: it was set back. */
  readonly byMs: number;
  /** The wall clock after the step, unix milliseconds. */
  readonly wallMs: number;
  /** For people, and for the faults of windows. */
  readonly text: string;
}

const MACHINE: ClockSource = {
  wallMs: () => Date.now(),
  steadyMs: () => performance.now(),
};

/** Below this, clocks that differ are only being adjusted. */
const STEP_MS = 1000;
/** Time servers slew a clock by up to a thousandth of the time that passes. */
const SLEW = 1000;
/** Steps that nobody takes are not kept without end. */
const STEPS_MAX = 100;

/** How far the wall clock went from the steady one between two looks; 0 when it was no step. */
export function stepBetween(before: Moment, after: Moment): number {
  const steady = after.steadyMs - before.steadyMs;
  const byMs = after.wallMs - before.wallMs - steady;
  // A steady clock that has gone back is another one: the machine was started anew.
  if (steady < 0) return after.wallMs - before.wallMs;
  return Math.abs(byMs) > STEP_MS + steady / SLEW ? byMs : 0;
}

/**
 * The time of metering. Its wall time never goes back: after a step back it stands still until the
 * wall clock has passed where it was, so that no two windows cover the same second. A step ahead is
 * followed at once: from within, it is what a suspended machine looks like too.
 */
export class MeterClock {
  readonly #source: ClockSource;
  #last: number;
  #raw: Moment | undefined;
  readonly #steps: ClockStep[] = [];

  /** @param last where the wall time of the process before was; unix milliseconds */
  constructor(source: ClockSource = MACHINE, last = 0) {
    this.#source = source;
    this.#last = last;
  }

  now(): Moment {
    const wallMs = Math.floor(this.#source.wallMs());
    const steadyMs = Math.floor(this.#source.steadyMs());
    const raw = { wallMs, steadyMs };
    this.#notice(raw);
    this.#raw = raw;
    this.#last = Math.max(this.#last, wallMs);
    return { wallMs: this.#last, steadyMs };
  }

  /** Milliseconds until the wall clock is where it was before a step back; 0 when it runs. */
  get standsStillMs(): number {
    return this.#raw === undefined ? 0 : this.#last - this.#raw.wallMs;
  }

  /** Steps since they were taken last. */
  takeSteps(): ClockStep[] {
    return this.#steps.splice(0);
  }

  #notice(raw: Moment): void {
    const byMs = this.#raw === undefined ? this.#behindAtStart(raw) : stepBetween(this.#raw, raw);
    if (byMs === 0 || this.#steps.length >= STEPS_MAX) return;
    const { wallMs } = raw;
    this.#steps.push({ byMs, wallMs, text: describe(byMs, this.#last - wallMs) });
  }

  // At the first look there is no steady time to compare with: only what went back is seen.
  #behindAtStart({ wallMs }: Moment): number {
    return wallMs < this.#last - STEP_MS ? wallMs - this.#last : 0;
  }
}

function describe(byMs: number, behindMs: number): string {
  if (byMs > 0) {
    return `the clock went ${seconds(byMs)} s ahead: it was set, or the machine was suspended`;
  }
  const wait = behindMs > 0 ? `; metering time stands still for ${seconds(behindMs)} s` : "";
  return `the clock was set back by ${seconds(-byMs)} s${wait}`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
