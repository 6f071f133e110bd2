/** A chain whose blocks are made by hand: one for the txs of all who are posting at the time. */
export class BlocksByHand {
  readonly #make: () => Promise<void>;
  #posting = 0;
  #waiting: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  constructor(make: () => Promise<void>) {
    this.#make = make;
  }

  /** Makes a block at once. */
  now(): Promise<void> {
    return this.#make();
  }

  /** Runs `post`; resolves after the first block that is made when nobody posts any more. */
  async after(post: () => Promise<void>): Promise<void> {
    this.#posting += 1;
    try {
      await post();
    } finally {
      this.#posting -= 1;
      if (this.#posting === 0) queueMicrotask(() => void this.#makeForAll());
    }
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  async #makeForAll(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length === 0) return;
    try {
      await this.#make();
      for (const { resolve } of waiting) resolve();
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }
}
