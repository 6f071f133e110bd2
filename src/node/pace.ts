import { setImmediate } from "node:timers/promises";

/** Work goes on for so long before others get their turn, in milliseconds. */
export const SLICE_MS = 3;
/** The most that one piece of work counts for, in milliseconds. */
const PIECE_MS = 2;

/** Cuts long work into slices, so that nobody waits for all of it. */
export interface Pace {
  /** Whether the slice is over. It costs next to nothing: ask between any two pieces of work. */
  isDue(): boolean;
  /** Resolves when it is this work's turn again. @throws the reason of the client's signal */
  pause(): Promise<void>;
}

/**
 * Measures one slice after another, by the work between any two questions. What is more than a piece
 * of work takes was mostly waiting, for the disk or for the processor, and counts as one piece.
 */
export class Slice {
  #askedAt = performance.now();
  #workedMs = 0;

  isOver(): boolean {
    const now = performance.now();
    this.#workedMs += Math.min(now - this.#askedAt, PIECE_MS);
    this.#askedAt = now;
    return this.#workedMs >= SLICE_MS;
  }

  /** Begins the next. @returns how much the last one was, in milliseconds */
  next(): number {
    const workedMs = this.#workedMs;
    this.#workedMs = 0;
    this.#askedAt = performance.now();
    return workedMs;
  }
}

/** Lets whatever else waits in the process go first, for work that is not in any queue. */
export class LoopPace implements Pace {
  readonly #slice = new Slice();
  readonly #signal: AbortSignal | undefined;

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  isDue(): boolean {
    return this.#slice.isOver();
  }

  async pause(): Promise<void> {
    await setImmediate();
    this.#signal?.throwIfAborted();
    this.#slice.next();
  }
}
