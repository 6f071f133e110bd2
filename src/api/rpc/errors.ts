import { ChainError } from "../../lib/errors.ts";
import {
  DevControlsError,
  HaltedError,
  MempoolError,
  QueryLanguageError,
} from "../../node/errors.ts";
import { PageTooLargeError, SearchTooWideError } from "../../node/search.ts";
import { TurnsError } from "../heavy_queue.ts";
import type { JsonObject } from "./json.ts";

/** An error of JSON-RPC 2.0 with the codes, messages and `data` texts of CometBFT 0.38. */
export class RpcError extends Error {
  readonly code: number;
  /** What went wrong in this request. CometBFT's clients match it. */
  readonly data: string;

  constructor(code: number, message: string, data: string) {
    super(message);
    this.name = "RpcError";
    this.code = code;
    this.data = data;
  }

  toJson(): JsonObject {
    return { code: this.code, message: this.message, data: this.data };
  }
}

/** The text is not JSON. */
export function parseError(text: string): RpcError {
  return new RpcError(-32700, "Parse error. Invalid JSON", `error unmarshaling request: ${text}`);
}

/** JSON, but no request. */
export function invalidRequest(text: string): RpcError {
  return new RpcError(-32600, "Invalid Request", text);
}

export function methodNotFound(): RpcError {
  return new RpcError(-32601, "Method not found", "");
}

/** A parameter is missing, malformed or out of its range; the text names it. */
export function invalidParams(text: string): RpcError {
  return new RpcError(-32602, "Invalid params", text);
}

/** The method refused or failed. CometBFT uses this code for every refusal of a handler. */
export function failed(text: string): RpcError {
  return new RpcError(-32603, "Internal error", text);
}

/** What the server says on its own account, on a subscription. */
export function serverError(text: string): RpcError {
  return new RpcError(-32000, "Server error", text);
}

// Errors whose text is meant for the caller.
const refusals = [
  ChainError,
  DevControlsError,
  HaltedError,
  MempoolError,
  PageTooLargeError,
  QueryLanguageError,
  SearchTooWideError,
  TurnsError,
];

/** Whether an error is a refusal that the caller may read, rather than a fault of the node. */
export function isRefusal(error: unknown): error is Error {
  return refusals.some((kind) => error instanceof kind);
}

/**
 * The answer to whatever a handler threw. The text of a fault stays inside: `report` gets it, the
 * caller only learns that there was one.
 */
export function toRpcError(error: unknown, report: (error: unknown) => void): RpcError {
  if (error instanceof RpcError) return error;
  if (isRefusal(error)) return failed(error.message);
  report(error);
  return failed(FAULT);
}

const FAULT = "internal error; the log of the node has the details";

/** Whether an answer is that of a fault of the node's own. */
export function isFault(error: RpcError): boolean {
  return error.data === FAULT;
}
