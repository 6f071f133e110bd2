import { ChainError, type ErrorKind } from "../lib/errors.ts";
import { EMPTY_BYTES } from "../lib/bytes.ts";
import type { QueryOutput } from "../types/application.ts";
import * as grpc from "../types/query_errors.ts";
import * as sdk from "../types/sdk_errors.ts";

/** Bytes that one reply may have (RULES 36). */
const REPLY_BYTES_MAX = 4 * 1024 * 1024;

/** The answer of a query that succeeded. @throws ChainError grpc/8 above 4 MiB. */
export function queryAnswer(height: bigint, value: Uint8Array): QueryOutput {
  if (value.length > REPLY_BYTES_MAX) {
    const detail = `the reply has ${value.length} bytes, at most ${REPLY_BYTES_MAX} are sent; ask for pages (settled.settlement.v1.Query)`;
    throw new ChainError(grpc.GrpcResourceExhausted, detail);
  }
  return { code: 0, codespace: "", log: "", key: EMPTY_BYTES, value, height };
}

/**
 * The answer of a query that failed, as Cosmos nodes give it: the gRPC status in the text, and an
 * ABCI code that follows from it (NotFound 22, the rest 18, an unknown path 6).
 */
export function queryFailure(height: bigint, error: unknown): QueryOutput {
  const { kind, text } = describe(error);
  const { code, codespace } = kind;
  const log = text === "" ? kind.text : `${text}: ${kind.text}`;
  return { code, codespace, log, key: EMPTY_BYTES, value: EMPTY_BYTES, height };
}

function describe(error: unknown): { kind: ErrorKind; text: string } {
  if (!(error instanceof ChainError)) {
    return { kind: sdk.ErrLogic, text: "rpc error: code = Internal desc = unexpected failure" };
  }
  if (
    error.codespace === "sdk" &&
    !error.is(sdk.ErrInvalidAddress) &&
    !error.is(sdk.ErrInvalidCoins)
  ) {
    const { code, codespace, detail, message } = error;
    const text = message.slice(detail === "" ? 0 : detail.length + 2);
    return { kind: { code, codespace, text }, text: detail };
  }
  if (error.is(grpc.GrpcNotFound)) {
    return { kind: sdk.ErrKeyNotFound, text: `rpc error: code = NotFound desc = ${error.detail}` };
  }
  const status = error.codespace === "grpc" ? statusOf(error) : "InvalidArgument";
  const text = error.codespace === "grpc" ? error.detail : error.message;
  return { kind: sdk.ErrInvalidRequest, text: `rpc error: code = ${status} desc = ${text}` };
}

function statusOf(error: ChainError): string {
  return error.detail === "" ? error.message : error.message.slice(error.detail.length + 2);
}
