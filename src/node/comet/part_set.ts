import { merkleRoot } from "./merkle.ts";

/** Bytes of one part (CometBFT 0.38 types/params.go, BlockPartSizeBytes). */
export const PART_BYTES = 65_536;

/** Number of parts and the Merkle root over them of an encoded block. */
export function partSetHeader(block: Uint8Array): { total: number; hash: Uint8Array } {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < block.length; at += PART_BYTES) {
    parts.push(block.subarray(at, at + PART_BYTES));
  }
  return { total: parts.length, hash: merkleRoot(parts) };
}
