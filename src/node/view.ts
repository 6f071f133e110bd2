import type { Event } from "../types/event.ts";
import type { QueryInput, QueryOutput, StoreStats } from "../types/application.ts";
import type { TimeNs } from "../types/time.ts";
import type { TxResult } from "../types/tx.ts";
import type { Pace } from "./pace.ts";

/**
 * What the doors of the node (src/api) see of it. Nothing here tells of an uncommitted block. Where
 * there is a pace, long work asks it between its pieces, and throws what it throws.
 */
export interface NodeView {
  readonly info: NodeInfo;
  readonly dev: DevControls | undefined;
  readonly mempool: MempoolView;
  readonly events: EventBusView;
  /** As of the last committed block. Before the first block it waits until there is one. */
  status(): NodeStatus;
  /** How the making of blocks goes. */
  production(): BlockProduction;
  storeStats(): StoreStats;
  /** The genesis document as JSON, as it came from the file. */
  genesis(): unknown;
  /** undefined: above the latest height, or not kept. */
  block(height: bigint, pace?: Pace): Promise<StoredBlock | undefined>;
  /** As `block`, without reading its txs. */
  blockMeta(height: bigint): Promise<BlockMeta | undefined>;
  heightOfHash(hash: Uint8Array): Promise<bigint | undefined>;
  blockResults(height: bigint, pace?: Pace): Promise<StoredResults | undefined>;
  /** By its 32-byte hash; undefined until the block that holds it is on disk. */
  tx(hash: Uint8Array, pace?: Pace): Promise<IndexedTx | undefined>;
  /**
   * @throws QueryLanguageError for a query that does not parse, SearchTooWideError for one that
   * must look at too much, PageTooLargeError, the reason of the signal
   */
  searchTxs(query: string, page: PageInput): Promise<{ txs: IndexedTx[]; total: number }>;
  searchBlocks(query: string, page: PageInput): Promise<{ heights: bigint[]; total: number }>;
  query(input: QueryInput): Promise<QueryOutput>;
  simulate(tx: Uint8Array): TxResult;
}

export interface NodeInfo {
  readonly chainId: string;
  readonly moniker: string;
  /** 40 lower-case hex characters. */
  readonly nodeId: string;
  /** CometBFT's version text as clients select by it, "0.38.x". */
  readonly cometVersion: string;
  /** Settled's own version. */
  readonly appVersion: string;
  readonly bech32Prefix: string;
  readonly bondDenom: string;
  readonly validator: ValidatorInfo;
  /** Of the mempool and the doors alike, in bytes. */
  readonly txBytesMax: number;
}

export interface ValidatorInfo {
  /** 20 bytes: the start of sha256(public key). */
  readonly address: Uint8Array;
  /** 32 bytes, ed25519. */
  readonly publicKey: Uint8Array;
  readonly power: bigint;
}

export interface NodeStatus {
  readonly latestHeight: bigint;
  readonly latestBlockHash: Uint8Array;
  /** The app hash after the latest block. */
  readonly latestAppHash: Uint8Array;
  readonly latestTime: TimeNs;
  readonly earliestHeight: bigint;
  readonly earliestBlockHash: Uint8Array;
  readonly earliestAppHash: Uint8Array;
  readonly earliestTime: TimeNs;
  /** The lowest height whose state can be queried; blocks go further back. */
  readonly earliestQueryHeight: bigint;
}

/** Times are milliseconds of a clock that only goes forward. */
export interface BlockProduction {
  /** Blocks and time go on by hand only. */
  readonly isByHand: boolean;
  /** From one block to the next by the schedule; undefined while no block is due at all. */
  readonly intervalMs: number | undefined;
  /** For how long a block has been due and not been made. */
  readonly lateMs: number;
  /** Since the last block was on disk, or since the start. */
  readonly sinceLastMs: number;
  /** Why nothing more is made. */
  readonly halted: string | undefined;
}

