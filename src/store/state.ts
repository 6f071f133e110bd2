import { assert } from "../lib/assert.ts";
import { bytesOfKey, type Key, prefixEnd } from "../lib/key.ts";
import { DB_STATE, type DbReads } from "./db.ts";
import { decodeEntry, type Entry } from "./entry.ts";
import { EntryCache } from "./entry_cache.ts";
import type { IterablePrefixes } from "./iterable_prefixes.ts";
import { isDerivedKey, isQueryKey, type ReadKv } from "./kv.ts";
import type { Change } from "./overlay.ts";

/** A block that is executed and not yet on disk. */
type Unwritten = ReadonlyMap<Key, Change>;

/**
 * The state after the last executed block: what is not yet on disk, then a bounded cache, then the
 * disk. Entries under the declared prefixes are all in memory, in order.
 */
export class State implements ReadKv {
  readonly #db: DbReads;
  readonly #cache: EntryCache;
  readonly #iterable: IterablePrefixes;
  /** Oldest first; at most one is being written while the next is executed. */
  readonly #unwritten: Unwritten[] = [];
  #cacheHits = 0;
  #diskReads = 0;

  constructor(db: DbReads, iterable: IterablePrefixes, cacheBytes: number) {
    this.#db = db;
    this.#iterable = iterable;
    this.#cache = new EntryCache(cacheBytes);
  }

  /** Of look-ups outside the declared prefixes, and of the cache; bytes are about. */
  get stats(): { cacheHits: number; diskReads: number; cacheBytes: number } {
    const [cacheHits, diskReads] = [this.#cacheHits, this.#diskReads];
    return { cacheHits, diskReads, cacheBytes: this.#cache.bytes };
  }

  get(key: Key): Uint8Array | undefined {
    assert(!isQueryKey(key), "the machine never reads a query index");
    return this.entry(key)?.value;
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  /** The value of any key with the height that wrote it. */
  entry(key: Key): Entry | undefined {
    const ordered = this.#iterable.of(key);
    if (ordered !== undefined) return ordered.get(key);
    const recent = this.#recent(key);
    if (recent !== undefined) {
      this.#cacheHits += 1;
      return recent.value === undefined ? undefined : (recent as Entry);
    }
    this.#diskReads += 1;
    const stored = this.#db.getSync(bytesOfKey((DB_STATE + key) as Key));
    if (stored === undefined) return undefined;
    const entry = decodeEntry(stored);
    if (!isQueryKey(key)) this.#cache.set(key, entry);
    return entry;
  }

  iterate(prefix: Key): Iterable<[Key, Uint8Array]> {
    const ordered = this.#iterable.of(prefix);
    assert(ordered !== undefined, "prefix is not declared iterable", { prefix });
    return valuesOf(ordered.range(prefix, prefixEnd(prefix)));
  }

  isIterable(key: Key): boolean {
    return this.#iterable.of(key) !== undefined;
  }

  countUnder(prefix: string): number {
    return this.#iterable.of(prefix as Key)?.size ?? 0;
  }

  /** Takes over an executed block, whose overlay is not written to any more. */
  execute(height: number, changes: ReadonlyMap<Key, Change>): void {
    for (const [key, change] of changes) {
      change.from = height;
      const ordered = this.#iterable.of(key);
      if (ordered === undefined) continue;
      if (change.value === undefined) ordered.delete(key);
      else ordered.set(key, change as Entry);
    }
    this.#unwritten.push(changes);
  }

  /** The oldest executed block is on disk. */
  written(): void {
    const changes = this.#unwritten.shift();
    assert(changes !== undefined, "no block is in flight");
    for (const [key, change] of changes) {
      if (isQueryKey(key) || this.isIterable(key)) continue;
      if (change.value === undefined) this.#cache.delete(key);
      // A new look-up entry is read seldom, and there are as many of them as of records.
      else if (!change.isNew || !isDerivedKey(key)) this.#cache.set(key, change as Entry);
    }
  }

  /** Puts back what a key had before; undefined: nothing. */
  restore(key: Key, entry: Entry | undefined): void {
    if (isQueryKey(key)) return;
    const ordered = this.#iterable.of(key);
    if (entry === undefined) {
      ordered?.delete(key);
      this.#cache.delete(key);
    } else if (ordered === undefined) this.#cache.set(key, entry);
    else ordered.set(key, entry);
  }

  #recent(key: Key): Change | Entry | undefined {
    for (let index = this.#unwritten.length - 1; index >= 0; index -= 1) {
      const change = (this.#unwritten[index] as Unwritten).get(key);
      if (change !== undefined) return change;
    }
    return this.#cache.get(key);
  }
}

function* valuesOf(entries: Iterable<[Key, Entry]>): Generator<[Key, Uint8Array]> {
  for (const [key, { value }] of entries) yield [key, value];
}
