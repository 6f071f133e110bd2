/**
 * What every door but CometBFT's RPC is made of: unary methods over protobuf bytes. gRPC, gRPC-Web and
 * REST call the same table, so an answer does not depend on the door.
 */

import type { Client } from "../heavy_queue.ts";

/** A gRPC status, as https://grpc.github.io/grpc/core/md_doc_statuscodes.html numbers them. */
export const STATUS = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;
export type Status = (typeof STATUS)[keyof typeof STATUS];

export interface UnaryCall {
  /** The height to answer at; 0n for the latest. */
  readonly height: bigint;
  /** Ends the work for a caller who has gone. */
  readonly signal?: AbortSignal | undefined;
  /** Whose call it is, a connection: heavy calls take turns by it. */
  readonly client?: Client | undefined;
}

export interface UnaryAnswer {
  /** The response message, encoded. */
  readonly value: Uint8Array;
  /** The response message where it is there already, for doors that do not send it encoded. */
  readonly message?: object | undefined;
  /** The height that it is of. */
  readonly height: bigint;
}

/** The signal of a caller who never leaves. */
export const NEVER: AbortSignal = new AbortController().signal;

export interface UnaryMethod {
  /** "cosmos.tx.v1beta1.Service/Simulate" */
  readonly path: string;
  /** @throws UnaryError, and anything else for a fault of the node's own */
  handle(request: Uint8Array, call: UnaryCall): Promise<UnaryAnswer>;
}

/** A call that failed in a way that its caller can do something about. */
export class UnaryError extends Error {
  readonly status: Status;

  constructor(status: Status, message: string) {
    super(message);
    this.name = "UnaryError";
    this.status = status;
  }
}
