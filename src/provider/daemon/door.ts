import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ProviderError } from "../errors.ts";
import type { HealthAnswer } from "./health.ts";

const LIMITS = { requestTimeout: 5000, headersTimeout: 5000, maxHeaderSize: 16_384 };
const CONNECTIONS_MAX = 64;

export interface DoorOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly metrics: () => Promise<string>;
  readonly health: () => HealthAnswer;
}

export interface Door {
  /** "http://127.0.0.1:26670" */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves /metrics and /healthz. Resolves when it listens.
 * @throws ProviderError `port_in_use`
 */
export async function openDoor(options: DoorOptions): Promise<Door> {
  const { host, port } = options;
  const server = createServer(LIMITS, (request, response) => {
    serve(options, request, response).catch(() => {
      if (response.headersSent) response.destroy();
      else sendText(response, 500, "internal error\n");
    });
  });
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const text = `${host}:${port} is taken: choose another metrics.port in provider.yaml`;
      reject(error.code === "EADDRINUSE" ? new ProviderError("port_in_use", text) : error);
    });
    server.listen({ host, port }, resolve);
  });
  server.removeAllListeners("error");
  server.on("error", () => undefined);
  const { address, family, port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${taken}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(
  { metrics, health }: DoorOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("Cache-Control", "no-store");
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    return sendText(response, 405, "GET /metrics or /healthz\n");
  }
  const [path = ""] = (request.url ?? "").split("?", 1);
  if (path === "/healthz") {
    const { status, body } = health();
    return sendText(response, status, `${JSON.stringify(body)}\n`, "application/json");
  }
  if (path === "/metrics") {
    return sendText(response, 200, await metrics(), "text/plain; version=0.0.4; charset=utf-8");
  }
  sendText(response, path === "/" ? 200 : 404, "this door answers GET /metrics and /healthz\n");
}

function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  type = "text/plain; charset=utf-8",
): void {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(text) });
  response.end(text);
}
