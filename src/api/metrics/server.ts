import type { IncomingMessage, ServerResponse } from "node:http";
import type { NodeView } from "../../node/view.ts";
import { type ListenerLimits, listenHttp } from "../http_listener.ts";
import { CONTENT_TYPES, expositionFor } from "./exposition.ts";
import { serveHealth } from "./health.ts";
import type { MetricsRecorder } from "./recorder.ts";

/** A monitor or two, and whoever looks. */
const LIMITS: ListenerLimits = {
  connections: 64,
  headerBytes: 16_384,
  requestMs: 5000,
  keepAliveMs: 65_000,
};
/** How long a client may take to read its answer, in milliseconds. */
const WRITE_MS = 10_000;
const PATHS = "GET /metrics, /health or /ready";

export interface MetricsServerOptions {
  readonly view: NodeView;
  readonly metrics: MetricsRecorder;
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** Whatever differs from the usual ones. */
  readonly limits?: Partial<ListenerLimits> | undefined;
  /** Told of every fault behind an "internal error"; the client does not learn more. */
  readonly report?: ((error: unknown) => void) | undefined;
}

export interface MetricsServer {
  /** "http://127.0.0.1:26660" */
  readonly url: string;
  /** Stops listening and closes every connection within a second. */
  close(): Promise<void>;
}

/**
 * Serves metrics in Prometheus text or OpenMetrics, health and readiness. Resolves when it listens.
 * @throws PortInUseError
 */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const { host, port, report = () => undefined } = options;
  const place = { host, port, flag: "--metrics-port" };
  const limits = { ...LIMITS, ...options.limits };
  const { server, url, close } = await listenHttp(place, limits, report);
  server.on("request", (request, response) => {
    serve(options, request, response).catch((error: unknown) => {
      report(error);
      if (response.headersSent) response.destroy();
      else sendText(response, 500, "internal error; the log of the node has the details\n");
    });
  });
  return { url, close };
}

async function serve(
  { view, metrics, report = () => undefined }: MetricsServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // A client that does not read its answer must not keep it in memory for ever.
  const late = setTimeout(() => response.destroy(), WRITE_MS);
  late.unref();
  response.once("close", () => clearTimeout(late));
  response.setHeader("X-Content-Type-Options", "nosniff");
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    return sendText(response, 405, `method ${request.method} is not allowed: ${PATHS}\n`);
  }
  if (serveHealth(view, request, response)) return;
  const [path = ""] = (request.url ?? "").split("?", 1);
  if (path !== "/metrics") {
    return sendText(response, path === "/" ? 200 : 404, `this door answers ${PATHS}\n`);
  }
  const form = expositionFor(request.headers.accept);
  const text = await metrics.scrape(view, form, report);
  response.setHeader("Vary", "Accept");
  sendText(response, 200, text, CONTENT_TYPES[form]);
}

function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  type = "text/plain; charset=utf-8",
): void {
  // HEAD has the headers of GET; Node leaves its body out.
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(text) });
  response.end(text);
}
