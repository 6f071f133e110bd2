import {
  failed,
  invalidRequest,
  isFault,
  methodNotFound,
  parseError,
  type RpcError,
  toRpcError,
} from "./errors.ts";
import type { DoorMetrics, RequestEnd } from "../../node/metrics.ts";
import { classOf } from "./classes.ts";
import { type Client, type HeavyQueue, TurnsError } from "../heavy_queue.ts";
import type { JsonText } from "../json_text.ts";
import { isObject, isTooDeep, JSON_DEPTH_MAX, type Json, type JsonObject, own } from "./json.ts";
import { isLong, longJson } from "./long_json.ts";
import type { ParamSpecs, ParamValues } from "./params.ts";
import type { Pace } from "../../node/pace.ts";
import type { Access, Route, RpcContext, RpcId } from "./route.ts";
import type { Routes } from "./routes.ts";

/** A request whose form is right; method and parameters are still as they came. */
export interface RpcRequest {
  readonly id: RpcId;
  readonly method: string;
  readonly params: unknown;
}

/** An answer, and whether it will be the same for ever. */
export interface Reply {
  readonly body: JsonObject;
  /** The body as it is sent, where it was long. */
  readonly text?: JsonText;
  readonly isFinal: boolean;
  /** Of an error: whether it is the node's own, not the caller's to mend. */
  readonly isFault?: boolean;
}

/** Where a call comes from and what it may do. */
export interface Caller {
  readonly routes: Routes;
  readonly may: (access: Access) => boolean;
  readonly context: Omit<RpcContext, "pace">;
  /** Where calls of heavy methods wait for their turn, and long ones let others go first. */
  readonly heavy: HeavyQueue;
  /** The connection that it comes over: what its client has used of late decides on its turn. */
  readonly client: Client;
  /** Told of every call, under the name of the door. */
  readonly metrics?: DoorMetrics | undefined;
  readonly door: "rpc" | "websocket";
  /** Told of every fault of the node, as opposed to a refusal. */
  readonly report: (error: unknown) => void;
}

/** @throws RpcError -32700 */
export function parseJson(text: string): unknown {
  if (isTooDeep(text)) throw parseError(`exceeded max depth of ${JSON_DEPTH_MAX}`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw parseError(error instanceof Error ? error.message : "not JSON");
  }
}

/**
 * A request, or undefined for a notification: as in CometBFT those have no id or null, and are
 * neither run nor answered.
 * @throws RpcError -32600
 */
export function readRequest(value: unknown): RpcRequest | undefined {
  if (!isObject(value)) throw invalidRequest("a request is an object");
  const id = own(value, "id");
  if (id === undefined || id === null) return undefined;
  if (typeof id !== "number" && typeof id !== "string") {
    throw invalidRequest("an id is a number or text");
  }
  const method = own(value, "method");
  if (typeof method !== "string") throw invalidRequest("method is missing");
  return { id, method, params: own(value, "params") };
}

export function success(id: RpcId, result: Json): JsonObject {
  return { jsonrpc: "2.0", id, result };
}

/** @param id null when the request was too broken to have one */
export function failure(id: RpcId | null, error: RpcError): JsonObject {
  return { jsonrpc: "2.0", id, error: error.toJson() };
}

/**
 * Runs a method. The reply is no promise when the handler gives none, so that a subscription is
 * answered before its first event.
 * @param read the parameters that were given, by the specs of the method
 */
export function call(
  caller: Caller,
  method: string,
  read: (specs: ParamSpecs) => ParamValues,
): Reply | Promise<Reply> {
  if (caller.metrics === undefined) return run(caller, method, read);
  const ended = caller.metrics.began(caller.door, classOf(caller.routes, method));
  const counted = (reply: Reply): Reply => {
    ended(endOf(reply));
    return reply;
  };
  const reply = run(caller, method, read);
  // `run` turns every failure into a reply.
  return reply instanceof Promise ? reply.then(counted) : counted(reply);
}

function run(
  caller: Caller,
  method: string,
  read: (specs: ParamSpecs) => ParamValues,
): Reply | Promise<Reply> {
  const { context } = caller;
  const { requestId: id, signal } = context;
  const refuse = (error: unknown): Reply => {
    // Work that ends because its client is gone is no fault of the node.
    const hasLeft = signal.aborted && error === signal.reason;
    if (error instanceof TurnsError) caller.metrics?.refused(caller.door, "turns");
    const answer = hasLeft ? failed("the client has left") : toRpcError(error, caller.report);
    return { body: failure(id, answer), isFinal: false, isFault: isFault(answer) };
  };
  try {
    const route = caller.routes.get(method);
    if (route === undefined || !caller.may(route.access)) throw methodNotFound();
    const params = read(route.params);
    const work = (pace: Pace) => handled(route, params, { ...context, pace });
    const isHeavy = route.isHeavy && !route.isLight(params);
    const { heavy, client } = caller;
    const reply = isHeavy ? heavy.run(work, signal, client) : heavy.short(work, signal, client);
    return reply instanceof Promise ? reply.catch(refuse) : reply;
  } catch (error) {
    return refuse(error);
  }
}

function handled(route: Route, params: ParamValues, context: RpcContext): Reply | Promise<Reply> {
  const done = (result: Json): Reply | Promise<Reply> => {
    const body = success(context.requestId, result);
    const reply = { body, isFinal: route.isFinal(params, result) };
    if (!isLong(result)) return reply;
    return longJson(body, context.pace).then((text) => ({ ...reply, text }));
  };
  const result = route.handler(params, context);
  return result instanceof Promise ? result.then(done) : done(result);
}

function endOf({ body, isFault }: Reply): RequestEnd {
  if (own(body, "error") === undefined) return "ok";
  return isFault === true ? "failed" : "refused";
}
