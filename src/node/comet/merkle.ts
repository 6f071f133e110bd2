import { concatBytes } from "../../lib/bytes.ts";
import { divFloorSize } from "../../lib/int.ts";
import { nativeHasher } from "../crypto_native.ts";

const LEAF = Uint8Array.of(0);
const INNER = Uint8Array.of(1);

/**
 * Root of CometBFT's simple Merkle tree (RFC 6962 section 2.1): leaves hash with 0x00 in front,
 * inner nodes with 0x01, and the left side has the largest power of two below the count.
 * @returns 32 bytes; sha256 of nothing for no items
 */
export function merkleRoot(items: readonly Uint8Array[]): Uint8Array {
  if (items.length === 0) return hash();
  return rootOf(items.map((item) => hash(LEAF, item)));
}

// Levels from the leaves up: a last node without a neighbour moves up as it is, which gives the
// same shape as splitting at powers of two.
function rootOf(leaves: Uint8Array[]): Uint8Array {
  let level = leaves;
  while (level.length > 1) {
    const next: Uint8Array[] = [];
    for (let index = 0; index + 1 < level.length; index += 2) {
      next.push(innerHash(level[index] as Uint8Array, level[index + 1] as Uint8Array));
    }
    if (level.length % 2 === 1) next.push(level[level.length - 1] as Uint8Array);
    level = next;
  }
  return level[0] as Uint8Array;
}

/** The node over two nodes. */
export function innerHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return hash(INNER, left, right);
}

/** One leaf's place in the tree, as CometBFT's tx proofs show it. */
export interface MerkleProof {
  readonly total: number;
  readonly index: number;
  readonly leafHash: Uint8Array;
  /** Sibling hashes from the leaf up. */
  readonly aunts: readonly Uint8Array[];
}

/** Proof that `items[index]` is under `merkleRoot(items)`. */
export function merkleProof(items: readonly Uint8Array[], index: number): MerkleProof {
  let level = items.map((item) => hash(LEAF, item));
  const leafHash = level[index];
  if (leafHash === undefined) throw new RangeError(`no leaf ${index} of ${items.length}`);
  const aunts: Uint8Array[] = [];
  for (let at = index; level.length > 1; at = divFloorSize(at, 2)) {
    const sibling = level[at ^ 1];
    if (sibling !== undefined) aunts.push(sibling);
    const next: Uint8Array[] = [];
    for (let pair = 0; pair < level.length; pair += 2) {
      const [left, right] = [level[pair] as Uint8Array, level[pair + 1]];
      next.push(right === undefined ? left : innerHash(left, right));
    }
    level = next;
  }
  return { total: items.length, index, leafHash, aunts };
}

function hash(...parts: readonly Uint8Array[]): Uint8Array {
  return nativeHasher.sha256(concatBytes(...parts));
}
