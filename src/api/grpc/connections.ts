import type { Socket } from "node:net";
import {
  type ServerInterceptingCallInterface,
  ServerInterceptingCall,
  type ServerInterceptor,
} from "@grpc/grpc-js";
import { STATUS, UnaryError } from "../services/unary.ts";
import type { GrpcLimit, GrpcLimits } from "./limits.ts";

interface Connection {
  readonly socket: Socket;
  /** Bytes of answers that have not left. */
  unsent: number;
}

/** The connections of the server, and what each of them holds up. */
export class Connections {
  readonly #limits: GrpcLimits;
  readonly #refused: (limit: GrpcLimit) => void;
  // By the peer's address and port, as grpc-js names it.
  readonly #open = new Map<string, Connection>();

  /** @param refused told when a limit has turned somebody away */
  constructor(limits: GrpcLimits, refused: (limit: GrpcLimit) => void) {
    this.#limits = limits;
    this.#refused = refused;
  }

  add(socket: Socket): void {
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    const connection = { socket, unsent: 0 };
    this.#open.set(peer, connection);
    socket.once("close", () => {
      if (this.#open.get(peer) === connection) this.#open.delete(peer);
    });
  }

  /** The connection of a peer's address; undefined when it has gone. */
  clientOf(peer: string): Socket | undefined {
    return this.#open.get(peer)?.socket;
  }

  destroyAll(): void {
    for (const { socket } of this.#open.values()) socket.destroy();
  }

  /** @throws UnaryError RESOURCE_EXHAUSTED for a peer that does not take its answers */
  assertRoom(peer: string, bytes: number): void {
    const unsent = this.#open.get(peer)?.unsent ?? 0;
    if (unsent === 0 || unsent + bytes <= this.#limits.unsentBytes) return;
    this.#refused("unread");
    const text = `${unsent} bytes of earlier answers have not been read, at most ${this.#limits.unsentBytes} are kept: read them first`;
    throw new UnaryError(STATUS.resourceExhausted, text);
  }

  /** Watches over the calls: requests that do not arrive, and answers that nobody takes. */
  readonly guard: ServerInterceptor = ({ requestStream }, call) =>
    new GuardedCall(call, {
      requestMs: requestStream ? undefined : this.#limits.requestMs,
      late: () => this.#refused("request_time"),
      sending: (bytes) => this.#sending(call.getPeer(), bytes),
    });

  /** @returns what to call when the bytes have left, or never will; more than once does no harm */
  #sending(peer: string, bytes: number): () => void {
    const connection = this.#open.get(peer);
    if (connection === undefined) return () => undefined;
    connection.unsent += bytes;
    const cut = setTimeout(() => {
      this.#refused("slow_reader");
      connection.socket.destroy();
    }, this.#limits.writeMs);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      clearTimeout(cut);
      connection.unsent -= bytes;
    };
  }
}

/** grpc-js names it in its own files only. */
type Listener = Parameters<ServerInterceptingCall["start"]>[0];

interface Watch {
  readonly requestMs: number | undefined;
  readonly late: () => void;
  readonly sending: (bytes: number) => () => void;
}

class GuardedCall extends ServerInterceptingCall {
  readonly #watch: Watch;
  readonly #unsent = new Set<() => void>();
  #isOver = false;

  constructor(call: ServerInterceptingCallInterface, watch: Watch) {
    super(call);
    this.#watch = watch;
  }

  override start(listener: Listener): void {
    const { requestMs } = this.#watch;
    const late = requestMs === undefined ? undefined : this.#late(requestMs);
    super.start({
      onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveHalfClose: () => {
        clearTimeout(late);
        listener.onReceiveHalfClose();
      },
      onCancel: () => {
        clearTimeout(late);
        this.#isOver = true;
        for (const release of this.#unsent) release();
        listener.onCancel();
      },
    });
  }

  #late(requestMs: number): NodeJS.Timeout {
    const details = `the request did not arrive within ${requestMs} ms`;
    return setTimeout(() => {
      this.#watch.late();
      super.sendStatus({ code: STATUS.deadlineExceeded, details });
    }, requestMs);
  }

  override sendMessage(message: unknown, callback: () => void): void {
    // Nobody waits for it any more, and nothing would say that it has left.
    if (this.#isOver) return;
    const bytes = message instanceof Uint8Array ? message.length : 0;
    const release = this.#watch.sending(bytes);
    this.#unsent.add(release);
    super.sendMessage(message, () => {
      release();
      this.#unsent.delete(release);
      callback();
    });
  }
}
