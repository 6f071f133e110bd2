import type { IncomingMessage, ServerResponse } from "node:http";
import { readBody } from "./body.ts";
import type { ParseTurns } from "../parse_turn.ts";
import type { Pace } from "../../node/pace.ts";
import type { Client } from "../heavy_queue.ts";
import { JsonText } from "../json_text.ts";
import { type Caller, call, failure, parseJson, type Reply, readRequest } from "./call.ts";
import { endpointPage } from "./endpoint_page.ts";
import { failed, invalidRequest, methodNotFound, type RpcError, toRpcError } from "./errors.ts";
import { isObject, type JsonObject, own } from "./json.ts";
import { type Limit, MAX_PATH_LENGTH, type RpcLimits } from "./limits.ts";
import type { Origins } from "./origins.ts";
import { paramsFromJson, paramsFromUri } from "./params.ts";
import type { Access, RpcId } from "./route.ts";
import type { Routes } from "./routes.ts";

/** The id of the answer to a GET, which has none of its own. */
const URI_ID = -1;
const CORS_METHODS = "HEAD, GET, POST";
const CORS_HEADERS = "Origin, Accept, Content-Type, X-Requested-With, X-Server-Time";

export interface HttpDoor {
  readonly routes: Routes;
  readonly origins: Origins;
  readonly limits: RpcLimits;
  /** Whether final answers may be kept by caches: not on dev chains, which begin anew. */
  readonly mayCache: boolean;
  readonly caller: (id: RpcId, from: Asker) => Caller;
  /** For what a client sends in one piece. */
  readonly pace: (from: Asker) => Pace;
  readonly turns: ParseTurns;
  readonly report: (error: unknown) => void;
  /** Told when a limit has turned a request away. */
  readonly refused: (limit: Limit) => void;
}

/** Who asks. */
export interface Asker {
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
  readonly may: (access: Access) => boolean;
  /** The connection. */
  readonly client: Client;
}

/** JSON-RPC over HTTP, as CometBFT 0.38 serves it: POST to "/", GET of "/method?name=value". */
export function httpHandler(door: HttpDoor) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    serve(door, request, response).catch((error: unknown) => {
      // A client that left in the middle of its request is no fault and gets no answer.
      if (request.destroyed && !request.complete) return response.destroy();
      const answer = toRpcError(error, door.report);
      if (response.headersSent) return response.destroy();
      return sendJson(door, response, { status: 500, body: failure(null, answer) });
    });
  };
}

async function serve(
  door: HttpDoor,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const origin = request.headers.origin;
  response.setHeader("X-Server-Time", Math.floor(Date.now() / 1000));
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("Vary", "Origin");
  if (origin !== undefined && door.origins.mayRead(origin)) {
    response.setHeader("Access-Control-Allow-Origin", origin);
    response.setHeader("Access-Control-Expose-Headers", "X-Server-Time");
  }
  const [path = "", search = ""] = splitOnce(request.url ?? "/", "?");
  if (path.length > MAX_PATH_LENGTH) {
    const error = invalidRequest(`the path is longer than ${MAX_PATH_LENGTH} characters`);
    return sendJson(door, response, { status: 414, body: failure(null, error) });
  }
  const name = withoutSlashes(path);
  switch (request.method) {
    case "OPTIONS":
      return preflight(door, request, response);
    case "POST":
      if (name !== "") return sendJson(door, response, notFound(null));
      return servePost(door, request, response);
    case "GET":
    case "HEAD":
      return serveGet(door, response, name, new URLSearchParams(search));
    case undefined:
    default:
      response.setHeader("Allow", "OPTIONS, HEAD, GET, POST");
      return sendJson(door, response, {
        status: 405,
        body: failure(null, invalidRequest(`method ${request.method} is not allowed`)),
      });
  }
}

