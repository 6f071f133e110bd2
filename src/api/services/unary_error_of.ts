import { ChainError } from "../../lib/errors.ts";
import { HaltedError, MempoolError, QueryLanguageError } from "../../node/errors.ts";
import { PageTooLargeError, SearchTooWideError } from "../../node/search.ts";
import type { QueryOutput } from "../../types/application.ts";
import { TurnsError } from "../heavy_queue.ts";
import { STATUS, type Status, UnaryError } from "./unary.ts";

/** The status names that the app writes into the text of a failed query. */
const STATUS_OF_NAME: Readonly<Record<string, Status>> = {
  Unknown: STATUS.unknown,
  InvalidArgument: STATUS.invalidArgument,
  NotFound: STATUS.notFound,
  ResourceExhausted: STATUS.resourceExhausted,
  FailedPrecondition: STATUS.failedPrecondition,
  Unimplemented: STATUS.unimplemented,
  Unavailable: STATUS.unavailable,
  Internal: STATUS.internal,
};

/** What follows from a code of codespace "sdk" where the text has no status. */
const STATUS_OF_SDK_CODE: Readonly<Record<number, Status>> = {
  2: STATUS.invalidArgument,
  6: STATUS.unimplemented,
  7: STATUS.invalidArgument,
  10: STATUS.invalidArgument,
  18: STATUS.invalidArgument,
  22: STATUS.notFound,
  26: STATUS.invalidArgument,
  29: STATUS.invalidArgument,
  35: STATUS.internal,
};

/** "rpc error: code = NotFound desc = account ve1… not found: key not found" */
const RPC_ERROR =
  /^rpc error: code = ([A-Za-z]+) desc = ([^]*?)(?:: (?:invalid request|key not found|internal logic error))?$/;

type Failure = Pick<QueryOutput, "code" | "codespace" | "log">;

/**
 * The status behind an ABCI failure: the one that its text names (src/app/query.ts), else what
 * follows from its code. The text loses the words that only ABCI needs.
 */
export function unaryErrorOf({ code, codespace, log }: Failure): UnaryError {
  const match = RPC_ERROR.exec(log);
  const named = STATUS_OF_NAME[match?.[1] ?? ""];
  if (match !== null && named !== undefined) return new UnaryError(named, match[2] ?? "");
  const status = codespace === "sdk" ? STATUS_OF_SDK_CODE[code] : undefined;
  return new UnaryError(status ?? STATUS.unknown, log);
}

/** The status of an error whose text is meant for the caller; undefined for a fault of the node. */
export function refusalOf(error: unknown): UnaryError | undefined {
  if (error instanceof UnaryError) return error;
  if (error instanceof ChainError) {
    const { code, codespace, message: log } = error;
    return unaryErrorOf({ code, codespace, log });
  }
  const status = statusOf(error);
  return status === undefined ? undefined : new UnaryError(status, (error as Error).message);
}

function statusOf(error: unknown): Status | undefined {
  if (error instanceof QueryLanguageError) return STATUS.invalidArgument;
  if (error instanceof SearchTooWideError || error instanceof PageTooLargeError) {
    return STATUS.resourceExhausted;
  }
  if (error instanceof TurnsError) return STATUS.resourceExhausted;
  if (error instanceof HaltedError) return STATUS.unavailable;
  if (error instanceof MempoolError) {
    return error.kind === "halted" ? STATUS.unavailable : STATUS.invalidArgument;
  }
  return undefined;
}
