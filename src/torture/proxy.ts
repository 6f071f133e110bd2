import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { TortureError } from "./errors.ts";
import {
  type Fault,
  isRequestFault,
  REQUEST_FAULTS,
  type RequestClass,
  type RequestFaultKind,
  type RequestPoint,
} from "./fault.ts";
import { type NodeAnswer, NodeDoor } from "./node_door.ts";
import { type NodeRequest, readRequest, withId } from "./requests.ts";

/** Longest wait for a tx to get into a block before its answer is lost. */
const INCLUSION_MS = 10_000;
const POLL_MS = 15;
/** Questions whose first answer is kept for later. */
const REMEMBERED_MAX = 4096;
const DRIP_PIECES = 8;

type RequestFault = Fault & { readonly kind: RequestFaultKind; readonly at: RequestPoint };
type Counts = Record<RequestClass, number>;

export interface ProxyOptions {
  /** Address to stand before; it stays the same when the node is started again. */
  readonly target: string;
  /** CometBFT RPC of the node, when `target` is another door of it. */
  readonly rpc?: string;
  /** Those that do not happen to requests are passed over. */
  readonly faults: readonly Fault[];
  /** Called as a request arrives, before the node sees it. */
  readonly onRequest?: (counts: Readonly<Counts>, requestClass: RequestClass) => void;
  /** 0: a free one. */
  readonly port?: number;
}

/** Stands between clients and a node and does what a schedule says to requests and answers. */
export class TortureProxy {
  readonly #door: NodeDoor;
  readonly #rpc: NodeDoor;
  readonly #faults: readonly RequestFault[];
  readonly #onRequest: ProxyOptions["onRequest"];
  readonly #server: Server;
  readonly #tunnels = new Set<Duplex>();
  readonly #counts: Counts = { broadcast: 0, query: 0, lookup: 0, other: 0, any: 0 };
  readonly #applied = new Set<Fault>();
  readonly #firstAnswers = new Map<string, NodeAnswer>();
  readonly #held = new Set<{ readonly after: number; readonly release: () => void }>();
  #open = 0;

  private constructor(options: ProxyOptions) {
    this.#door = new NodeDoor(options.target);
    this.#rpc = new NodeDoor(options.rpc ?? options.target);
    this.#faults = options.faults.filter(isRequestFault);
    this.#onRequest = options.onRequest;
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on("upgrade", (request, socket, head: Buffer) => {
      void this.#tunnel(request, socket, head);
    });
    this.#server.on("clientError", (_error, socket) => socket.destroy());
  }

