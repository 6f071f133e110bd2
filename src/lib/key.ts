import { assert } from "./assert.ts";
import { utf8 } from "./bytes.ts";
import { divFloorSize, toSafeNumber } from "./int.ts";

/**
 * A store key: bytes held as a text of one character per byte (codes 0 to 255). Such texts are
 * compared by `<` in byte order, hash and concatenate natively, and cost a byte of memory per
 * byte; a Uint8Array costs over a hundred bytes more, and a conversion at each look-up.
 */
export type Key = string & { readonly __key: unique symbol };

/** A key of bytes. */
export function keyOfBytes(bytes: Uint8Array): Key {
  let key = "";
  for (const byte of bytes) key += String.fromCharCode(byte);
  return key as Key;
}

/** The bytes of a key. */
export function bytesOfKey(key: Key): Uint8Array {
  const bytes = new Uint8Array(key.length);
  let bits = 0;
  for (let index = 0; index < key.length; index += 1) {
    const code = key.charCodeAt(index);
    bytes[index] = code;
    bits |= code;
  }
  assert(bits <= 255, "a key holds bytes, this text holds more", { length: key.length });
  return bytes;
}

/** One byte. */
export function byteKey(byte: number): Key {
  assert(byte >= 0 && byte <= 255, "not a byte", { byte });
  return String.fromCharCode(byte) as Key;
}

/** Two or more keys in a row. */
export function joinKeys(...parts: readonly Key[]): Key {
  return parts.join("") as Key;
}

/** A number from 0 to 2^48 − 1 as 6 bytes, big-endian, so that byte order is numeric order. */
export function u48Key(value: number): Key {
  assert(value >= 0 && value < 281_474_976_710_656, "outside 48 bits", { value });
  const low = value % 16_777_216;
  const high = divFloorSize(value, 16_777_216);
  return (three(high) + three(low)) as Key;
}

function three(value: number): string {
  return String.fromCharCode((value >> 16) & 255, (value >> 8) & 255, value & 255);
}

/** An unsigned 64-bit integer as 8 bytes, big-endian. */
export function u64Key(value: bigint): Key {
  assert(value >= 0n && value < 1n << 64n, "outside 64 bits", { value });
  const low = toSafeNumber(value & 0xffffffffn);
  const high = toSafeNumber(value >> 32n);
  return (four(high) + four(low)) as Key;
}

/** A signed 64-bit integer with the sign bit turned, so that byte order is numeric order. */
export function i64Key(value: bigint): Key {
  return u64Key(value + (1n << 63n));
}

function four(value: number): string {
  return String.fromCharCode(
    (value >>> 24) & 255,
    (value >>> 16) & 255,
    (value >>> 8) & 255,
    value & 255,
  );
}

/** The integer that `u64Key` wrote at `offset`. */
export function u64FromKey(key: Key, offset: number): bigint {
  assert(key.length >= offset + 8, "key too short for a 64-bit integer");
  return (BigInt(word(key, offset)) << 32n) | BigInt(word(key, offset + 4));
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
  let body = "";
  let ascii = true;
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) >= 0x80) {
      ascii = false;
      break;
    }
  }
  body = ascii ? text : keyOfBytes(utf8(text));
  return bytesWithLength(body);
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
