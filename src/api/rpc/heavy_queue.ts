/** Lets a few calls run at the same time; the others wait in the order in which they came. */
export class HeavyQueue {
  readonly #max: number;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  /** @param max calls that run at the same time, at least 1 */
  constructor(max: number) {
    this.#max = max;
  }

  /**
   * Runs a call when it is its turn. One whose client leaves before is never run.
   * @throws the reason of `signal` when the client left first; whatever the call throws
   */
  async run<T>(work: () => T | Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    // Whoever ends hands its place to the next, so that nobody can come in between.
    if (this.#running >= this.#max) await this.#turn(signal);
    else this.#running += 1;
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      this.#leave();
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        this.#waiting.delete(enter);
        reject(signal.reason as Error);
      };
      this.#waiting.add(enter);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#running -= 1;
    } else {
      this.#waiting.delete(next);
      next();
    }
  }
}
