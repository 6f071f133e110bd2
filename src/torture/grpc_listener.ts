import {
  constants,
  createServer as createHttp2Server,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Asking, FaultDesk, MadeKind, RequestFault } from "./fault_desk.ts";
import { FirstAnswers } from "./first_answers.ts";
import { Flow } from "./flow.ts";
import { bytesField, firstMessage, messageFrame, uint32Field } from "./grpc_frames.ts";
import { CallReset, type GrpcAnswer, GrpcNode, grpcUrl, SESSION_MEMORY_MB } from "./grpc_node.ts";
import { untilIncluded } from "./inclusion.ts";
import { listenLocally, localAddress } from "./listen.ts";
import type { NodeDoor } from "./node_door.ts";
import { type NodeRequest, readGrpcRequest } from "./requests.ts";

const DRIP_PIECES = 8;
const HEIGHT_HEADER = "x-cosmos-block-height";

/** A client's connection, and one to the node that is its own. */
interface Connection {
  readonly socket: Socket;
  readonly node: GrpcNode;
  /** Calls that are not at their end: the node may get them when the client has gone. */
  calls: number;
  isGone: boolean;
}

export interface GrpcListenerOptions {
  /** Address of the node's door; it stays the same when the node is started again. */
  readonly target: string;
  /** Asked whether a tx is in a block. */
  readonly rpc: NodeDoor;
  readonly desk: FaultDesk;
  /** 0: a free one. */
  readonly port: number;
}

/** Stands before the gRPC door of a node: HTTP/2 without TLS, all methods, streams included. */
export class GrpcListener {
  readonly #url: string;
  readonly #rpc: NodeDoor;
  readonly #desk: FaultDesk;
  readonly #http2: Http2Server;
  readonly #server: Server;
  readonly #connections = new Map<Http2Session, Connection>();
  readonly #nodes = new Set<GrpcNode>();
  readonly #firstAnswers = new FirstAnswers<GrpcAnswer>();

