import type { BatchOp } from "../types/application.ts";

/** Namespaces of the one database, by the first byte of a key. */
export const DB_STATE = "S";
export const DB_HISTORY = "H";
export const DB_CHANGES = "C";
export const DB_NODE = "B";
export const DB_META = "M";

export interface RangeInput {
  readonly gte: Uint8Array;
  readonly lt?: Uint8Array | undefined;
  readonly reverse?: boolean;
  readonly limit?: number;
  /** Entries that will probably be read: so many are fetched at first. */
  readonly expected?: number | undefined;
}

/** A walk that can be set forward. Close it in `finally`. */
export interface DbIterator {
  /** The next entry in the direction of the walk; undefined at the end. */
  next(): Promise<readonly [Uint8Array, Uint8Array] | undefined>;
  /** The walk goes on at this key: at it or after it (before it, when reversed). */
  seek(key: Uint8Array): void;
  close(): Promise<void>;
}

/** Reads of a database, or of what it held at one moment. */
export interface DbReads {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** Without a turn of the event loop: one read of memory, or of the disk. */
  getSync(key: Uint8Array): Uint8Array | undefined;
  range(input: RangeInput): AsyncIterable<[Uint8Array, Uint8Array]>;
  iterator(input: RangeInput): DbIterator;
}

/** What is read at one moment: later writes do not show. Close it, or the disk keeps old data. */
export interface DbSnapshot extends DbReads {
  close(): Promise<void>;
}

/** Writes that become visible together. A key that is written twice keeps the later value. */
export interface DbBatch {
  /** @param key a byte string */
  put(key: string, value: Uint8Array): void;
  /** The value with a block height (6 bytes) behind it, as the state is stored. */
  putVersioned(key: string, value: Uint8Array, height: number): void;
  del(key: string): void;
  /** Resolves when the disk has it; with `sync` false, when the operating system has it. */
  write(options: { readonly sync: boolean }): Promise<void>;
}

/** The one database of a node: state, blocks, results and indexes. */
export interface Db extends DbReads {
  snapshot(): DbSnapshot;
  batch(): DbBatch;
  /** Writes all or nothing; resolves when the disk has it (unless `sync` is false). */
  write(ops: readonly BatchOp[], options?: { sync?: boolean }): Promise<void>;
  /** Gives the space of deleted keys in [from, to] back to the disk. */
  compact(from: Uint8Array, to: Uint8Array): Promise<void>;
  close(): Promise<void>;
}
