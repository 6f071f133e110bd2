import type { Server } from "node:http";
import type { DoorMetrics } from "../../node/metrics.ts";
import type { NodeView } from "../../node/view.ts";
import { listenHttp } from "../http_listener.ts";
import type { Caller } from "./call.ts";
import { CommitWaits } from "./commit_waits.ts";
import { HeavyQueue } from "../heavy_queue.ts";
import { ParseTurns } from "../parse_turn.ts";
import { type Asker, httpHandler } from "./http_server.ts";
import { DEFAULT_LIMITS, type Limit, type RpcLimits } from "./limits.ts";
import { isLoopback, originsOf } from "./origins.ts";
import type { RpcId, SubscriptionDoor } from "./route.ts";
import { routesOf } from "./routes.ts";
import { Sockets } from "./websocket.ts";

const FLAG = "--rpc-port";

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
  /** Where long work takes turns with that of other doors; none: with that of this one alone. */
  readonly heavy?: HeavyQueue | undefined;
  /** Told of every call and of whom a limit turned away. */
  readonly metrics?: DoorMetrics | undefined;
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
  const { view } = options;
  let isClosed = false;
  // What still runs for clients that are gone may meet a node that has stopped: no fault.
  const report = (error: unknown) => (isClosed ? undefined : options.report?.(error));
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const place = { host: options.host, port: options.port, flag: FLAG };
  const listener = await listenHttp(place, limits, report);
  const { server, address } = listener;
  const shownHost = address.family === "IPv6" ? `[${address.address}]` : address.address;
  const commitWaits = new CommitWaits(view.events, limits);
  const { sockets } = attach(server, { ...options, report }, limits, commitWaits, {
    listenAddress: `tcp://${shownHost}:${address.port}`,
    isLocal: isLoopback(address.address),
  });
  return {
    url: listener.url,
    port: address.port,
    close: async () => {
      const closed = listener.close();
      commitWaits.stop();
      sockets.close();
      await closed;
      isClosed = true;
    },
  };
}

function attach(
  server: Server,
  options: RpcServerOptions,
  limits: RpcLimits,
  commitWaits: CommitWaits,
  place: { readonly listenAddress: string; readonly isLocal: boolean },
): { readonly sockets: Sockets } {
  const { view, metrics, report = () => undefined } = options;
  const refused = (limit: Limit) => metrics?.refused("rpc", limit);
  const origins = originsOf(options.cors);
  const isDev = view.dev !== undefined;
  const routes = routesOf(isDev && place.isLocal);
  const heavy = options.heavy ?? new HeavyQueue(limits.heavyRequests);
  const caller = (
    requestId: RpcId,
    { signal, may, client }: Asker,
    subscriptions?: SubscriptionDoor,
  ): Caller => {
    const { listenAddress } = place;
    const context = { view, listenAddress, commitWaits, requestId, signal, subscriptions };
    const name = subscriptions === undefined ? "rpc" : "websocket";
    return { routes, may, context, heavy, client, report, metrics, door: name };
  };
  const pace = ({ signal, client }: Asker) => heavy.pace(signal, client);
  const turns = new ParseTurns(heavy, refused);
  const doors = { routes, origins, limits, caller, pace, turns, report, refused };
  const door = { ...doors, mayCache: !isDev, events: view.events };
  const sockets = new Sockets({
    ...door,
    caller: (id, from, subscriptions) => caller(id, from, subscriptions),
  });
  server.on("drop", () => refused("connections"));
  server.on("request", httpHandler(door));
  server.on("upgrade", (request, connection, head) => sockets.upgrade(request, connection, head));
  return { sockets };
}
