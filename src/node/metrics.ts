import type { MempoolError } from "./errors.ts";
import type { StoredBlock, StoredResults } from "./view.ts";

/** A block that is on disk and shows. Times are milliseconds. */
export interface WrittenBlock {
  readonly block: StoredBlock;
  readonly results: StoredResults;
  /** Of running its txs and the block's own work, the app hash included. */
  readonly executeMs: number;
  /** From handing its batch to the disk until that is synced. */
  readonly syncMs: number;
}

/** Why a tx did not get into the mempool; "check": it has failed its check. */
export type TxRefusal = MempoolError["kind"] | "check" | "fault";

/** Of requests, by what they cost: few words, so that they can be labels. */
export type RequestClass = "read" | "query" | "search" | "tx" | "subscribe" | "control" | "unknown";

/** How a request ended; "refused": with an error that its caller can do something about. */
export type RequestEnd = "ok" | "refused" | "failed";

/** Told of every request at the doors, "rpc", "websocket", "grpc", "rest". It must not throw. */
export interface DoorMetrics {
  /** A request begins; the function that it returns is called once, when it ends. */
  began(door: string, kind: RequestClass): (end: RequestEnd) => void;
  /** A limit of the door has turned somebody away; `limit` is one of few words. */
  refused(door: string, limit: string): void;
}

/**
 * Told of what the node does, for whoever counts it. Called where the work is done, so it must be
 * quick, and must not throw.
 */
export interface NodeMetrics {
  blockWritten(written: WrittenBlock): void;
  /** A tx waits for its block. */
  txAdded(bytes: number): void;
  txRefused(why: TxRefusal): void;
}
