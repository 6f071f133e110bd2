/** Loops that run side by side until they are stopped together. */
export class Tasks {
  readonly #stopping = new AbortController();
  readonly #all: Promise<void>[] = [];
  /** Names of those that have not ended. */
  readonly #running: string[] = [];
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

  /** @param name for whoever is told that it does not stop */
  start(loop: (signal: AbortSignal) => Promise<void>, name = ""): void {
    this.#running.push(name);
    const task = loop(this.signal)
      .catch((error: unknown) => {
        if (!this.signal.aborted) this.#fail(error);
      })
      .finally(() => this.#running.splice(this.#running.indexOf(name), 1));
    this.#all.push(task.then(() => undefined));
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

  /**
   * Tells them to stop and waits until they have, so many milliseconds at most.
   * @returns names of those that have not
   */
  async stop(ms = Infinity): Promise<readonly string[]> {
    this.#stopping.abort(new Error("stopped"));
    const stopped = Promise.all(this.#all);
    if (ms === Infinity) await stopped;
    else {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise((resolve) => {
        timer = setTimeout(resolve, ms);
      });
      await Promise.race([stopped, late]);
      clearTimeout(timer);
    }
    return [...this.#running];
  }
}
