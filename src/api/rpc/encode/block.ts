import { EMPTY_BYTES } from "../../../lib/bytes.ts";
import type { BlockCommit, BlockId, BlockMeta, Header, StoredBlock } from "../../../node/view.ts";
import { formatTime } from "../../../types/time.ts";
import { type JsonObject, LongList } from "../json.ts";
import { base64, hex } from "./bytes.ts";

/** The version of the block format of CometBFT 0.38. */
const BLOCK_PROTOCOL = "11";
/** BLOCK_ID_FLAG_COMMIT: the validator signed this block. */
const SIGNED = 2;

/** The id of no block: the one before the first. */
const NO_BLOCK: BlockId = { hash: EMPTY_BYTES, partsTotal: 0, partsHash: EMPTY_BYTES };

/** Block id; undefined is that of no block, with empty hashes. */
export function encodeBlockId(id: BlockId = NO_BLOCK): JsonObject {
  return { hash: hex(id.hash), parts: { total: id.partsTotal, hash: hex(id.partsHash) } };
}

export function encodeHeader(header: Header): JsonObject {
  return {
    version: { block: BLOCK_PROTOCOL },
    chain_id: header.chainId,
    height: String(header.height),
    time: formatTime(header.time),
    last_block_id: encodeBlockId(header.lastBlockId),
    last_commit_hash: hex(header.lastCommitHash),
    data_hash: hex(header.dataHash),
    validators_hash: hex(header.validatorsHash),
    next_validators_hash: hex(header.nextValidatorsHash),
    consensus_hash: hex(header.consensusHash),
    app_hash: hex(header.appHash),
    last_results_hash: hex(header.lastResultsHash),
    evidence_hash: hex(header.evidenceHash),
    proposer_address: hex(header.proposer),
  };
}

/** A commit; undefined is the empty one inside the first block. */
export function encodeCommit(commit: BlockCommit | undefined): JsonObject {
  if (commit === undefined) {
    return { height: "0", round: 0, block_id: encodeBlockId(), signatures: [] };
  }
  const signature = {
    block_id_flag: SIGNED,
    validator_address: hex(commit.validatorAddress),
    timestamp: formatTime(commit.timestamp),
    signature: base64(commit.signature),
  };
  return {
    height: String(commit.height),
    round: commit.round,
    block_id: encodeBlockId(commit.blockId),
    signatures: [signature],
  };
}

export function encodeBlock(block: StoredBlock): JsonObject {
  return {
    header: encodeHeader(block.header),
    data: { txs: LongList.of(block.txs, base64) },
    evidence: { evidence: [] },
    last_commit: encodeCommit(block.lastCommit),
  };
}

/** A block with its id; undefined is a block that was not found. */
export function encodeBlockResult(block: StoredBlock | undefined): JsonObject {
  if (block === undefined) return { block_id: encodeBlockId(), block: null };
  return { block_id: encodeBlockId(block.id), block: encodeBlock(block) };
}

export function encodeBlockMeta(block: BlockMeta): JsonObject {
  return {
    block_id: encodeBlockId(block.id),
    block_size: String(block.size),
    header: encodeHeader(block.header),
    num_txs: String(block.txCount),
  };
}
