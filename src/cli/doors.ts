import type { MetricsRecorder } from "../api/metrics/recorder.ts";
import type { RestServer } from "../api/rest/server.ts";
import type { NodeConfig } from "../node/config.ts";
import type { NodeLog } from "../node/log.ts";
import type { NodeView } from "../node/view.ts";
import { extraDoors } from "./extra_doors.ts";
import type { Endpoints } from "./endpoints.ts";

/** Calls that read whole blocks, or search, at the same time: of all clients at all doors. */
const HEAVY_CALLS = 4;

/** The servers of a node. */
export interface Doors {
  readonly endpoints: Endpoints;
  /** Closes all of them, within a second. */
  close(): Promise<void>;
}

interface Closable {
  close(): Promise<void>;
}

/** Opens the doors that a config names. @throws PortInUseError, with none left open */
export async function openDoors(parts: {
  readonly home: string;
  readonly view: NodeView;
  readonly config: NodeConfig;
  readonly log: NodeLog;
  readonly metrics: MetricsRecorder;
}): Promise<Doors> {
  const opened: Closable[] = [];
  const close = async () => void (await Promise.all(opened.map(async (door) => door.close())));
  try {
    return { endpoints: await openInto(opened, parts), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openInto(
  opened: Closable[],
  { home, view, config, log, metrics }: Parameters<typeof openDoors>[0],
): Promise<Endpoints> {
  const { host, corsOrigins: cors } = config;
  const open = async <T extends Closable>(starting: Promise<T>): Promise<T> => {
    const door = await starting;
    opened.push(door);
    return door;
  };
  const report = (name: string) => (error: unknown) =>
    log.error(`internal error of the ${name}`, faultFacts(error));
  const { HeavyQueue } = await import("../api/heavy_queue.ts");
  // One for all doors: a client gets no more of the node by using several.
  const heavy = new HeavyQueue(HEAVY_CALLS);
  const { startRpcServer } = await import("../api/rpc/server.ts");
  const rpc = await open(
    startRpcServer({
      ...{ view, host, port: config.rpcPort, cors, report: report("RPC"), metrics, heavy },
      limits: { connections: config.rpcConnectionsMax, socketClients: config.rpcSocketsMax },
    }),
  );
  const { openServices } = await import("../api/services/open_services.ts");
  const { minimumGasPrice, keepHistory } = config;
  const services = openServices(view, { minimumGasPrice, keepHistory, rpcUrl: rpc.url }, heavy);
  const { measured } = await import("../api/services/measured.ts");
  const { startGrpcServer } = await import("../api/grpc/server.ts");
  const grpc = await open(
    startGrpcServer({
      services: measured(services, "grpc", metrics),
      ...{ host, port: config.grpcPort, report: report("gRPC server"), metrics },
    }),
  );
  const { grpcWebHandler } = await import("../api/grpc/grpc_web.ts");
  const webServices = measured(services, "grpc-web", metrics);
  const { startRestServer } = await import("../api/rest/server.ts");
  const rest: RestServer = await open(
    startRestServer({
      services: measured(services, "rest", metrics),
      ...{ host, port: config.restPort, cors, report: report("REST API"), metrics, heavy },
      grpcWeb: grpcWebHandler(webServices, {
        report: report("gRPC-Web handler"),
        refused: (limit) => metrics.refused("grpc-web", limit),
      }),
      extra: await extraDoors({
        home,
        view,
        config,
        endpoints: () => ({ rpc: rpc.url, rest: rest.url }),
      }),
    }),
  );
  const { startMetricsServer } = await import("../api/metrics/server.ts");
  const monitor = await open(
    startMetricsServer({
      ...{ view, metrics, host, port: config.metricsPort, report: report("metrics") },
    }),
  );
  return {
    rpc: rpc.url,
    rest: rest.url,
    ...{ grpc: grpc.address, ledger: null, metrics: monitor.url },
  };
}

function faultFacts(error: unknown): { error: string } {
  return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
