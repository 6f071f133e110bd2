import { assert } from "../lib/assert.ts";
import type { Key } from "../lib/key.ts";
import type { Hasher } from "../types/crypto.ts";
import {
  bucketOf,
  BucketHasher,
  HASH_BYTES,
  hashApp,
  LEAF_PAIRS_WORD,
  PAIR_BYTES,
} from "./bucket_hash.ts";
import { type Part, partHash } from "./bucket_part.ts";
import { BucketPool } from "./bucket_pool.ts";
import { type CheckpointMark, checkpointFrames } from "./checkpoint_frames.ts";
import { CommitmentFork, type ForkBase } from "./commitment_fork.ts";
import { MerkleNodes } from "./merkle_nodes.ts";
import { encodeProof } from "./proof.ts";

/** Depth of the tree when genesis does not say: 262,144 buckets, 16 MB of hashes. */
export const DEFAULT_DEPTH = 18;
export const DEPTH_MIN = 4;
export const DEPTH_MAX = 24;

/** Buckets and nodes that a checkpoint gave back. */
export interface CommitmentContents {
  readonly pool: BucketPool;
  readonly nodes: MerkleNodes;
  readonly pairCount: number;
}

/**
 * The commitment to the state: a binary Merkle tree over 2^depth buckets. A key's bucket is the
 * first `depth` bits of sha256(key); a bucket's hash covers its sorted (key hash, value hash)
 * pairs, and splits by the next bit of the key hash when it holds more than 64. The shape depends
 * on the contents alone, so equal contents give equal roots whatever the order of writes.
 * docs/proofs.md specifies every hash.
 */
export class Commitment {
  readonly depth: number;
  readonly #hasher: Hasher;
  readonly #buckets: BucketHasher;
  readonly #pool: BucketPool;
  readonly #nodes: MerkleNodes;
  #pairCount = 0;
  /** The pair of the update under way, as bytes and as words of the same bytes. */
  readonly #pair = new Uint8Array(PAIR_BYTES);
  readonly #pairWords = new Int32Array(this.#pair.buffer);
  readonly #view: ForkBase;
  #forks: readonly CommitmentFork[] = [];

  /** Empty, or with the contents of a checkpoint (see `loadCheckpoint`). */
  constructor(depth: number, hasher: Hasher, contents?: CommitmentContents) {
    assert(depth >= DEPTH_MIN && depth <= DEPTH_MAX, "commitment depth out of range", { depth });
    this.depth = depth;
    this.#hasher = hasher;
    this.#buckets = new BucketHasher(depth, hasher);
    this.#pool = contents?.pool ?? new BucketPool(depth);
    this.#nodes = contents?.nodes ?? new MerkleNodes(depth, hasher);
    this.#pairCount = contents?.pairCount ?? 0;
    const pairCount = (): number => this.#pairCount;
    this.#view = {
      depth,
      hasher,
      buckets: this.#buckets,
      get pairCount() {
        return pairCount();
      },
      node: (node) => this.#nodes.node(node),
      count: (index) => this.#pool.count(index),
      part: (index) => this.#pool.part(index),
      release: (fork) => {
        this.#forks = this.#forks.filter((open) => open !== fork);
      },
    };
  }

  /** Keys that the commitment covers. */
  get pairCount(): number {
    return this.#pairCount;
  }

  /**
   * Sets a key's value, or removes the key; the last update of a key wins. The value is hashed at
   * once and not kept; its bucket and path are hashed at the next `appHash`.
   */
  update(key: Key, value: Uint8Array | undefined): void {
    const pair = this.#pair;
    this.#hasher.hashKeyInto(key, pair, 0);
    const index = bucketOf(pair, 0, this.depth);
    for (const fork of this.#forks) fork.keepBucket(index);
    if (value === undefined) {
      if (!this.#pool.remove(index, pair)) return;
      this.#pairCount -= 1;
    } else {
      this.#hasher.hashInto(value, pair, HASH_BYTES);
      if (this.#pool.set(index, pair, this.#pairWords)) this.#pairCount += 1;
    }
    this.#nodes.mark(index);
  }

  /** The app hash of the contents: 32 bytes. Costs one path per bucket that changed. */
  appHash(): Uint8Array {
    if (this.#nodes.dirtyCount > 0) this.#nodes.rehash(this.#hashBucket);
    return hashApp(this.#hasher, {
      depth: this.depth,
      pairCount: this.#pairCount,
      root: this.#nodes.node(1),
    });
  }

  /**
   * The proof that a key has its value, or that it has none, against the app hash: at most
   * `PROOF_BYTES_MAX` bytes, to be checked by `verifyProof`. Updates must have been hashed.
   */
  prove(key: Key): Uint8Array {
    this.#assertHashed("a proof");
    return encodeProof(this.#view, key, this.#hasher, this.#buckets);
  }

  /**
   * A view of the contents as they are now, which stays right when they change. Updates must have
   * been hashed. Close it after use.
   */
  fork(): CommitmentFork {
    this.#assertHashed("a fork");
    const fork = new CommitmentFork(this.#view);
    this.#forks = [...this.#forks, fork];
    return fork;
  }

  /**
   * The checkpoint of the contents as they are when the first frame is taken; changes after that do
   * not reach it. Take all frames, or leave the loop: both end it.
   * @throws InvariantError when `at.appHash` is not the app hash then, or updates are not hashed.
   */
  *serialize(at: CheckpointMark): Generator<Uint8Array, void> {
    const fork = this.fork();
    try {
      yield* checkpointFrames(fork, at, this.#hasher);
    } finally {
      fork.close();
    }
  }

  readonly #hashBucket = (index: number, output: Uint8Array, offset: number): void => {
    const split: Part | undefined = this.#pool.splitPart(index);
    if (split !== undefined) {
      output.set(partHash(split, this.depth, index, this.#buckets), offset);
      return;
    }
    const count = this.#pool.copyPairs(index, this.#buckets.words, LEAF_PAIRS_WORD);
    // An empty bucket is 32 zero bytes, which no hash is known to equal.
    if (count === 0) output.fill(0, offset, offset + HASH_BYTES);
    else this.#buckets.hashLeaf(index, this.depth, count, output, offset);
  };

  #assertHashed(what: string): void {
    assert(this.#nodes.dirtyCount === 0, `${what} needs the app hash first`);
  }
}
