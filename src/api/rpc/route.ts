import type { Pace } from "../../node/pace.ts";
import type { NodeView } from "../../node/view.ts";
import type { CommitWaits } from "./commit_waits.ts";
import type { Json } from "./json.ts";
import type { ParamSpecs, ParamsOf, ParamValues } from "./params.ts";

/** The id of a request, echoed in its answer. */
export type RpcId = string | number;

/** The subscriptions of one WebSocket, as the handlers use them. */
export interface SubscriptionDoor {
  /** @throws RpcError for one too many, a repeated one, or a query that does not parse. */
  subscribe(query: string, id: RpcId): void;
  /** @throws RpcError when there is no such subscription. */
  unsubscribe(query: string): void;
  unsubscribeAll(): void;
}

/** What a handler may use. */
export interface RpcContext {
  readonly view: NodeView;
  /** Where this server listens, "tcp://127.0.0.1:26657". */
  readonly listenAddress: string;
  readonly commitWaits: CommitWaits;
  readonly requestId: RpcId;
  /** Aborted when the client has left. */
  readonly signal: AbortSignal;
  /** Asked between pieces of long work. */
  readonly pace: Pace;
  /** Of the client's WebSocket; undefined over HTTP. */
  readonly subscriptions: SubscriptionDoor | undefined;
}

/**
 * Who may call a method: `any` by POST, GET and WebSocket; `websocket` only there; `control` by POST
 * and WebSocket, from no foreign web page, and only where the server offers it.
 */
export type Access = "any" | "websocket" | "control";

export interface Route {
  readonly params: ParamSpecs;
  readonly access: Access;
  /** Reads or answers so much that only a few calls may run at the same time. */
  readonly isHeavy: boolean;
  /** Whether a call of a heavy method is none after all. */
  readonly isLight: (params: ParamValues) => boolean;
  /** Calls next to each other in a batch are started together, in order: see `broadcast_tx_sync`. */
  readonly runsTogether: boolean;
  /** A handler of access `websocket` answers at once, never with a promise. */
  readonly handler: (params: ParamValues, context: RpcContext) => Json | Promise<Json>;
  /** Whether this answer will be the same for ever. */
  readonly isFinal: (params: ParamValues, result: Json) => boolean;
}

/** A route whose handler gets its parameters by name and type. */
export function route<S extends ParamSpecs>(input: {
  readonly params: S;
  readonly handler: (params: ParamsOf<S>, context: RpcContext) => Json | Promise<Json>;
  readonly isFinal?: (params: ParamsOf<S>, result: Json) => boolean;
  readonly access?: Access;
  readonly isHeavy?: boolean;
  readonly isLight?: (params: ParamsOf<S>) => boolean;
  readonly runsTogether?: boolean;
}): Route {
  const { params, handler, isFinal = () => false, access = "any", isHeavy = false } = input;
  const { runsTogether = false, isLight = () => false } = input;
  // The values come from `params` itself (params.ts), so that they have the types of ParamsOf<S>.
  return {
    params,
    access,
    isHeavy,
    isLight: (values) => isLight(values as ParamsOf<S>),
    runsTogether,
    handler: (values, context) => handler(values as ParamsOf<S>, context),
    isFinal: (values, result) => isFinal(values as ParamsOf<S>, result),
  };
}
