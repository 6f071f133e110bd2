/** What one client may take of the gRPC server. Times in milliseconds. */
export interface GrpcLimits {
  /** Of one request message, decompressed. */
  readonly requestBytes: number;
  readonly connections: number;
  /** Calls of one connection that run at the same time. */
  readonly streams: number;
  /** From the start of a call to the last byte of its request. */
  readonly requestMs: number;
  /** From the request to the answer, also for callers who set no deadline or a later one. */
  readonly callMs: number;
  /** From the end of an answer to its last byte leaving; a connection that takes longer is cut. */
  readonly writeMs: number;
  /** Bytes of answers that one connection has not taken; above, it gets no further ones. */
  readonly unsentBytes: number;
  /** A connection without calls for this long is closed. */
  readonly idleMs: number;
  /** A reflection stream without a request for this long is ended. */
  readonly streamIdleMs: number;
}

export const DEFAULT_GRPC_LIMITS: GrpcLimits = {
  requestBytes: 4_194_304,
  connections: 400,
  streams: 100,
  requestMs: 10_000,
  callMs: 30_000,
  writeMs: 30_000,
  unsentBytes: 33_554_432,
  idleMs: 300_000,
  streamIdleMs: 60_000,
};

/**
 * Limits of whom they turn away it is told: requests that are too long in coming, calls that take too
 * long, answers that nobody takes (and those of slow readers, whose connection is cut), and bodies.
 */
export type GrpcLimit = "connections" | "request_time" | "time" | "unread" | "slow_reader" | "body";
