import { assert } from "../lib/assert.ts";
import type { Db, DbIterator, DbSnapshot, RangeInput } from "./db.ts";
import type { Store } from "./store.ts";

/**
 * A snapshot of the version that the store is at, taken when something asks the disk. Most point
 * queries are answered by memory, and a snapshot costs as much as the rest of such an answer.
 * Memory and disk go on with later blocks: a read that asks too late fails, `hasMoved` says so, and
 * it has to begin again.
 */
export class LateSnapshot implements DbSnapshot {
  readonly #db: Db;
  readonly #isStill: () => boolean;
  #taken: DbSnapshot | undefined;
  #hasMoved = false;

  /** @param store with nothing on its way to the disk */
  constructor(store: Store) {
    this.#db = store.db;
    const { version } = store;
    this.#isStill = () => store.version === version && store.isOnDisk;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#take().get(key);
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    return this.#take().getSync(key);
  }

  range(input: RangeInput): AsyncIterable<[Uint8Array, Uint8Array]> {
    return this.#take().range(input);
  }

  iterator(input: RangeInput): DbIterator {
    return this.#take().iterator(input);
  }

  async close(): Promise<void> {
    await this.#taken?.close();
  }

  /** Whether there is anything to close. */
  get isTaken(): boolean {
    return this.#taken !== undefined;
  }

  /** Whether something asked when the disk held, or may have held, another version. */
  get hasMoved(): boolean {
    return this.#hasMoved;
  }

  #take(): DbSnapshot {
    if (this.#taken !== undefined) return this.#taken;
    this.#hasMoved = !this.#isStill();
    assert(!this.#hasMoved, "the state moved on before its snapshot was taken");
    this.#taken = this.#db.snapshot();
    return this.#taken;
  }
}
