import { encodeCommitSig } from "../../codec/tendermint.ts";
import type { BlockCommit } from "../view.ts";
import { merkleRoot } from "./merkle.ts";

/** The Merkle root over a commit's signatures; of no signatures below the first block. */
export function commitHash(commit: BlockCommit | undefined): Uint8Array {
  return merkleRoot(commit === undefined ? [] : [encodeCommitSig(commit)]);
}
