import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export type RpcHandlers = Readonly<Record<string, (params: Record<string, unknown>) => unknown>>;

/** Thrown by a handler: becomes a JSON-RPC error. */
export class JsonRpcFailure extends Error {
  readonly code = -32_603;
  readonly data: string;

  constructor(data: string) {
    super("Internal error");
    this.data = data;
  }
}

export const STATUS = {
  node_info: { network: "settled-test", moniker: "fake", version: "0.38.0-test" },
  sync_info: {
    latest_block_height: "7",
    latest_block_time: "2026-01-01T00:00:00Z",
    latest_block_hash: "AA",
    latest_app_hash: "BB",
    earliest_block_height: "1",
    catching_up: false,
  },
};

/** A JSON-RPC server that answers from a table. */
export async function fakeRpc(handlers: RpcHandlers) {
  const calls: { method: string; params: Record<string, unknown> }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString()) as {
        id: number;
        method: string;
        params: Record<string, unknown>;
      };
      calls.push({ method, params });
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ jsonrpc: "2.0", id, ...answer(handlers, method, params) }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}`, calls, close };
}

function answer(handlers: RpcHandlers, method: string, params: Record<string, unknown>): object {
  const all: RpcHandlers = { status: () => STATUS, ...handlers };
  const handler = all[method];
  if (handler === undefined) return { error: { code: -32_601, message: "Method not found" } };
  try {
    return { result: handler(params) };
  } catch (error) {
    if (!(error instanceof JsonRpcFailure)) throw error;
    return { error: { code: error.code, message: error.message, data: error.data } };
  }
}
