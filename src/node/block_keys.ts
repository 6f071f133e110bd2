import { EMPTY_BYTES, utf8, utf8Length } from "../lib/bytes.ts";
import { joinKeys, type Key, keyOfBytes, textKey, u48Key, u64Key } from "../lib/key.ts";
import { sha256 } from "../lib/sha256.ts";

/**
 * Every key that the node writes. All begin with "B"; the second byte says the kind:
 *
 *   B g                                  -> identity of the genesis
 *   B l                                  -> latest and earliest height
 *   B b | height                         -> block without txs
 *   B r | height                         -> events and app hash of the block
 *   B t | height | index                 -> tx with its result
 *   B h | block hash                     -> height
 *   B x | tx hash                        -> height | index
 *   B a | tag | value | height           -> indexes of txs with this attribute
 *   B p | tag | height                   -> indexes of txs with any value of this attribute
 *   B e | tag | value | height           -> (block events with this attribute)
 *   B f | tag | height                   -> (block events with any value of this attribute)
 *
 * Heights are 8 bytes, indexes 6, both big-endian, so that keys are in the order of the chain. One
 * list per attribute and block in place of one key per attribute and tx keeps the writes of a block
 * of many like txs few.
 */
const kind = (letter: string) => `B${letter}` as Key;

export const GENESIS_KEY = kind("g");
export const TIP_KEY = kind("l");

export function blockKey(height: bigint): Key {
  return joinKeys(kind("b"), u64Key(height));
}

export function outcomeKey(height: bigint): Key {
  return joinKeys(kind("r"), u64Key(height));
}

export function txKey(height: bigint, index: number): Key {
  return joinKeys(kind("t"), u64Key(height), u48Key(index));
}

export function blockHashKey(hash: Uint8Array): Key {
  return joinKeys(kind("h"), keyOfBytes(hash));
}

export function txHashKey(hash: Uint8Array): Key {
  return joinKeys(kind("x"), keyOfBytes(hash));
}

/** Whose attributes an index is over. */
export type IndexOf = "tx" | "block";

/** Prefix of the heights at which a tag has a value. */
export function attributePrefix(of: IndexOf, tag: string, value: string): Key {
  return valuePrefix(valuesPrefix(of, tag), value);
}

/** What all values of a tag have in common. */
export function valuesPrefix(of: IndexOf, tag: string): Key {
  return ((of === "tx" ? "Ba" : "Be") + indexText(tag)) as Key;
}

/** `attributePrefix` of a value. @param values the `valuesPrefix` of its tag */
export function valuePrefix(values: Key, value: string): Key {
  // Runs for every value of every tag: concatenation is several times faster than a join.
  return (values + indexText(value)) as Key;
}

/** Prefix of the heights at which a tag has any value. */
export function tagPrefix(of: IndexOf, tag: string): Key {
  return ((of === "tx" ? "Bp" : "Bf") + indexText(tag)) as Key;
}

const TEXT_BYTES_MAX = 200;
const HASHED = String.fromCharCode(254);

// Long texts are indexed by their hash: keys stay short, and equality is all that is asked of them.
// 254 is no length of a text that is written out.
function indexText(text: string): Key {
  // A UTF-16 unit is at most three bytes.
  const isShort = text.length * 3 <= TEXT_BYTES_MAX;
  if (isShort || (text.length <= TEXT_BYTES_MAX && utf8Length(text) <= TEXT_BYTES_MAX)) {
    return textKey(text);
  }
  return (HASHED + keyOfBytes(sha256(utf8(text)))) as Key;
}

/** Rising numbers as the varints of their differences. */
export function encodePostings(indexes: readonly number[]): Uint8Array {
  if (indexes.length === 1 && indexes[0] === 0) return EMPTY_BYTES;
  const bytes = new Uint8Array(postingsLength(indexes));
  let [at, previous] = [0, 0];
  for (const index of indexes) {
    let rest = index - previous;
    while (rest >= 128) {
      bytes[at] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
      at += 1;
    }
    bytes[at] = rest;
    at += 1;
    previous = index;
  }
  return bytes;
}

function postingsLength(indexes: readonly number[]): number {
  let [length, previous] = [indexes.length, 0];
  for (const index of indexes) {
    for (let rest = index - previous; rest >= 128; rest = Math.floor(rest / 128)) length += 1;
    previous = index;
  }
  return length;
}

/** The numbers of `encodePostings`; nothing at all stands for the one number 0. */
export function decodePostings(bytes: Uint8Array): number[] {
  if (bytes.length === 0) return [0];
  const indexes: number[] = [];
  let [value, scale, previous] = [0, 1, 0];
  for (const byte of bytes) {
    value += (byte & 127) * scale;
    if (byte >= 128) {
      scale *= 128;
      continue;
    }
    previous += value;
    indexes.push(previous);
    [value, scale] = [0, 1];
  }
  return indexes;
}
