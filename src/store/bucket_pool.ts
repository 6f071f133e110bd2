import { must } from "../lib/assert.ts";
import { bucketOf, PAIR_BYTES, PART_PAIRS_MAX } from "./bucket_hash.ts";
import { compareAt, type Part, partOf, withoutPair, withPair } from "./bucket_part.ts";

const PAGE_BITS = 8;
const PAGE_BLOCKS = 2 ** PAGE_BITS;
const BLOCK_MASK = PAGE_BLOCKS - 1;
const PAIR_WORDS = PAIR_BYTES >> 2;
/** In place of the count of a bucket that is split. */
const SPLIT = 255;

/** 256 blocks of one size: the same memory as bytes and, for copying, as words. */
interface Page {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
}

/** The blocks of one size, without holes: the last one moves to where one is given back. */
interface SizeClass {
  readonly pages: Page[];
  used: number;
}

/**
 * The pairs of every bucket. A bucket of up to 64 pairs is one block of exactly its size, its pairs
 * in the order of their key hashes: one cache miss finds them, and nothing is kept beside them but
 * 5 bytes per bucket. Blocks of a size lie in pages without holes, so that buckets that grow leave
 * no waste behind. A bucket above 64 pairs is a `Part`, one object for about 45 pairs.
 */
export class BucketPool {
  readonly #depth: number;
  /** By bucket: the number of its block among those of its size. */
  readonly #blocks: Int32Array;
  readonly #counts: Uint8Array;
  /** By pairs per block. */
  readonly #classes: readonly SizeClass[];
  /** Split buckets; looked up by index, never iterated. */
  readonly #parts = new Map<number, Part>();

  constructor(depth: number) {
    this.#depth = depth;
    this.#blocks = new Int32Array(2 ** depth);
    this.#counts = new Uint8Array(2 ** depth);
    this.#classes = Array.from({ length: PART_PAIRS_MAX + 1 }, () => ({ pages: [], used: 0 }));
  }

  /** Pairs in a bucket. */
  count(index: number): number {
    const count = this.#counts[index] as number;
    return count === SPLIT ? this.#partOfSplit(index).count : count;
  }

  /** The bucket's part when it is split. */
  splitPart(index: number): Part | undefined {
    return this.#counts[index] === SPLIT ? this.#partOfSplit(index) : undefined;
  }