function preflight(door: HttpDoor, request: IncomingMessage, response: ServerResponse): void {
  const { origin } = request.headers;
  if (origin !== undefined && door.origins.mayRead(origin)) {
    response.setHeader("Access-Control-Allow-Methods", CORS_METHODS);
    response.setHeader("Access-Control-Allow-Headers", CORS_HEADERS);
    response.setHeader("Access-Control-Max-Age", "600");
    // Browsers ask this before a page of the public net reaches an address of this machine.
    if (request.headers["access-control-request-private-network"] === "true") {
      response.setHeader("Access-Control-Allow-Private-Network", "true");
    }
  }
  response.writeHead(204).end();
}

interface Answer {
  readonly status: number;
  /** undefined: no body, because all requests were notifications. */
  readonly body: JsonObject | JsonText | undefined;
  readonly isFinal?: boolean;
}

function notFound(id: RpcId | null): Answer {
  return { status: 404, body: failure(id, methodNotFound()) };
}

async function servePost(
  door: HttpDoor,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const text = await readBody(request, door.limits.bodyBytes);
  if (text === "") return sendPage(door, response);
  if (text === undefined) {
    door.refused("body");
    response.setHeader("Connection", "close");
    const error = invalidRequest("error reading request body: http: request body too large");
    return sendJson(door, response, { status: 413, body: failure(null, error) });
  }
  const { origin } = request.headers;
  const may = (access: Access) =>
    access === "any" || (access === "control" && door.origins.mayControl(origin));
  const from = { signal: leaveSignal(response), may, client: request.socket };
  return sendJson(door, response, await answerPost(door, text, from));
}

async function answerPost(door: HttpDoor, text: string, from: Asker): Promise<Answer> {
  const refused = (status: number, error: RpcError) => ({ status, body: failure(null, error) });
  let value: unknown;
  try {
    value = await door.turns.parse(parseJson, text, from);
  } catch (error) {
    // Nobody is there to read an answer.
    if (from.signal.aborted) return { status: 200, body: undefined };
    return refused(500, toRpcError(error, door.report));
  }
  const requests: readonly unknown[] = Array.isArray(value) ? value : [value];
  const { batchSize } = door.limits;
  if (requests.length === 0) return refused(400, invalidRequest("empty batch"));
  if (requests.length > batchSize) {
    door.refused("batch");
    const sizes = `got: ${requests.length}, max: ${batchSize}`;
    return refused(400, invalidRequest(`maximum JSON-RPC batch size exceeded, ${sizes}`));
  }
  const { texts, isFinal, status } = await answerAll(door, requests, from);
  const [first] = texts;
  if (first === undefined) return { status: 200, body: undefined };
  const body = texts.length === 1 ? first : JsonText.list(texts);
  return { status: Array.isArray(value) ? 200 : status, body, isFinal };
}

/**
 * One after another: a batch takes no more of the node than one request. Txs next to each other are
 * handed to the mempool together, which keeps their order. An answer that goes over the budget is
 * still given, because its request has been run; those behind it are refused.
 */
async function answerAll(door: HttpDoor, requests: readonly unknown[], from: Asker) {
  const { responseBytes } = door.limits;
  const texts: JsonText[] = [];
  const pace = door.pace(from);
  let size = 0;
  let isFinal = true;
  let status = 200;
  for (let at = 0; at < requests.length; ) {
    // The client has left: nobody reads the answers, and no more is run for it.
    if (from.signal.aborted) break;
    const end = endOfRun(door, requests, at);
    const run = requests
      .slice(at, end)
      .map(async (one) => answerOne(door, one, from, size > responseBytes));
    at = end;
    for (const reply of await Promise.all(run)) {
      if (reply === undefined) continue;
      const text = reply.text ?? JsonText.of(JSON.stringify(reply.body));
      size += text.bytes;
      texts.push(text);
      isFinal &&= reply.isFinal;
      status = reply.status;
    }
    if (pace.isDue()) await pause(pace, from);
  }
  return { texts, isFinal, status };
}

