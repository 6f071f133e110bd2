import { Agent, type IncomingHttpHeaders, request } from "node:http";
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
  readonly host: string;
  readonly port: number;
  readonly #base: string;
  readonly #agent = new Agent({ keepAlive: true });

  /** @throws TortureError `bad_node` when `url` is not an http address. */
  constructor(url: string) {
    const full = url.replace(/^tcp:\/\//, "http://");
    if (!/^http:\/\//.test(full) || !URL.canParse(full)) {
      throw new TortureError("bad_node", `--node is an http address of a node's RPC, not "${url}"`);
    }
    const { hostname, port, pathname } = new URL(full);
    this.host = hostname.replace(/^\[|\]$/g, "");
    this.port = Number(port || "80");
    this.#base = pathname.replace(/\/$/, "");
  }

  path(path: string): string {
    return this.#base + path;
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
      const { host, port } = this;
      const options = { host, port, method, path: this.path(path), headers: sent };
      const out = request({ ...options, agent: this.#agent }, (answer) => {
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
