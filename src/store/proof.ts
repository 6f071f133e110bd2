import { bytesOfKey, type Key } from "../lib/key.ts";
import type { Hasher } from "../types/crypto.ts";
import { bucketOf, type BucketHasher, HASH_BYTES, putCount } from "./bucket_hash.ts";
import { bitOf, type Part, partHash } from "./bucket_part.ts";
import type { CommitmentView } from "./commitment_view.ts";

const PROOF_VERSION = 1;
const HEAD_BYTES = 10;

/** Bytes of the longest proof of any contents, at any depth (docs/proofs.md). */
export const PROOF_BYTES_MAX = 12_140;

/**
 * The proof that a key has its value, or none, in a commitment whose nodes are hashed. The format
 * is that of docs/proofs.md; `src/lib/verify_proof.ts` checks it.
 */
export function encodeProof(
  view: CommitmentView,
  key: Key,
  hasher: Hasher,
  buckets: BucketHasher,
): Uint8Array {
  const keyHash = hasher.sha256(bytesOfKey(key));
  const index = bucketOf(keyHash, 0, view.depth);
  const { siblings, pairs } = pathInBucket(view.part(index), keyHash, index, view.depth, buckets);
  const upper = HEAD_BYTES + HASH_BYTES + 1;
  const length = upper + (siblings.length + view.depth) * HASH_BYTES + 1 + pairs.length;
  const proof = new Uint8Array(length);
  proof[0] = PROOF_VERSION;
  proof[1] = view.depth;
  putCount(proof, 2, view.pairCount);
  proof.set(keyHash, HEAD_BYTES);
  proof[upper - 1] = siblings.length;
  let at = upper;
  for (const sibling of siblings) {
    proof.set(sibling, at);
    at += HASH_BYTES;
  }
  proof[at] = pairs.length >> 6;
  proof.set(pairs, at + 1);
  at += 1 + pairs.length;
  for (let node = 2 ** view.depth + index; node > 1; node >>= 1) {
    proof.set(view.node(node ^ 1), at);
    at += HASH_BYTES;
  }
  return proof;
}

/** The leaf of a bucket that would hold a key hash, and the parts beside its path, top first. */
function pathInBucket(
  bucket: Part | undefined,
  keyHash: Uint8Array,
  index: number,
  depth: number,
  buckets: BucketHasher,
): { siblings: Uint8Array[]; pairs: Uint8Array } {
  const siblings: Uint8Array[] = [];
  let part = bucket;
  for (let bit = depth; part?.split === true; bit += 1) {
    const isRight = bitOf(keyHash, bit);
    siblings.push(partHash(isRight ? part.left : part.right, bit + 1, index, buckets));
    part = isRight ? part.right : part.left;
  }
  return { siblings, pairs: part?.pairs ?? new Uint8Array(0) };
}
