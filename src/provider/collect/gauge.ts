const NANOSECONDS_PER_MS = 1_000_000;

/** Areas are in half values × nanoseconds, so that the mean of two looks stays whole. */
export const AREA_PER_SECOND = 2_000_000_000n;

/** A level that goes up and down, integrated over the time between looks. */
export class Gauge {
  #value: bigint | undefined;
  #nanoseconds = 0n;

  /**
   * The area under the line from the last look to this one, in `AREA_PER_SECOND`. Undefined where
   * one of the two looks saw nothing: a level that was not seen is not guessed.
   * @param value undefined when it cannot be read now
   * @param steadyMs of the steady clock: no time passes while the machine is suspended
   */
  look(value: bigint | undefined, steadyMs: number): bigint | undefined {
    const before = this.#value;
    // Rounded to whole nanoseconds as a time, not as a difference: many spans add up to the whole.
    const nanoseconds = BigInt(Math.round(steadyMs * NANOSECONDS_PER_MS));
    const passed = nanoseconds - this.#nanoseconds;
    this.#value = value;
    this.#nanoseconds = nanoseconds;
    if (before === undefined || value === undefined || passed < 0n) return undefined;
    return (before + value) * passed;
  }

  /** The area of what was seen at the last look, held until now, when nobody looked again. */
  hold(steadyMs: number): bigint | undefined {
    return this.look(this.#value, steadyMs);
  }
}
