import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Asking, FaultDesk, MadeKind, RequestFault } from "./fault_desk.ts";
import { FirstAnswers } from "./first_answers.ts";
import { untilIncluded } from "./inclusion.ts";
import { type NodeAnswer, NodeDoor } from "./node_door.ts";
import { listenLocally, localAddress } from "./listen.ts";
import { type NodeRequest, readRequest, withId } from "./requests.ts";
import { WebSocketTunnels } from "./web_socket_tunnel.ts";

const DRIP_PIECES = 8;

/** Stands before a door of a node that speaks HTTP/1.1: the RPC, or REST with gRPC-Web. */
export class HttpListener {
  readonly #door: NodeDoor;
  readonly #rpc: NodeDoor;
  readonly #name: "rpc" | "rest";
  readonly #desk: FaultDesk;
  readonly #server: Server;
  readonly #tunnels: WebSocketTunnels;
  readonly #firstAnswers = new FirstAnswers<NodeAnswer>();

  private constructor(options: HttpListenerOptions) {
    const { name, desk, rpc } = options;
    this.#name = name;
    this.#desk = desk;
    this.#door = new NodeDoor(options.target, name === "rpc" ? "--node" : "--rest");
    this.#rpc = rpc;
    this.#tunnels = new WebSocketTunnels(desk, this.#door);
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on("upgrade", (request, socket, head: Buffer) => {
      void this.#tunnels.join(request, socket, head);
    });
    this.#server.on("clientError", (_error, socket) => socket.destroy());
  }

  /** Listens on 127.0.0.1. @throws TortureError `port_in_use`, `bad_node` */
  static async start(options: HttpListenerOptions): Promise<HttpListener> {
    const listener = new HttpListener(options);
    await listenLocally(listener.#server, options.port);
    return listener;
  }

  get address(): string {
    return `http://${localAddress(this.#server)}`;
  }

  async close(): Promise<void> {
    this.#tunnels.close();
    this.#door.close();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const desk = this.#desk;
    desk.open += 1;
    const socket = incoming.socket;
    try {
      const body = await readBody(incoming);
      const { method = "GET", url = "/", headers } = incoming;
      const request = readRequest(method, url, body);
      const visit = desk.arrive(this.#name, request.requestClass);
      const asking = this.#asking(request, () => this.#door.ask(method, url, headers, body));
      const answer = await desk.answer(visit, asking);
      if (answer === "cut") socket.destroy();
      else await reply(answer, visit.faults, response);
      desk.letGo(visit);
    } catch {
      // The node is not there, or the client has gone.
      socket.destroy();
    } finally {
      desk.open -= 1;
    }
  }

  #asking(request: NodeRequest, ask: () => Promise<NodeAnswer>): Asking<NodeAnswer> {
    const { question, requestClass, txHashes, id } = request;
    const isKept = requestClass !== "broadcast" && this.#desk.remembers;
    return {
      ask: async () => {
        const answer = await ask();
        if (isKept) this.#firstAnswers.keep(question, answer);
        return answer;
      },
      earlier: () => {
        const early = this.#firstAnswers.of(question);
        return early && { ...early, body: Buffer.from(withId(early.body, id)) };
      },
      untilDone: async ({ body }) => {
        if (wasTaken(body)) await untilIncluded(this.#rpc, txHashes);
      },
      make: page,
      drop: () => undefined,
    };
  }
}

export interface HttpListenerOptions {
  readonly name: "rpc" | "rest";
  /** Address of the node's door; it stays the same when the node is started again. */
  readonly target: string;
  /** Asked whether a tx is in a block. */
  readonly rpc: NodeDoor;
  readonly desk: FaultDesk;
  /** 0: a free one. */
  readonly port: number;
}

async function reply(
  { status, headers, body }: NodeAnswer,
  faults: readonly RequestFault[],
  response: ServerResponse,
): Promise<void> {
  const kinds = new Map(faults.map((fault) => [fault.kind, fault]));
  const half = body.subarray(0, body.length >> 1);
  const bytes = kinds.has("truncated") ? half : body;
  response.writeHead(status, { ...headers, "content-length": bytes.length });
  if (kinds.has("cut_answer")) {
    response.write(half, () => response.destroy());
    return;
  }
  const drip = kinds.get("drip");
  if (drip !== undefined) await dripInto(response, bytes, drip.ms ?? 0);
  else response.end(bytes);
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Whether the node's answer to a broadcast says that the tx may get into a block. */
function wasTaken(body: Uint8Array): boolean {
  try {
    const answer = JSON.parse(Buffer.from(body).toString("utf8")) as {
      error?: unknown;
      result?: { code?: number; check_tx?: { code?: number } };
      tx_response?: { code?: number };
    };
    const { result, tx_response: rest } = answer;
    if (answer.error !== undefined) return false;
    return (result?.check_tx?.code ?? result?.code ?? rest?.code ?? 0) === 0;
  } catch {
    // A batch, gRPC-Web, or nothing that can be read.
    return true;
  }
}

const PAGES: Readonly<Record<MadeKind, readonly [number, string]>> = {
  unavailable: [503, "<html><h1>503 Service Unavailable</h1></html>\n"],
  bad_gateway: [502, "<html><h1>502 Bad Gateway</h1></html>\n"],
  garbage: [200, "\u0000\u0001 this is not what you asked for"],
};

function page(kind: MadeKind): NodeAnswer {
  const [status, text] = PAGES[kind];
  return { status, headers: { "content-type": "text/html" }, body: Buffer.from(text) };
}

async function dripInto(response: ServerResponse, body: Buffer, ms: number): Promise<void> {
  const size = Math.max(1, Math.ceil(body.length / DRIP_PIECES));
  for (let at = 0; at < body.length; at += size) {
    response.write(body.subarray(at, at + size));
    await sleep(ms / DRIP_PIECES);
  }
  response.end();
}
