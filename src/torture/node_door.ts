import {
  Agent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
} from "node:http";
import { Agent as TlsAgent, request as httpsRequest } from "node:https";
import { connect, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { TortureError } from "./errors.ts";

export interface NodeAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Headers that belong to one connection, not to what is said over it. */
const OF_THE_CONNECTION = new Set([
  ...["connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "te"],
  ...["host", "proxy-connection"],
]);

/** Asks a node over HTTP, as it was asked. */
export class NodeDoor {
  /** "127.0.0.1:26657", as the Host header has it. */
  readonly authority: string;
  readonly #host: string;
  readonly #port: number;
  readonly #base: string;
  readonly #isTls: boolean;
  readonly #agent: Agent;

  /**
   * @param flag where the address comes from
   * @throws TortureError `bad_node` when `url` is not an http or https address.
   */
  constructor(url: string, flag: "--node" | "--rest") {
    const full = /^\w+:\/\//.test(url) ? url.replace(/^tcp:/, "http:") : `http://${url}`;
    if (!/^https?:\/\//.test(full) || !URL.canParse(full)) {
      const detail = `${flag} is an address such as http://127.0.0.1:26657, not "${url}"`;
      throw new TortureError("bad_node", detail);
    }
    const { protocol, host, hostname, port, pathname } = new URL(full);
    this.authority = host;
    this.#isTls = protocol === "https:";
    this.#host = hostname.replace(/^\[|\]$/g, "");
    this.#port = Number(port || (this.#isTls ? "443" : "80"));
    this.#base = pathname.replace(/\/$/, "");
    this.#agent = this.#isTls ? new TlsAgent({ keepAlive: true }) : new Agent({ keepAlive: true });
  }

  path(path: string): string {
    return this.#base + path;
  }

  /** A connection of its own, for what is no question and answer. */
  connect(onConnect: () => void): Socket {
    const to = { host: this.#host, port: this.#port };
    if (!this.#isTls) return connect(to, onConnect);
    return tlsConnect({ ...to, servername: this.#host }, onConnect);
  }

  /** @throws Error of the connection when the node is not there or cuts it. */
  ask(
    method: string,
    path: string,
    headers: IncomingHttpHeaders,
    body: Uint8Array,
  ): Promise<NodeAnswer> {
    return new Promise((resolve, reject) => {
      const sent = { ...throughHeaders(headers), "content-length": String(body.length) };
      const out = this.#request(method, path, sent, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => void chunks.push(chunk));
        answer.once("error", reject);
        answer.once("end", () =>
          resolve({
            status: answer.statusCode ?? 502,
            headers: throughHeaders(answer.headers),
            body: Buffer.concat(chunks),
          }),
        );
      });
      out.once("error", reject);
      out.end(body);
    });
  }

  #request(
    method: string,
    path: string,
    headers: IncomingHttpHeaders,
    onAnswer: (answer: IncomingMessage) => void,
  ): ClientRequest {
    const [host, port, agent] = [this.#host, this.#port, this.#agent];
    const options = { host, port, method, path: this.path(path), headers, agent };
    return this.#isTls ? httpsRequest(options, onAnswer) : httpRequest(options, onAnswer);
  }

  /** Whether the tx is in a block; false as well while the node does not answer. */
  async hasTx(hash: string): Promise<boolean> {
    const params = { hash: Buffer.from(hash, "hex").toString("base64"), prove: false };
    const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tx", params }));
    try {
      const headers = { "content-type": "application/json" };
      const answer = await this.ask("POST", "/", headers, body);
      return "result" in (JSON.parse(answer.body.toString("utf8")) as object);
    } catch {
      return false;
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}

function throughHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const kept = Object.entries(headers).filter(([name]) => !OF_THE_CONNECTION.has(name));
  return Object.fromEntries(kept);
}
