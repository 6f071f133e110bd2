import type { IncomingMessage, ServerResponse } from "node:http";
import { readBytes } from "../rpc/body.ts";
import { runUnary } from "../services/run_unary.ts";
import type { Services } from "../services/services.ts";
import { STATUS, type Status, UnaryError } from "../services/unary.ts";
import { askedHeight, HEIGHT_HEADER } from "./height_header.ts";
import { DEFAULT_GRPC_LIMITS, type GrpcLimit } from "./limits.ts";
import {
  fromWebText,
  HEAD_BYTES,
  messageFrame,
  readRequestFrame,
  trailersFrame,
} from "./web_frames.ts";

export interface GrpcWebOptions {
  /** Of a request, decoded; the default is that of the gRPC server. */
  readonly requestBytes?: number | undefined;
  /** The longest that a call may take, in milliseconds. */
  readonly callMs?: number | undefined;
  readonly report?: ((error: unknown) => void) | undefined;
  /** Told when a limit has turned somebody away. */
  readonly refused?: ((limit: GrpcLimit) => void) | undefined;
}

/** "application/grpc-web", "application/grpc-web+proto", "application/grpc-web-text+proto" */
const CONTENT_TYPE = /^application\/grpc-web(-text)?(?:\+proto)?(?:\s*;.*)?$/i;
const TIMEOUT = /^([0-9]{1,8})([HMSmun])$/;
const MS_OF_UNIT: Readonly<Record<string, number>> = {
  ...{ H: 3_600_000, M: 60_000, S: 1000, m: 1 },
  // Less than a millisecond is one.
  ...{ u: 0, n: 0 },
};

/**
 * gRPC-Web over HTTP/1.1, in binary and in base64: unary methods, the status in a last frame of
 * trailers. Every answer has HTTP status 200, but for requests that are no gRPC-Web at all. Origins,
 * slow requests and connections are the HTTP server's to watch.
 */
export function grpcWebHandler(
  services: Services,
  options: GrpcWebOptions = {},
): (request: IncomingMessage, response: ServerResponse) => void {
  const { report = () => undefined } = options;
  return (request, response) => {
    serve(services, options, request, response).catch((error: unknown) => {
      // A client that left in the middle of its request is no fault and gets no answer.
      if (!request.destroyed || request.complete) report(error);
      response.destroy();
    });
  };
}

async function serve(
  services: Services,
  options: GrpcWebOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const type = CONTENT_TYPE.exec(request.headers["content-type"] ?? "");
  if (request.method !== "POST" || type === null) return refuse(request, response);
  const isText = type[1] !== undefined;
  response.setHeader("Content-Type", `application/grpc-web${isText ? "-text" : ""}+proto`);
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("Cache-Control", "no-store");
  const body = await readBytes(request, bodyLimit(options, isText));
  if (body === undefined) options.refused?.("body");
  const end = await outcome(services, options, { request, response, body, isText });
  const frames = [end.message, trailersFrame(end.status, end.text)].filter(
    (frame) => frame !== undefined,
  );
  if (end.height !== undefined) response.setHeader(HEIGHT_HEADER, String(end.height));
  // What was not read cannot be followed by another request.
  if (body === undefined) response.setHeader("Connection", "close");
  // A piece of base64 for each frame, so that a client can decode them one by one.
  for (const frame of frames) response.write(isText ? frame.toString("base64") : frame);
  response.end();
}

/** The head of the frame comes on top; base64 has four characters for three bytes. */
function bodyLimit(options: GrpcWebOptions, isText: boolean): number {
  const bytes = (options.requestBytes ?? DEFAULT_GRPC_LIMITS.requestBytes) + HEAD_BYTES;
  return isText ? Math.ceil((bytes * 4) / 3) + 8 : bytes;
}

function refuse(request: IncomingMessage, response: ServerResponse): void {
  const isPost = request.method === "POST";
  if (!isPost) response.setHeader("Allow", "POST");
  response.writeHead(isPost ? 415 : 405, { "Content-Type": "text/plain", Connection: "close" });
  response.end(
    isPost
      ? "the content type is application/grpc-web+proto or application/grpc-web-text+proto\n"
      : "gRPC-Web calls are POST\n",
  );
}

interface Outcome {
  readonly status: Status;
  readonly text: string;
  readonly message?: Buffer;
  readonly height?: bigint;
}

async function outcome(
  services: Services,
  { callMs = DEFAULT_GRPC_LIMITS.callMs, report = () => undefined, refused }: GrpcWebOptions,
  {
    request,
    response,
    body,
    isText,
  }: {
    request: IncomingMessage;
    response: ServerResponse;
    body: Buffer | undefined;
    isText: boolean;
  },
): Promise<Outcome> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  try {
    const message = requestMessage(body, isText);
    const height = askedHeight(oneOf(request.headers[HEIGHT_HEADER]));
    const ms = timeoutMs(oneOf(request.headers["grpc-timeout"]), callMs);
    const path = (request.url ?? "").replace(/\?.*$/, "").slice(1);
    const call = { height, signal: gone.signal, client: request.socket, report };
    const answer = await within(ms, runUnary(services, path, message, call), () => {
      // A deadline of the client's own is no limit of the door.
      if (ms === callMs) refused?.("time");
    });
    return {
      status: STATUS.ok,
      text: "",
      message: messageFrame(answer.value),
      height: answer.height,
    };
  } catch (error) {
    if (!(error instanceof UnaryError)) throw error;
    return { status: error.status, text: error.message };
  } finally {
    gone.abort();
  }
}

function oneOf(header: string | string[] | undefined): string | undefined {
  return typeof header === "string" ? header : header?.[0];
}

/** @throws UnaryError for a body that is no gRPC-Web message */
function requestMessage(body: Buffer | undefined, isText: boolean): Uint8Array {
  if (body === undefined) {
    throw new UnaryError(STATUS.resourceExhausted, "the request is larger than the server takes");
  }
  const bytes = isText ? fromWebText(body) : body;
  if (bytes === undefined) throw new UnaryError(STATUS.invalidArgument, "the body is not base64");
  const read = readRequestFrame(bytes);
  if ("fault" in read) throw new UnaryError(STATUS[read.status], read.fault);
  return read.message;
}

/** @throws UnaryError for a timeout that is none */
function timeoutMs(header: string | undefined, most: number): number {
  if (header === undefined) return most;
  const [, count = "", unit = ""] = TIMEOUT.exec(header) ?? [];
  const perUnit = MS_OF_UNIT[unit];
  if (perUnit === undefined) {
    const text = 'grpc-timeout is digits and a unit (H, M, S, m, u or n), such as "500m"';
    throw new UnaryError(STATUS.invalidArgument, text);
  }
  return Math.min(Math.max(1, Number(count) * perUnit), most);
}

async function within<T>(ms: number, work: Promise<T>, tooLate: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      tooLate();
      reject(new UnaryError(STATUS.deadlineExceeded, `no answer within ${ms} ms`));
    }, ms);
  });
  // Whichever is second is nobody's any more.
  work.catch(() => undefined);
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
