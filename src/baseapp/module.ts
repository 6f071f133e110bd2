import type { Key } from "../lib/key.ts";
import type { Reader } from "../store/read_view.ts";
import type { ChainInfo, Context } from "./context.ts";
import type { QueryContext } from "./query_context.ts";

/** An encoder and decoder of one protobuf message, as ts-proto makes them. */
export interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** A message that the chain executes. */
export interface MsgRoute {
  /** "/package.MsgName" */
  readonly typeUrl: string;
  readonly responseTypeUrl: string;
  /** The module as the message's event names it: the package's last part but the version. */
  readonly module: string;
  /** Gas before the handler runs. */
  readonly gas: bigint;
  decode(value: Uint8Array): unknown;
  /** Bech32 texts of those who must sign, in order. */
  signers(message: never): readonly string[];
  /** Checks that need no state. @throws ChainError */
  validate(message: never, chain: ChainInfo): void;
  /** @throws ChainError; its writes are dropped then. */
  handle(ctx: Context, message: never): Uint8Array;
}

/** Builds a route from typed parts. */
export function msgRoute<M, R>(route: {
  name: string;
  codec: Codec<M>;
  responseCodec: Codec<R>;
  gas: bigint;
  signers: (message: M) => readonly string[];
  validate: (message: M, chain: ChainInfo) => void;
  handle: (ctx: Context, message: M) => R;
}): MsgRoute {
  return {
    typeUrl: `/${route.name}`,
    // As every Msg service names it.
    responseTypeUrl: `/${route.name}Response`,
    module: route.name.split(".").at(-3) ?? "",
    gas: route.gas,
    decode: (value) => route.codec.decode(value),
    signers: (message: M) => route.signers(message),
    validate: (message: M, chain) => route.validate(message, chain),
    handle: (ctx, message: M) => route.responseCodec.encode(route.handle(ctx, message)).finish(),
  };
}

/** A query that the chain answers, from the state of one height. */
export interface QueryRoute {
  /** "/package.Query/Method" */
  readonly path: string;
  handle(ctx: QueryContext, request: Uint8Array): Promise<unknown>;
  /** The answer of `handle` as bytes. */
  encode(answer: never): Uint8Array;
}

/** One invariant: after every block it compares quantities that are kept as the state changes. */
export interface Invariant {
  /** "I-05 bank supply" */
  readonly name: string;
  /** @throws InvariantError with the key and both amounts. */
  check(ctx: Context): void;
}

/** An invariant over the whole state, on demand. */
export interface FullInvariant {
  readonly name: string;
  /** It compares keys that the app hash does not cover: asked of a state that comes from elsewhere. */
  readonly isOfDerivedKeys?: true;
  check(reader: Reader, chain: ChainInfo): Promise<void>;
}

/** A module as the app wires it: one entry in src/app/modules.ts. */
export interface AppModule {
  readonly name: string;
  /** Two-byte prefixes that its machine code walks. */
  readonly iterablePrefixes: readonly Key[];
  readonly msgs: readonly MsgRoute[];
  readonly queries: readonly QueryRoute[];
  readonly invariants: readonly Invariant[];
  readonly fullInvariants: readonly FullInvariant[];
  /** Writes the genesis JSON into the state. @throws ChainError naming the field at fault. */
  initGenesis(ctx: Context, json: unknown): void;
  /** The module's state as genesis JSON; `initGenesis` of it gives the same state. */
  exportGenesis(reader: Reader): Promise<unknown>;
  beginBlock?(ctx: Context): void;
  endBlock?(ctx: Context): void;
}
