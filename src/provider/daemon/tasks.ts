/** Loops that run side by side until they are stopped together. */
export class Tasks {
  readonly #stopping = new AbortController();
  readonly #all: Promise<void>[] = [];
  readonly #failure: Promise<never>;
  #fail: (error: unknown) => void = () => undefined;

  /** @param above stops them too */
  constructor(above: AbortSignal) {
    const stop = () => this.#stopping.abort(above.reason);
    if (above.aborted) stop();
    else above.addEventListener("abort", stop, { once: true });
    this.#failure = new Promise((_, reject) => {
      this.#fail = reject;
    });
    // Whoever waits for the failure gets it; nobody has to.
    this.#failure.catch(() => undefined);
  }

  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  start(loop: (signal: AbortSignal) => Promise<void>): void {
    const task = loop(this.signal).catch((error: unknown) => {
      if (!this.signal.aborted) this.#fail(error);
    });
    this.#all.push(task);
  }

  /** Never resolves; rejects with the error of the first loop that failed. */
  failed(): Promise<never> {
    return this.#failure;
  }

  /** Resolves when they were stopped; rejects when a loop fails. */
  over(): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      if (this.signal.aborted) resolve();
      else this.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    return Promise.race([stopped, this.#failure]);
  }

  /** Resolves when all have ended by themselves or were stopped; rejects when one fails. */
  async done(): Promise<void> {
    await Promise.race([Promise.all(this.#all), this.#failure]);
  }

  /** Tells them to stop and waits until they have. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("stopped"));
    await Promise.all(this.#all);
  }
}
