import { utf8 } from "../lib/bytes.ts";
import { divFloorSize } from "../lib/int.ts";
import type { Hasher } from "../types/crypto.ts";

export const HASH_BYTES = 32;
/** A pair: the hash of a key, then the hash of its value. */
export const PAIR_BYTES = 64;
/** Pairs that a bucket, or a part of one, holds before it is split. */
export const PART_PAIRS_MAX = 64;

const TAG_BUCKET = utf8("settled/bucket/1");
const TAG_SPLIT = utf8("settled/split/1");
const TAG_APP = utf8("settled/app-hash/1");

/** Tag, depth, bit, 6 bytes of bucket index, 6 bytes of pair count. */
const LEAF_HEAD_BYTES = 30;
/** The head begins at 2, so that the pairs begin at a multiple of 4 and can be copied by words. */
const LEAF_AT = 2;
const PAIRS_AT = LEAF_AT + LEAF_HEAD_BYTES;
/** Offset in `BucketHasher.words` at which the pairs of a leaf begin. */
export const LEAF_PAIRS_WORD = PAIRS_AT >> 2;
const SPLIT_LEFT_AT = TAG_SPLIT.length + 8;

/**
 * Hashes of buckets and of their parts. The messages are laid out in buffers that are used again
 * and again: a caller copies the pairs to `words` and asks for the hash. docs/proofs.md has the
 * layout of every message.
 */
export class BucketHasher {
  readonly #hasher: Hasher;
  readonly #leaf = new Uint8Array(PAIRS_AT + PART_PAIRS_MAX * PAIR_BYTES);
  /** The message of a leaf by its number of pairs: making a view costs as much as a short hash. */
  readonly #leafViews: Uint8Array[] = [];
  readonly #split = new Uint8Array(SPLIT_LEFT_AT + 2 * HASH_BYTES);
  /** Where the pairs of a leaf go before `hashLeaf`, from `LEAF_PAIRS_WORD` on. */
  readonly words: Int32Array;

  constructor(depth: number, hasher: Hasher) {
    this.#hasher = hasher;
    this.#leaf.set(TAG_BUCKET, LEAF_AT);
    this.#leaf[LEAF_AT + TAG_BUCKET.length] = depth;
    this.words = new Int32Array(this.#leaf.buffer);
    for (let count = 0; count <= PART_PAIRS_MAX; count += 1) {
      this.#leafViews.push(this.#leaf.subarray(LEAF_AT, PAIRS_AT + count * PAIR_BYTES));
    }
    this.#split.set(TAG_SPLIT);
    this.#split[TAG_SPLIT.length] = depth;
  }

  /** Copies a leaf's pairs, one after the other, to where `hashLeaf` takes them. */
  setPairs(pairs: Uint8Array): void {
    this.#leaf.set(pairs, PAIRS_AT);
  }

  /** Hashes the `count` pairs set before. `bit` is how many bits of their key hashes agree. */
  hashLeaf(index: number, bit: number, count: number, output: Uint8Array, offset: number): void {
    putPlace(this.#leaf, LEAF_AT + TAG_BUCKET.length + 1, bit, index);
    this.#leaf[PAIRS_AT - 1] = count;
    this.#hasher.hashInto(this.#leafViews[count] as Uint8Array, output, offset);
  }

  /** The hash of two parts, of which the left has bit `bit` of the key hash clear. */
  hashSplit(index: number, bit: number, left: Uint8Array, right: Uint8Array): Uint8Array {
    putPlace(this.#split, TAG_SPLIT.length + 1, bit, index);
    this.#split.set(left, SPLIT_LEFT_AT);
    this.#split.set(right, SPLIT_LEFT_AT + HASH_BYTES);
    return this.#hasher.sha256(this.#split);
  }
}

/** The bit and the index of a message; the upper 3 of the index's 6 bytes stay 0. */
function putPlace(message: Uint8Array, at: number, bit: number, index: number): void {
  message[at] = bit;
  message[at + 4] = index >> 16;
  message[at + 5] = index >> 8;
  message[at + 6] = index;
}

/** The app hash: 32 bytes. */
export function hashApp(hasher: Hasher, preimage: AppPreimage): Uint8Array {
  const message = new Uint8Array(TAG_APP.length + 9 + HASH_BYTES);
  message.set(TAG_APP);
  message[TAG_APP.length] = preimage.depth;
  putCount(message, TAG_APP.length + 1, preimage.pairCount);
  message.set(preimage.root, TAG_APP.length + 9);
  return hasher.sha256(message);
}

/** What the app hash covers. `root` is the node at the top of the tree. */
export interface AppPreimage {
  readonly depth: number;
  readonly pairCount: number;
  readonly root: Uint8Array;
}

/** Writes a count as 8 bytes, big-endian. */
export function putCount(output: Uint8Array, offset: number, count: number): void {
  let rest = count;
  for (let at = offset + 7; at >= offset; at -= 1) {
    output[at] = rest % 256;
    rest = divFloorSize(rest, 256);
  }
}

/** The first `depth` bits of the key hash at an offset: the index of its bucket. */
export function bucketOf(bytes: Uint8Array, at: number, depth: number): number {
  const [a, b] = [bytes[at] as number, bytes[at + 1] as number];
  const [c, d] = [bytes[at + 2] as number, bytes[at + 3] as number];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> (32 - depth);
}
