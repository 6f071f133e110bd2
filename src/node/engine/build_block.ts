import { encodeBlock } from "../../codec/tendermint.ts";
import type { TimeNs } from "../../types/time.ts";
import { commitHash } from "../comet/commit_hash.ts";
import { dataHash } from "../comet/data_hash.ts";
import { headerHash } from "../comet/header_hash.ts";
import { merkleRoot } from "../comet/merkle.ts";
import { partSetHeader } from "../comet/part_set.ts";
import { signCommit } from "../comet/vote.ts";
import { type SigningKey, validatorAddress } from "../validator_key.ts";
import type { BlockId, Header, StoredBlock } from "../view.ts";

/** What all blocks of a chain with one validator have in common. */
export interface ChainIdentity {
  readonly chainId: string;
  readonly key: SigningKey;
  readonly validatorsHash: Uint8Array;
  readonly consensusHash: Uint8Array;
}

/** There is never evidence: one validator cannot disagree with itself. */
const EVIDENCE_HASH = merkleRoot([]);

/** The block of executed txs with a commit signed by the validator at the block's own time. */
export function buildBlock(input: {
  readonly chain: ChainIdentity;
  readonly height: bigint;
  readonly time: TimeNs;
  readonly txs: readonly { readonly tx: Uint8Array; readonly hash: Uint8Array }[];
  /** The block below; undefined for the first. */
  readonly last: StoredBlock | undefined;
  /** App hash and results hash of the block below. */
  readonly appHash: Uint8Array;
  readonly lastResultsHash: Uint8Array;
}): StoredBlock {
  const { chain, height, time, last, appHash, lastResultsHash } = input;
  const txs = input.txs.map(({ tx }) => tx);
  const { chainId, key } = chain;
  const lastCommit = last?.commit;
  const header: Header = {
    chainId,
    height,
    time,
    lastBlockId: last?.id,
    lastCommitHash: commitHash(lastCommit),
    dataHash: dataHash(input.txs.map(({ hash }) => hash)),
    validatorsHash: chain.validatorsHash,
    nextValidatorsHash: chain.validatorsHash,
    consensusHash: chain.consensusHash,
    appHash,
    lastResultsHash,
    evidenceHash: EVIDENCE_HASH,
    proposer: validatorAddress(key.publicKey),
  };
  const encoded = encodeBlock({ header, txs, lastCommit });
  const parts = partSetHeader(encoded);
  const id: BlockId = { hash: headerHash(header), partsTotal: parts.total, partsHash: parts.hash };
  const commit = signCommit({ key, chainId, height, blockId: id, timestamp: time });
  return { id, header, txs, lastCommit, commit, size: encoded.length };
}
