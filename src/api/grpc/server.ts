import { type AddressInfo, createServer, type Server as NetServer } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { HealthCheckRequest, HealthCheckResponse } from "../../gen/grpc/health/v1/health.ts";
import {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from "../../gen/grpc/reflection/v1/reflection.ts";
import type { DoorMetrics } from "../../node/metrics.ts";
import { PortInUseError } from "../port_in_use_error.ts";
import type { Services } from "../services/services.ts";
import { Connections } from "./connections.ts";
import { contractIndex } from "./descriptor_index.ts";
import { Health, HEALTH_SERVICE } from "./health.ts";
import { DEFAULT_GRPC_LIMITS, type GrpcLimit, type GrpcLimits } from "./limits.ts";
import { REFLECTION_SERVICES, reflectionHandler } from "./reflection.ts";
import { unaryHandler } from "./unary_handler.ts";

const FLAG = "--grpc-port";
/** How long running calls have to end when the server closes, in milliseconds. */
const GRACE_MS = 500;
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_ANSWER_MS = 20_000;
const SESSION_MEMORY_MB = 64;

export interface GrpcServerOptions {
  readonly services: Services;
  /** The address to listen on, "127.0.0.1". */
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** Whatever differs from DEFAULT_GRPC_LIMITS. */
  readonly limits?: Partial<GrpcLimits> | undefined;
  /** Told of every fault behind an "internal error"; the client does not learn more. */
  readonly report?: ((error: unknown) => void) | undefined;
  /** Told of whom a limit turned away. */
  readonly metrics?: Pick<DoorMetrics, "refused"> | undefined;
}

export interface GrpcServer {
  /** "127.0.0.1:9090": without TLS, as clients of a plaintext server take it. */
  readonly address: string;
  readonly port: number;
  /** Stops listening and closes every connection within a second. */
  close(): Promise<void>;
}

/**
 * Serves the table of methods over gRPC, with server reflection and the health service. Resolves
 * when it listens.
 * @throws PortInUseError
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { services, report = () => undefined } = options;
  const limits = { ...DEFAULT_GRPC_LIMITS, ...options.limits };
  const refused = (limit: GrpcLimit) => options.metrics?.refused("grpc", limit);
  const connections = new Connections(limits, refused);
  const grpc = new Server(serverOptions(limits, connections));
  const health = new Health(serviceNames(services));
  for (const path of services.keys()) {
    const handle = unaryHandler({ services, limits, connections, report, refused }, path);
    grpc.register(`/${path}`, handle, asBuffer, asBytes, "unary");
  }
  registerOwn(grpc, health, { services: serviceNames(services), idleMs: limits.streamIdleMs });
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const server = createServer({ noDelay: true }, (socket) => {
    connections.add(socket);
    socket.on("error", () => undefined);
    injector.injectConnection(socket);
  });
  server.maxConnections = limits.connections;
  server.on("drop", () => refused("connections"));
  const { address, port, family } = await listen(server, options, report);
  const reachable = { "0.0.0.0": "127.0.0.1", "::": "::1" }[address] ?? address;
  return {
    address: `${family === "IPv6" ? `[${reachable}]` : reachable}:${port}`,
    port,
    close: async () => {
      health.close();
      const late = setTimeout(() => connections.destroyAll(), GRACE_MS);
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      injector.drain(GRACE_MS);
      await closed;
      clearTimeout(late);
      grpc.forceShutdown();
    },
  };
}

function serverOptions(limits: GrpcLimits, connections: Connections) {
  return {
    interceptors: [connections.guard],
    "grpc.max_receive_message_length": limits.requestBytes,
    // What may be sent is bounded where it is made.
    "grpc.max_send_message_length": -1,
    "grpc.max_concurrent_streams": limits.streams,
    "grpc.max_connection_idle_ms": limits.idleMs,
    "grpc.keepalive_time_ms": KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_ANSWER_MS,
    "grpc-node.max_session_memory": SESSION_MEMORY_MB,
    "grpc.enable_channelz": 0,
  };
}

/** Full names of the services of the table and of the server's own, in order. */
function serviceNames(services: Services): string[] {
  const names = [...services.keys()].map((path) => path.slice(0, path.indexOf("/")));
  const all = new Set([...names, HEALTH_SERVICE, ...REFLECTION_SERVICES]);
  return [...all].sort((a, b) => (a < b ? -1 : 1));
}

function registerOwn(
  grpc: Server,
  health: Health,
  reflected: { readonly services: readonly string[]; readonly idleMs: number },
): void {
  const encode = encoderOf(HealthCheckResponse);
  const decode = (bytes: Buffer) => HealthCheckRequest.decode(bytes);
  grpc.register(`/${HEALTH_SERVICE}/Check`, health.check, encode, decode, "unary");
  grpc.register(`/${HEALTH_SERVICE}/Watch`, health.watch, encode, decode, "serverStream");
  const reflect = reflectionHandler({ ...reflected, index: contractIndex });
  const [toAnswer, fromRequest] = [
    encoderOf(ServerReflectionResponse),
    (bytes: Buffer) => ServerReflectionRequest.decode(bytes),
  ];
  for (const service of REFLECTION_SERVICES) {
    grpc.register(`/${service}/ServerReflectionInfo`, reflect, toAnswer, fromRequest, "bidi");
  }
}

function encoderOf<T>(codec: { encode(message: T): { finish(): Uint8Array } }) {
  return (message: T) => asBuffer(codec.encode(message).finish());
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Plain bytes: what is made of a Buffer further in would be Buffers again. */
function asBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

async function listen(
  server: NetServer,
  { host, port }: GrpcServerOptions,
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
  return server.address() as AddressInfo;
}
