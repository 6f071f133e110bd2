import { assert } from "../lib/assert.ts";
import { concatBytes, utf8 } from "../lib/bytes.ts";
import { bytesOfKey, type Key, u48Key, u64Key } from "../lib/key.ts";
import type { Hasher } from "../types/crypto.ts";

const TAG_BUCKET = utf8("settled/bucket/1");
const TAG_SPLIT = utf8("settled/split/1");
const TAG_APP = utf8("settled/app-hash/1");
const HASH_BYTES = 32;
const PAIR_BYTES = 2 * HASH_BYTES;
const BUCKET_PAIRS_MAX = 64;
const NO_PAIRS = new Uint8Array(0);

/** Depth of the tree when genesis does not say: 262,144 buckets, 16 MB of hashes. */
export const DEFAULT_DEPTH = 18;
export const DEPTH_MIN = 4;
export const DEPTH_MAX = 24;

/**
 * The commitment to the state: a binary Merkle tree over 2^depth buckets. A key's bucket is the
 * first `depth` bits of sha256(key); a bucket's hash covers its sorted (key hash, value hash)
 * pairs, and splits by the next bit of the key hash when it holds more than 64. The shape depends
 * on the contents alone, so equal contents give equal roots whatever the order of writes.
 */
export class Commitment {
  readonly depth: number;
  readonly #hasher: Hasher;
  /** Nodes in heap order: 1 is the root, node n has the children 2n and 2n + 1. */
  readonly #nodes: Uint8Array;
  /** Sorted pairs of each bucket, one after the other; an empty bucket has no array. */
  readonly #buckets: (Uint8Array | undefined)[];
  #pairCount = 0;
  #dirty: number[] = [];

  constructor(depth: number, hasher: Hasher) {
    assert(depth >= DEPTH_MIN && depth <= DEPTH_MAX, "commitment depth out of range", { depth });
    this.depth = depth;
    this.#hasher = hasher;
    const bucketCount = 2 ** depth;
    this.#nodes = new Uint8Array(2 * bucketCount * HASH_BYTES);
    this.#buckets = new Array<Uint8Array | undefined>(bucketCount);
    this.#fillEmpty();
  }

  /** Keys that the commitment covers. */
  get pairCount(): number {
    return this.#pairCount;
  }

  /** Sets a key's value, or removes the key. The hashes follow at the next `appHash`. */
  update(key: Key, value: Uint8Array | undefined): void {
    const keyHash = this.#hasher.sha256(bytesOfKey(key));
    const index = this.#bucketOf(keyHash);
    const pairs = this.#buckets[index] ?? NO_PAIRS;
    const at = lowerBound(pairs, keyHash);
    const found = at < pairs.length && compareAt(pairs, at, keyHash) === 0;
    if (value === undefined) {
      if (!found) return;
      this.#buckets[index] = concatBytes(pairs.subarray(0, at), pairs.subarray(at + PAIR_BYTES));
      this.#pairCount -= 1;
    } else {
      const valueHash = this.#hasher.sha256(value);
      if (found) pairs.set(valueHash, at + HASH_BYTES);
      else {
        const [head, tail] = [pairs.subarray(0, at), pairs.subarray(at)];
        this.#buckets[index] = concatBytes(head, keyHash, valueHash, tail);
        this.#pairCount += 1;
      }
    }
    this.#dirty.push(index);
  }

  /** The app hash of the contents: 32 bytes. Costs one path per bucket that changed. */
  appHash(): Uint8Array {
    this.#rehash();
    const preimage = concatBytes(
      TAG_APP,
      Uint8Array.of(this.depth),
      bytesOfKey(u64Key(BigInt(this.#pairCount))),
      this.#nodes.subarray(HASH_BYTES, 2 * HASH_BYTES),
    );
    return this.#hasher.sha256(preimage);
  }

  #rehash(): void {
    const bucketCount = 2 ** this.depth;
    let level = distinctSorted(this.#dirty);
    this.#dirty = [];
    for (const index of level) {
      const pairs = this.#buckets[index] ?? NO_PAIRS;
      this.#setNode(bucketCount + index, this.#bucketHash(index, pairs));
    }
    level = level.map((index) => bucketCount + index);
    while (level.length > 0 && level[0] !== 1) {
      level = distinctSorted(level.map((node) => node >> 1));
      for (const node of level) {
        const at = 2 * node * HASH_BYTES;
        this.#setNode(node, this.#hasher.sha256(this.#nodes.subarray(at, at + PAIR_BYTES)));
      }
    }
  }

  /** An empty bucket is 32 zero bytes, which no hash is known to equal. */
  #bucketHash(index: number, pairs: Uint8Array): Uint8Array {
    if (pairs.length === 0) return new Uint8Array(HASH_BYTES);
    return this.#pairsHash(index, pairs, this.depth);
  }

  #pairsHash(index: number, pairs: Uint8Array, bit: number): Uint8Array {
    const count = pairs.length >> 6;
    const place = concatBytes(Uint8Array.of(this.depth, bit), bytesOfKey(u48Key(index)));
    if (count <= BUCKET_PAIRS_MAX || bit >= 256) {
      const size = bytesOfKey(u48Key(count));
      return this.#hasher.sha256(concatBytes(TAG_BUCKET, place, size, pairs));
    }
    const middle = firstWithBit(pairs, bit);
    const left = this.#pairsHash(index, pairs.subarray(0, middle), bit + 1);
    const right = this.#pairsHash(index, pairs.subarray(middle), bit + 1);
    return this.#hasher.sha256(concatBytes(TAG_SPLIT, place, left, right));
  }

  #setNode(node: number, hash: Uint8Array): void {
    this.#nodes.set(hash, node * HASH_BYTES);
  }

  #bucketOf(keyHash: Uint8Array): number {
    const [a = 0, b = 0, c = 0, d = 0] = keyHash;
    return ((a << 24) | (b << 16) | (c << 8) | d) >>> (32 - this.depth);
  }

  #fillEmpty(): void {
    let hash: Uint8Array = new Uint8Array(HASH_BYTES);
    for (let level = this.depth - 1; level >= 0; level -= 1) {
      hash = this.#hasher.sha256(concatBytes(hash, hash));
      for (let node = 2 ** level; node < 2 ** (level + 1); node += 1) this.#setNode(node, hash);
    }
  }
}

function distinctSorted(numbers: readonly number[]): number[] {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted.filter((value, index) => index === 0 || value !== sorted[index - 1]);
}

/** Offset of the first pair whose key hash is not below `keyHash`. */
function lowerBound(pairs: Uint8Array, keyHash: Uint8Array): number {
  let low = 0;
  let high = pairs.length >> 6;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareAt(pairs, middle * PAIR_BYTES, keyHash) < 0) low = middle + 1;
    else high = middle;
  }
  return low * PAIR_BYTES;
}

function compareAt(pairs: Uint8Array, at: number, keyHash: Uint8Array): number {
  for (let index = 0; index < HASH_BYTES; index += 1) {
    const difference = (pairs[at + index] as number) - (keyHash[index] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Offset of the first pair whose key hash has the given bit set; all before it have it clear. */
function firstWithBit(pairs: Uint8Array, bit: number): number {
  const [byte, mask] = [bit >> 3, 0x80 >> (bit & 7)];
  let at = 0;
  while (at < pairs.length && ((pairs[at + byte] as number) & mask) === 0) at += PAIR_BYTES;
  return at;
}
