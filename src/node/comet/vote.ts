import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { encodeCanonicalVote } from "../../codec/tendermint.ts";
import type { TimeNs } from "../../types/time.ts";
import { type SigningKey, validatorAddress } from "../validator_key.ts";
import type { BlockCommit, BlockId } from "../view.ts";

/** A vote without its signer; a commit's precommit is one. */
export interface VoteFields {
  readonly height: bigint;
  readonly round: number;
  readonly blockId: BlockId | undefined;
  readonly timestamp: TimeNs;
  readonly chainId: string;
}

/**
 * What an ed25519 validator signs: the CanonicalVote with its length in front.
 * @param type 1 for a prevote, 2 for a precommit
 */
export function voteSignBytes(vote: VoteFields, type: 0 | 1 | 2 = 2): Uint8Array {
  return new BinaryWriter().bytes(encodeCanonicalVote(vote, type)).finish();
}

/** The commit of a block by its one validator, in round 0. */
export function signCommit(input: {
  readonly key: SigningKey;
  readonly chainId: string;
  readonly height: bigint;
  readonly blockId: BlockId;
  readonly timestamp: TimeNs;
}): BlockCommit {
  const { key, chainId, height, blockId, timestamp } = input;
  const round = 0;
  return {
    height,
    round,
    blockId,
    validatorAddress: validatorAddress(key.publicKey),
    timestamp,
    signature: key.sign(voteSignBytes({ height, round, blockId, timestamp, chainId })),
  };
}
