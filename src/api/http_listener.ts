import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { PortInUseError } from "./port_in_use_error.ts";

/** How long running requests have to end when a server closes, in milliseconds. */
const GRACE_MS = 500;
const MAX_HEADERS = 100;

/** What clients may take of any HTTP server of the node. Times in milliseconds. */
export interface ListenerLimits {
  readonly connections: number;
  /** Of the request line and the headers together. */
  readonly headerBytes: number;
  /** From the first byte of a request to its last. */
  readonly requestMs: number;
  /** How long an idle connection is kept for the next request. */
  readonly keepAliveMs: number;
}

export interface HttpListener {
  readonly server: Server;
  readonly address: AddressInfo;
  /** Where a client of this machine finds it: "http://127.0.0.1:1317". */
  readonly url: string;
  /** Stops listening and closes every connection within a second. */
  close(): Promise<void>;
}

/**
 * Listens, without a handler for requests yet.
 * @param flag the one that chooses another port, "--rest-port"
 * @throws PortInUseError
 */
export async function listenHttp(
  place: { readonly host: string; readonly port: number; readonly flag: string },
  limits: ListenerLimits,
  report: (error: unknown) => void,
): Promise<HttpListener> {
  const server = createServer({
    requestTimeout: limits.requestMs,
    headersTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    maxHeaderSize: limits.headerBytes,
    // How often Node looks for requests that are late.
    connectionsCheckingInterval: Math.min(1000, Math.ceil(limits.requestMs / 4)),
  });
  server.maxConnections = limits.connections;
  server.maxHeadersCount = MAX_HEADERS;
  const { host, port, flag } = place;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(error.code === "EADDRINUSE" ? new PortInUseError(port, flag) : error);
    });
    server.listen({ host, port }, resolve);
  });
  server.removeAllListeners("error");
  // A connection that could not be accepted, for want of file handles, must not end the process.
  server.on("error", report);
  // Only a server on a pipe has an address that is no object.
  const address = server.address() as AddressInfo;
  return { server, address, url: urlOf(address), close: () => closeServer(server) };
}

function urlOf({ address, family, port }: AddressInfo): string {
  const any = { "0.0.0.0": "127.0.0.1", "::": "::1" }[address];
  const host = any ?? address;
  return `http://${family === "IPv6" ? `[${host}]` : host}:${port}`;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  const late = setTimeout(() => server.closeAllConnections(), GRACE_MS);
  await closed;
  clearTimeout(late);
}
