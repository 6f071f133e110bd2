import type { BatchOp } from "../types/application.ts";

/** Namespaces of the one database, by the first byte of a key. */
export const DB_STATE = "S";
export const DB_NODE = "B";
export const DB_META = "M";

export interface RangeInput {
  readonly gte: Uint8Array;
  readonly lt?: Uint8Array | undefined;
  readonly reverse?: boolean;
  readonly limit?: number;
}

/** What is read at one moment: later writes do not show. Close it, or the disk keeps old data. */
export interface DbSnapshot {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  range(input: RangeInput): AsyncIterable<[Uint8Array, Uint8Array]>;
  close(): Promise<void>;
}

/** The one database of a node: state, blocks, results and indexes. */
export interface Db {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  range(input: RangeInput): AsyncIterable<[Uint8Array, Uint8Array]>;
  snapshot(): DbSnapshot;
  /** Writes all or nothing; resolves when the disk has it (unless `sync` is false). */
  write(ops: readonly BatchOp[], options?: { sync?: boolean }): Promise<void>;
  close(): Promise<void>;
}
