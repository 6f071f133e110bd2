import { STATUS, type Status, UnaryError } from "../services/unary.ts";

/** Cosmos' answer to what failed: the gRPC status, and HTTP's beside it. */
export interface ErrorAnswer {
  readonly http: number;
  readonly body: {
    readonly code: number;
    readonly message: string;
    readonly details: readonly never[];
  };
}

/** As grpc-gateway maps them. */
const HTTP_STATUS: Readonly<Record<Status, number>> = {
  [STATUS.ok]: 200,
  [STATUS.cancelled]: 408,
  [STATUS.unknown]: 500,
  [STATUS.invalidArgument]: 400,
  [STATUS.deadlineExceeded]: 504,
  [STATUS.notFound]: 404,
  [STATUS.alreadyExists]: 409,
  [STATUS.permissionDenied]: 403,
  [STATUS.resourceExhausted]: 429,
  [STATUS.failedPrecondition]: 400,
  [STATUS.aborted]: 409,
  [STATUS.outOfRange]: 400,
  [STATUS.unimplemented]: 501,
  [STATUS.internal]: 500,
  [STATUS.unavailable]: 503,
};

/** A refusal with another HTTP status than the one that follows from its gRPC status. */
export class RestError extends UnaryError {
  readonly http: number;

  constructor(http: number, status: Status, message: string) {
    super(status, message);
    this.http = http;
  }
}

/** A request of which too much was sent: 413 the body, 414 the address. */
export function tooLong(http: 413 | 414, message: string): RestError {
  return new RestError(http, STATUS.invalidArgument, message);
}

/** A request that cannot be read; the text says what was expected. */
export function badRequest(message: string): UnaryError {
  return new UnaryError(STATUS.invalidArgument, message);
}

/** There is no such route. Wallets that ask for modules of other chains know this answer. */
export function notImplemented(): UnaryError {
  return new UnaryError(STATUS.unimplemented, "Not Implemented");
}

/**
 * The answer to whatever was thrown. The text of a fault stays inside: `report` gets it, the caller
 * only learns that there was one.
 */
export function errorAnswer(error: unknown, report: (error: unknown) => void): ErrorAnswer {
  if (error instanceof UnaryError) {
    const { status, message } = error;
    const http = error instanceof RestError ? error.http : HTTP_STATUS[status];
    return { http, body: { code: status, message, details: [] } };
  }
  report(error);
  const message = "internal error; the log of the node has the details";
  return { http: 500, body: { code: STATUS.internal, message, details: [] } };
}
