import { setMaxListeners } from "node:events";
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import type { EventBusView } from "../../node/view.ts";
import type { Client } from "../heavy_queue.ts";
import { LONG_REQUEST, type ParseTurns } from "../parse_turn.ts";
import { type Caller, call, failure, parseJson, type Reply, readRequest } from "./call.ts";
import { toRpcError } from "./errors.ts";
import type { Asker } from "./http_server.ts";
import type { Limit, RpcLimits } from "./limits.ts";
import type { Origins } from "./origins.ts";
import { paramsFromJson } from "./params.ts";
import type { Access, RpcId, SubscriptionDoor } from "./route.ts";
import { ClientSubscriptions } from "./subscriptions.ts";

const PATH = "/websocket";
/** Close codes of RFC 6455. */
const GOING_AWAY = 1001;
const POLICY = 1008;
/** How long a client that was told to go has to do so, in milliseconds. */
const FAREWELL_MS = 300;
/** The same for a slow client, which has much to read before it. */
const SLOW_FAREWELL_MS = 5000;

export interface SocketDoor {
  readonly events: EventBusView;
  readonly origins: Origins;
  readonly limits: RpcLimits;
  readonly caller: (id: RpcId, from: Asker, subscriptions: SubscriptionDoor) => Caller;
  readonly turns: ParseTurns;
  readonly report: (error: unknown) => void;
  /** Told when a limit has turned a client away. */
  readonly refused: (limit: Limit) => void;
}

/** The WebSocket clients of the server, at /websocket. */
export class Sockets {
  readonly #door: SocketDoor;
  readonly #clients = new Set<SocketClient>();
  readonly #handshake: WebSocketServer;
  #isClosed = false;

  constructor(door: SocketDoor) {
    this.#door = door;
    this.#handshake = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: door.limits.frameBytes,
    });
  }

  /** Takes over a connection that asked to be upgraded. */
  upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): void {
    const { origins, limits } = this.#door;
    const { origin } = request.headers;
    const [path] = (request.url ?? "").split("?", 1);
    if (this.#isClosed) return refuse(connection, 503, "the node is stopping");
    if (path !== PATH) return refuse(connection, 404, "only /websocket can be upgraded");
    if (!origins.mayRead(origin)) return refuse(connection, 403, "this origin is not allowed");
    if (this.#clients.size >= limits.socketClients) {
      this.#door.refused("sockets");
      return refuse(connection, 503, `max_subscription_clients ${limits.socketClients} reached`);
    }
    this.#handshake.handleUpgrade(request, connection, head, (socket) => {
      const client = new SocketClient(socket, this.#door, { origin, client: request.socket });
      this.#clients.add(client);
      socket.once("close", () => this.#clients.delete(client));
    });
  }

  /** Tells every client that the node stops. Their connections are closed within 0.3 seconds. */
  close(): void {
    this.#isClosed = true;
    for (const client of this.#clients) {
      client.cut("the node is stopping", GOING_AWAY, FAREWELL_MS);
    }
  }
}

