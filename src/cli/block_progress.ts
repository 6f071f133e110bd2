import type { Io } from "./io.ts";
import { ProgressBar } from "./progress_bar.ts";

/** A bar over blocks on a terminal: done of all, blocks per second, time left. Nothing elsewhere. */
export class BlockProgress {
  readonly #bar: ProgressBar | undefined;
  readonly #total: number;
  readonly #started = performance.now();

  constructor(io: Io, total: number) {
    this.#bar = io.interactive ? new ProgressBar(io) : undefined;
    this.#total = total;
  }

  /** So many blocks are through; drawn now and then. */
  update(blocks: number): void {
    const perSecond = blocks / ((performance.now() - this.#started) / 1000);
    const left = Math.ceil((this.#total - blocks) / perSecond);
    const rate = `${perSecond.toFixed(perSecond < 10 ? 1 : 0)} blocks/s`;
    const words = `${blocks} of ${this.#total} blocks, ${rate}, ${left} s left`;
    this.#bar?.update(blocks, this.#total, words);
  }

  /** Takes the bar away. */
  clear(): void {
    this.#bar?.clear();
  }
}
