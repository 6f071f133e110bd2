import { PAIR_BYTES, PART_PAIRS_MAX, type BucketHasher, HASH_BYTES } from "./bucket_hash.ts";

/**
 * A part of a bucket: all pairs whose key hashes agree in their first `bit` bits, either up to 64
 * of them in order, or two parts by the next bit. Parts never change; a change makes new ones along
 * its path, so that forks share what they have in common. Only the hash is filled in later.
 */
export type Part = LeafPart | SplitPart;

export interface LeafPart {
  readonly split: false;
  readonly count: number;
  /** `count` pairs of 64 bytes in the order of their key hashes. */
  readonly pairs: Uint8Array;
  hash: Uint8Array | undefined;
}

export interface SplitPart {
  readonly split: true;
  readonly count: number;
  readonly left: Part;
  readonly right: Part;
  hash: Uint8Array | undefined;
}

function leaf(pairs: Uint8Array): LeafPart {
  return { split: false, count: pairs.length >> 6, pairs, hash: undefined };
}

function splitPart(left: Part, right: Part): SplitPart {
  return { split: true, count: left.count + right.count, left, right, hash: undefined };
}

/** The part of some pairs in order, split as often as it takes. Keeps `pairs` when they fit. */
export function partOf(pairs: Uint8Array, bit: number): Part {
  if (pairs.length <= PART_PAIRS_MAX * PAIR_BYTES) return leaf(pairs);
  const middle = firstWithBit(pairs, bit);
  return splitPart(partOf(pairs.slice(0, middle), bit + 1), partOf(pairs.slice(middle), bit + 1));
}

/** The part with a pair added, or its value replaced. */
export function withPair(part: Part, pair: Uint8Array, bit: number): Part {
  if (part.split) {
    return bitOf(pair, bit)
      ? splitPart(part.left, withPair(part.right, pair, bit + 1))
      : splitPart(withPair(part.left, pair, bit + 1), part.right);
  }
  const { pairs } = part;
  const at = lowerBound(pairs, pair);
  if (at < pairs.length && compareAt(pairs, at, pair) === 0) {
    const replaced = pairs.slice();
    replaced.set(pair, at);
    return leaf(replaced);
  }
  const added = new Uint8Array(pairs.length + PAIR_BYTES);
  added.set(pairs.subarray(0, at));
  added.set(pair, at);
  added.set(pairs.subarray(at), at + PAIR_BYTES);
  return partOf(added, bit);
}

/** The part without a key hash; the same part when it does not hold it. */
export function withoutPair(part: Part, keyHash: Uint8Array, bit: number): Part {
  if (!part.split) {
    const { pairs } = part;
    const at = lowerBound(pairs, keyHash);
    if (at >= pairs.length || compareAt(pairs, at, keyHash) !== 0) return part;
    const rest = new Uint8Array(pairs.length - PAIR_BYTES);
    rest.set(pairs.subarray(0, at));
    rest.set(pairs.subarray(at + PAIR_BYTES), at);
    return leaf(rest);
  }
  const isRight = bitOf(keyHash, bit);
  const before = isRight ? part.right : part.left;
  const after = withoutPair(before, keyHash, bit + 1);
  if (after === before) return part;
  const changed = isRight ? splitPart(part.left, after) : splitPart(after, part.right);
  return changed.count > PART_PAIRS_MAX ? changed : leaf(pairsOf(changed));
}

/** All pairs of a part in order, in one array. */
export function pairsOf(part: Part): Uint8Array {
  const pairs = new Uint8Array(part.count * PAIR_BYTES);
  let at = 0;
  for (const each of leavesOf(part)) {
    pairs.set(each.pairs, at);
    at += each.pairs.length;
  }
  return pairs;
}

/** The leaves of a part in the order of their key hashes. */
export function* leavesOf(part: Part): Iterable<LeafPart> {
  if (!part.split) {
    yield part;
    return;
  }
  yield* leavesOf(part.left);
  yield* leavesOf(part.right);
}

/** The hash of a part, computed once: what the buckets' unchanged parts hash to is kept. */
export function partHash(part: Part, bit: number, index: number, hasher: BucketHasher): Uint8Array {
  if (part.hash !== undefined) return part.hash;
  if (part.split) {
    const left = partHash(part.left, bit + 1, index, hasher);
    const right = partHash(part.right, bit + 1, index, hasher);
    part.hash = hasher.hashSplit(index, bit, left, right);
  } else {
    part.hash = new Uint8Array(HASH_BYTES);
    hasher.setPairs(part.pairs);
    hasher.hashLeaf(index, bit, part.count, part.hash, 0);
  }
  return part.hash;
}

/** Whether a bit of a key hash is set; bit 0 is the highest of the first byte. */
export function bitOf(keyHash: Uint8Array, bit: number): boolean {
  return ((keyHash[bit >> 3] as number) & (0x80 >> (bit & 7))) !== 0;
}

/** Offset of the first pair whose key hash is not below that of `pair`. */
function lowerBound(pairs: Uint8Array, pair: Uint8Array): number {
  let low = 0;
  let high = pairs.length >> 6;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareAt(pairs, middle * PAIR_BYTES, pair) < 0) low = middle + 1;
    else high = middle;
  }
  return low * PAIR_BYTES;
}

/** Compares the key hash at an offset with that at the start of `pair`: negative, 0 or positive. */
export function compareAt(pairs: Uint8Array, at: number, pair: Uint8Array): number {
  for (let index = 0; index < HASH_BYTES; index += 1) {
    const difference = (pairs[at + index] as number) - (pair[index] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Offset of the first pair whose key hash has the given bit set; all before it have it clear. */
function firstWithBit(pairs: Uint8Array, bit: number): number {
  let low = 0;
  let high = pairs.length >> 6;
  while (low < high) {
    const middle = (low + high) >> 1;
    const byte = pairs[middle * PAIR_BYTES + (bit >> 3)] as number;
    if ((byte & (0x80 >> (bit & 7))) === 0) low = middle + 1;
    else high = middle;
  }
  return low * PAIR_BYTES;
}
