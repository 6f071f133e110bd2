import { createHash } from "node:crypto";
import { METRIC_NAMES } from "../windows/metric_sum.ts";
import type { FeedRow } from "./feed.ts";

/** Notes of rows that were taken begin so. */
export const ROW_NOTES = "event/";

/** Where notes are: the outbox. */
export interface NoteReader {
  note(name: string): Promise<string | undefined>;
  notes(prefix: string): Promise<ReadonlyMap<string, string>>;
}

/** How long ids are kept, unless a setting says otherwise: seven days, in milliseconds. */
export const KEEP_MS = 7 * 86_400_000;

/** Notes lie in so many shelves; one at a time is looked through for old ones. */
const SHELVES = 256;
const BASE = 16;

export type Recalled = "new" | "same" | "different";

/**
 * Which rows with an id were taken, over restarts: the notes are written together with what the row
 * did. An id is remembered for `keepMs` after it was taken; a row whose period ended longer ago than
 * that is refused, because nobody knows any more whether it was taken.
 */
export class RowMemory {
  readonly keepMs: number;
  /** How often `old` is to be called, so that every shelf is seen ten times in `keepMs`. */
  readonly shelfMs: number;
  readonly nowMs: () => number;
  readonly #reader: NoteReader;
  readonly #feed: string;
  // Marked and not on the disk yet.
  readonly #fresh = new Map<string, string>();
  #shelf = 0;

  /** @param feed ids are told apart within it; "" when they are unique by themselves */
  constructor(options: {
    readonly reader: NoteReader;
    readonly feed: string;
    readonly nowMs: () => number;
    readonly keepMs?: number;
  }) {
    this.#reader = options.reader;
    this.#feed = options.feed;
    this.nowMs = options.nowMs;
    this.keepMs = options.keepMs ?? KEEP_MS;
    this.shelfMs = this.keepMs / SHELVES / 10;
  }

  /** Whether a row may be told apart from what was forgotten. */
  isTooOld({ endS }: FeedRow): boolean {
    return Number(endS) * 1000 < this.nowMs() - this.keepMs;
  }

  /** Whether a row of this id was taken, and with the same contents. */
  async recall(row: FeedRow): Promise<Recalled> {
    const name = this.#nameOf(row);
    const text = this.#fresh.get(name) ?? (await this.#reader.note(name));
    if (text === undefined) return "new";
    return text.split(" ")[1] === digestOf(row) ? "same" : "different";
  }

  /** Two rows of one id that come together. */
  compare(first: FeedRow, second: FeedRow): Recalled {
    return digestOf(first) === digestOf(second) ? "same" : "different";
  }

  /** The note that says that a row is taken: known here at once, to others when it is written. */
  mark(row: FeedRow): [name: string, text: string] {
    const name = this.#nameOf(row);
    const text = `${this.nowMs()} ${digestOf(row)}`;
    this.#fresh.set(name, text);
    return [name, text];
  }

  /** The marks are on the disk, or never will be: from here on the disk tells. */
  release(names: Iterable<string>): void {
    for (const name of names) this.#fresh.delete(name);
  }

  /** Notes of one shelf that are too old, to be removed; the next call looks at the next shelf. */
  async old(): Promise<Map<string, undefined>> {
    const prefix = ROW_NOTES + this.#shelf.toString(BASE).padStart(2, "0");
    this.#shelf = (this.#shelf + 1) % SHELVES;
    const before = this.nowMs() - this.keepMs;
    const old = new Map<string, undefined>();
    for (const [name, text] of await this.#reader.notes(prefix)) {
      if (Number(text.split(" ")[0]) < before) old.set(name, undefined);
    }
    return old;
  }

  #nameOf({ id }: FeedRow): string {
    const hash = createHash("sha256").update(JSON.stringify([this.#feed, id]));
    return ROW_NOTES + hash.digest("hex").slice(0, 40);
  }
}

/** Tells a repeated row from another one of the same id. */
function digestOf({ order, lease, startS, endS, metrics }: FeedRow): string {
  const parts = [order, lease, `${startS}`, `${endS}`];
  for (const name of METRIC_NAMES) parts.push(`${metrics[name]}`);
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}
