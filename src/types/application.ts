import type { Event } from "./event.ts";
import type { TimeNs } from "./time.ts";
import type { TxResult } from "./tx.ts";

/** One write of the batch that commits a block; `value` undefined deletes. Keys are byte strings. */
export interface BatchOp {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/** A block as the machine sees it. */
export interface BlockInput {
  readonly height: bigint;
  readonly time: TimeNs;
  readonly txs: readonly Uint8Array[];
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
}

/**
 * The one border between the core and the host (compare CometBFT's abci/types/application.go).
 * All but `commit` and `query` run to completion.
 */
export interface Application {
  info(): AppInfo;
  /** Builds the state of genesis; `commit` makes it durable as height 0. Returns its app hash. */
  initChain(genesis: GenesisDoc): Uint8Array;
  /**
   * Ante checks on the check state; nothing of it lasts beyond the next commit. A recheck passes
   * over the signature, which was verified when the tx came; a probe leaves no trace at all.
   */
  checkTx(tx: Uint8Array, kind?: "new" | "recheck" | "probe"): TxResult;
  /** Runs a tx on a throw-away overlay at the time that the next block would have. */
  simulate(tx: Uint8Array, time: TimeNs): TxResult;
  /** Executes the next block. Nothing is visible outside before `commit`. */
  finalizeBlock(block: BlockInput): BlockOutput;
  /**
   * Writes the executed block's state with the host's own `ops` (block, results, indexes) in one
   * synced batch. The block may be acknowledged when the promise resolves, not before.
   */
  commit(ops: readonly BatchOp[]): Promise<void>;
  query(input: QueryInput): Promise<QueryOutput>;
  /** The state of the last committed height as a genesis document, byte for byte canonical. */
  exportGenesis(): Promise<GenesisDoc>;
}

/** A genesis file: CometBFT's form, with the app state of every module as JSON. */
export interface GenesisDoc {
  readonly genesisTime: TimeNs;
  readonly chainId: string;
  readonly initialHeight: bigint;
  /** Canonical JSON values by module name, "chain" among them (bech32 prefix, gas limits). */
  readonly appState: Readonly<Record<string, unknown>>;
}
