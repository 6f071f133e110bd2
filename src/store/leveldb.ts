import type { AbstractIterator, AbstractLevel, AbstractSnapshot } from "abstract-level";
import { ClassicLevel } from "classic-level";
import { MemoryLevel } from "memory-level";
import { putKey } from "../lib/key.ts";
import type { BatchOp } from "../types/application.ts";
import type { Db, DbBatch, DbIterator, DbSnapshot, RangeInput } from "./db.ts";
import { FROM_BYTES, putHeight } from "./entry.ts";

type Level = AbstractLevel<Uint8Array, Uint8Array, Uint8Array>;
type Entries = AbstractIterator<Level, Uint8Array, Uint8Array>;

const ENCODINGS = { keyEncoding: "view", valueEncoding: "view" } as const;
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024;
/** Entries that one turn of the event loop brings. */
const ENTRIES_PER_TURN = 1000;
/** Entries of the first turn of a walk of unknown length. */
const ENTRIES_AT_FIRST = 32;

/**
 * Opens the LevelDB folder, made when absent.
 * @param location a folder that no other process has open
 * @param cacheBytes LevelDB's own block cache
 */
export async function openLevelDb(location: string, cacheBytes = 32 * 1024 * 1024): Promise<Db> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(location, {
    ...ENCODINGS,
    cacheSize: cacheBytes,
    writeBufferSize: WRITE_BUFFER_BYTES,
  });
  await level.open();
  const compact = async (from: Uint8Array, to: Uint8Array) => level.compactRange(from, to);
  return new LevelDb(level as unknown as Level, { compact, keepsArguments: false });
}

/** The same code over memory, for tests and the test kit. */
export async function openMemoryDb(): Promise<Db> {
  const level = new MemoryLevel<Uint8Array, Uint8Array>({ ...ENCODINGS, storeEncoding: "view" });
  await level.open();
  const compact = async () => undefined;
  return new LevelDb(level as unknown as Level, { compact, keepsArguments: true });
}

interface LevelTraits {
  readonly compact: (from: Uint8Array, to: Uint8Array) => Promise<void>;
  /** The database holds on to the arrays that a batch was given, instead of copying them. */
  readonly keepsArguments: boolean;
}

class LevelDb implements Db {
  readonly #level: Level;
  readonly #traits: LevelTraits;

