import type { Event } from "./event.ts";
import type { TimeNs } from "./time.ts";
import type { TxResult } from "./tx.ts";

/** One write of the batch that commits a block; `value` undefined deletes. Keys are byte strings. */
export interface BatchOp {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/**
 * A tx that an application decodes once, for every use of it until it is in a block. Its owner must
 * not write to the bytes any more.
 */
export interface PreparedTx {
  /** As received. */
  readonly bytes: Uint8Array;
  /** sha256 of the bytes: 32 bytes. */
  readonly hash: Uint8Array;
}

/** One signature of a tx, with all that its verdict depends on, for a verifier elsewhere. */
export interface SignatureClaim {
  /** What was signed; its sha256 is what the signature is over. */
  readonly signBytes: Uint8Array;
  /** As the tx has it: of any length. */
  readonly signature: Uint8Array;
  /** 33 bytes, compressed. */
  readonly publicKey: Uint8Array;
  /** Tells the tx what the verifier found. Until then the signature is verified where it is used. */
  settle(isValid: boolean): void;
}

/** A block as the machine sees it. */
export interface BlockInput {
  readonly height: bigint;
  readonly time: TimeNs;
  /** Prepared or not: the outcome is the same. */
  readonly txs: readonly (Uint8Array | PreparedTx)[];
  /** 20 bytes. */
  readonly proposer: Uint8Array;
}

export interface BlockOutput {
  /** Exactly one per tx, in order. */
  readonly txResults: readonly TxResult[];
  /** Of BeginBlock and EndBlock; attribute `mode` says which. */
  readonly events: readonly Event[];
  /** 32 bytes: the commitment to the state after this block. */
  readonly appHash: Uint8Array;
}

export interface AppInfo {
  readonly chainId: string;
  readonly bech32Prefix: string;
  readonly bondDenom: string;
  /** Gas that all txs of a block may want together. */
  readonly blockGasMax: bigint;
  /** 0 before genesis is committed. */
  readonly height: bigint;
  readonly time: TimeNs;
  readonly appHash: Uint8Array;
  /** The lowest height whose state can be queried. */
  readonly earliestHeight: bigint;
}

/** How the state is kept, for whoever looks after a node: nothing follows from it. */
export interface StoreStats {
  /** Keys that the app hash of the last block on disk covers. */
  readonly committedKeys: number;
  /** Look-ups of the machine since the start that memory answered. */
  readonly cacheHits: number;
  /** Look-ups that went to the disk. */
  readonly diskReads: number;
  /** Memory that the cache takes, about. */
  readonly cacheBytes: number;
}

export interface QueryInput {
  /** "/package.Service/Method", or "/store/…" and "/app/…" paths. */
  readonly path: string;
  readonly data: Uint8Array;
  /** 0 = the latest committed height. */
  readonly height: bigint;
  readonly prove: boolean;
}

export interface QueryOutput {
  readonly code: number;
  readonly codespace: string;
  readonly log: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** The height that the answer is of: always set. */
  readonly height: bigint;
  /** One for each key that the answer was made from, when a proof was asked for. */
  readonly proofOps?: readonly ProofOp[];
}

/** A store key with what it held at the answer's height, and the proof of it (docs/proofs.md). */
export interface ProofOp {
  /** "settled/1" */
  readonly type: string;
  readonly key: Uint8Array;
  readonly data: Uint8Array;
}

/**
 * The one border between the core and the host (compare CometBFT's abci/types/application.go).
 * All but `commit` and `query` run to completion.
 */
export interface Application {
  info(): AppInfo;
  storeStats(): StoreStats;
  /** Builds the state of genesis; `commit` makes it durable as height 0. Returns its app hash. */
  initChain(genesis: GenesisDoc): Uint8Array;
  /** Never fails: what does not decode is prepared to its failed result. */
  prepareTx(bytes: Uint8Array): PreparedTx;
  /**
   * The signatures of a tx that can be verified ahead, by what the check state says of its signers.
   * A verdict is used only where the state still says the same then, so it changes no outcome.
   */
  claimsOf(tx: PreparedTx): readonly SignatureClaim[];
  /**
   * Ante checks on the check state; nothing of it lasts beyond the next commit. A recheck passes
   * over the signature, which was verified when the tx came; a probe leaves no trace at all.
   */
  checkTx(tx: Uint8Array | PreparedTx, kind?: "new" | "recheck" | "probe"): TxResult;
  /** Runs a tx on a throw-away overlay at the time that the next block would have. */
  simulate(tx: Uint8Array, time: TimeNs): TxResult;
  /**
   * Executes the next block. Nothing is visible outside before `commit`. The block before it may
   * still be being written: its `commit` has been called, but has not resolved.
   */
  finalizeBlock(block: BlockInput): BlockOutput;
  /**
   * Writes the executed block's state with the host's own `ops` (block, results, indexes) in one
   * synced batch. The block may be acknowledged when the promise resolves, not before; the check
   * state moves to it at the call. One at a time: the next call waits for the promise. When it
   * rejects, the application is of no more use.
   */
  commit(ops: readonly BatchOp[]): Promise<void>;
  query(input: QueryInput): Promise<QueryOutput>;
  /** The state of the last committed height as a genesis document, byte for byte canonical. */
  exportGenesis(): Promise<GenesisDoc>;
  /**
   * Compares the keys of the state that the app hash does not cover with those that it covers: for
   * a state that comes from elsewhere. Returns what was compared.
   * @throws InvariantError
   */
  checkDerivedKeys(): Promise<string[]>;
  /** Saves what makes the next start fast. Nothing may be executed any more. */
  close(): Promise<void>;
}

/** Where the commitment is kept between two runs, so that a start need not rebuild it. */
export interface CheckpointFile {
  /** What was written last, in pieces of any size; undefined when there is nothing. */
  read(): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** Replaces the file when all pieces are on disk. Reports its own failures and never rejects. */
  write(pieces: AsyncIterable<Uint8Array>): Promise<void>;
}

/** A genesis file: CometBFT's form, with the app state of every module as JSON. */
export interface GenesisDoc {
  readonly genesisTime: TimeNs;
  readonly chainId: string;
  readonly initialHeight: bigint;
  /** Canonical JSON values by module name, "chain" among them (bech32 prefix, gas limits). */
  readonly appState: Readonly<Record<string, unknown>>;
}
