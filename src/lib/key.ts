import { assert } from "./assert.ts";
import { utf8 } from "./bytes.ts";
import { INT64_MAX, UINT64_MAX } from "./int.ts";

/**
 * A store key: bytes held as a text of one character per byte (codes 0 to 255). Such texts are
 * compared by `<` in byte order, hash and concatenate natively, and cost a byte of memory per
 * byte; a Uint8Array costs over a hundred bytes more, and a conversion at each look-up.
 */
export type Key = string & { readonly __key: unique symbol };

/** A key of bytes. */
export function keyOfBytes(bytes: Uint8Array): Key {
  // One call for all: but arguments lie on the stack, so only so many at a time.
  if (bytes.length <= BYTES_PER_CALL) return oneCall(bytes) as Key;
  let key = "";
  for (let from = 0; from < bytes.length; from += BYTES_PER_CALL) {
    key += oneCall(bytes.subarray(from, from + BYTES_PER_CALL));
  }
  return key as Key;
}

// A spread takes the bytes out by an iterator, which costs three times as much.
function oneCall(bytes: Uint8Array): string {
  return String.fromCharCode.apply(undefined, bytes as unknown as number[]);
}

const BYTES_PER_CALL = 1024;

/** The bytes of a key. */
export function bytesOfKey(key: Key): Uint8Array {
  return putKey(key, new Uint8Array(key.length));
}

/** Writes the bytes of a key to the front of an array of its length or more, and returns it. */
export function putKey(key: string, bytes: Uint8Array): Uint8Array {
  let bits = 0;
  for (let index = 0; index < key.length; index += 1) {
    const code = key.charCodeAt(index);
    bytes[index] = code;
    bits |= code;
  }
  if (bits > 255) assert(false, "a key holds bytes, this text holds more", { length: key.length });
  return bytes;
}

/** One byte. */
export function byteKey(byte: number): Key {
  if (!(byte >= 0 && byte <= 255)) assert(false, "not a byte", { byte });
  return String.fromCharCode(byte) as Key;
}

/** Two or more keys in a row. */
export function joinKeys(a: Key, b: Key, c = "" as Key, d = "" as Key): Key {
  // Concatenation is several times faster than a join.
  return (a + b + c + d) as Key;
}

/** A number from 0 to 2^48 − 1 as 6 bytes, big-endian, so that byte order is numeric order. */
export function u48Key(value: number): Key {
  if (!(value >= 0 && value < 281_474_976_710_656)) assert(false, "outside 48 bits", { value });
  const low = value % 16_777_216;
  const high = (value - low) * TWO_TO_MINUS_24;
  return String.fromCharCode(
    (high >> 16) & 255,
    (high >> 8) & 255,
    high & 255,
    (low >> 16) & 255,
    (low >> 8) & 255,
    low & 255,
  ) as Key;
}

/** Exact: dividing a multiple of 2^24 by it. */
const TWO_TO_MINUS_24 = 2 ** -24;

// Takes 64-bit integers apart and puts them together: shifting a bigint makes a new one each time.
const words = new DataView(new ArrayBuffer(8));

/** An unsigned 64-bit integer as 8 bytes, big-endian. */
export function u64Key(value: bigint): Key {
  if (!(value >= 0n && value <= UINT64_MAX)) assert(false, "outside 64 bits", { value });
  words.setBigUint64(0, value);
  return wordsKey(0);
}

/** A signed 64-bit integer with the sign bit turned, so that byte order is numeric order. */
export function i64Key(value: bigint): Key {
  if (!(value <= INT64_MAX && value >= -INT64_MAX - 1n))
    assert(false, "outside 64 bits", { value });
  words.setBigInt64(0, value);
  return wordsKey(0x80);
}

/** The 8 bytes of `words`, the first one with some bits turned. */
function wordsKey(turned: number): Key {
  const high = words.getUint32(0);
  const low = words.getUint32(4);
  return String.fromCharCode(
    (high >>> 24) ^ turned,
    (high >>> 16) & 255,
    (high >>> 8) & 255,
    high & 255,
    low >>> 24,
    (low >>> 16) & 255,
    (low >>> 8) & 255,
    low & 255,
  ) as Key;
}

/** The integer that `u64Key` wrote at `offset`. */
export function u64FromKey(key: Key, offset: number): bigint {
  assert(key.length >= offset + 8, "key too short for a 64-bit integer");
  words.setUint32(0, word(key, offset));
  words.setUint32(4, word(key, offset + 4));
  return words.getBigUint64(0);
}

/** An unsigned 64-bit integer as stored: 8 bytes, big-endian. */
export function u64Bytes(value: bigint): Uint8Array {
  if (!(value >= 0n && value <= UINT64_MAX)) assert(false, "outside 64 bits", { value });
  words.setBigUint64(0, value);
  const bytes = new Uint8Array(8);
  for (let index = 0; index < 8; index += 1) bytes[index] = words.getUint8(index);
  return bytes;
}

/** The integer that `u64Bytes` wrote. */
export function u64OfBytes(bytes: Uint8Array): bigint {
  assert(bytes.length >= 8, "too short for a 64-bit integer");
  for (let index = 0; index < 8; index += 1) words.setUint8(index, bytes[index] as number);
  return words.getBigUint64(0);
}

/** The integer that `i64Key` wrote at `offset`. */
export function i64FromKey(key: Key, offset: number): bigint {
  return u64FromKey(key, offset) - (1n << 63n);
}

function word(key: Key, offset: number): number {
  const high = (key.charCodeAt(offset) << 8) | key.charCodeAt(offset + 1);
  const low = (key.charCodeAt(offset + 2) << 8) | key.charCodeAt(offset + 3);
  return high * 65_536 + low;
}

/**
 * UTF-8 text with its length in front (one byte, or 255 and two more), so that no text can run
 * into what follows it in a composite key.
 */
export function textKey(text: string): Key {
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) >= 0x80) return bytesWithLength(keyOfBytes(utf8(text)));
  }
  return bytesWithLength(text);
}

/** A byte string with its length in front. */
export function bytesWithLength(body: string): Key {
  const length = body.length;
  if (length < 255) return (String.fromCharCode(length) + body) as Key;
  assert(length < 65_536, "text too long for a key", { length });
  return (String.fromCharCode(255, length >> 8, length & 255) + body) as Key;
}

/** The first key after every key that begins with `prefix`; undefined when there is none. */
export function prefixEnd(prefix: Key): Key | undefined {
  for (let index = prefix.length - 1; index >= 0; index -= 1) {
    const code = prefix.charCodeAt(index);
    if (code < 255) return (prefix.slice(0, index) + String.fromCharCode(code + 1)) as Key;
  }
  return undefined;
}
