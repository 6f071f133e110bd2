const HOUR_MS = 3_600_000;
/** Names that are remembered; beyond, nobody new is served until an hour has gone by for one. */
const NAMES_MAX = 10_000;

/** So many times an hour for each name. Times are milliseconds of a clock that only goes forward. */
export class RateLimit {
  readonly #perHour: number;
  readonly #times = new Map<string, number[]>();

  constructor(perHour: number) {
    this.#perHour = perHour;
  }

  /** Milliseconds until the name may again; 0: it may now. */
  waitMs(name: string, now: number): number {
    const times = this.#recent(name, now);
    if (times.length >= this.#perHour) {
      return (times[times.length - this.#perHour] as number) + HOUR_MS - now;
    }
    if (times.length > 0 || this.#times.size < NAMES_MAX) return 0;
    this.#forgetOld(now);
    return this.#times.size < NAMES_MAX ? 0 : HOUR_MS;
  }

  /** Counts one time; the function takes it back. */
  count(name: string, now: number): () => void {
    const times = this.#recent(name, now);
    times.push(now);
    this.#times.set(name, times);
    return () => {
      const at = times.indexOf(now);
      if (at >= 0) times.splice(at, 1);
      if (times.length === 0 && this.#times.get(name) === times) this.#times.delete(name);
    };
  }

  #recent(name: string, now: number): number[] {
    const times = this.#times.get(name) ?? [];
    while (times[0] !== undefined && times[0] <= now - HOUR_MS) times.shift();
    return times;
  }

  #forgetOld(now: number): void {
    for (const [name, times] of this.#times) {
      if ((times.at(-1) ?? 0) <= now - HOUR_MS) this.#times.delete(name);
    }
  }
}
