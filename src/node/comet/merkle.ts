import { EMPTY_BYTES } from "../../lib/bytes.ts";
import { divFloorSize } from "../../lib/int.ts";
import { nativeHasher } from "../crypto_native.ts";

const LEAF = 0;
const INNER = 1;

// What is hashed is laid out here; an array for each would cost as much as hashing it.
const scratch = new Uint8Array(1024);
const innerNode = new Uint8Array(1 + 32 + 32);

/**
 * Root of CometBFT's simple Merkle tree (RFC 6962 section 2.1): leaves hash with 0x00 in front,
 * inner nodes with 0x01, and the left side has the largest power of two below the count.
 * @returns 32 bytes; sha256 of nothing for no items
 */
export function merkleRoot(items: readonly Uint8Array[]): Uint8Array {
  if (items.length === 0) return nativeHasher.sha256(EMPTY_BYTES);
  return rootOf(items.map(leafHash));
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
  const length = 1 + left.length + right.length;
  const node = length === innerNode.length ? innerNode : new Uint8Array(length);
  node[0] = INNER;
  node.set(left, 1);
  node.set(right, 1 + left.length);
  return nativeHasher.sha256(node);
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
  let level = items.map(leafHash);
  const leaf = level[index];
  if (leaf === undefined) throw new RangeError(`no leaf ${index} of ${items.length}`);
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
  return { total: items.length, index, leafHash: leaf, aunts };
}

function leafHash(item: Uint8Array): Uint8Array {
  const length = item.length + 1;
  const leaf = length > scratch.length ? new Uint8Array(length) : scratch.subarray(0, length);
  leaf[0] = LEAF;
  leaf.set(item, 1);
  return nativeHasher.sha256(leaf);
}
