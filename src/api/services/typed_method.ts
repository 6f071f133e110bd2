import type { UnaryCall, UnaryMethod } from "./unary.ts";
import { STATUS, UnaryError } from "./unary.ts";

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** A method over messages. What it tells is of `height`. */
export function typedMethod<Q, A>(method: {
  readonly path: string;
  readonly request: Codec<Q>;
  readonly response: Codec<A>;
  readonly height: () => bigint;
  handle(request: Q, call: UnaryCall): A | Promise<A>;
}): UnaryMethod {
  const { path, request, response, height } = method;
  return {
    path,
    async handle(bytes, call) {
      const answer = await method.handle(decoded(request, bytes), call);
      return { value: response.encode(answer).finish(), height: height() };
    },
  };
}

/** @throws UnaryError for bytes that are not the request message */
function decoded<T>(codec: Codec<T>, bytes: Uint8Array): T {
  try {
    return codec.decode(bytes);
  } catch (error) {
    throw new UnaryError(STATUS.invalidArgument, `request does not decode: ${String(error)}`);
  }
}
