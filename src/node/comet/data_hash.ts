import { merkleRoot } from "./merkle.ts";

/** The Merkle root over the hashes of the txs: each leaf is sha256(tx), hashed again as a leaf. */
export function dataHash(txHashes: readonly Uint8Array[]): Uint8Array {
  return merkleRoot(txHashes);
}
