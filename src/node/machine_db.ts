import { type Key, bytesOfKey, keyOfBytes } from "../lib/key.ts";
import { compareBytes } from "../lib/bytes.ts";
import {
  DB_META,
  DB_STATE,
  type Db,
  type DbBatch,
  type DbIterator,
  type DbReads,
  type RangeInput,
} from "../store/db.ts";
import { FROM_BYTES, putHeight } from "../store/entry.ts";
import { isQueryKey } from "../store/kv.ts";
import type { BatchOp } from "../types/application.ts";

/**
 * Keys and values as byte strings: a short string takes a third of the memory of a short array of
 * bytes, and the garbage collector has less to look at.
 */
type Contents = Map<string, string>;

/**
 * A database in memory that keeps what the machine reads and nothing else: no history, no blocks,
 * and none of the indexes that only queries use. For a replay, whose result is its app hashes:
 * point reads and writes cost a look-up each. Walks are right, and slow: they sort all keys.
 */
export function openMachineDb(): Db {
  return new MachineDb();
}

class MachineReads implements DbReads {
  // Walks sort the keys, so the order of insertion shows nowhere.
  readonly contents: Contents;

  constructor(contents: Contents) {
    this.contents = contents;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.getSync(key);
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    const value = this.contents.get(keyOfBytes(key));
    return value === undefined ? undefined : bytesOfKey(value as Key);
  }

  async *range(input: RangeInput): AsyncGenerator<[Uint8Array, Uint8Array]> {
    yield* this.#entries(input);
  }

  iterator(input: RangeInput): DbIterator {
    const entries = this.#entries(input);
    const { reverse = false } = input;
    let at = 0;
    return {
      next: async () => entries[at++],
      seek: (key) => {
        const found = entries.findIndex(([each]) => {
          const order = compareBytes(each, key);
          return reverse ? order <= 0 : order >= 0;
        });
        at = found === -1 ? entries.length : found;
      },
      close: async () => undefined,
    };
  }

  #entries({ gte, lt, reverse = false, limit = -1 }: RangeInput): [Uint8Array, Uint8Array][] {
    const [from, to] = [keyOfBytes(gte), lt === undefined ? undefined : keyOfBytes(lt)];
    const keys = [...this.contents.keys()]
      .filter((key) => key >= from && (to === undefined || key < to))
      .sort((a, b) => (a < b ? -1 : 1));
    if (reverse) keys.reverse();
    return keys
      .slice(0, limit < 0 ? undefined : limit)
      .map((key) => [bytesOfKey(key as Key), bytesOfKey(this.contents.get(key) as Key)]);
  }
}

class MachineDb extends MachineReads implements Db {
  constructor() {
    super(new Map());
  }

  snapshot() {
    const snapshot = new MachineReads(new Map(this.contents));
    return Object.assign(snapshot, { close: async () => undefined });
  }

  batch(): DbBatch {
    return new MachineBatch(this.contents);
  }

  async write(ops: readonly BatchOp[]): Promise<void> {
    const batch = this.batch();
    for (const { key, value } of ops) {
      if (value === undefined) batch.del(key);
      else batch.put(key, value);
    }
    await batch.write({ sync: false });
  }

  async compact(): Promise<void> {
    // Memory is given back as keys are deleted.
  }

  async close(): Promise<void> {
    this.contents.clear();
  }
}

class MachineBatch implements DbBatch {
  readonly #contents: Contents;
  readonly #writes: [string, string | undefined][] = [];
  #scratch = Buffer.alloc(4096);

  constructor(contents: Contents) {
    this.#contents = contents;
  }

  put(key: string, value: Uint8Array): void {
    if (isKept(key)) this.#writes.push([key, keyOfBytes(value)]);
  }

  putVersioned(key: string, value: Uint8Array, height: number): void {
    if (!isKept(key)) return;
    const length = value.length + FROM_BYTES;
    if (this.#scratch.length < length) this.#scratch = Buffer.alloc(2 * length);
    this.#scratch.set(value);
    putHeight(this.#scratch, value.length, height);
    this.#writes.push([key, this.#scratch.toString("latin1", 0, length)]);
  }

  del(key: string): void {
    if (isKept(key)) this.#writes.push([key, undefined]);
  }

  async write(_options: { readonly sync: boolean }): Promise<void> {
    for (const [key, value] of this.#writes) {
      if (value === undefined) this.#contents.delete(key);
      else this.#contents.set(key, value);
    }
  }
}

/** State that the machine reads, and the version of it. */
function isKept(key: string): boolean {
  if (key.startsWith(DB_STATE)) return !isQueryKey(key.charAt(DB_STATE.length) as Key);
  return key.startsWith(DB_META);
}
