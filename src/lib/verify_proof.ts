import { sha256 } from "@noble/hashes/sha2.js";

// Stands alone: it may be copied out of the project as it is. docs/proofs.md has the format.

const TAG_BUCKET = "settled/bucket/1";
const TAG_SPLIT = "settled/split/1";
const TAG_APP = "settled/app-hash/1";

const PROOF_VERSION = 1;
const DEPTH_MIN = 4;
const DEPTH_MAX = 24;
const PART_PAIRS_MAX = 64;
const HASH_BYTES = 32;
const PAIR_BYTES = 64;
/** More than 64 different key hashes cannot agree in more than their first 249 bits. */
const LEAF_BIT_MAX = 250;

const COUNT_AT = 2;
const KEY_HASH_AT = 10;
const SPLITS_AT = 42;
const HEAD_BYTES = 43;

/**
 * Whether `proof` shows that the state with the app hash `root` holds `value` under `key`, or for
 * null that it holds nothing there. `root` is 32 bytes. Any input is answered; nothing is thrown.
 */
export function verifyProof(
  root: Uint8Array,
  key: Uint8Array,
  value: Uint8Array | null,
  proof: Uint8Array,
): boolean {
  if (!isBytes(root) || !isBytes(key) || !isBytes(proof)) return false;
  if (value !== null && !isBytes(value)) return false;
  if (root.length !== HASH_BYTES) return false;
  const parts = partsOf(proof);
  if (parts === undefined) return false;
  const keyHash = sha256(key);
  if (!equal(parts.keyHash, keyHash)) return false;
  if (!isPartOf(parts, keyHash)) return false;
  if (!equal(root, appHashOf(parts, keyHash))) return false;
  const valueHash = valueHashOf(parts.pairs, keyHash);
  if (value === null || valueHash === undefined) return value === null && valueHash === undefined;
  return equal(valueHash, sha256(value));
}

/** A proof's fields; the arrays are views of it. */
interface Parts {
  readonly depth: number;
  /** 8 bytes, as they go into the app hash. */
  readonly pairCount: Uint8Array;
  readonly keyHash: Uint8Array;
  readonly splits: readonly Uint8Array[];
  readonly pairs: readonly Uint8Array[];
  readonly siblings: readonly Uint8Array[];
}

/** Undefined unless the proof's length is exactly what its own counts say. */
function partsOf(proof: Uint8Array): Parts | undefined {
  if (proof.length < HEAD_BYTES || proof[0] !== PROOF_VERSION) return undefined;
  const depth = proof[1] as number;
  const splitCount = proof[SPLITS_AT] as number;
  if (depth < DEPTH_MIN || depth > DEPTH_MAX || depth + splitCount > LEAF_BIT_MAX) return undefined;
  const pairsAt = HEAD_BYTES + splitCount * HASH_BYTES + 1;
  if (proof.length < pairsAt) return undefined;
  const pairCount = proof[pairsAt - 1] as number;
  const siblingsAt = pairsAt + pairCount * PAIR_BYTES;
  if (pairCount > PART_PAIRS_MAX) return undefined;
  if (proof.length !== siblingsAt + depth * HASH_BYTES) return undefined;
  return {
    depth,
    pairCount: proof.subarray(COUNT_AT, COUNT_AT + 8),
    keyHash: proof.subarray(KEY_HASH_AT, KEY_HASH_AT + HASH_BYTES),
    splits: slices(proof, HEAD_BYTES, splitCount, HASH_BYTES),
    pairs: slices(proof, pairsAt, pairCount, PAIR_BYTES),
    siblings: slices(proof, siblingsAt, depth, HASH_BYTES),
  };
}

function slices(bytes: Uint8Array, from: number, count: number, length: number): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let index = 0; index < count; index += 1) {
    const at = from + index * length;
    all.push(bytes.subarray(at, at + length));
  }
  return all;
}

/** Whether the pairs ascend, and all lie in the part of the tree where the key would be. */
function isPartOf(parts: Parts, keyHash: Uint8Array): boolean {
  const bits = parts.depth + parts.splits.length;
  let before: Uint8Array | undefined;
  for (const pair of parts.pairs) {
    if (before !== undefined && !isBelow(before, pair)) return false;
    for (let bit = 0; bit < bits; bit += 1) {
      if (bitOf(pair, bit) !== bitOf(keyHash, bit)) return false;
    }
    before = pair;
  }
  return true;
}

function appHashOf(parts: Parts, keyHash: Uint8Array): Uint8Array {
  const { depth, splits, pairs, siblings } = parts;
  const bucket = bucketOf(keyHash, depth);
  let hash: Uint8Array = new Uint8Array(HASH_BYTES);
  if (pairs.length > 0 || splits.length > 0) {
    const size = placeBytes(pairs.length);
    const place = [Uint8Array.of(depth, depth + splits.length), placeBytes(bucket)];
    hash = hashOf(ascii(TAG_BUCKET), ...place, size, ...pairs);
  }
  for (let at = splits.length - 1; at >= 0; at -= 1) {
    const place = [Uint8Array.of(depth, depth + at), placeBytes(bucket)];
    const sides = inOrder(bitOf(keyHash, depth + at), hash, splits[at] as Uint8Array);
    hash = hashOf(ascii(TAG_SPLIT), ...place, ...sides);
  }
  for (let at = 0; at < depth; at += 1) {
    const isRight = bitOf(keyHash, depth - 1 - at);
    hash = hashOf(...inOrder(isRight, hash, siblings[at] as Uint8Array));
  }
  return hashOf(ascii(TAG_APP), Uint8Array.of(depth), parts.pairCount, hash);
}

function inOrder(isRight: boolean, own: Uint8Array, other: Uint8Array): [Uint8Array, Uint8Array] {
  return isRight ? [other, own] : [own, other];
}

function valueHashOf(pairs: readonly Uint8Array[], keyHash: Uint8Array): Uint8Array | undefined {
  const pair = pairs.find((each) => equal(each.subarray(0, HASH_BYTES), keyHash));
  return pair?.subarray(HASH_BYTES);
}

/** The first `depth` bits. */
function bucketOf(keyHash: Uint8Array, depth: number): number {
  let index = 0;
  for (let bit = 0; bit < depth; bit += 1) index = index * 2 + (bitOf(keyHash, bit) ? 1 : 0);
  return index;
}

/** 6 bytes, big-endian, of a number below 2^24. */
function placeBytes(value: number): Uint8Array {
  return Uint8Array.of(0, 0, 0, value >> 16, value >> 8, value);
}

function bitOf(bytes: Uint8Array, bit: number): boolean {
  return ((bytes[bit >> 3] as number) & (0x80 >> (bit & 7))) !== 0;
}

/** Compares the key hashes of two pairs. */
function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  for (let index = 0; index < HASH_BYTES; index += 1) {
    const difference = (a[index] as number) - (b[index] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}

function hashOf(...parts: readonly Uint8Array[]): Uint8Array {
  const state = sha256.create();
  for (const part of parts) state.update(part);
  return state.digest();
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}
