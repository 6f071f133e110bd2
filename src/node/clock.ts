import { formatTime, type TimeNs } from "../types/time.ts";
import type { NodeLog } from "./log.ts";

/** The system's clock, in nanoseconds with the precision of a millisecond. */
export function systemTime(): TimeNs {
  return (BigInt(Date.now()) * 1_000_000n) as TimeNs;
}

/** Blocks of one millisecond creep by nanoseconds; only more than that is a clock set back. */
const CREEP_MAX = 1_000_000n;

/**
 * Gives blocks their times: max(previous + 1 ns, clock), so that they rise whatever the clock does.
 * The clock is the wall clock, or a virtual one that stands still until it is set.
 */
export class BlockClock {
  readonly #wall: () => TimeNs;
  readonly #log: NodeLog;
  #virtual: TimeNs | undefined;
  #warned = false;

  constructor(input: { wall?: () => TimeNs; log: NodeLog }) {
    this.#wall = input.wall ?? systemTime;
    this.#log = input.log;
  }

  get isVirtual(): boolean {
    return this.#virtual !== undefined;
  }

  /** Stops the clock at `time`. */
  setVirtual(time: TimeNs): void {
    this.#virtual = time;
  }

  useWall(): void {
    this.#virtual = undefined;
  }

  wall(): TimeNs {
    return this.#wall();
  }

  /** The time of a block that follows one of time `previous`. */
  peek(previous: TimeNs): TimeNs {
    const now = this.#virtual ?? this.#wall();
    return now > previous ? now : ((previous + 1n) as TimeNs);
  }

  /** As `peek`, and warns, once per step, when the clock has been set back. */
  next(previous: TimeNs): TimeNs {
    if (this.#virtual === undefined) this.#watch(previous);
    return this.peek(previous);
  }

  #watch(previous: TimeNs): void {
    const now = this.#wall();
    if (now > previous) {
      this.#warned = false;
    } else if (previous - now > CREEP_MAX && !this.#warned) {
      this.#warned = true;
      this.#log.warn(
        "the clock is behind the last block: block times creep by 1 ns until it is past",
        {
          clock: formatTime(now),
          lastBlock: formatTime(previous),
        },
      );
    }
  }
}
