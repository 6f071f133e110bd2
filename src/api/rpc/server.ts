import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { NodeView } from "../../node/view.ts";
import { PortInUseError } from "../port_in_use_error.ts";
import type { Caller } from "./call.ts";
import { CommitWaits } from "./commit_waits.ts";
import { HeavyQueue } from "./heavy_queue.ts";
import { httpHandler } from "./http_server.ts";
import { DEFAULT_LIMITS, type RpcLimits } from "./limits.ts";
import { isLoopback, originsOf } from "./origins.ts";
import type { Access, RpcId, SubscriptionDoor } from "./route.ts";
import { routesOf } from "./routes.ts";
import { Sockets } from "./websocket.ts";

const FLAG = "--rpc-port";
/** How long running requests have to end when the server closes, in milliseconds. */
const GRACE_MS = 500;
const MAX_HEADERS = 100;

export interface RpcServerOptions {
  readonly view: NodeView;
  /** The address to listen on, "127.0.0.1". */
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** Origins of web pages that may use the server, "*" for all; none: those of this machine. */
  readonly cors?: readonly string[] | undefined;
  /** Whatever differs from DEFAULT_LIMITS. */
  readonly limits?: Partial<RpcLimits> | undefined;
  /** Told of every fault behind an "internal error"; the client does not learn more. */
  readonly report?: ((error: unknown) => void) | undefined;
}

export interface RpcServer {
  /** "http://127.0.0.1:26657"; with /websocket and ws: for the WebSocket. */
  readonly url: string;
  readonly port: number;
  /** Stops listening and closes every connection within a second. */
  close(): Promise<void>;
}

/**
 * Serves CometBFT 0.38's JSON-RPC over HTTP and WebSocket. Resolves when it listens.
 * @throws PortInUseError
 */
export async function startRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const { view, report = () => undefined } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
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
  const address = await listen(server, options, report);
  const shownHost = address.family === "IPv6" ? `[${address.address}]` : address.address;
  const commitWaits = new CommitWaits(view.events, limits);
  const { sockets } = attach(server, options, limits, commitWaits, {
    listenAddress: `tcp://${shownHost}:${address.port}`,
    isLocal: isLoopback(address.address),
  });
  const reachable = address.address === "0.0.0.0" ? "127.0.0.1" : shownHost;
  return {
    url: `http://${reachable === "[::]" ? "[::1]" : reachable}:${address.port}`,
    port: address.port,
    close: () => closeServer(server, sockets, commitWaits),
  };
}

function attach(
  server: Server,
  options: RpcServerOptions,
  limits: RpcLimits,
  commitWaits: CommitWaits,
  place: { readonly listenAddress: string; readonly isLocal: boolean },
): { readonly sockets: Sockets } {
  const { view, report = () => undefined } = options;
  const origins = originsOf(options.cors);
  const isDev = view.dev !== undefined;
  const routes = routesOf(isDev && place.isLocal);
  const heavy = new HeavyQueue(limits.heavyRequests);
  const caller = (
    requestId: RpcId,
    signal: AbortSignal,
    may: (access: Access) => boolean,
    subscriptions?: SubscriptionDoor,
  ): Caller => {
    const { listenAddress } = place;
    const context = { view, listenAddress, commitWaits, requestId, signal, subscriptions };
    return { routes, may, context, heavy, report };
  };
  const door = { routes, origins, limits, caller, report, mayCache: !isDev, events: view.events };
  const sockets = new Sockets(door);
  server.on("request", httpHandler(door));
  server.on("upgrade", (request, connection, head) => sockets.upgrade(request, connection, head));
  return { sockets };
}

async function listen(
  server: Server,
  { host, port }: RpcServerOptions,
  report: (error: unknown) => void,
): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(error.code === "EADDRINUSE" ? new PortInUseError(port, FLAG) : error);
    });
    server.listen({ host, port }, resolve);
  });
  server.removeAllListeners("error");
  // A connection that could not be accepted, for want of file handles, must not end the process.
  server.on("error", report);
  // Only a server on a pipe has an address that is no object.
  return server.address() as AddressInfo;
}

async function closeServer(
  server: Server,
  sockets: Sockets,
  commitWaits: CommitWaits,
): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  commitWaits.stop();
  sockets.close();
  server.closeIdleConnections();
  const late = setTimeout(() => server.closeAllConnections(), GRACE_MS);
  await closed;
  clearTimeout(late);
}
