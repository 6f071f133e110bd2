/** Draws whole numbers; the same ones for the same seed, on every machine. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to `limit` - 1. `limit` ≥ 1 and at most 2^32. */
  below(limit: number): number {
    // mulberry32 (public domain, T. Ettinger)
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  /** From `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** Small numbers more often than large ones: every power of two up to `most` is as likely. */
  small(most: number): number {
    const scale = 1 << this.below(Math.floor(Math.log2(most)) + 1);
    return Math.min(most, scale + this.below(scale));
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}
