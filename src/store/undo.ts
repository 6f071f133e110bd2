import { assert, must } from "../lib/assert.ts";
import { toSafeNumber } from "../lib/int.ts";
import { bytesOfKey, type Key, u48Key } from "../lib/key.ts";
import {
  type ChangedKey,
  changeListPrefix,
  decodeChangeList,
  historyKey,
  keysOfPart,
} from "./change_list.ts";
import type { DbBatch, DbReads } from "./db.ts";
import { decodeEntry, type Entry } from "./entry.ts";
import type { Version } from "./version.ts";

/** The change list of a height, and the way back over it. */
export class HeightChanges {
  readonly #db: DbReads;
  readonly #height: number;
  readonly #keys: readonly ChangedKey[];
  readonly #partCount: number;
  /** The version that the block followed. */
  readonly before: Version;

  constructor(db: DbReads, height: number) {
    this.#db = db;
    this.#height = height;
    const prefix = changeListPrefix(height);
    const parts: Uint8Array[] = [];
    for (;;) {
      const part = db.getSync(bytesOfKey((prefix + u48Key(parts.length)) as Key));
      if (part === undefined) break;
      parts.push(part);
    }
    assert(parts.length > 0, "the changes of this height are not kept", { height });
    const { before, keys } = decodeChangeList(parts);
    assert(before !== undefined, "genesis cannot be taken back", { height });
    this.before = before;
    this.#keys = keys;
    this.#partCount = parts.length;
  }

  get keys(): readonly ChangedKey[] {
    return this.#keys;
  }

  /** Every changed key with what it had before the block; undefined: nothing. */
  *entries(): Generator<[Key, Entry | undefined]> {
    for (const { key, hadValue } of this.#keys) {
      yield [key, hadValue ? entryBefore(this.#db, key, this.#height) : undefined];
    }
  }

  /** Takes the list and the history entries of this height out of the database. */
  removeFrom(batch: DbBatch): void {
    for (const { key, hadValue } of this.#keys) {
      if (hadValue) batch.del(historyKey(key, this.#height));
    }
    const prefix = changeListPrefix(this.#height);
    for (let part = 0; part < this.#partCount; part += 1) batch.del(prefix + u48Key(part));
  }
}

function entryBefore(db: DbReads, key: Key, height: number): Entry {
  const stored = db.getSync(bytesOfKey(historyKey(key, height)));
  return decodeEntry(must(stored, "a changed key has its history"));
}

export function readChangeList(db: DbReads, height: bigint): HeightChanges {
  return new HeightChanges(db, toSafeNumber(height));
}

/** As `entries` of the change list, part by part: what is not taken is not read. */
export function* changesAt(db: DbReads, height: bigint): Generator<[Key, Entry | undefined]> {
  const prefix = changeListPrefix(toSafeNumber(height));
  for (let index = 0; ; index += 1) {
    const part = db.getSync(bytesOfKey((prefix + u48Key(index)) as Key));
    assert(index > 0 || part !== undefined, "the changes of this height are not kept", { height });
    if (part === undefined) return;
    for (const { key, hadValue } of keysOfPart(part, index)) {
      yield [key, hadValue ? entryBefore(db, key, toSafeNumber(height)) : undefined];
    }
  }
}

export function hasChangeList(db: DbReads, height: bigint): boolean {
  const prefix = changeListPrefix(toSafeNumber(height));
  return db.getSync(bytesOfKey((prefix + u48Key(0)) as Key)) !== undefined;
}
