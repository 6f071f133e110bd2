import { assert } from "../lib/assert.ts";
import { bytesOfKey, type Key, keyOfBytes } from "../lib/key.ts";
import { DB_STATE, type DbBatch } from "./db.ts";
import type { Reader } from "./read_view.ts";
import { putLayout } from "./layout.ts";
import { EARLIEST_KEY, VERSION_KEY } from "./store.ts";
import { encodeVersion, type Version } from "./version.ts";

/** Bytes of a chunk's entries. Only an entry that is larger by itself makes a larger chunk. */
export const CHUNK_BYTES_MAX = 4_194_304;
/** Key length (2 bytes) and value length (4), both big-endian, before key and value. */
const ENTRY_HEAD_BYTES = 6;

/** Consecutive entries of a snapshot, as they go into a file. */
export interface EntryChunk {
  readonly payload: Uint8Array;
  readonly entryCount: number;
}

/**
 * Entries in chunks: the same entries give the same chunks, also when the walk begins behind the
 * last entry of a chunk.
 */
export async function* chunksOf(
  entries: AsyncIterable<readonly [Key, Uint8Array]> | Iterable<readonly [Key, Uint8Array]>,
  chunkBytes: number = CHUNK_BYTES_MAX,
): AsyncGenerator<EntryChunk> {
  let waiting: (readonly [Key, Uint8Array])[] = [];
  let bytes = 0;
  for await (const entry of entries) {
    const size = ENTRY_HEAD_BYTES + entry[0].length + entry[1].length;
    if (waiting.length > 0 && bytes + size > chunkBytes) {
      yield { payload: encodeEntries(waiting, bytes), entryCount: waiting.length };
      waiting = [];
      bytes = 0;
    }
    waiting.push(entry);
    bytes += size;
  }
  if (waiting.length > 0) {
    yield { payload: encodeEntries(waiting, bytes), entryCount: waiting.length };
  }
}

/** The whole state of a height, derived keys and query indexes included, in the order of keys. */
export function stateChunks(
  reader: Reader,
  { after, chunkBytes }: { after: Key | undefined; chunkBytes: number },
): AsyncGenerator<EntryChunk> {
  const from = after === undefined ? {} : { from: `${after}\0` as Key };
  return chunksOf(reader.range("" as Key, from), chunkBytes);
}

/** The entries of a chunk. @throws InvariantError for bytes that are no entries */
export function* entriesOf(payload: Uint8Array): Generator<[Key, Uint8Array]> {
  let at = 0;
  while (at < payload.length) {
    assert(at + ENTRY_HEAD_BYTES <= payload.length, "a chunk ends inside an entry");
    const byte = (offset: number): number => payload[at + offset] as number;
    const keyLength = (byte(0) << 8) | byte(1);
    const valueLength = ((byte(2) << 24) | (byte(3) << 16) | (byte(4) << 8) | byte(5)) >>> 0;
    const start = at + ENTRY_HEAD_BYTES;
    const middle = start + keyLength;
    const end = middle + valueLength;
    assert(end <= payload.length, "a chunk ends inside an entry");
    yield [keyOfBytes(payload.subarray(start, middle)), payload.subarray(middle, end)];
    at = end;
  }
}

/** Adds a chunk of the state of `height` to a batch. Which block wrote a value is not known. */
export function restoreEntries(batch: DbBatch, payload: Uint8Array, height: number): void {
  for (const [key, value] of entriesOf(payload)) batch.putVersioned(DB_STATE + key, value, height);
}

/** Adds what makes the restored entries the state of a version, the only one that can be read. */
export function restoreVersion(batch: DbBatch, version: Version, height: number): void {
  putLayout(batch);
  batch.put(VERSION_KEY, encodeVersion(version));
  batch.putVersioned(EARLIEST_KEY, new Uint8Array(0), height);
}

function encodeEntries(
  entries: readonly (readonly [Key, Uint8Array])[],
  byteCount: number,
): Uint8Array {
  const payload = new Uint8Array(byteCount);
  let at = 0;
  for (const [key, value] of entries) {
    assert(key.length < 65_536, "a key is too long for a snapshot", { length: key.length });
    const { length } = value;
    payload.set([key.length >> 8, key.length & 255], at);
    payload.set([length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255], at + 2);
    payload.set(bytesOfKey(key), at + ENTRY_HEAD_BYTES);
    payload.set(value, at + ENTRY_HEAD_BYTES + key.length);
    at += ENTRY_HEAD_BYTES + key.length + length;
  }
  return payload;
}