/** A client that leaves meanwhile is noticed by whoever goes on. */
async function pause(pace: Pace, { signal }: Asker): Promise<void> {
  try {
    await pace.pause();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** The end of the requests from `at` on that are started together. */
function endOfRun(door: HttpDoor, requests: readonly unknown[], at: number): number {
  let end = at;
  while (end < requests.length && runsTogether(door, requests[end])) end += 1;
  return Math.max(end, at + 1);
}

function runsTogether(door: HttpDoor, request: unknown): boolean {
  const method = isObject(request) ? own(request, "method") : undefined;
  return typeof method === "string" && door.routes.get(method)?.runsTogether === true;
}

async function answerOne(
  door: HttpDoor,
  value: unknown,
  from: Asker,
  isOverBudget: boolean,
): Promise<(Reply & { readonly status: number }) | undefined> {
  try {
    const request = readRequest(value);
    if (request === undefined) return undefined;
    if (isOverBudget) {
      door.refused("response");
      const limit = `the answers before this one exceed ${door.limits.responseBytes} bytes`;
      const error = failed(`response too large: ${limit}; ask for less in one batch`);
      return { body: failure(request.id, error), isFinal: false, status: 200 };
    }
    const caller = door.caller(request.id, from);
    const read = (specs: Parameters<typeof paramsFromJson>[0]) =>
      paramsFromJson(specs, request.params);
    return { ...(await call(caller, request.method, read)), status: 200 };
  } catch (error) {
    return { body: failure(null, toRpcError(error, door.report)), isFinal: false, status: 400 };
  }
}

async function serveGet(
  door: HttpDoor,
  response: ServerResponse,
  name: string,
  search: URLSearchParams,
): Promise<void> {
  if (name === "") return sendPage(door, response);
  if (name === "websocket") {
    response.writeHead(426, { Upgrade: "websocket", Connection: "Upgrade" });
    response.end("this path speaks WebSocket only\n");
    return;
  }
  // Time is never moved by GET: a web page can cause one without saying where it comes from.
  const may = (access: Access) => access === "any";
  const from = { signal: leaveSignal(response), may, client: response.req.socket };
  const caller = door.caller(URI_ID, from);
  const reply = await call(caller, name, (specs) => paramsFromUri(specs, search));
  const error = own(reply.body, "error");
  if (!isObject(error)) {
    const { body, text = body, isFinal } = reply;
    return sendJson(door, response, { status: 200, body: text, isFinal });
  }
  const isUnknown = own(error, "code") === methodNotFound().code;
  return sendJson(door, response, { status: isUnknown ? 404 : 500, body: reply.body });
}

function sendPage(door: HttpDoor, response: ServerResponse): void {
  const page = JsonText.of(endpointPage(door.routes));
  send(door, response, 200, "text/html; charset=utf-8", page);
}

function sendJson(door: HttpDoor, response: ServerResponse, answer: Answer): void {
  const { body } = answer;
  const text =
    body instanceof JsonText ? body : JsonText.of(body === undefined ? "" : JSON.stringify(body));
  if (answer.isFinal === true && door.mayCache) {
    response.setHeader("Cache-Control", "public, max-age=86400");
  }
  send(door, response, answer.status, "application/json", text);
}

function send(
  door: HttpDoor,
  response: ServerResponse,
  status: number,
  type: string,
  text: JsonText,
): void {
  // A client that does not read its answer must not keep it in memory for ever.
  const late = setTimeout(() => response.destroy(), door.limits.writeMs);
  late.unref();
  response.once("close", () => clearTimeout(late));
  response.writeHead(status, { "Content-Type": type, "Content-Length": text.bytes });
  text.end(response);
}

/** Aborted when the client is gone before its answer was complete. */
function leaveSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}

function withoutSlashes(path: string): string {
  let start = 0;
  let end = path.length;
  while (start < end && path[start] === "/") start += 1;
  while (end > start && path[end - 1] === "/") end -= 1;
  return path.slice(start, end);
}
