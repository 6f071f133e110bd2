import { connect, type Socket } from "node:net";
import type { FuzzNode } from "./fuzz_node.ts";
import { FuzzFault } from "./target.ts";

/** After this an answer will not come, however busy the machine is, in milliseconds. */
export const ANSWER_MS = 15_000;

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** One HTTP connection that sends whatever bytes it is given; a new one when the node ends it. */
export class RawConnection {
  readonly #node: FuzzNode;
  #socket: Socket | undefined;
  #received = Buffer.alloc(0);
  #wake: () => void = () => undefined;

  constructor(node: FuzzNode) {
    this.#node = node;
  }

  /**
   * Sends bytes and waits for one answer.
   * @throws FuzzFault when it closes the connection without one, or does neither in time; what the
   * node has reported as a fault
   */
  async ask(bytes: Uint8Array): Promise<HttpAnswer> {
    const answer = await this.#answered(bytes);
    this.#node.checkFaults();
    if (answer === undefined) throw new FuzzFault("closed without an answer");
    return answer;
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  /** Undefined: the connection was closed instead. */
  async #answered(bytes: Uint8Array): Promise<HttpAnswer | undefined> {
    const socket = (this.#socket ??= this.#open());
    this.#received = Buffer.alloc(0);
    socket.write(bytes);
    const deadline = setTimeout(() => this.#wake(), ANSWER_MS);
    const end = performance.now() + ANSWER_MS;
    try {
      for (;;) {
        const answer = this.#answer();
        if (answer !== undefined) return answer;
        if (this.#socket === undefined) return undefined;
        if (performance.now() >= end) throw new FuzzFault(`no answer in ${ANSWER_MS} ms`);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(deadline);
    }
  }

  #open(): Socket {
    const socket = connect({ port: this.#node.server.port, host: "127.0.0.1", noDelay: true });
    socket.on("data", (data) => {
      this.#received = this.#received.length === 0 ? data : Buffer.concat([this.#received, data]);
      this.#wake();
    });
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      if (this.#socket === socket) this.#socket = undefined;
      this.#wake();
    });
    return socket;
  }

  #answer(): HttpAnswer | undefined {
    const headEnd = this.#received.indexOf("\r\n\r\n");
    if (headEnd < 0) return undefined;
    const head = this.#received.subarray(0, headEnd).toString("latin1");
    const status = Number(/^HTTP\/1\.1 ([0-9]{3})/.exec(head)?.[1] ?? 0);
    const length = Number(/\r\nContent-Length: ([0-9]+)/i.exec(head)?.[1] ?? 0);
    const body = this.#received.subarray(headEnd + 4);
    if (body.length < length) return undefined;
    if (/\r\nConnection: close/i.test(head)) this.close();
    return { status, body: body.subarray(0, length).toString("utf8") };
  }
}
