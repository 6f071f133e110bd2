import type { DoorMetrics } from "../../node/metrics.ts";
import { HeavyQueue } from "../heavy_queue.ts";
import { ParseTurns } from "../parse_turn.ts";
import { listenHttp } from "../http_listener.ts";
import { originsOf } from "../rpc/origins.ts";
import type { Services } from "../services/services.ts";
import { type GrpcWebHandler, restHandler } from "./handler.ts";
import type { HttpDoor } from "./http_door.ts";
import { DEFAULT_REST_LIMITS, type RestLimits } from "./limits.ts";
import { RouteTable } from "./route_table.ts";

const FLAG = "--rest-port";

export interface RestServerOptions {
  readonly services: Services;
  /** The address to listen on, "127.0.0.1". */
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** Origins of web pages that may use the server, "*" for all; none: those of this machine. */
  readonly cors?: readonly string[] | undefined;
  /** Where long work takes turns with that of other doors; none: with that of this one alone. */
  readonly heavy?: HeavyQueue | undefined;
  /** Whatever differs from DEFAULT_REST_LIMITS. */
  readonly limits?: Partial<RestLimits> | undefined;
  /** Told of every fault behind an "internal error"; the client does not learn more. */
  readonly report?: ((error: unknown) => void) | undefined;
  /** Told of whom a limit turned away. */
  readonly metrics?: Pick<DoorMetrics, "refused"> | undefined;
  /** What else is mounted, each under its prefix. */
  readonly extra?: readonly HttpDoor[] | undefined;
  /** Where requests go that speak gRPC-Web; without it they are told that there is none. */
  readonly grpcWeb?: GrpcWebHandler | undefined;
}

export interface RestServer {
  /** "http://127.0.0.1:1317" */
  readonly url: string;
  readonly port: number;
  /** Stops listening and closes every connection within a second. */
  close(): Promise<void>;
}

/**
 * Serves Cosmos' REST API, as the annotations of the methods say, with its OpenAPI document and a
 * page to browse it. Resolves when it listens.
 * @throws PortInUseError
 */
export async function startRestServer(options: RestServerOptions): Promise<RestServer> {
  const { services, host, port } = options;
  let isClosed = false;
  // What still runs for clients that are gone may meet a node that has stopped: no fault.
  const report = (error: unknown) => (isClosed ? undefined : options.report?.(error));
  const limits = { ...DEFAULT_REST_LIMITS, ...options.limits };
  const listener = await listenHttp({ host, port, flag: FLAG }, limits, report);
  const refused = (limit: string) => options.metrics?.refused("rest", limit);
  const heavy = options.heavy ?? new HeavyQueue(1);
  const handler = restHandler({
    services,
    routes: new RouteTable(),
    origins: originsOf(options.cors),
    limits,
    heavy,
    turns: new ParseTurns(heavy, refused),
    extra: options.extra ?? [],
    grpcWeb: options.grpcWeb,
    report,
    refused,
  });
  listener.server.on("drop", () => refused("connections"));
  listener.server.on("request", handler);
  const { url, address } = listener;
  const close = async () => {
    await listener.close();
    isClosed = true;
  };
  return { url, port: address.port, close };
}
