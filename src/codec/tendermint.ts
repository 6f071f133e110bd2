import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import {
  Event as WireEvent,
  ExecTxResult,
  ResponseFinalizeBlock,
  TxResult as WireIndexedTx,
} from "../gen/tendermint/abci/types.ts";
import { Timestamp } from "../gen/google/protobuf/timestamp.ts";
import { CanonicalVote } from "../gen/tendermint/types/canonical.ts";
import { Block } from "../gen/tendermint/types/block.ts";
import { HashedParams } from "../gen/tendermint/types/params.ts";
import {
  BlockID,
  BlockMeta,
  Commit,
  CommitSig,
  type Data,
  Header,
} from "../gen/tendermint/types/types.ts";
import { SimpleValidator } from "../gen/tendermint/types/validator.ts";
import { Consensus } from "../gen/tendermint/version/types.ts";
import { assert, must } from "../lib/assert.ts";
import { concatBytes, EMPTY_BYTES } from "../lib/bytes.ts";
import { INT64_MAX, minBigint, toSafeNumber } from "../lib/int.ts";
import type { Event } from "../types/event.ts";
import { NS_PER_SECOND, secondsOf, type TimeNs } from "../types/time.ts";
import type { TxResult } from "../types/tx.ts";

/**
 * CometBFT's messages over the chain's own types. Embedded messages that Go holds by value
 * (version, time, block ids, part set headers) are always written, even when they are empty:
 * hashes depend on it.
 */

/** BLOCK_ID_FLAG_COMMIT and SIGNED_MSG_TYPE_PRECOMMIT. */
const FLAG_COMMIT = 2;
const PRECOMMIT = 2;

export interface BlockIdFields {
  readonly hash: Uint8Array;
  readonly partsTotal: number;
  readonly partsHash: Uint8Array;
}

export interface HeaderFields {
  readonly chainId: string;
  readonly height: bigint;
  readonly time: TimeNs;
  /** undefined in the first block. */
  readonly lastBlockId: BlockIdFields | undefined;
  readonly lastCommitHash: Uint8Array;
  readonly dataHash: Uint8Array;
  readonly validatorsHash: Uint8Array;
  readonly nextValidatorsHash: Uint8Array;
  readonly consensusHash: Uint8Array;
  readonly appHash: Uint8Array;
  readonly lastResultsHash: Uint8Array;
  readonly evidenceHash: Uint8Array;
  readonly proposer: Uint8Array;
}

/** A commit of one validator. */
export interface CommitFields {
  readonly height: bigint;
  readonly round: number;
  readonly blockId: BlockIdFields;
  readonly validatorAddress: Uint8Array;
  readonly timestamp: TimeNs;
  readonly signature: Uint8Array;
}

export interface BlockFields {
  readonly header: HeaderFields;
  readonly txs: readonly Uint8Array[];
  /** undefined in the first block, which carries an empty commit. */
  readonly lastCommit: CommitFields | undefined;
}

/** The versions in a header: protocol 11 of blocks, and the app's own, 0 unless it sets one. */
export const BLOCK_PROTOCOL = 11n;
const VERSION: Consensus = { block: BLOCK_PROTOCOL, app: 0n };

export function encodeVersion(version: Consensus = VERSION): Uint8Array {
  return Consensus.encode(version).finish();
}

export function encodeTimestamp(time: TimeNs): Uint8Array {
  return Timestamp.encode(wireTime(time)).finish();
}

export function encodeBlockId(id: BlockIdFields | undefined): Uint8Array {
  return BlockID.encode(wireBlockId(id)).finish();
}

export function encodeHeader(header: HeaderFields): Uint8Array {
  return Header.encode(wireHeader(header)).finish();
}

/** The one signature of a commit, as the commit hash covers it. */
export function encodeCommitSig(commit: CommitFields): Uint8Array {
  return CommitSig.encode(wireCommitSig(commit)).finish();
}

export function encodeCommit(commit: CommitFields | undefined): Uint8Array {
  return Commit.encode(wireCommit(commit)).finish();
}

/** A whole block, as it is cut into parts. */
export function encodeBlock(block: BlockFields): Uint8Array {
  return Block.encode(wireBlock(block)).finish();
}

/** A whole block as a message, for answers that hold it. */
export function wireBlock({ header, txs, lastCommit }: BlockFields): WireBlock {
  return {
    header: wireHeader(header),
    data: { txs: [...txs] },
    evidence: { evidence: [] },
    lastCommit: wireCommit(lastCommit),
  };
}

/** A block whose parts are all there. */
export type WireBlock = Block & {
  readonly header: Header;
  readonly data: Data;
  readonly lastCommit: Commit;
};