  /** Listens on 127.0.0.1. @throws TortureError `port_in_use` */
  static async start(options: ProxyOptions): Promise<TortureProxy> {
    const proxy = new TortureProxy(options);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", (error) => {
        const detail = `the proxy cannot listen on port ${options.port ?? 0}: ${error.message}`;
        reject(new TortureError("port_in_use", detail));
      });
      proxy.#server.listen(options.port ?? 0, "127.0.0.1", resolve);
    });
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Faults that have happened so far. */
  get applied(): ReadonlySet<Fault> {
    return this.#applied;
  }

  get counts(): Readonly<Counts> {
    return this.#counts;
  }

  /** Requests that are still on their way: a node may yet do what they ask. */
  get open(): number {
    return this.#open;
  }

  async close(): Promise<void> {
    for (const { release } of this.#held) release();
    for (const tunnel of this.#tunnels) tunnel.destroy();
    this.#door.close();
    this.#rpc.close();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#open += 1;
    const socket = incoming.socket;
    try {
      const body = await readBody(incoming);
      const { method = "GET", url = "/", headers } = incoming;
      const request = readRequest(method, url, body);
      const faults = this.#faultsOf(request.requestClass);
      const number = this.#counts.any;
      const ask = () => this.#ask(request, () => this.#door.ask(method, url, headers, body));
      const answer = await this.#answer(faults, request, number, ask);
      if (answer === "cut") socket.destroy();
      else await this.#reply(answer, faults, response);
      this.#letGo(number);
    } catch {
      // The node is not there, or the client has gone.
      socket.destroy();
    } finally {
      this.#open -= 1;
    }
  }

  /** Counts a request and finds what is to happen to it, in the order of REQUEST_FAULTS. */
  #faultsOf(requestClass: Exclude<RequestClass, "any">): RequestFault[] {
    const counts = this.#counts;
    counts[requestClass] += 1;
    counts.any += 1;
    this.#onRequest?.({ ...counts }, requestClass);
    const place = ({ kind }: RequestFault) => REQUEST_FAULTS.indexOf(kind);
    return this.#faults
      .filter(({ at: { of, nth } }) => (of === requestClass || of === "any") && counts[of] === nth)
      .sort((a, b) => place(a) - place(b));
  }

  /** What the client is to get, faults of the answer's bytes not yet done. */
  async #answer(
    faults: readonly RequestFault[],
    request: NodeRequest,
    number: number,
    ask: () => Promise<NodeAnswer>,
  ): Promise<NodeAnswer | "cut"> {
    let answer: NodeAnswer | undefined;
    for (const fault of faults) {
      const early = this.#firstAnswers.get(request.question);
      if (fault.kind === "stale" && early === undefined) continue;
      this.#applied.add(fault);
      switch (fault.kind) {
        case "delay":
          await sleep(fault.ms ?? 0);
          break;
        case "hold":
          await this.#hold(number, fault.ms ?? 0);
          break;
        case "cut_request":
          return "cut";
        case "unavailable":
          return page(503, "Service Unavailable");
        case "stale":
          if (early !== undefined) return { ...early, body: asBuffer(early.body, request.id) };
          break;
        case "duplicate":
          await ask();
          break;
        case "lose_answer":
          answer ??= await ask();
          await this.#untilDone(request, answer);
          return "cut";
        case "bad_gateway":
          await ask();
          return page(502, "Bad Gateway");
        case "garbage":
          await ask();
          return page(200, "\u0000\u0001 this is not what you asked for");
        case "cut_answer":
        case "truncated":
        case "drip":
          // Of the bytes: `reply` does them.
          break;
      }
    }
    return answer ?? ask();
  }

  async #ask(request: NodeRequest, ask: () => Promise<NodeAnswer>): Promise<NodeAnswer> {
    const answer = await ask();
    const { question, requestClass } = request;
    const isKept = requestClass !== "broadcast" && this.#firstAnswers.size < REMEMBERED_MAX;
    if (isKept && !this.#firstAnswers.has(question) && this.#remembers()) {
      this.#firstAnswers.set(question, answer);
    }
    return answer;
  }

  #remembers(): boolean {
    return this.#faults.some(({ kind }) => kind === "stale");
  }

  /** Waits until the txs of a request that the node took are in blocks. */
  async #untilDone({ txHashes }: NodeRequest, { body }: NodeAnswer): Promise<void> {
    if (!wasTaken(body)) return;
    const end = Date.now() + INCLUSION_MS;
    for (const hash of txHashes) {
      while (!(await this.#rpc.hasTx(hash)) && Date.now() < end) await sleep(POLL_MS);
    }
  }

  /** Waits until a request that came later has been answered. */
  async #hold(number: number, ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => held.release(), ms);
      const held = {
        after: number,
        release: () => {
          clearTimeout(timer);
          this.#held.delete(held);
          resolve();
        },
      };
      this.#held.add(held);
    });
  }

  #letGo(number: number): void {
    for (const { after, release } of this.#held) if (after < number) release();
  }

  async #reply(
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

  /** A WebSocket: bytes are passed on as they are, and cut when a fault says so. */
  async #tunnel(incoming: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    client.on("error", () => client.destroy());
    const faults = this.#faultsOf("other");
    for (const fault of faults) this.#applied.add(fault);
    const delay = faults.find(({ kind }) => kind === "delay" || kind === "hold");
    if (delay !== undefined) await sleep(delay.ms ?? 0);
    if (faults.some(({ kind }) => kind === "cut_request" || kind === "unavailable")) {
      client.destroy();
      return;
    }
    const node = connect(this.#door.port, this.#door.host, () => {
      node.write(upgradeText(incoming, this.#door.path(incoming.url ?? "/")));
      node.write(head);
      client.pipe(node);
      node.pipe(client);
    });
    if (faults.some(({ kind }) => kind !== "delay" && kind !== "hold" && kind !== "drip")) {
      cutAfterAnswers(node);
    }
    this.#join(client, node);
  }

  #join(client: Duplex, node: Socket): void {
    for (const [one, other] of [[client, node] as const, [node, client] as const]) {
      this.#tunnels.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#tunnels.delete(one);
        other.destroy();
      });
    }
  }
}

/** Cuts a WebSocket after its handshake and the first message. */
function cutAfterAnswers(node: Socket): void {
  let chunks = 0;
  node.on("data", () => {
    chunks += 1;
    if (chunks === 2) node.destroy();
  });
}

/** The request line and headers of an upgrade, to be sent as they came. */
function upgradeText({ method, rawHeaders }: IncomingMessage, path: string): string {
  const lines = [`${method ?? "GET"} ${path} HTTP/1.1`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
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
    // A batch, or nothing that can be read.
    return true;
  }
}

function page(status: number, text: string): NodeAnswer {
  const body = Buffer.from(status === 200 ? text : `<html><h1>${status} ${text}</h1></html>\n`);
  return { status, headers: { "content-type": "text/html" }, body };
}

function asBuffer(body: Uint8Array, id: unknown): Buffer {
  return Buffer.from(withId(body, id));
}

async function dripInto(response: ServerResponse, body: Buffer, ms: number): Promise<void> {
  const size = Math.max(1, Math.ceil(body.length / DRIP_PIECES));
  for (let at = 0; at < body.length; at += size) {
    response.write(body.subarray(at, at + size));
    await sleep(ms / DRIP_PIECES);
  }
  response.end();
}
