import { chmod, mkdir, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createConnection } from "node:net";
import { dirname, join } from "node:path";
import { ProviderError } from "../errors.ts";
import type { Desk, RetryChoice } from "./desk.ts";
import { PAGE_ROWS_MAX, recordState, type RowsQuery } from "./desk.ts";

/** How long a daemon has to say who it is. */
const ASK_MS = 2000;
const BODY_BYTES_MAX = 65_536;
/** Longest path of a Unix socket on Linux, its end mark included, is 108 bytes. */
const PATH_BYTES_MAX = 107;

/** The socket of the daemon of a home. */
export function controlPath(home: string): string {
  return join(home, "provider", "control.sock");
}

export interface Control {
  close(): Promise<void>;
}

/**
 * Lets the owner of the home ask the running daemon: HTTP with JSON over a Unix socket. A socket that
 * a killed daemon left is replaced.
 * @throws ProviderError `already_running` when another daemon answers there
 */
export async function openControl(path: string, desk: Desk): Promise<Control> {
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
    const rule = `a Unix socket's path has at most ${PATH_BYTES_MAX} bytes`;
    throw new ProviderError("long_path", `${path}: ${rule}: choose a home with a shorter name`);
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await refuseRunning(path);
  await rm(path, { force: true });
  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    serve(desk, request, response).catch((error: unknown) => fail(response, error));
  });
  await listen(server, path);
  await chmod(path, 0o600);
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await rm(path, { force: true });
    },
  };
}

/** @throws ProviderError `already_running` naming the process that answers at the socket */
export async function refuseRunning(path: string): Promise<void> {
  if (!(await answers(path))) return;
  const { RemoteDesk } = await import("./remote_desk.ts");
  const report = await new RemoteDesk(path, ASK_MS).status().catch(() => undefined);
  const who =
    report?.daemon === undefined ? "a daemon" : `the daemon with pid ${report.daemon.pid}`;
  const advice = "`settled provider status` asks it; stop it to start another";
  throw new ProviderError("already_running", `${who} runs for this home (${path}): ${advice}`);
}

/** Whether somebody accepts connections at the socket. */
export function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    const end = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // The mode is set right after: until then the folder's own, 0700, keeps others out.
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function serve(
  desk: Desk,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://daemon");
  const call = `${request.method} ${url.pathname}`;
  switch (call) {
    case "GET /status":
      return send(response, 200, await desk.status());
    case "GET /rows":
      return send(response, 200, await desk.rows(rowsQuery(url.searchParams)));
    case "GET /windows":
      return send(response, 200, await desk.windows(rowsQuery(url.searchParams)));
    case "POST /retry": {
      const choice = (await readJson(request)) as RetryChoice;
      return send(response, 200, { count: await desk.retry(choice) });
    }
    case "POST /park": {
      const { key, reason } = (await readJson(request)) as { key: string; reason: string };
      return send(response, 200, await desk.park(key, reason));
    }
    case "POST /score": {
      const { score } = (await readJson(request)) as { score: unknown };
      if (typeof score !== "number" || !(score >= 0 && score <= 100)) {
        throw new ProviderError("bad_score", "expected a score from 0 to 100");
      }
      await desk.noteScore(score);
      return send(response, 200, {});
    }
    default:
      throw new ProviderError("unknown_call", `the daemon has no call "${call}"`);
  }
}

function rowsQuery(params: URLSearchParams): RowsQuery {
  return {
    state: recordState(params.get("state") ?? ""),
    order: params.get("order") ?? undefined,
    after: params.get("after") ?? undefined,
    limit: Number(params.get("limit") ?? PAGE_ROWS_MAX),
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new ProviderError("long_body", "the request is too long");
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}

function fail(response: ServerResponse, error: unknown): void {
  const { code } = error instanceof ProviderError ? error : { code: "internal" };
  const message = error instanceof Error ? error.message : String(error);
  if (response.headersSent) response.destroy();
  else send(response, 400, { code, message });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
  });
  response.end(text);
}
