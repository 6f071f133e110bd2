/** What one client may take of the server. Times in milliseconds. */
export interface RpcLimits {
  readonly bodyBytes: number;
  /** Of the request line and the headers together; it bounds what fits in a GET address. */
  readonly headerBytes: number;
  readonly batchSize: number;
  /** Bytes of one batch's answer above which the rest of the batch is refused, unrun. */
  readonly responseBytes: number;
  /** Calls of heavy methods that run at the same time, of all clients together; of a server alone. */
  readonly heavyRequests: number;
  readonly connections: number;
  /** From the first byte of a request to its last. */
  readonly requestMs: number;
  /** From the end of an answer to its last byte leaving. */
  readonly writeMs: number;
  /** How long an idle connection is kept for the next request. */
  readonly keepAliveMs: number;
  /** How long broadcast_tx_commit waits for the block. */
  readonly commitMs: number;
  /** broadcast_tx_commit calls that wait at the same time. */
  readonly commitWaits: number;
  readonly socketClients: number;
  readonly subscriptionsPerClient: number;
  readonly frameBytes: number;
  /** Unsent bytes at which a subscriber counts as slow. */
  readonly unsentBytes: number;
  /** Requests of one socket that run at the same time; above it, its frames wait. */
  readonly socketRequests: number;
  readonly pingMs: number;
  /** A socket without any traffic for this long is cut. */
  readonly silenceMs: number;
}

/**
 * CometBFT 0.38's defaults where it has them, but batches of 20, because CosmJS sends as many, and
 * headers of 64 KiB instead of 1 MiB.
 */
export const DEFAULT_LIMITS: RpcLimits = {
  bodyBytes: 1_000_000,
  headerBytes: 65_536,
  batchSize: 20,
  responseBytes: 33_554_432,
  heavyRequests: 4,
  connections: 900,
  requestMs: 10_000,
  writeMs: 30_000,
  keepAliveMs: 65_000,
  commitMs: 10_000,
  commitWaits: 100,
  socketClients: 100,
  subscriptionsPerClient: 5,
  frameBytes: 1_000_000,
  unsentBytes: 16_777_216,
  socketRequests: 32,
  pingMs: 27_000,
  silenceMs: 30_000,
};

/** Bytes of a search or subscription query. */
export const MAX_QUERY_BYTES = 512;

/** Characters of the path of an address: far above the longest name of a method. */
export const MAX_PATH_LENGTH = 128;

/** Limits of whom they turn away it is told. */
export type Limit =
  | "connections"
  | "body"
  | "batch"
  | "response"
  | "sockets"
  | "slow_socket"
  | "turns";
