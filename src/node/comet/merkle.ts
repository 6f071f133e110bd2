import { EMPTY_BYTES } from "../../lib/bytes.ts";
import { divFloorSize } from "../../lib/int.ts";
import { nativeHasher } from "../crypto_native.ts";
import type { Pace } from "../pace.ts";

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

/** A tree over some items, all levels of it, for one proof after another. */
export class MerkleTree {
  readonly #levels: readonly (readonly Uint8Array[])[];

  private constructor(levels: readonly (readonly Uint8Array[])[]) {
    this.#levels = levels;
  }

  /** Builds the tree under `merkleRoot(items)`. @param pace asked between any two hashes */
  static async over(items: readonly Uint8Array[], pace?: Pace): Promise<MerkleTree> {
    let level: Uint8Array[] = [];
    for (const item of items) {
      level.push(leafHash(item));
      if (pace?.isDue() === true) await pace.pause();
    }
    const levels = [level];
    while (level.length > 1) {
      const next: Uint8Array[] = [];
      for (let pair = 0; pair < level.length; pair += 2) {
        const [left, right] = [level[pair] as Uint8Array, level[pair + 1]];
        next.push(right === undefined ? left : innerHash(left, right));
        if (pace?.isDue() === true) await pace.pause();
      }
      level = next;
      levels.push(level);
    }
    return new MerkleTree(levels);
  }

  /** Proof that `items[index]` is in the tree. */
  proof(index: number): MerkleProof {
    const leaves = this.#levels[0] ?? [];
    const leaf = leaves[index];
    if (leaf === undefined) throw new RangeError(`no leaf ${index} of ${leaves.length}`);
    const aunts: Uint8Array[] = [];
    let at = index;
    for (const level of this.#levels) {
      const sibling = level[at ^ 1];
      if (sibling !== undefined) aunts.push(sibling);
      at = divFloorSize(at, 2);
    }
    return { total: leaves.length, index, leafHash: leaf, aunts };
  }
}

function leafHash(item: Uint8Array): Uint8Array {
  const length = item.length + 1;
  const leaf = length > scratch.length ? new Uint8Array(length) : scratch.subarray(0, length);
  leaf[0] = LEAF;
  leaf.set(item, 1);
  return nativeHasher.sha256(leaf);
}
