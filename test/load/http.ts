import { Agent, request } from "node:http";

/** A client with a connection of its own. */
export class HttpClient {
  readonly #url: string;
  readonly #agent: Agent;

  /** @param localAddress where its connection comes from; none: as the system likes */
  constructor(url: string, localAddress?: string) {
    this.#url = url;
    const from = localAddress === undefined ? {} : { localAddress };
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1, ...from });
  }

  /** The body of the answer, and how long it took. @throws when there is none */
  post(body: string): Promise<{ text: string; ms: number }> {
    const began = performance.now();
    return new Promise((resolve, reject) => {
      const headers = { "content-type": "application/json" };
      const sent = request(this.#url, { method: "POST", agent: this.#agent, headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("error", reject);
        answer.on("end", () => {
          resolve({ text: Buffer.concat(chunks).toString("utf8"), ms: performance.now() - began });
        });
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }

  async call(method: string, params: unknown): Promise<{ text: string; ms: number }> {
    return this.post(JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }));
  }
}
