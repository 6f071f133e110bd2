/** Port of the CometBFT RPC where nothing else is said. */
export const DEFAULT_RPC_PORT = 26_657;

/** The address that a client calls for a server on `host`; IPv6 in brackets, any-address as loopback. */
export function rpcUrlOf(host: string, port: number): string {
  const name = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
}

/** Whether nobody but this machine can reach a server on `host`. */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.[0-9]+\.[0-9]+\.[0-9]+$/.test(host);
}

/** Doors of a node by name; null for one that does not exist. */
export interface Endpoints {
  readonly rpc: string;
  readonly grpc: string | null;
  readonly rest: string | null;
  readonly ledger: string | null;
  readonly metrics: string | null;
}