  private constructor({ target, rpc, desk }: GrpcListenerOptions) {
    this.#url = grpcUrl(target);
    this.#rpc = rpc;
    this.#desk = desk;
    this.#http2 = createHttp2Server({ maxSessionMemory: SESSION_MEMORY_MB });
    this.#http2.on("sessionError", () => undefined);
    this.#http2.on("stream", (stream, headers) => void this.#serve(stream, headers));
    // A session does not let go of its socket, and has to be cut as a network does it.
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#http2.once("session", (session) => this.#join(session, socket));
      this.#http2.emit("connection", socket);
    });
  }

  /** Listens on 127.0.0.1. @throws TortureError `port_in_use`, `bad_node` */
  static async start(options: GrpcListenerOptions): Promise<GrpcListener> {
    const listener = new GrpcListener(options);
    await listenLocally(listener.#server, options.port);
    return listener;
  }

  /** "127.0.0.1:9090", as gRPC clients take it. */
  get address(): string {
    return localAddress(this.#server);
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const { socket } of this.#connections.values()) socket.destroy();
    for (const node of this.#nodes) node.close();
    await closed;
  }

  #join(session: Http2Session, socket: Socket): void {
    const connection = { socket, node: new GrpcNode(this.#url), calls: 0, isGone: false };
    this.#connections.set(session, connection);
    this.#nodes.add(connection.node);
    socket.on("error", () => undefined);
    session.once("close", () => {
      this.#connections.delete(session);
      connection.isGone = true;
      this.#leave(connection);
    });
  }

  #leave({ node, calls, isGone }: Connection): void {
    if (!isGone || calls > 0) return;
    this.#nodes.delete(node);
    node.close();
  }

  async #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const session = stream.session;
    const connection = session === undefined ? undefined : this.#connections.get(session);
    const request = requestOf(stream);
    if (connection === undefined || !(await request.untilMessage())) return;
    const desk = this.#desk;
    desk.open += 1;
    connection.calls += 1;
    try {
      const height = String(headers[HEIGHT_HEADER] ?? "");
      const read = readGrpcRequest(headers[":path"] ?? "", height, request.bytes);
      const visit = desk.arrive("grpc", read.requestClass);
      const asking = this.#asking(read, () => connection.node.call(headers, request));
      const answer = await desk.answer(visit, asking);
      const isCut = answer === "cut" || (await reply(answer, visit.faults, stream)) === "cut";
      if (isCut) connection.socket.destroy();
      desk.letGo(visit);
    } catch (error) {
      if (error instanceof CallReset) stream.close(error.code);
      // The node is not there.
      else connection.socket.destroy();
    } finally {
      desk.open -= 1;
      connection.calls -= 1;
      this.#leave(connection);
    }
  }

  #asking(request: NodeRequest, ask: () => Promise<GrpcAnswer>): Asking<GrpcAnswer> {
    const { question, requestClass, txHashes } = request;
    const isKept = requestClass !== "broadcast" && this.#desk.remembers;
    return {
      ask: async () => {
        const answer = await ask();
        const keep = (isWhole: boolean) => {
          if (isWhole) this.#firstAnswers.keep(question, { ...answer, drop: () => undefined });
        };
        if (isKept) answer.flow.follow({ data: () => undefined, over: keep });
        return answer;
      },
      earlier: () => this.#firstAnswers.of(question),
      untilDone: async ({ flow }) => {
        if (wasTaken(flow.bytes)) await untilIncluded(this.#rpc, txHashes);
      },
      make: made,
      drop: ({ drop }) => drop(),
    };
  }
}

/** What a client sends; broken when it calls off the call. */
function requestOf(stream: ServerHttp2Stream): Flow {
  const flow = new Flow();
  stream.on("error", () => undefined);
  stream.on("data", (chunk: Buffer) => flow.add(chunk));
  stream.once("end", () =>
    flow.end(!stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR),
  );
  stream.once("close", () => flow.end(false));
  return flow;
}

/** Fields of BroadcastTxResponse, and of the TxResponse in it. */
const [TX_RESPONSE, CODE] = [1, 4];

/** Whether the node's answer to a broadcast says that the tx may get into a block. */
function wasTaken(body: Buffer): boolean {
  const message = firstMessage(body);
  // A status alone: an error.
  if (message === undefined) return false;
  const response = bytesField(message, TX_RESPONSE);
  return response === undefined || (uint32Field(response, CODE) ?? 0) === 0;
}

const UNAVAILABLE = "14";
/** No tag of protobuf begins like this. */
const NO_MESSAGE = Buffer.alloc(16, 0xff);

function made(kind: MadeKind): GrpcAnswer {
  const grpc = { ":status": 200, "content-type": "application/grpc" };
  const answer = (headers: OutgoingHttpHeaders, body: Buffer, trailers?: IncomingHttpHeaders) => ({
    ...{ headers, flow: Flow.of(body), trailers: () => trailers, drop: () => undefined },
  });
  const nothing = Buffer.alloc(0);
  if (kind === "garbage") return answer(grpc, messageFrame(NO_MESSAGE), { "grpc-status": "0" });
  if (kind === "unavailable") {
    const status = { "grpc-status": UNAVAILABLE, "grpc-message": "Service Unavailable" };
    return answer({ ...grpc, ...status }, nothing);
  }
  return answer({ ":status": 502, "content-type": "text/html" }, nothing);
}

/** Gives a client its answer, to its end; "cut": its connection is to be cut. */
async function reply(
  answer: GrpcAnswer,
  faults: readonly RequestFault[],
  stream: ServerHttp2Stream,
): Promise<"cut" | undefined> {
  const { flow, headers } = answer;
  const kinds = new Map(faults.map((fault) => [fault.kind, fault]));
  if (isGone(stream)) {
    answer.drop();
    return undefined;
  }
  // Whoever calls off a call does not want the rest of it.
  stream.once("close", () => (flow.isOver ? undefined : answer.drop()));
  const first = flow.bytes;
  const half = first.subarray(0, first.length >> 1);
  if (first.length === 0 && flow.isOver && answer.trailers() === undefined) {
    if (kinds.has("cut_answer")) return "cut";
    stream.respond(headers, { endStream: true });
    return undefined;
  }
  // An end without a status, as of a proxy on the way that gave up.
  if (kinds.has("truncated") && !kinds.has("cut_answer")) {
    stream.respond(headers);
    stream.end(half);
    answer.drop();
    return undefined;
  }
  stream.respond(headers, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers(answer.trailers() ?? {}));
  if (kinds.has("cut_answer")) {
    await written(stream, half);
    return "cut";
  }
  const drip = kinds.get("drip");
  if (drip !== undefined) await dripInto(stream, first, drip.ms ?? 0);
  return rest(stream, flow, drip === undefined ? 0 : first.length);
}

/** Passes on what comes, until it is over or nobody listens. */
async function rest(
  stream: ServerHttp2Stream,
  flow: Flow,
  from: number,
): Promise<"cut" | undefined> {
  return new Promise((resolve) => {
    if (isGone(stream)) resolve(undefined);
    stream.once("close", () => resolve(undefined));
    flow.follow(
      {
        data: (chunk) => void (stream.writable && stream.write(chunk)),
        over: (isWhole) => {
          if (isWhole) stream.end();
          resolve(isWhole || isGone(stream) ? undefined : "cut");
        },
      },
      from,
    );
  });
}

function isGone(stream: ServerHttp2Stream): boolean {
  return stream.closed || stream.destroyed;
}

function written(stream: ServerHttp2Stream, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    stream.once("close", resolve);
    stream.write(bytes, () => resolve());
  });
}

async function dripInto(stream: ServerHttp2Stream, bytes: Buffer, ms: number): Promise<void> {
  const size = Math.max(1, Math.ceil(bytes.length / DRIP_PIECES));
  for (let at = 0; at < bytes.length && stream.writable; at += size) {
    stream.write(bytes.subarray(at, at + size));
    await sleep(ms / DRIP_PIECES);
  }
}
