import type { Services } from "./services.ts";
import { STATUS, type UnaryAnswer, type UnaryCall, UnaryError } from "./unary.ts";
import { refusalOf } from "./unary_error_of.ts";

/**
 * Calls a method for a door. The text of a fault stays inside: `report` gets it, the caller only
 * learns that there was one.
 * @param path "cosmos.tx.v1beta1.Service/Simulate"
 * @throws UnaryError, and nothing else
 */
export async function runUnary(
  services: Services,
  path: string,
  request: Uint8Array,
  call: UnaryCall & { readonly report: (error: unknown) => void },
): Promise<UnaryAnswer> {
  const method = services.get(path);
  if (method === undefined) {
    throw new UnaryError(STATUS.unimplemented, `unknown method ${path.slice(0, 200)}`);
  }
  try {
    call.signal?.throwIfAborted();
    return await method.handle(request, call);
  } catch (error) {
    throw toUnaryError(error, call);
  }
}

function toUnaryError(
  error: unknown,
  { signal, report }: Pick<UnaryCall, "signal"> & { report: (error: unknown) => void },
): UnaryError {
  const refusal = refusalOf(error);
  if (refusal !== undefined) return refusal;
  // Work that ends because its caller is gone, or has waited long enough, is no fault of the node.
  if (signal?.aborted === true && error === signal.reason) {
    return new UnaryError(STATUS.cancelled, "the call was cancelled");
  }
  report(error);
  return new UnaryError(STATUS.internal, "internal error; the log of the node has the details");
}