function refuse(connection: Duplex, status: number, text: string): void {
  connection.on("error", () => connection.destroy());
  connection.once("finish", () => connection.destroy());
  const late = setTimeout(() => connection.destroy(), FAREWELL_MS);
  connection.once("close", () => clearTimeout(late));
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}`;
  const headers = `Connection: close\r\nContent-Type: text/plain\r\nContent-Length: ${text.length}`;
  connection.end(`${head}\r\n${headers}\r\n\r\n${text}`);
}

class SocketClient {
  readonly #socket: WebSocket;
  readonly #door: SocketDoor;
  readonly #subscriptions: ClientSubscriptions;
  readonly #left = new AbortController();
  readonly #from: Asker;
  /** Requests that wait until others are done; what one read of the connection brings, at most. */
  readonly #queue: string[] = [];
  #running = 0;
  /** Whether a long frame waits for its turn: those behind it wait too. */
  #isParsing = false;

  constructor(
    socket: WebSocket,
    door: SocketDoor,
    { origin, client }: { readonly origin: string | undefined; readonly client: Client },
  ) {
    const { limits, events, report } = door;
    // Every request that waits or runs listens for the client's leaving.
    setMaxListeners(0, this.#left.signal);
    this.#socket = socket;
    this.#door = door;
    const may = (access: Access) => access !== "control" || door.origins.mayControl(origin);
    this.#from = { signal: this.#left.signal, may, client };
    this.#subscriptions = new ClientSubscriptions(
      events,
      limits.subscriptionsPerClient,
      (frame) => this.#push(frame),
      report,
    );
    const ping = setInterval(() => socket.ping(), limits.pingMs);
    const silence = setTimeout(() => socket.terminate(), limits.silenceMs);
    const heard = () => silence.refresh();
    socket.on("ping", heard).on("pong", heard);
    socket.on("message", (data) => {
      heard();
      this.#queue.push(textOf(data));
      this.#work();
    });
    // A broken or oversized frame: ws answers it with a close frame of its own.
    socket.on("error", () => undefined);
    socket.once("close", () => {
      clearInterval(ping);
      clearTimeout(silence);
      this.#queue.length = 0;
      this.#left.abort();
      this.#subscriptions.close();
    });
  }

  /**
   * Ends the client's subscriptions, says why, and closes the connection.
   * @param farewellMs when the connection is closed without the client's help
   */
  cut(reason: string, code: number, farewellMs: number): void {
    for (const frame of this.#subscriptions.cancel(reason)) this.#socket.send(frame);
    this.#socket.close(code, reason);
    const late = setTimeout(() => this.#socket.terminate(), farewellMs);
    this.#socket.once("close", () => clearTimeout(late));
  }

  #isBusy(): boolean {
    const { socketRequests, unsentBytes } = this.#door.limits;
    if (this.#isParsing) return true;
    return this.#running >= socketRequests || this.#socket.bufferedAmount > unsentBytes;
  }

  /** Runs what waits; above the limits the connection is not read, so that the client waits too. */
  #work(): void {
    while (!this.#isBusy()) {
      const text = this.#queue.shift();
      if (text === undefined) break;
      this.#receive(text);
    }
    if (this.#isBusy()) this.#socket.pause();
    else if (this.#socket.isPaused) this.#socket.resume();
  }

  #receive(text: string): void {
    if (text.length > LONG_REQUEST) void this.#receiveLong(text);
    else this.#answer(() => parseJson(text));
  }

  async #receiveLong(text: string): Promise<void> {
    this.#isParsing = true;
    const parsed = await this.#door.turns.parse(parseJson, text, this.#from).then(
      (value) => () => value,
      (error: unknown) => () => {
        throw error;
      },
    );
    this.#isParsing = false;
    if (this.#left.signal.aborted) return;
    this.#answer(parsed);
    this.#work();
  }

  /** @param parse gives the request */
  #answer(parse: () => unknown): void {
    const { caller, report } = this.#door;
    try {
      const request = readRequest(parse());
      if (request === undefined) return;
      const reply = call(
        caller(request.id, this.#from, this.#subscriptions),
        request.method,
        (specs) => paramsFromJson(specs, request.params),
      );
      if (reply instanceof Promise) void this.#finish(reply);
      else this.#send(reply);
    } catch (error) {
      this.#send({ body: failure(null, toRpcError(error, report)) });
    }
  }

  async #finish(reply: Promise<Reply>): Promise<void> {
    this.#running += 1;
    try {
      this.#send(await reply);
    } catch (error) {
      this.#door.report(error);
    } finally {
      this.#running -= 1;
      this.#work();
    }
  }

  #send({ body, text }: Pick<Reply, "body" | "text">): void {
    const data = text === undefined ? JSON.stringify(body) : Buffer.concat(text.pieces);
    this.#socket.send(data, { binary: false }, () => {
      if (this.#socket.isPaused) this.#work();
    });
  }

  #push(frame: string): void {
    if (this.#socket.bufferedAmount > this.#door.limits.unsentBytes) {
      this.#door.refused("slow_socket");
      this.cut("slow client", POLICY, SLOW_FAREWELL_MS);
    } else {
      this.#socket.send(frame);
    }
  }
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString("utf8");
  return Buffer.from(data as Buffer).toString("utf8");
}
