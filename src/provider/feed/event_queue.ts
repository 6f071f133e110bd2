import { EventError } from "./cloud_event.ts";
import type { FeedBatch, FeedRow } from "./feed.ts";
import type { RowMemory } from "./row_memory.ts";

/** Rows that wait to be taken; above it, clients are asked to come again. */
const WAITING_MAX = 10_000;
const BATCH_ROWS = 1000;

interface Parcel {
  readonly rows: readonly FeedRow[];
  readonly notes: ReadonlyMap<string, string>;
  readonly settle: (error?: Error) => void;
}

/** Rows of requests on their way to the disk; whoever sent them waits for that. */
export class EventQueue {
  readonly #memory: RowMemory;
  readonly #parcels: Parcel[] = [];
  readonly #waits = new Map<string, Promise<void>>();
  #waiting = 0;
  #isClosed = false;
  #wake: (() => void) | undefined;
  #pruneAtMs = 0;

  constructor(memory: RowMemory) {
    this.#memory = memory;
  }

  /** Becomes fulfilled when the rows are on the disk. @throws EventError 503 */
  push(rows: readonly FeedRow[]): Promise<void> {
    if (this.#isClosed || this.#waiting + rows.length > WAITING_MAX) {
      throw new EventError(503, "too many events wait to be written: send them again later");
    }
    const notes = new Map(rows.map((row) => this.#memory.mark(row)));
    this.#waiting += rows.length;
    const done = new Promise<void>((resolve, reject) => {
      const settle = (error?: Error) => {
        this.#waiting -= rows.length;
        this.#memory.release(notes.keys());
        for (const { id } of rows) this.#waits.delete(id);
        if (error === undefined) resolve();
        else reject(new EventError(503, `the events could not be written: ${error.message}`));
      };
      this.#parcels.push({ rows, notes, settle });
    });
    done.catch(() => undefined);
    for (const { id } of rows) this.#waits.set(id, done);
    this.#wake?.();
    return done;
  }

  /** When a row that is on its way is on the disk; undefined: it is not on its way. */
  waitFor(id: string): Promise<void> | undefined {
    return this.#waits.get(id);
  }

  async *batches(signal: AbortSignal): AsyncGenerator<FeedBatch> {
    const wake = () => this.#wake?.();
    signal.addEventListener("abort", wake);
    try {
      while (!signal.aborted && !this.#isClosed) {
        const parcels = this.#next();
        if (parcels.length > 0) yield await this.#batchOf(parcels);
        else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }

  /** Turns away all that nobody has taken yet. */
  close(): void {
    this.#isClosed = true;
    for (const { settle } of this.#parcels.splice(0)) settle(new Error("the daemon stops"));
    this.#wake?.();
  }

  #next(): Parcel[] {
    let rows = 0;
    let count = 0;
    for (const parcel of this.#parcels) {
      rows += parcel.rows.length;
      if (count > 0 && rows > BATCH_ROWS) break;
      count += 1;
    }
    return this.#parcels.splice(0, count);
  }

  async #batchOf(parcels: readonly Parcel[]): Promise<FeedBatch> {
    const notes = new Map<string, string | undefined>(await this.#old());
    for (const parcel of parcels) for (const [name, text] of parcel.notes) notes.set(name, text);
    return {
      rows: parcels.flatMap((parcel) => parcel.rows),
      faults: [],
      cursor: null,
      isEnd: false,
      notes,
      duplicates: 0,
      settled: (error) => {
        for (const { settle } of parcels) settle(error);
      },
    };
  }

  async #old(): Promise<ReadonlyMap<string, undefined>> {
    const now = this.#memory.nowMs();
    if (now < this.#pruneAtMs) return new Map();
    this.#pruneAtMs = now + this.#memory.shelfMs;
    return this.#memory.old();
  }
}
