import { ConnectionError, QueryError, RpcError } from "../../client/errors.ts";

/** Whether a node does not take a tx for its size or its gas. */
export function isTooLarge(error: unknown): error is RpcError {
  return error instanceof RpcError && /Tx too large|greater than max gas/.test(error.message);
}

/** Whether an error is what a node said, or that it said nothing: trying again may help. */
export function isOfNode(error: unknown): error is Error {
  return [ConnectionError, RpcError, QueryError].some((kind) => error instanceof kind);
}
