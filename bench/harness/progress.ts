/** Between two redraws of a terminal's line, and between two lines of a log. */
const REDRAW_MS = 100;
const LOG_MS = 30_000;

/** One line about what is being done: rewritten in place on a terminal, else a line now and then. */
export class Progress {
  readonly #out: NodeJS.WriteStream;
  readonly #started = performance.now();
  #group = "";
  #isOpen = false;
  #shownAt = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** A new part of the run. */
  begin(group: string): void {
    this.#group = group;
    this.#show("");
  }

  step(text: string): void {
    const wait = this.#out.isTTY ? REDRAW_MS : LOG_MS;
    if (performance.now() - this.#shownAt >= wait) this.#show(text);
  }

  /** Takes the line away, before something else is written. */
  end(): void {
    if (this.#isOpen) this.#out.write("\r\x1b[K");
    this.#isOpen = false;
  }

  #show(text: string): void {
    this.#shownAt = performance.now();
    const line = `${this.#clock()} ${this.#group}${text === "" ? "" : `: ${text}`}`;
    if (!this.#out.isTTY) return void this.#out.write(`${line}\n`);
    const columns = this.#out.columns || 80;
    this.#out.write(`\r\x1b[K${line.slice(0, columns - 1)}`);
    this.#isOpen = true;
  }

  #clock(): string {
    const seconds = Math.floor((performance.now() - this.#started) / 1000);
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}
