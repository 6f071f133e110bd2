/** A wait that ends early when it is called off, or when somebody wakes it. */
export class Pause {
  #wake: (() => void) | undefined;
  #isWoken = false;

  /** Ends the wait, or the next one when nobody waits. */
  wake(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#isWoken && !signal.aborted && ms > 0) {
      await new Promise<void>((resolve) => {
        const end = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", end);
          this.#wake = undefined;
          resolve();
        };
        const timer = setTimeout(end, ms);
        signal.addEventListener("abort", end);
        this.#wake = end;
      });
    }
    this.#isWoken = false;
  }
}