/** A header of CometBFT 0.38, block protocol 11. Hashes are 32 bytes or empty. */
export interface Header {
  readonly chainId: string;
  readonly height: bigint;
  readonly time: TimeNs;
  readonly lastBlockId: BlockId | undefined;
  readonly lastCommitHash: Uint8Array;
  readonly dataHash: Uint8Array;
  readonly validatorsHash: Uint8Array;
  readonly nextValidatorsHash: Uint8Array;
  readonly consensusHash: Uint8Array;
  /** Of the state before this block: the result of the block below. */
  readonly appHash: Uint8Array;
  readonly lastResultsHash: Uint8Array;
  readonly evidenceHash: Uint8Array;
  readonly proposer: Uint8Array;
}

export interface BlockId {
  readonly hash: Uint8Array;
  readonly partsTotal: number;
  readonly partsHash: Uint8Array;
}

/** The one validator's precommit for a block. */
export interface BlockCommit {
  readonly height: bigint;
  readonly round: number;
  readonly blockId: BlockId;
  readonly validatorAddress: Uint8Array;
  readonly timestamp: TimeNs;
  /** 64 bytes, ed25519 over the length-prefixed CanonicalVote. */
  readonly signature: Uint8Array;
}

export interface StoredBlock {
  readonly id: BlockId;
  readonly header: Header;
  readonly txs: readonly Uint8Array[];
  /** The commit of the block below; undefined for the first block. */
  readonly lastCommit: BlockCommit | undefined;
  /** The commit of this block. */
  readonly commit: BlockCommit;
  /** Encoded size in bytes. */
  readonly size: number;
}

/** A block as it is known by: all but its txs. */
export interface BlockMeta extends Omit<StoredBlock, "txs"> {
  readonly txCount: number;
}

export interface StoredResults {
  readonly height: bigint;
  readonly txResults: readonly TxResult[];
  /** BeginBlock and EndBlock. */
  readonly events: readonly Event[];
  /** After this block. */
  readonly appHash: Uint8Array;
}

export interface IndexedTx {
  readonly hash: Uint8Array;
  readonly height: bigint;
  readonly index: number;
  readonly tx: Uint8Array;
  readonly result: TxResult;
}

export interface PageInput {
  /** From 1. */
  readonly page: number;
  readonly perPage: number;
  readonly descending: boolean;
  /** Ends the search with its reason: nobody waits for the result any more. */
  readonly signal?: AbortSignal | undefined;
  /** Without one the search yields to the event loop. */
  readonly pace?: Pace | undefined;
}

export interface MempoolView {
  readonly count: number;
  readonly bytes: number;
  /** The first `limit` waiting txs in order. */
  waiting(limit: number): readonly Uint8Array[];
  /**
   * Checks and queues a tx, in the order of the calls. A failed check is a result with a code, not
   * an exception.
   * @throws MempoolError "tx already exists in cache", "mempool is full: …", "Tx too large. …"
   */
  add(tx: Uint8Array): Promise<TxResult>;
  /** Checks without queueing. */
  check(tx: Uint8Array): TxResult;
}

/** What subscribers get, after the block is on disk and indexed. */
export type NodeEvent =
  | { readonly kind: "NewBlock"; readonly block: StoredBlock; readonly results: StoredResults }
  | { readonly kind: "Tx"; readonly tx: IndexedTx };

export interface EventBusView {
  /**
   * Calls `listener` for every event that matches; `attributes` are the composite keys
   * ("tm.event", "tx.hash", "transfer.sender", …) with their values.
   * @returns the function that ends the subscription.
   * @throws QueryLanguageError for a query that does not parse.
   */
  subscribe(
    query: string,
    listener: (event: NodeEvent, attributes: ReadonlyMap<string, readonly string[]>) => void,
  ): () => void;
}

/** Time and blocks by hand, on dev chains only. Times are nanoseconds. */
export interface DevControls {
  /** Produces blocks now; `time` (virtual clock) is the time of the first, at most the real time. */
  mine(input: { blocks: number; time?: TimeNs }): Promise<{ height: bigint; time: TimeNs }>;
  /** Lets the virtual clock go back to the wall clock, and automatic blocks with it. */
  useWallClock(): Promise<void>;
}