/** What a validator signs: a vote without its signer. `type` 1 is a prevote, 2 a precommit. */
export function encodeCanonicalVote(
  vote: {
    readonly height: bigint;
    readonly round: number;
    readonly blockId: BlockIdFields | undefined;
    readonly timestamp: TimeNs;
    readonly chainId: string;
  },
  type: 0 | 1 | 2 = PRECOMMIT,
): Uint8Array {
  const { height, round, blockId, timestamp, chainId } = vote;
  return CanonicalVote.encode({
    type,
    height,
    round: BigInt(round),
    // Unlike in a header, no block is an absent field here.
    blockId: blockId === undefined ? undefined : wireBlockId(blockId),
    timestamp: wireTime(timestamp),
    chainId,
  }).finish();
}

/** An ed25519 validator as the validators hash covers it. */
export function encodeSimpleValidator(publicKey: Uint8Array, power: bigint): Uint8Array {
  const pubKey = { ed25519: publicKey, secp256k1: undefined };
  return SimpleValidator.encode({ pubKey, votingPower: power }).finish();
}

export function encodeHashedParams(blockMaxBytes: bigint, blockMaxGas: bigint): Uint8Array {
  return HashedParams.encode({ blockMaxBytes, blockMaxGas }).finish();
}

/** The part of a result that the results hash covers. */
export function encodeDeterministicResult(result: TxResult): Uint8Array {
  const { code, data } = result;
  const [gasWanted, gasUsed] = [wireGas(result.gasWanted), wireGas(result.gasUsed)];
  const wire = { code, data, log: "", info: "", gasWanted, gasUsed, events: [], codespace: "" };
  return ExecTxResult.encode(wire).finish();
}

// A tx may ask for more gas than an int64 holds. It is refused, and its result says the most.
function wireGas(gas: bigint): bigint {
  return minBigint(gas, INT64_MAX);
}

/** A block without its txs, with what the node keeps beside it. */
export interface BlockRecord {
  readonly id: BlockIdFields;
  readonly header: HeaderFields;
  readonly lastCommit: CommitFields | undefined;
  readonly commit: CommitFields;
  /** Encoded size of the whole block, in bytes. */
  readonly size: number;
  readonly txCount: number;
}

export function encodeBlockRecord(record: BlockRecord): Uint8Array {
  const { id, header, lastCommit, commit, size, txCount } = record;
  const meta = {
    blockId: wireBlockId(id),
    blockSize: BigInt(size),
    header: wireHeader(header),
    numTxs: BigInt(txCount),
  };
  return new BinaryWriter()
    .bytes(BlockMeta.encode(meta).finish())
    .bytes(encodeCommit(commit))
    .bytes(lastCommit === undefined ? EMPTY_BYTES : encodeCommit(lastCommit))
    .finish();
}

export function decodeBlockRecord(bytes: Uint8Array): BlockRecord {
  const reader = new BinaryReader(bytes);
  const meta = BlockMeta.decode(reader.bytes());
  const commit = commitOf(Commit.decode(reader.bytes()));
  const lastCommit = reader.bytes();
  return {
    id: must(blockIdOf(meta.blockId), "a stored block has an id"),
    header: headerOf(must(meta.header, "a stored block has a header")),
    commit,
    lastCommit: lastCommit.length === 0 ? undefined : commitOf(Commit.decode(lastCommit)),
    size: toSafeNumber(meta.blockSize),
    txCount: toSafeNumber(meta.numTxs),
  };
}

/** A tx with its place in the chain and its result. */
export interface TxRecord {
  readonly height: bigint;
  readonly index: number;
  readonly tx: Uint8Array;
  readonly result: TxResult;
}

export function encodeTxRecord({ height, index, tx, result }: TxRecord): Uint8Array {
  const { code, data, log, info, codespace } = result;
  const [gasWanted, gasUsed] = [wireGas(result.gasWanted), wireGas(result.gasUsed)];
  const events = wireEvents(result.events);
  const wire = { code, data, log, info, gasWanted, gasUsed, events, codespace };
  return WireIndexedTx.encode({ height, index, tx, result: wire }).finish();
}

export function decodeTxRecord(bytes: Uint8Array): TxRecord {
  const { height, index, tx, result } = WireIndexedTx.decode(bytes);
  return { height, index, tx, result: must(result, "a stored tx has a result") };
}

/** The tx of a record alone, which is a small part of the work. */
export function decodeTxOfRecord(bytes: Uint8Array): Uint8Array {
  return WireIndexedTx.decode(splitField(bytes, RESULT_FIELD).rest).tx;
}

/** A record but for its events, and these one by one, still encoded. */
export function splitTxRecord(bytes: Uint8Array): { record: TxRecord; events: Uint8Array[] } {
  const { rest, items } = splitField(bytes, RESULT_FIELD);
  const [result] = items;
  const split = splitField(must(result, "a stored tx has a result"), EVENTS_FIELD);
  const record = { ...WireIndexedTx.decode(rest), result: ExecTxResult.decode(split.rest) };
  return { record, events: split.items };
}

