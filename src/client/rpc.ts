import { ConnectionError, RpcError } from "./errors.ts";

const DEFAULT_TIMEOUT_MS = 30_000;

interface JsonRpcAnswer {
  result?: unknown;
  error?: { code?: number; message?: string; data?: unknown };
}

/** JSON-RPC over HTTP as CometBFT speaks it. Runs in Node and in a browser. */
export class RpcClient {
  readonly url: string;
  readonly #timeoutMs: number;
  #nextId = 1;

  /** @throws ConnectionError when `url` is not an http(s) address. `tcp://` is read as `http://`. */
  constructor(url: string, options: { timeoutMs?: number } = {}) {
    this.url = normaliseUrl(url);
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  }

  /**
   * One call. 64-bit integers of `params` must be decimal texts, as CometBFT expects them.
   * @throws ConnectionError, RpcError
   */
  async call(method: string, params: Record<string, unknown> = {}): Promise<unknown> {
    const id = this.#nextId;
    this.#nextId += 1;
    const text = await this.#post(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    const answer = this.#parse(text);
    if (answer.error !== undefined) {
      const { code = 0, message = "RPC error", data } = answer.error;
      const detail = data === undefined || data === null ? "" : asText(data);
      throw new RpcError(code, message, detail);
    }
    return answer.result;
  }

  async #post(body: string): Promise<string> {
    try {
      const response = await fetch(this.url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
      const text = await response.text();
      // CometBFT sends the JSON-RPC error along with some HTTP errors: it says more than the status.
      if (response.ok || text.startsWith("{")) return text;
      throw new ConnectionError(this.url, `${this.url} answered HTTP ${response.status}`);
    } catch (error) {
      if (error instanceof ConnectionError) throw error;
      throw new ConnectionError(this.url, this.#explain(error), error);
    }
  }

  #explain(error: unknown): string {
    if (error instanceof Error && error.name === "TimeoutError") {
      return `no answer from ${this.url} within ${this.#timeoutMs} ms`;
    }
    const cause =
      error instanceof Error ? (error.cause as { code?: string } | undefined) : undefined;
    const why = cause?.code ?? (error instanceof Error ? error.message : String(error));
    return `cannot reach a node at ${this.url} (${why})`;
  }

  #parse(text: string): JsonRpcAnswer {
    try {
      const answer: unknown = JSON.parse(text);
      if (typeof answer === "object" && answer !== null) return answer as JsonRpcAnswer;
    } catch {
      // Said below, in words of this program.
    }
    throw new ConnectionError(this.url, `${this.url} does not answer like a CometBFT RPC`);
  }
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function normaliseUrl(url: string): string {
  const http = url.replace(/^tcp:\/\//, "http://");
  const full = /^[a-z]+:\/\//.test(http) ? http : `http://${http}`;
  if (!/^https?:\/\//.test(full) || !URL.canParse(full)) {
    throw new ConnectionError(url, `not an http address of a node: "${url}"`);
  }
  return full;
}
