import type { Key } from "../lib/key.ts";
import type { TimeNs } from "../types/time.ts";
import type { Entry } from "./entry.ts";

/** A key of the current state, with the height that wrote it; undefined says nothing. */
export type CurrentLookup = (key: Key) => Entry | undefined;

export interface RangeOptions {
  /** Start at this key (inclusive) instead of the prefix's first; it must lie under the prefix. */
  readonly from?: Key | undefined;
  /** Stop before this key. */
  readonly to?: Key | undefined;
  readonly reverse?: boolean;
  readonly limit?: number;
  /** Rows that will probably be read, when there is no limit: so many are fetched at first. */
  readonly expected?: number;
}

/**
 * State of one height for queries. It pins a snapshot of the database for its life, so blocks that
 * commit meanwhile do not show; close it in `finally`.
 */
export interface Reader {
  readonly height: bigint;
  readonly time: TimeNs;
  get(key: Key): Promise<Uint8Array | undefined>;
  /** Entries under a prefix in byte order (or reversed). Any prefix: queries may walk the disk. */
  range(prefix: Key, options?: RangeOptions): AsyncIterable<[Key, Uint8Array]>;
  close(): Promise<void>;
}

export interface PageRequest {
  /** The `nextKey` of the page before; with it `offset` must be 0. */
  readonly key: Uint8Array;
  readonly offset: bigint;
  /** 0 = 100 rows. */
  readonly limit: bigint;
  readonly countTotal: boolean;
  readonly reverse: boolean;
}

export interface Page {
  readonly entries: readonly [Key, Uint8Array][];
  readonly nextKey: Uint8Array;
  /** Of the whole prefix when `countTotal`, else 0. */
  readonly total: bigint;
}
