import type { Io } from "./io.ts";

const DRAW_EVERY_MS = 200;
const WIDTH = 30;

/** A bar over blocks on a terminal: done of all, blocks per second, time left. Nothing elsewhere. */
export class BlockProgress {
  readonly #io: Io;
  readonly #total: number;
  readonly #started = performance.now();
  #drawnAt = 0;

  constructor(io: Io, total: number) {
    this.#io = io;
    this.#total = total;
  }

  /** So many blocks are through; drawn now and then. */
  update(blocks: number): void {
    const now = performance.now();
    if (!this.#io.interactive || now - this.#drawnAt < DRAW_EVERY_MS) return;
    this.#drawnAt = now;
    const perSecond = blocks / ((now - this.#started) / 1000);
    const left = Math.ceil((this.#total - blocks) / perSecond);
    const filled = this.#total === 0 ? WIDTH : Math.floor((blocks * WIDTH) / this.#total);
    const bar = `[${"#".repeat(filled)}${"-".repeat(WIDTH - filled)}]`;
    const rate = `${perSecond.toFixed(perSecond < 10 ? 1 : 0)} blocks/s`;
    this.#io.err(`\r${bar} ${blocks} of ${this.#total} blocks, ${rate}, ${left} s left\x1b[K`);
  }

  /** Takes the bar away. */
  clear(): void {
    if (this.#drawnAt > 0) this.#io.err("\r\x1b[K");
  }
}
