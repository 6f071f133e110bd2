import { ChainError } from "../lib/errors.ts";
import { GrpcInvalidArgument } from "../types/query_errors.ts";
import type { Codec, QueryRoute } from "./module.ts";
import type { QueryContext } from "./query_context.ts";

/** Builds a query route from typed parts. */
export function queryRoute<Q, A>(route: {
  path: string;
  request: Codec<Q>;
  response: Codec<A>;
  handle: (ctx: QueryContext, request: Q) => Promise<A>;
}): QueryRoute {
  return {
    path: route.path,
    handle: (ctx, bytes) => route.handle(ctx, decodeRequest(route.request, bytes)),
    encode: (answer: A) => route.response.encode(answer).finish(),
  };
}

/** @throws ChainError grpc/3 for bytes that are not the request message. */
function decodeRequest<Q>(codec: Codec<Q>, bytes: Uint8Array): Q {
  try {
    return codec.decode(bytes);
  } catch (error) {
    throw new ChainError(GrpcInvalidArgument, `request does not decode: ${String(error)}`);
  }
}
