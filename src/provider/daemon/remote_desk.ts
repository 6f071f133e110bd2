import { request } from "node:http";
import { ProviderError } from "../errors.ts";
import type { Desk, RetryChoice, RowsQuery } from "./desk.ts";
import type { ExportRow, WindowRow } from "./export_row.ts";
import type { StatusReport } from "./status.ts";

const CALL_MS = 60_000;

/** The desk of a running daemon, through its socket. */
export class RemoteDesk implements Desk {
  readonly #path: string;

  readonly #callMs: number;

  /** @param path controlPath of the home; `callMs`: how long an answer may take */
  constructor(path: string, callMs: number = CALL_MS) {
    this.#path = path;
    this.#callMs = callMs;
  }

  async status(): Promise<StatusReport> {
    return (await this.#call("GET", "/status")) as StatusReport;
  }

  async rows(query: RowsQuery): Promise<ExportRow[]> {
    return (await this.#call("GET", `/rows?${paramsOf(query)}`)) as ExportRow[];
  }

  async windows(query: Omit<RowsQuery, "state">): Promise<WindowRow[]> {
    return (await this.#call("GET", `/windows?${paramsOf(query)}`)) as WindowRow[];
  }

  async retry(choice: RetryChoice): Promise<number> {
    return ((await this.#call("POST", "/retry", choice)) as { count: number }).count;
  }

  async park(key: string, reason: string): Promise<ExportRow> {
    return (await this.#call("POST", "/park", { key, reason })) as ExportRow;
  }

  async noteScore(score: number): Promise<void> {
    await this.#call("POST", "/score", { score });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    const { status, text } = await exchange(
      { socketPath: this.#path, method, path, timeout: this.#callMs },
      body,
    );
    const answer = JSON.parse(text) as unknown;
    if (status === 200) return answer;
    const { code = "internal", message = text } = answer as { code?: string; message?: string };
    throw new ProviderError(code, message);
  }
}

function paramsOf(query: Readonly<Record<string, unknown>> | RowsQuery): URLSearchParams {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return new URLSearchParams(
    Object.fromEntries(given.map(([name, value]) => [name, String(value)])),
  );
}

function exchange(
  options: { socketPath: string; method: string; path: string; timeout: number },
  body: unknown,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => void chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        resolve({ status: response.statusCode ?? 0, text });
      });
    });
    call.once("timeout", () => call.destroy(new Error("the daemon does not answer in time")));
    call.once("error", reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
