import { ConnectionError, QueryError, RpcError } from "../../client/errors.ts";

/** Whether an error is what a node said, or that it said nothing: trying again may help. */
export function isOfNode(error: unknown): error is Error {
  return [ConnectionError, RpcError, QueryError].some((kind) => error instanceof kind);
}
