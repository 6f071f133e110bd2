import type { IncomingMessage, ServerResponse } from "node:http";
import { messageToJsonPieces } from "../../codec/proto_json.ts";
import { messageTypeNamed } from "../../codec/message_types.ts";
import type { Pace } from "../../node/pace.ts";
import type { HeavyQueue } from "../heavy_queue.ts";
import { type JsonText, JsonTextWriter } from "../json_text.ts";
import type { ParseTurns } from "../parse_turn.ts";
import { readBody } from "../rpc/body.ts";
import { isTooDeep, JSON_DEPTH_MAX } from "../rpc/json.ts";
import type { Origins } from "../rpc/origins.ts";
import type { Services } from "../services/services.ts";
import type { UnaryAnswer } from "../services/unary.ts";
import { heightAsked, tellHeight } from "./block_height.ts";
import { callMethod } from "./call_method.ts";
import { answerPreflight, setCorsHeaders } from "./cors.ts";
import { documentAt, PAGE_POLICY } from "./documents.ts";
import type { HttpDoor } from "./http_door.ts";
import type { RestLimits } from "./limits.ts";
import { JSON_TYPE, leaveSignal, sendText } from "./reply.ts";
import { requestMessage } from "./request_message.ts";
import { badRequest, errorAnswer, notImplemented, tooLong } from "./rest_error.ts";
import type { Match, RouteTable } from "./route_table.ts";

/** Answers a request that speaks gRPC-Web. */
export type GrpcWebHandler = (
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<void> | void;

export interface RestContext {
  readonly services: Services;
  readonly routes: RouteTable;
  readonly origins: Origins;
  readonly limits: RestLimits;
  /** Where the writing of long answers takes turns. */
  readonly heavy: HeavyQueue;
  readonly turns: ParseTurns;
  readonly extra: readonly HttpDoor[];
  readonly grpcWeb: GrpcWebHandler | undefined;
  readonly report: (error: unknown) => void;
  /** A limit has turned somebody away. */
  readonly refused: (limit: "address" | "body" | "time") => void;
}

/** A request with what every part of the server needs of it. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly verb: string;
  readonly path: string;
  readonly search: URLSearchParams;
  readonly signal: AbortSignal;
}

/** The REST API of the annotated methods, with the page and what else is mounted. */
export function restHandler(context: RestContext) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const signal = leaveSignal(response);
    serve(context, request, response, signal).catch((error: unknown) => {
      // A client that left gets no answer, and work that ends with it is no fault.
      if (signal.aborted || (request.destroyed && !request.complete)) return response.destroy();
      if (response.headersSent) {
        context.report(error);
        return response.destroy();
      }
      return sendError(context, response, error);
    });
  };
}

async function serve(
  context: RestContext,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  response.setHeader("X-Content-Type-Options", "nosniff");
  setCorsHeaders(context.origins, request, response);
  const url = request.url ?? "/";
  if (url.length > context.limits.urlLength) {
    context.refused("address");
    throw tooLong(414, `the address is longer than ${context.limits.urlLength} characters`);
  }
  if (request.method === "OPTIONS") return answerPreflight(context.origins, request, response);
  if (isGrpcWeb(request) && context.grpcWeb !== undefined) {
    return context.grpcWeb(request, response);
  }
  const [path = "/", query = ""] = url.split(/\?(.*)/s);
  const verb = request.method === "HEAD" ? "GET" : (request.method ?? "GET");
  const search = new URLSearchParams(query);
  const exchange = { request, response, verb, path, search, signal };
  const door = context.extra.find(({ prefix }) => isUnder(prefix, path));
  if (door !== undefined) return serveDoor(context, door, exchange);
  const document = verb === "GET" ? await documentAt(path) : undefined;
  if (document === undefined) return serveMethod(context, exchange);
  if (document.isPage) response.setHeader("Content-Security-Policy", PAGE_POLICY);
  const { type, text } = document;
  return sendText(response, context.limits.writeMs, { status: 200, type, text });
}

function isGrpcWeb(request: IncomingMessage): boolean {
  return request.headers["content-type"]?.startsWith("application/grpc-web") === true;
}

function isUnder(prefix: string, path: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`);
}

async function serveDoor(
  context: RestContext,
  door: HttpDoor,
  { request, response, path, search, signal }: Exchange,
): Promise<void> {
  return door.handle(request, response, {
    origins: context.origins,
    signal,
    path: path.slice(door.prefix.length),
    search,
    readJson: async () => readJson(context, request, response, signal),
    sendJson: (status, body) => sendJson(context, response, status, body),
  });
}

async function serveMethod(context: RestContext, exchange: Exchange): Promise<void> {
  const { request, response, search, signal } = exchange;
  const match = matchOf(context.routes, exchange);
  if (match === undefined || !context.services.has(match.route.path)) throw notImplemented();
  const { route } = match;
  const height = heightAsked(request);
  const body =
    route.rule.body === undefined ? undefined : await readJson(context, request, response, signal);
  const data = requestMessage(match, search, body);
  const { services, report, refused } = context;
  const limits = { callMs: context.limits.callMs, report, refused };
  const target = { services, path: route.path };
  const client = request.socket;
  const call = { height, signal, client };
  const { text, of } = await callMethod(target, data, call, limits, async (answer, until) => {
    const pace = context.heavy.pace(until, client);
    return { text: await answerText(route.method.output, answer, pace), of: answer.height };
  });
  tellHeight(response, of);
  sendJsonText(context, response, 200, text);
}

/** The JSON of an answer, with turns for others where it is long. */
async function answerText(name: string, answer: UnaryAnswer, pace: Pace): Promise<JsonText> {
  const writer = new JsonTextWriter(pace);
  const message = answer.message ?? (messageTypeNamed(name).codec.decode(answer.value) as object);
  for (const piece of messageToJsonPieces(name, message, JSON.stringify)) {
    const wait = writer.write(piece);
    if (wait !== undefined) await wait;
  }
  return writer.end();
}

function matchOf(routes: RouteTable, { verb, path }: Exchange): Match | undefined {
  try {
    return routes.match(verb, path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw badRequest("the path has an escape that is none: % stands before two hex digits");
  }
}

/** @throws UnaryError 3 for a body that is no JSON or too long */
async function readJson(
  { limits: { bodyBytes }, refused, turns }: RestContext,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<unknown> {
  const text = await readBody(request, bodyBytes);
  if (text === undefined) {
    refused("body");
    response.setHeader("Connection", "close");
    throw tooLong(413, `the body is longer than ${bodyBytes} bytes`);
  }
  return turns.parse(parseJson, text, { signal, client: request.socket });
}

/** @throws UnaryError 3 for a text that is no JSON or too deep */
function parseJson(text: string): unknown {
  if (isTooDeep(text)) throw badRequest(`the body is nested deeper than ${JSON_DEPTH_MAX}`);
  if (text.trim() === "") throw badRequest("the body is empty; send a JSON object");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`the body is no JSON: ${error instanceof Error ? error.message : ""}`);
  }
}

function sendJson(context: RestContext, response: ServerResponse, status: number, body: unknown) {
  sendJsonText(context, response, status, JSON.stringify(body));
}

function sendJsonText(
  context: RestContext,
  response: ServerResponse,
  status: number,
  text: string | JsonText,
): void {
  response.setHeader("Cache-Control", "no-store");
  sendText(response, context.limits.writeMs, { status, type: JSON_TYPE, text });
}

function sendError(context: RestContext, response: ServerResponse, error: unknown): void {
  const { http, body } = errorAnswer(error, context.report);
  sendJson(context, response, http, body);
}