  constructor(level: Level, traits: LevelTraits) {
    this.#level = level;
    this.#traits = traits;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return plain(await this.#level.get(key));
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    return plain(this.#level.getSync(key));
  }

  range(input: RangeInput): AsyncIterable<[Uint8Array, Uint8Array]> {
    return entriesOf(this.#level.iterator(bounds(input)), input);
  }

  iterator(input: RangeInput): DbIterator {
    return new LevelIterator(this.#level.iterator(bounds(input)));
  }

  snapshot(): DbSnapshot {
    return new LevelSnapshot(this.#level);
  }

  batch(): DbBatch {
    return new LevelBatch(this.#level, this.#traits.keepsArguments);
  }

  async write(ops: readonly BatchOp[], options: { sync?: boolean } = {}): Promise<void> {
    const batch = this.batch();
    for (const { key, value } of ops) {
      if (value === undefined) batch.del(key);
      else batch.put(key, value);
    }
    await batch.write({ sync: options.sync ?? true });
  }

  async compact(from: Uint8Array, to: Uint8Array): Promise<void> {
    await this.#traits.compact(from, to);
  }

  async close(): Promise<void> {
    await this.#level.close();
  }
}

class LevelSnapshot implements DbSnapshot {
  readonly #level: Level;
  readonly #snapshot: AbstractSnapshot;

  constructor(level: Level) {
    this.#level = level;
    this.#snapshot = level.snapshot();
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return plain(await this.#level.get(key, { snapshot: this.#snapshot }));
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    return plain(this.#level.getSync(key, { snapshot: this.#snapshot }));
  }

  range(input: RangeInput): AsyncIterable<[Uint8Array, Uint8Array]> {
    const iterator = this.#level.iterator({ ...bounds(input), snapshot: this.#snapshot });
    return entriesOf(iterator, input);
  }

  iterator(input: RangeInput): DbIterator {
    return new LevelIterator(this.#level.iterator({ ...bounds(input), snapshot: this.#snapshot }));
  }

  async close(): Promise<void> {
    await this.#snapshot.close();
  }
}

class LevelIterator implements DbIterator {
  readonly #entries: Entries;

  constructor(entries: Entries) {
    this.#entries = entries;
  }

  async next(): Promise<readonly [Uint8Array, Uint8Array] | undefined> {
    const entry = await this.#entries.next();
    return entry === undefined ? undefined : [plain(entry[0]), plain(entry[1])];
  }

  seek(key: Uint8Array): void {
    this.#entries.seek(key);
  }

  async close(): Promise<void> {
    await this.#entries.close();
  }
}

/** A chained batch: array batches with byte encodings are several times slower. */
class LevelBatch implements DbBatch {
  readonly #batch: ReturnType<Level["batch"]>;
  readonly #keepsArguments: boolean;

  constructor(level: Level, keepsArguments: boolean) {
    this.#batch = level.batch();
    this.#keepsArguments = keepsArguments;
  }

  put(key: string, value: Uint8Array): void {
    this.#batch.put(this.#key(key), value);
  }

  putVersioned(key: string, value: Uint8Array, height: number): void {
    const stored = this.#room(valueScratch, value.length + FROM_BYTES);
    stored.set(value);
    putHeight(stored, value.length, height);
    this.#batch.put(this.#key(key), stored);
  }

  del(key: string): void {
    this.#batch.del(this.#key(key));
  }

  async write({ sync }: { readonly sync: boolean }): Promise<void> {
    await this.#batch.write({ sync } as object);
  }

  #key(key: string): Uint8Array {
    return putKey(key, this.#room(keyScratch, key.length));
  }

  #room(scratch: Scratch, length: number): Uint8Array {
    return this.#keepsArguments ? new Uint8Array(length) : scratch.view(length);
  }
}

/**
 * One place for what a batch is given, which LevelDB copies at once: a view of it for every length
 * is made once and kept, because making a view costs as much as filling it.
 */
class Scratch {
  readonly #bytes = new Uint8Array(4096);
  readonly #views: (Uint8Array | undefined)[] = [];

  /** So many bytes, which hold anything. The next call may give the same ones. */
  view(length: number): Uint8Array {
    if (length > this.#bytes.length) return new Uint8Array(length);
    const known = this.#views[length];
    if (known !== undefined) return known;
    const view = this.#bytes.subarray(0, length);
    this.#views[length] = view;
    return view;
  }
}

const keyScratch = new Scratch();
const valueScratch = new Scratch();

/** LevelDB hands out Node Buffers, whose slice() is no copy: everyone else expects plain bytes. */
function plain<T extends Uint8Array | undefined>(bytes: T): T {
  if (bytes === undefined || bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) as T;
}

async function* entriesOf(
  iterator: Entries,
  { limit, expected }: RangeInput,
): AsyncGenerator<[Uint8Array, Uint8Array]> {
  try {
    // A few first: most walks end soon. Then as many as one turn may bring.
    let size = limit ?? expected ?? ENTRIES_AT_FIRST;
    for (;;) {
      const entries = await iterator.nextv(size < ENTRIES_PER_TURN ? size : ENTRIES_PER_TURN);
      if (entries.length === 0) return;
      for (const [key, value] of entries) yield [plain(key), plain(value)];
      size = ENTRIES_PER_TURN;
    }
  } finally {
    await iterator.close();
  }
}

function bounds({ gte, lt, reverse, limit }: RangeInput) {
  return {
    gte,
    ...(lt === undefined ? {} : { lt }),
    reverse: reverse ?? false,
    limit: limit ?? -1,
  };
}
