import { bytesOfKey, type Key, keyOfBytes } from "../lib/key.ts";
import { OrderedMap } from "../lib/ordered.ts";
import type { BatchOp } from "../types/application.ts";
import type { Db, DbBatch, DbIterator, DbReads, DbSnapshot, RangeInput } from "./db.ts";
import { FROM_BYTES, putHeight } from "./entry.ts";
import { Store } from "./store.ts";

/** A write in memory; undefined hides what lies below. */
interface Written {
  readonly value: Uint8Array | undefined;
}

/** More rows than there can be. */
const ROWS_MAX = 9_007_199_254_740_991;

/** Behind every database key. */
const END = "\xff" as Key;

/** Reads of what lies below, with writes in memory over it. */
class LayeredReads implements DbReads {
  readonly #below: DbReads;
  protected own: OrderedMap<Written>;

  constructor(below: DbReads, own: OrderedMap<Written>) {
    this.#below = below;
    this.own = own;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.getSync(key);
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    const written = this.own.get(keyOfBytes(key));
    return written === undefined ? this.#below.getSync(key) : written.value;
  }

  async *range(input: RangeInput): AsyncGenerator<[Uint8Array, Uint8Array]> {
    const { reverse = false, limit } = input;
    let left = limit ?? ROWS_MAX;
    const to = input.lt === undefined ? END : keyOfBytes(input.lt);
    const own = [...this.own.range(keyOfBytes(input.gte), to)];
    if (reverse) own.reverse();
    const below = this.#below.range({ gte: input.gte, lt: input.lt, reverse });
    for await (const [key, value] of merged(below, own, reverse)) {
      if (left <= 0) return;
      left -= 1;
      yield [bytesOfKey(key), value];
    }
  }

  iterator(input: RangeInput): DbIterator {
    return new LayeredIterator(this, input);
  }
}

async function* merged(
  below: AsyncIterable<[Uint8Array, Uint8Array]>,
  own: readonly [Key, Written][],
  reverse: boolean,
): AsyncGenerator<[Key, Uint8Array]> {
  let at = 0;
  for await (const [bytes, value] of below) {
    const key = keyOfBytes(bytes);
    for (let next = own[at]; next !== undefined && next[0] !== key; next = own[at]) {
      if (next[0] < key === reverse) break;
      at += 1;
      if (next[1].value !== undefined) yield [next[0], next[1].value];
    }
    const same = own[at];
    if (same?.[0] !== key) {
      yield [key, value];
      continue;
    }
    at += 1;
    if (same[1].value !== undefined) yield [key, same[1].value];
  }
  for (const [key, { value }] of own.slice(at)) if (value !== undefined) yield [key, value];
}

class LayeredIterator implements DbIterator {
  readonly #reads: DbReads;
  readonly #input: RangeInput;
  #walk: AsyncIterator<[Uint8Array, Uint8Array]>;
  /** Walks that were left by a seek, until they have let go of what they read. */
  #left: Promise<unknown> = Promise.resolve();

  constructor(reads: DbReads, input: RangeInput) {
    this.#reads = reads;
    this.#input = input;
    this.#walk = reads.range(input)[Symbol.asyncIterator]();
  }

  async next(): Promise<readonly [Uint8Array, Uint8Array] | undefined> {
    const { value, done } = await this.#walk.next();
    return done === true ? undefined : value;
  }

  seek(key: Uint8Array): void {
    const { gte, lt, reverse = false } = this.#input;
    const target = keyOfBytes(key);
    // Backwards a walk goes on at the key itself, so the bound is the next key after it.
    const input = reverse
      ? { gte, lt: before(`${target}\0` as Key, lt), reverse }
      : { gte: target > keyOfBytes(gte) ? key : gte, lt };
    this.#left = Promise.all([this.#left, this.#walk.return?.()]);
    this.#walk = this.#reads.range(input)[Symbol.asyncIterator]();
  }

  async close(): Promise<void> {
    await this.#left;
    await this.#walk.return?.();
  }
}

function before(key: Key, limit: Uint8Array | undefined): Uint8Array {
  return limit !== undefined && keyOfBytes(limit) < key ? limit : bytesOfKey(key);
}

class BranchSnapshot extends LayeredReads implements DbSnapshot {
  async close(): Promise<void> {
    // The base belongs to the branch, and the fork of its writes to nobody else.
  }
}

/** Writes of a batch, put in place together. */
class BranchBatch implements DbBatch {
  readonly #ops: [Key, Written][] = [];
  readonly #apply: (ops: readonly [Key, Written][]) => void;

  constructor(apply: (ops: readonly [Key, Written][]) => void) {
    this.#apply = apply;
  }

  put(key: string, value: Uint8Array): void {
    this.#ops.push([key as Key, { value }]);
  }

  putVersioned(key: string, value: Uint8Array, height: number): void {
    const stored = new Uint8Array(value.length + FROM_BYTES);
    stored.set(value);
    putHeight(stored, value.length, height);
    this.put(key, stored);
  }

  del(key: string): void {
    this.#ops.push([key as Key, { value: undefined }]);
  }

  async write(): Promise<void> {
    this.#apply(this.#ops);
  }
}

/**
 * A database that begins as another was at one moment and keeps its writes in memory: what a
 * branch of the chain runs on. Closing it leaves no trace.
 */
export class BranchDb extends LayeredReads implements Db {
  readonly #base: DbSnapshot;

  constructor(base: DbSnapshot) {
    super(base, new OrderedMap());
    this.#base = base;
  }

  snapshot(): DbSnapshot {
    return new BranchSnapshot(this.#base, this.own.fork());
  }

  batch(): DbBatch {
    return new BranchBatch((ops) => {
      for (const [key, written] of ops) this.own.set(key, written);
    });
  }

  async write(ops: readonly BatchOp[]): Promise<void> {
    for (const { key, value } of ops) this.own.set(key as Key, { value });
  }

  async compact(): Promise<void> {
    // Nothing of a branch is on the disk.
  }

  async close(): Promise<void> {
    await this.#base.close();
  }
}

/**
 * A store that begins as another one is and keeps what it writes in memory: what becomes of either
 * is not seen by the other. Costs nothing that depends on the size of the state; `close` it.
 */
export function branchOf(store: Store): { readonly store: Store; close(): Promise<void> } {
  const beginning = store.fork();
  const db = new BranchDb(store.db.snapshot());
  const close = async (): Promise<void> => {
    beginning.commitment.close();
    await db.close();
  };
  return { store: new Store({ ...store.options, db }, beginning), close };
}
