import { decodeTx } from "../codec/tx_decode.ts";
import { InvariantError } from "../lib/assert.ts";
import { ChainError } from "../lib/errors.ts";
import type * as api from "../types/application.ts";
import type { Hasher } from "../types/crypto.ts";
import { ErrInvalidRequest, ErrPanic, ErrTxDecode } from "../types/sdk_errors.ts";
import type { RoutedMsg, RoutedTx } from "./ante.ts";
import type { ChainInfo } from "./context.ts";
import type { MsgRoute } from "./module.ts";
import type { MsgRouter } from "./msg_router.ts";
import { Verdicts } from "./verdicts.ts";

/** What preparing depends on: a tx that is prepared for one machine means nothing to another. */
export interface PrepareEnvironment {
  readonly chain: ChainInfo;
  readonly router: MsgRouter;
  readonly hasher: Hasher;
}

/**
 * A tx with everything about it that does not depend on state, found at the first use and kept:
 * decoding, routing and the checks of its messages by themselves.
 */
export class PreparedTx implements api.PreparedTx {
  readonly bytes: Uint8Array;
  readonly hash: Uint8Array;
  readonly #env: PrepareEnvironment;
  #decoded: RoutedTx | ChainError | undefined;
  #isValidated = false;
  #fault: ChainError | undefined;

  constructor(env: PrepareEnvironment, bytes: Uint8Array) {
    this.#env = env;
    this.bytes = bytes;
    this.hash = env.hasher.sha256(bytes);
  }

  /** Whether it was prepared for this machine. */
  isOf(env: PrepareEnvironment): boolean {
    return this.#env === env;
  }

  /** The tx, or why it is none. */
  get decoded(): RoutedTx | ChainError {
    this.#decoded ??= this.#route();
    return this.#decoded;
  }

  /** What is wrong with a message by itself; undefined when nothing is. */
  messageFault(tx: RoutedTx): ChainError | undefined {
    if (!this.#isValidated) {
      this.#fault = faultOf(tx, this.#env.chain);
      this.#isValidated = true;
    }
    return this.#fault;
  }

  #route(): RoutedTx | ChainError {
    try {
      return routeTx(this.#env, this.bytes, this.hash);
    } catch (error) {
      return asChainError(error);
    }
  }
}

function routeTx(env: PrepareEnvironment, bytes: Uint8Array, hash: Uint8Array): RoutedTx {
  const tx = decodeTx(bytes);
  const routed = tx.body.messages.map(({ typeUrl, value }, index): RoutedMsg => {
    const route = env.router.route(typeUrl);
    const read = tx.messages?.[index];
    const message = read === undefined ? decodeMessage(route, value) : (read as never);
    return { route, message, signers: route.signers(message) };
  });
  if (routed.length === 0)
    throw new ChainError(ErrInvalidRequest, "must contain at least one message");
  // Property by property: a spread of this many costs as much as the rest of this function.
  return {
    bodyBytes: tx.bodyBytes,
    authInfoBytes: tx.authInfoBytes,
    signatures: tx.signatures,
    body: tx.body,
    messages: tx.messages,
    authInfo: tx.authInfo,
    hasUnknownNonCriticals: tx.hasUnknownNonCriticals,
    bytes,
    hash,
    routed,
    signers: requiredSigners(routed),
    verdicts: new Verdicts(),
  };
}

function decodeMessage(route: MsgRoute, value: Uint8Array): never {
  try {
    return route.decode(value) as never;
  } catch (error) {
    throw new ChainError(ErrTxDecode, `${route.typeUrl}: ${String(error)}`);
  }
}

function requiredSigners(routed: readonly RoutedMsg[]): readonly string[] {
  const [first] = routed;
  if (routed.length === 1 && first !== undefined && first.signers.length <= 1) return first.signers;
  const all: string[] = [];
  for (const { signers } of routed) {
    for (const signer of signers) if (!all.includes(signer)) all.push(signer);
  }
  return all;
}

function faultOf({ routed }: RoutedTx, chain: ChainInfo): ChainError | undefined {
  try {
    for (const { route, message } of routed) route.validate(message, chain);
    return undefined;
  } catch (error) {
    return asChainError(error);
  }
}

/**
 * A broken invariant halts the node. Anything unforeseen else fails the tx with a text that does
 * not depend on the machine, because a hostile tx must not be able to stop the chain.
 */
export function asChainError(error: unknown): ChainError {
  if (error instanceof ChainError) return error;
  if (error instanceof InvariantError) throw error;
  return new ChainError(ErrPanic, "unexpected failure");
}
