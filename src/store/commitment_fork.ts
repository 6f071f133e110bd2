import { assert } from "../lib/assert.ts";
import type { Key } from "../lib/key.ts";
import type { Hasher } from "../types/crypto.ts";
import { bucketOf, type BucketHasher, HASH_BYTES, hashApp, PAIR_BYTES } from "./bucket_hash.ts";
import { type Part, partHash, partOf, withoutPair, withPair } from "./bucket_part.ts";
import type { CommitmentView } from "./commitment_view.ts";
import { encodeProof } from "./proof.ts";

/** What a fork needs of the commitment that it was made of. */
export interface ForkBase extends CommitmentView {
  readonly hasher: Hasher;
  readonly buckets: BucketHasher;
  release(fork: CommitmentFork): void;
}

/**
 * A view of a commitment as it was when the fork was made, with changes of its own. It holds only
 * the buckets that it changed or that the base changed since, with the nodes above them: the base
 * saves a bucket here before it changes it. Costs nothing to make. Must be closed, or the base saves on.
 */
export class CommitmentFork implements CommitmentView {
  readonly depth: number;
  readonly #base: ForkBase;
  /** By bucket index; undefined is empty. Looked up, never iterated. */
  readonly #parts = new Map<number, Part | undefined>();
  /** By node; looked up, never iterated. */
  readonly #nodes = new Map<number, Uint8Array>();
  /** Buckets that either side changed since this one's last hashing; sorted before use. */
  readonly #dirty = new Set<number>();
  readonly #pair = new Uint8Array(PAIR_BYTES);
  #pairCount: number;
  #hasUpdates = false;
  #isOpen = true;

  constructor(base: ForkBase) {
    this.depth = base.depth;
    this.#base = base;
    this.#pairCount = base.pairCount;
  }

  /** Keys that this view covers. */
  get pairCount(): number {
    return this.#pairCount;
  }

  /** Sets a key's value in this view alone, or removes the key. */
  update(key: Key, value: Uint8Array | undefined): void {
    this.#assertOpen();
    const { hasher } = this.#base;
    const pair = this.#pair;
    hasher.hashKeyInto(key, pair, 0);
    const index = bucketOf(pair, 0, this.depth);
    const before = this.part(index);
    if (value !== undefined) hasher.hashInto(value, pair, HASH_BYTES);
    const after =
      value !== undefined
        ? withPair(before ?? partOf(new Uint8Array(0), this.depth), pair, this.depth)
        : before && withoutPair(before, pair, this.depth);
    if (after === before) return;
    this.#pairCount += (after?.count ?? 0) - (before?.count ?? 0);
    this.#parts.set(index, after?.count === 0 ? undefined : after);
    this.#dirty.add(index);
    this.#hasUpdates = true;
  }

  /** The app hash of this view: 32 bytes. */
  appHash(): Uint8Array {
    this.#assertOpen();
    this.#hasUpdates = false;
    return hashApp(this.#base.hasher, {
      depth: this.depth,
      pairCount: this.#pairCount,
      root: this.node(1),
    });
  }

  /** Proof of a key's presence or absence in this view, whose updates must have been hashed. */
  prove(key: Key): Uint8Array {
    this.#assertOpen();
    assert(!this.#hasUpdates, "a proof needs the app hash first");
    return encodeProof(this, key, this.#base.hasher, this.#base.buckets);
  }

  /** Ends the view; the base saves nothing more for it. A second call does nothing. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#base.release(this);
    this.#parts.clear();
    this.#nodes.clear();
  }

  node(node: number): Uint8Array {
    if (this.#dirty.size > 0) this.#rehash();
    return this.#nodeOf(node);
  }

  #nodeOf(node: number): Uint8Array {
    return this.#nodes.get(node) ?? this.#base.node(node);
  }

  count(index: number): number {
    return this.#parts.has(index) ? (this.#parts.get(index)?.count ?? 0) : this.#base.count(index);
  }

  part(index: number): Part | undefined {
    return this.#parts.has(index) ? this.#parts.get(index) : this.#base.part(index);
  }

  /** The base is about to change a bucket. */
  keepBucket(index: number): void {
    if (this.#parts.has(index)) return;
    this.#parts.set(index, this.#base.part(index));
    // The nodes above it follow when this view is asked for one, which it may never be.
    this.#dirty.add(index);
  }

  #rehash(): void {
    const bucketCount = 2 ** this.depth;
    const { hasher, buckets } = this.#base;
    let level: number[] = [];
    for (const index of [...this.#dirty].sort((a, b) => a - b)) {
      const part = this.#parts.get(index);
      const hash =
        part === undefined
          ? new Uint8Array(HASH_BYTES)
          : partHash(part, this.depth, index, buckets);
      this.#nodes.set(bucketCount + index, hash);
      level.push(bucketCount + index);
    }
    this.#dirty.clear();
    while (level.length > 0 && level[0] !== 1) {
      level = parentsOf(level);
      const input = new Uint8Array(level.length * 2 * HASH_BYTES);
      const output = new Uint8Array(level.length * HASH_BYTES);
      level.forEach((node, at) => {
        input.set(this.#nodeOf(2 * node), at * 2 * HASH_BYTES);
        input.set(this.#nodeOf(2 * node + 1), at * 2 * HASH_BYTES + HASH_BYTES);
      });
      hasher.hashPairs(input, output);
      level.forEach((node, at) => {
        this.#nodes.set(node, output.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES));
      });
    }
  }

  #assertOpen(): void {
    assert(this.#isOpen, "the fork of a commitment is closed");
  }
}

/** The parents of nodes in ascending order, each once. */
function parentsOf(nodes: readonly number[]): number[] {
  const parents = nodes.map((node) => node >> 1);
  return parents.filter((node, at) => at === 0 || node !== parents[at - 1]);
}