  /** A copy of the bucket's contents, undefined when it is empty. */
  part(index: number): Part | undefined {
    const count = this.#counts[index] as number;
    if (count === SPLIT) return this.#partOfSplit(index);
    return count === 0 ? undefined : partOf(this.#pairsOf(index, count), this.#depth);
  }

  /** Copies the pairs of a bucket that is not split to `words`; answers how many. */
  copyPairs(index: number, words: Int32Array, wordAt: number): number {
    const count = this.#counts[index] as number;
    if (count === 0) return 0;
    const block = this.#blocks[index] as number;
    const from = (block & BLOCK_MASK) * count * PAIR_WORDS;
    copyWords(this.#page(count, block).words, from, words, wordAt, count);
    return count;
  }

  /** Sets a pair, given also as words of the same bytes. True when its key is new. */
  set(index: number, pair: Uint8Array, pairWords: Int32Array): boolean {
    const count = this.#counts[index] as number;
    if (count === SPLIT) {
      const before = this.#partOfSplit(index);
      const after = withPair(before, pair, this.#depth);
      this.#parts.set(index, after);
      return after.count > before.count;
    }
    const rank = this.#rankOf(index, pair);
    if (rank >= 0) {
      const block = this.#blocks[index] as number;
      const at = ((block & BLOCK_MASK) * count + rank) * PAIR_WORDS;
      copyWords(pairWords, 0, this.#page(count, block).words, at, 1);
      return false;
    }
    if (count === PART_PAIRS_MAX) {
      const before = partOf(this.#pairsOf(index, count), this.#depth);
      this.#resize(index, 0, 0);
      this.#counts[index] = SPLIT;
      this.#parts.set(index, withPair(before, pair, this.#depth));
    } else {
      this.#resize(index, count + 1, ~rank);
      const block = this.#blocks[index] as number;
      const at = ((block & BLOCK_MASK) * (count + 1) + ~rank) * PAIR_WORDS;
      copyWords(pairWords, 0, this.#page(count + 1, block).words, at, 1);
    }
    return true;
  }

  /** Removes the pair of a key hash. True when it was there. */
  remove(index: number, keyHash: Uint8Array): boolean {
    const count = this.#counts[index] as number;
    if (count === SPLIT) return this.#removeFromSplit(index, keyHash);
    const rank = this.#rankOf(index, keyHash);
    if (rank < 0) return false;
    this.#resize(index, count - 1, rank);
    return true;
  }

  /** Gives an empty bucket room for up to 64 pairs, which must follow by `loadPairs`. */
  loadCount(index: number, count: number): void {
    this.#counts[index] = count;
    this.#blocks[index] = this.#take(count);
  }

  /** Sets pairs of a bucket from the given one on. */
  loadPairs(index: number, rank: number, pairs: Uint8Array): void {
    const count = this.#counts[index] as number;
    const block = this.#blocks[index] as number;
    const at = ((block & BLOCK_MASK) * count + rank) * PAIR_BYTES;
    this.#page(count, block).bytes.set(pairs, at);
  }

  /** Sets the contents of an empty bucket to more than 64 pairs in order. */
  loadSplit(index: number, pairs: Uint8Array): void {
    this.#parts.set(index, partOf(pairs, this.#depth));
    this.#counts[index] = SPLIT;
  }

  #partOfSplit(index: number): Part {
    return must(this.#parts.get(index), "a split bucket has no part");
  }

  #page(count: number, block: number): Page {
    return (this.#classes[count] as SizeClass).pages[block >> PAGE_BITS] as Page;
  }

  #pairsOf(index: number, count: number): Uint8Array {
    const block = this.#blocks[index] as number;
    const at = (block & BLOCK_MASK) * count * PAIR_BYTES;
    return this.#page(count, block).bytes.slice(at, at + count * PAIR_BYTES);
  }

  /** Place of a key hash in its bucket, or the complement of the place where it would be. */
  #rankOf(index: number, keyHash: Uint8Array): number {
    const count = this.#counts[index] as number;
    if (count === 0) return ~0;
    const block = this.#blocks[index] as number;
    const { bytes } = this.#page(count, block);
    let at = (block & BLOCK_MASK) * count * PAIR_BYTES;
    for (let rank = 0; rank < count; rank += 1) {
      const order = compareAt(bytes, at, keyHash);
      if (order >= 0) return order === 0 ? rank : ~rank;
      at += PAIR_BYTES;
    }
    return ~count;
  }

  /**
   * Moves a bucket to a block of one pair more, leaving a gap at `rank`; of one pair less, leaving
   * out the pair at `rank`; or of none.
   */
  #resize(index: number, count: number, rank: number): void {
    const before = this.#counts[index] as number;
    const old = this.#blocks[index] as number;
    this.#counts[index] = count;
    if (count > 0) {
      const block = this.#take(count);
      this.#blocks[index] = block;
      const to = this.#page(count, block).words;
      const toAt = (block & BLOCK_MASK) * count * PAIR_WORDS;
      if (before > 0) {
        const from = this.#page(before, old).words;
        const fromAt = (old & BLOCK_MASK) * before * PAIR_WORDS;
        const [gap, skip] = count > before ? [1, 0] : [0, 1];
        copyWords(from, fromAt, to, toAt, rank);
        const fromRest = fromAt + (rank + skip) * PAIR_WORDS;
        copyWords(from, fromRest, to, toAt + (rank + gap) * PAIR_WORDS, before - rank - skip);
      }
    }
    if (before > 0) this.#release(before, old);
  }

  #removeFromSplit(index: number, keyHash: Uint8Array): boolean {
    const before = this.#partOfSplit(index);
    const after = withoutPair(before, keyHash, this.#depth);
    if (after === before) return false;
    if (after.split) this.#parts.set(index, after);
    else {
      this.#parts.delete(index);
      this.loadCount(index, after.count);
      this.loadPairs(index, 0, after.pairs);
    }
    return true;
  }

  /** A new block of a size, the last of its kind. */
  #take(count: number): number {
    const blocks = this.#classes[count] as SizeClass;
    if (blocks.used === blocks.pages.length * PAGE_BLOCKS) {
      const bytes = new Uint8Array(PAGE_BLOCKS * count * PAIR_BYTES);
      blocks.pages.push({ bytes, words: new Int32Array(bytes.buffer) });
    }
    blocks.used += 1;
    return blocks.used - 1;
  }

  /** Gives a block back: the last of its size takes its place. One empty page is kept. */
  #release(count: number, block: number): void {
    const blocks = this.#classes[count] as SizeClass;
    const last = blocks.used - 1;
    blocks.used = last;
    if (block !== last) {
      const from = this.#page(count, last);
      const to = this.#page(count, block);
      const fromAt = (last & BLOCK_MASK) * count;
      const toAt = (block & BLOCK_MASK) * count;
      copyWords(from.words, fromAt * PAIR_WORDS, to.words, toAt * PAIR_WORDS, count);
      // A block says itself whose it is: its pairs begin with the bits of their bucket.
      const owner = bucketOf(from.bytes, fromAt * PAIR_BYTES, this.#depth);
      this.#blocks[owner] = block;
    }
    if (last + 2 * PAGE_BLOCKS <= blocks.pages.length * PAGE_BLOCKS) blocks.pages.pop();
  }
}

/** Copies pairs, by words: for a few pairs a loop is faster than `set` with a view. */
function copyWords(
  from: Int32Array,
  fromAt: number,
  to: Int32Array,
  toAt: number,
  pairs: number,
): void {
  const words = pairs * PAIR_WORDS;
  for (let word = 0; word < words; word += 1) to[toAt + word] = from[fromAt + word] as number;
}
