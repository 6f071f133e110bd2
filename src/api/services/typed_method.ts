import type { UnaryAnswer, UnaryCall, UnaryMethod } from "./unary.ts";
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
      return new TypedAnswer(response, answer, height());
    },
  };
}

/** An answer that is encoded when somebody wants it so. */
class TypedAnswer<A> implements UnaryAnswer {
  readonly message: A & object;
  readonly height: bigint;
  readonly #codec: Codec<A>;
  #value: Uint8Array | undefined;

  constructor(codec: Codec<A>, message: A, height: bigint) {
    this.#codec = codec;
    this.message = message as A & object;
    this.height = height;
  }

  get value(): Uint8Array {
    this.#value ??= this.#codec.encode(this.message).finish();
    return this.#value;
  }
}

/** @throws UnaryError for bytes that are not the request message */
function decoded<T>(codec: Codec<T>, bytes: Uint8Array): T {
  try {
    return codec.decode(bytes);
  } catch (error) {
    throw new UnaryError(STATUS.invalidArgument, `request does not decode: ${String(error)}`);
  }
}
