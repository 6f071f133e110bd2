import type { Hasher } from "../types/crypto.ts";
import { HASH_BYTES } from "./bucket_hash.ts";

const HASH_WORDS = HASH_BYTES >> 2;
/** Pairs of nodes that one native call hashes at most: 256 KiB of input. */
const BATCH_NODES = 4096;

/**
 * The hashes of the tree in heap order: 1 is the root, node n has the children 2n and 2n + 1, and
 * bucket b is node 2^depth + b. Marks the buckets that changed, and hashes their paths level by
 * level, with one native call per level and 4,096 nodes.
 */
export class MerkleNodes {
  readonly #depth: number;
  readonly #hasher: Hasher;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  /** One bit per bucket that changed, and one per word of those bits that is not 0. */
  readonly #dirty: Int32Array;
  readonly #dirtyWords: Int32Array;
  #dirtyCount = 0;
  /** Nodes of the level being hashed; grows with the largest block. */
  #level = new Int32Array(1024);
  readonly #input = new Uint8Array(BATCH_NODES * 2 * HASH_BYTES);
  readonly #inputWords = new Int32Array(this.#input.buffer);
  readonly #output = new Uint8Array(BATCH_NODES * HASH_BYTES);
  readonly #outputWords = new Int32Array(this.#output.buffer);

  constructor(depth: number, hasher: Hasher) {
    this.#depth = depth;
    this.#hasher = hasher;
    const bucketCount = 2 ** depth;
    this.#bytes = new Uint8Array(2 * bucketCount * HASH_BYTES);
    this.#words = new Int32Array(this.#bytes.buffer);
    this.#dirty = new Int32Array((bucketCount + 31) >> 5);
    this.#dirtyWords = new Int32Array((this.#dirty.length + 31) >> 5);
    this.#fillEmpty();
  }

  /** Buckets marked since the last hashing. */
  get dirtyCount(): number {
    return this.#dirtyCount;
  }

  /** The 32 bytes of a node, a view that later hashing changes. */
  node(node: number): Uint8Array {
    return this.#bytes.subarray(node * HASH_BYTES, (node + 1) * HASH_BYTES);
  }

  /** Marks a bucket as changed. */
  mark(index: number): void {
    const word = index >> 5;
    const before = this.#dirty[word] as number;
    const after = before | (1 << (index & 31));
    if (after === before) return;
    this.#dirty[word] = after;
    this.#dirtyWords[word >> 5] = (this.#dirtyWords[word >> 5] as number) | (1 << (word & 31));
    this.#dirtyCount += 1;
  }

  /**
   * Hashes what depends on the marked buckets. `hashBucket` writes a bucket's hash to an offset.
   */
  rehash(hashBucket: (index: number, output: Uint8Array, offset: number) => void): void {
    const count = this.#takeDirty();
    const level = this.#level;
    const bucketCount = 2 ** this.#depth;
    for (let at = 0; at < count; at += 1) {
      const node = bucketCount + (level[at] as number);
      hashBucket(level[at] as number, this.#bytes, node * HASH_BYTES);
      level[at] = node;
    }
    let nodes = count;
    while (nodes > 0 && level[0] !== 1) {
      nodes = toParents(level, nodes);
      for (let from = 0; from < nodes; from += BATCH_NODES) {
        this.#hashBatch(from, nodes - from < BATCH_NODES ? nodes : from + BATCH_NODES);
      }
    }
  }

  /** Sets the hash of a bucket that was loaded; `loaded` must follow. */
  load(index: number, hash: Uint8Array): void {
    this.#bytes.set(hash, (2 ** this.#depth + index) * HASH_BYTES);
  }

  /** Hashes every inner node: a level's nodes lie in a row, so nothing is copied. */
  loaded(): void {
    for (let bit = this.#depth - 1; bit >= 0; bit -= 1) {
      const first = 2 ** bit * HASH_BYTES;
      const children = this.#bytes.subarray(2 * first, 4 * first);
      this.#hasher.hashPairs(children, this.#bytes.subarray(first, 2 * first));
    }
  }

  #hashBatch(from: number, end: number): void {
    const count = end - from;
    const [level, words, inputWords, outputWords] = [
      this.#level,
      this.#words,
      this.#inputWords,
      this.#outputWords,
    ];
    for (let at = 0; at < count; at += 1) {
      const child = (level[from + at] as number) * 2 * HASH_WORDS;
      const to = at * 2 * HASH_WORDS;
      for (let word = 0; word < 2 * HASH_WORDS; word += 1) {
        inputWords[to + word] = words[child + word] as number;
      }
    }
    this.#hasher.hashPairs(
      this.#input.subarray(0, count * 2 * HASH_BYTES),
      this.#output.subarray(0, count * HASH_BYTES),
    );
    for (let at = 0; at < count; at += 1) {
      const node = level[from + at] as number;
      for (let word = 0; word < HASH_WORDS; word += 1) {
        words[node * HASH_WORDS + word] = outputWords[at * HASH_WORDS + word] as number;
      }
    }
  }

  /** Moves the marked buckets to the front of the level, in order; answers how many. */
  #takeDirty(): number {
    if (this.#level.length < this.#dirtyCount) this.#level = new Int32Array(2 * this.#dirtyCount);
    let count = 0;
    for (let group = 0; group < this.#dirtyWords.length; group += 1) {
      const words = this.#dirtyWords[group] as number;
      if (words === 0) continue;
      for (let bit = 0; bit < 32; bit += 1) {
        if ((words & (1 << bit)) !== 0) count = this.#takeWord(group * 32 + bit, count);
      }
      this.#dirtyWords[group] = 0;
    }
    this.#dirtyCount = 0;
    return count;
  }

  #takeWord(word: number, count: number): number {
    const marks = this.#dirty[word] as number;
    let taken = count;
    for (let bit = 0; bit < 32; bit += 1) {
      if ((marks & (1 << bit)) === 0) continue;
      this.#level[taken] = word * 32 + bit;
      taken += 1;
    }
    this.#dirty[word] = 0;
    return taken;
  }

  /** An empty bucket is 32 zero bytes; all nodes of an empty level are alike. */
  #fillEmpty(): void {
    const pair = new Uint8Array(2 * HASH_BYTES);
    for (let bit = this.#depth - 1; bit >= 0; bit -= 1) {
      const first = 2 ** bit * HASH_BYTES;
      this.#hasher.hashInto(pair, this.#bytes, first);
      for (let filled = HASH_BYTES; filled < first; filled *= 2) {
        this.#bytes.copyWithin(first + filled, first, first + filled);
      }
      pair.set(this.#bytes.subarray(first, first + HASH_BYTES));
      pair.set(pair.subarray(0, HASH_BYTES), HASH_BYTES);
    }
  }
}

/** Replaces nodes in ascending order by their parents, each once; answers how many. */
function toParents(level: Int32Array, count: number): number {
  let parents = 0;
  let last = 0;
  for (let at = 0; at < count; at += 1) {
    const parent = (level[at] as number) >> 1;
    if (parent === last) continue;
    level[parents] = parent;
    parents += 1;
    last = parent;
  }
  return parents;
}
