import type { Part } from "./bucket_part.ts";

/** Contents of a commitment at one moment, as proofs and checkpoints read them. */
export interface CommitmentView {
  readonly depth: number;
  /** Keys that the commitment covers. */
  readonly pairCount: number;
  /** Hash of a node in heap order (1 is the root): 32 bytes, to be copied before a change. */
  node(node: number): Uint8Array;
  /** Pairs in a bucket. */
  count(index: number): number;
  /** Contents of a bucket; undefined when it is empty. */
  part(index: number): Part | undefined;
}
