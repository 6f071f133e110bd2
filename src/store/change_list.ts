import { assert } from "../lib/assert.ts";
import { type Key, keyOfBytes, u48Key } from "../lib/key.ts";
import { DB_CHANGES, DB_HISTORY } from "./db.ts";
import { decodeVersion, encodeVersion, type Version } from "./version.ts";

/**
 * What a block changed: the keys, and whether each had a value before. It is kept for every height
 * of the history, in parts:
 *
 *   C | height u48 | part u48 -> the version before (48 bytes, or nothing before genesis) in part 0,
 *                                then per key: flag, length, key
 *
 * The values before are under their own keys, so that a reader finds them by key:
 *
 *   H | key, escaped | 00 01 | height u48 -> value before the block at that height, as stored
 */
export interface ChangedKey {
  readonly key: Key;
  /** There is a history entry for it at this height. */
  readonly hadValue: boolean;
}

export interface ChangeList {
  /** The version that the block followed; undefined for genesis. */
  readonly before: Version | undefined;
  readonly keys: readonly ChangedKey[];
}

/** In place of a length: it is in the next two bytes. */
const LONG = 255;
const FIRST_BYTES = 4096;
/** A flag and a version. */
const HEAD_BYTES = 49;
/** A part is closed when it reaches this many bytes: one read or write stays small. */
const PART_BYTES = 262_144;

/** Collects the change list of one block. */
export class ChangeListWriter {
  readonly #prefix: string;
  readonly #parts: [string, Uint8Array][] = [];
  #bytes = new Uint8Array(FIRST_BYTES);
  #length: number;

  constructor(height: number, before: Version | undefined) {
    this.#prefix = changeListPrefix(height);
    this.#length = before === undefined ? 1 : HEAD_BYTES;
    if (before === undefined) return;
    this.#bytes[0] = 1;
    this.#bytes.set(encodeVersion(before), 1);
  }

  add(key: Key, hadValue: boolean): void {
    const { length } = key;
    this.#reserve(length + 4);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at] = hadValue ? 1 : 0;
    if (length < LONG) bytes[at + 1] = length;
    else {
      bytes[at + 1] = LONG;
      bytes[at + 2] = length >> 8;
      bytes[at + 3] = length & 255;
    }
    at += length < LONG ? 2 : 4;
    for (let index = 0; index < length; index += 1) bytes[at + index] = key.charCodeAt(index);
    this.#length = at + length;
    if (this.#length >= PART_BYTES) this.#close();
  }

  /** Database keys and values of all parts. */
  parts(): readonly [string, Uint8Array][] {
    if (this.#length > 0 || this.#parts.length === 0) this.#close();
    return this.#parts;
  }

  #close(): void {
    const part = u48Key(this.#parts.length);
    this.#parts.push([this.#prefix + part, this.#bytes.slice(0, this.#length)]);
    this.#length = 0;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * needed);
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** The list of its parts, in order. */
export function decodeChangeList(parts: readonly Uint8Array[]): ChangeList {
  const keys: ChangedKey[] = [];
  let before: Version | undefined;
  for (const [index, part] of parts.entries()) {
    if (index === 0) before = versionOfList(part);
    for (const changed of keysOfPart(part, index)) keys.push(changed);
  }
  return { before, keys };
}

/** The keys of one part, decoded as they are asked for. @param index of the part in its list */
export function* keysOfPart(part: Uint8Array, index: number): Generator<ChangedKey> {
  let at = 0;
  if (index === 0) at = versionOfList(part) === undefined ? 1 : HEAD_BYTES;
  while (at < part.length) {
    const hadValue = part[at] === 1;
    const length = part[at + 1] as number;
    const isLong = length === 255;
    const size = isLong ? ((part[at + 2] as number) << 8) | (part[at + 3] as number) : length;
    const start = at + (isLong ? 4 : 2);
    assert(start + size <= part.length, "a change list ends inside a key");
    yield { key: keyOfBytes(part.subarray(start, start + size)), hadValue };
    at = start + size;
  }
}

/** The version before the block, of the first part of its list. */
export function versionOfList(firstPart: Uint8Array): Version | undefined {
  assert(firstPart.length >= 1, "a change list has a head");
  return firstPart[0] === 1 ? decodeVersion(firstPart.subarray(1, HEAD_BYTES)) : undefined;
}

/** Where the parts of a height's change list are. */
export function changeListPrefix(height: number): Key {
  return (DB_CHANGES + u48Key(height)) as Key;
}

/** The height of a change list's database key. */
export function heightOfChangeList(key: Key): number {
  return u48At(key, DB_CHANGES.length);
}

/** Which part of the list a change list's database key is of. */
export function partOfChangeList(key: Key): number {
  return u48At(key, DB_CHANGES.length + 6);
}

/** Before all heights of a key's history. Keys may be prefixes of each other: zeros are escaped. */
export function historyPrefix(key: Key): Key {
  return `${DB_HISTORY}${escapeKey(key)}\x00\x01` as Key;
}

export function historyKey(key: Key, height: number): Key {
  return (historyPrefix(key) + u48Key(height)) as Key;
}

/** Where the history of keys from `key` on begins. */
export function historyFrom(key: Key): Key {
  return (DB_HISTORY + escapeKey(key)) as Key;
}

/** Key and height of a history entry. */
export function parseHistoryKey(stored: Key): { key: Key; height: number } {
  const end = stored.length - 6;
  const escaped = stored.slice(DB_HISTORY.length, end - 2);
  const key = escaped.includes("\0") ? escaped.replaceAll("\0\xff", "\0") : escaped;
  return { key: key as Key, height: u48At(stored, end) };
}

function escapeKey(key: Key): string {
  return key.includes("\0") ? key.replaceAll("\0", "\0\xff") : key;
}

function u48At(key: Key, offset: number): number {
  let value = 0;
  for (let index = offset; index < offset + 6; index += 1)
    value = value * 256 + key.charCodeAt(index);
  return value;
}
