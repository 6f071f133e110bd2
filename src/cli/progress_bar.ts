import type { Io } from "./io.ts";

const BAR_EVERY_MS = 100;
const LINE_EVERY_MS = 5000;
const BAR_WIDTH = 30;

/** How far a long command is: a bar on a terminal, a line every few seconds elsewhere. */
export class ProgressBar {
  readonly #io: Io;
  #lastDrawn = Date.now();
  #isDrawn = false;

  constructor(io: Io) {
    this.#io = io;
  }

  /**
   * @param total 0 while it is not known
   * @param words such as "restoring, 12 of 40 MiB"
   */
  update(done: number, total: number, words: string): void {
    const now = Date.now();
    if (now - this.#lastDrawn < (this.#io.interactive ? BAR_EVERY_MS : LINE_EVERY_MS)) return;
    this.#lastDrawn = now;
    if (this.#io.interactive) this.#io.err(`\r${shareBar(done, total)}${words}\u001b[K`);
    else this.#io.err(`${words}\n`);
    this.#isDrawn = this.#io.interactive;
  }

  /** Takes the bar away. */
  clear(): void {
    if (this.#isDrawn) this.#io.err("\r\u001b[K");
    this.#isDrawn = false;
  }
}

function shareBar(done: number, total: number): string {
  if (total === 0) return "";
  const share = Math.min(1, done / total);
  const filled = Math.floor(share * BAR_WIDTH);
  const percent = `${Math.floor(share * 100)} %`.padStart(5);
  return `[${"#".repeat(filled)}${"-".repeat(BAR_WIDTH - filled)}] ${percent}  `;
}

/** Bytes for people: "12.3 MiB". */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  if (bytes < 1024 ** 3) return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
  return `${(bytes / 1024 ** 3).toFixed(2)} GiB`;
}