/** What a block's own record holds but for its events, and these one by one, still encoded. */
export function splitBlockOutcome(bytes: Uint8Array): {
  appHash: Uint8Array;
  events: Uint8Array[];
} {
  const { rest, items } = splitField(bytes, BLOCK_EVENTS_FIELD);
  return { appHash: ResponseFinalizeBlock.decode(rest).appHash, events: items };
}

/** An event out of `splitTxRecord` or `splitBlockOutcome`. */
export function decodeEvent(bytes: Uint8Array): Event {
  return WireEvent.decode(bytes);
}

/** Fields of TxResult, ExecTxResult and ResponseFinalizeBlock. */
const RESULT_FIELD = 4;
const EVENTS_FIELD = 7;
const BLOCK_EVENTS_FIELD = 1;
/** Of protobuf: a length and as many bytes. */
const LENGTH_DELIMITED = 2;

/** Takes the values of one field out of a message. All are views of `bytes`, but `rest`. */
function splitField(bytes: Uint8Array, field: number): { rest: Uint8Array; items: Uint8Array[] } {
  const reader = new BinaryReader(bytes);
  const items: Uint8Array[] = [];
  const rest: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [number, type] = reader.tag();
    if (number === field && type === LENGTH_DELIMITED) {
      items.push(reader.bytes());
    } else {
      reader.skip(type, number);
      rest.push(bytes.subarray(start, reader.pos));
    }
  }
  return { rest: concatBytes(...rest), items };
}

/** Events and app hash of a block; the results of its txs are kept with the txs. */
export interface BlockOutcome {
  readonly events: readonly Event[];
  readonly appHash: Uint8Array;
}

export function encodeBlockOutcome({ events, appHash }: BlockOutcome): Uint8Array {
  return ResponseFinalizeBlock.encode({
    events: wireEvents(events),
    txResults: [],
    validatorUpdates: [],
    consensusParamUpdates: undefined,
    appHash,
  }).finish();
}

export function decodeBlockOutcome(bytes: Uint8Array): BlockOutcome {
  const { events, appHash } = ResponseFinalizeBlock.decode(bytes);
  return { events, appHash };
}

function wireEvents(events: readonly Event[]): WireEvent[] {
  return events as WireEvent[];
}

export function wireTime(time: TimeNs): Timestamp {
  const seconds = secondsOf(time);
  return { seconds, nanos: toSafeNumber(time - seconds * NS_PER_SECOND) };
}

function timeOf(time: Timestamp | undefined): TimeNs {
  const { seconds, nanos } = must(time, "a stored time is there");
  return (seconds * NS_PER_SECOND + BigInt(nanos)) as TimeNs;
}

/** No block is an empty id. */
export function wireBlockId(id: BlockIdFields | undefined): BlockID {
  return {
    hash: id?.hash ?? EMPTY_BYTES,
    partSetHeader: { total: id?.partsTotal ?? 0, hash: id?.partsHash ?? EMPTY_BYTES },
  };
}

function blockIdOf(id: BlockID | undefined): BlockIdFields | undefined {
  if (id?.partSetHeader === undefined || id.hash.length === 0) return undefined;
  const { total, hash } = id.partSetHeader;
  return { hash: id.hash, partsTotal: total, partsHash: hash };
}

function wireHeader(header: HeaderFields): Header {
  const { time, lastBlockId, proposer, ...rest } = header;
  return {
    ...rest,
    version: VERSION,
    time: wireTime(time),
    lastBlockId: wireBlockId(lastBlockId),
    proposerAddress: proposer,
  };
}

function headerOf({ version, time, lastBlockId, proposerAddress, ...rest }: Header): HeaderFields {
  assert(version?.block === BLOCK_PROTOCOL, "a stored header has another block protocol");
  return {
    ...rest,
    time: timeOf(time),
    lastBlockId: blockIdOf(lastBlockId),
    proposer: proposerAddress,
  };
}

function wireCommitSig({ validatorAddress, timestamp, signature }: CommitFields): CommitSig {
  const blockIdFlag = FLAG_COMMIT;
  return { blockIdFlag, validatorAddress, timestamp: wireTime(timestamp), signature };
}

function wireCommit(commit: CommitFields | undefined): Commit {
  return {
    height: commit?.height ?? 0n,
    round: commit?.round ?? 0,
    blockId: wireBlockId(commit?.blockId),
    signatures: commit === undefined ? [] : [wireCommitSig(commit)],
  };
}

function commitOf({ height, round, blockId, signatures }: Commit): CommitFields {
  const { validatorAddress, timestamp, signature } = must(signatures[0], "a commit is signed");
  return {
    height,
    round,
    blockId: must(blockIdOf(blockId), "a commit is of a block"),
    validatorAddress,
    timestamp: timeOf(timestamp),
    signature,
  };
}
