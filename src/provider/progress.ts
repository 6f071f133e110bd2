/** Where a provider command writes words for a person, and what it may draw there. */
export interface ProviderIo {
  /** Progress and notes; never data. */
  err(text: string): void;
  /** Whether `err` reaches a terminal, on which a line can be drawn over. */
  readonly terminal: boolean;
}

const LINE_EVERY_MS = 5000;
const BAR_EVERY_MS = 200;
const BAR_WIDTH = 30;

/** Tells how far a replay is: a bar on a terminal, a line every few seconds elsewhere. */
export class Progress {
  readonly #io: ProviderIo;
  readonly #total: number;
  readonly #started = Date.now();
  #lastDrawn = 0;
  #drawn = false;

  constructor(io: ProviderIo, total: number) {
    this.#io = io;
    this.#total = total;
  }

  /** `records` of all are through; drawn only now and then. */
  update(records: number, words = ""): void {
    const now = Date.now();
    const { terminal } = this.#io;
    if (now - this.#lastDrawn < (terminal ? BAR_EVERY_MS : LINE_EVERY_MS)) return;
    if (this.#lastDrawn === 0 && !terminal) {
      this.#lastDrawn = now;
      return;
    }
    this.#lastDrawn = now;
    const text = `${records} of ${this.#total} records, ${this.seconds().toFixed(0)} s${words}`;
    if (terminal) this.#io.err(`\r${bar(records, this.#total)} ${text}\x1b[K`);
    else this.#io.err(`${text}\n`);
    this.#drawn = terminal;
  }

  /** A line of its own, beside the bar. */
  note(text: string): void {
    this.clear();
    this.#io.err(`${text}\n`);
  }

  /** Takes the bar away. */
  clear(): void {
    if (this.#drawn) this.#io.err("\r\x1b[K");
    this.#drawn = false;
  }

  seconds(): number {
    return (Date.now() - this.#started) / 1000;
  }
}

function bar(done: number, total: number): string {
  const filled = total === 0 ? BAR_WIDTH : Math.floor((done * BAR_WIDTH) / total);
  return `[${"#".repeat(filled)}${"-".repeat(BAR_WIDTH - filled)}]`;
}
