import type { Moment } from "../../../../src/provider/collect/collector.ts";

const EPOCH_MS = 1_700_000_000_000;

/** A moment so many milliseconds after a fixed one, by both clocks. */
export function at(ms: number): Moment {
  return { wallMs: EPOCH_MS + ms, steadyMs: ms };
}

/** The moment that it is now. */
export function realNow(): Moment {
  return { wallMs: Date.now(), steadyMs: performance.now() };
}

/** A cursor as it comes back from a disk. */
export function stored(cursor: unknown): unknown {
  return JSON.parse(JSON.stringify(cursor));
}
