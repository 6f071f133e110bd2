import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { grpcWebHandler } from "../../../src/api/grpc/grpc_web.ts";
import { messageFrame } from "../../../src/api/grpc/web_frames.ts";
import { startGrpcServer } from "../../../src/api/grpc/server.ts";
import { HeavyQueue } from "../../../src/api/heavy_queue.ts";
import { startRestServer } from "../../../src/api/rest/server.ts";
import { startRpcServer } from "../../../src/api/rpc/server.ts";
import { openServices } from "../../../src/api/services/open_services.ts";
import { GetBlockByHeightRequest } from "../../../src/gen/cosmos/base/tendermint/v1beta1/query.ts";
import { type FakeNode, fakeNode } from "./fake_node.ts";
import { callUnary, openClient } from "./grpc_calls.ts";

// Other addresses of this machine than its own: Linux has all of 127.0.0.0/8 without being told.
const onLinux = test.runIf(process.platform === "linux");
const PATH = "cosmos.base.tendermint.v1beta1.Service/GetBlockByHeight";
const REQUEST = GetBlockByHeightRequest.encode({ height: 2n }).finish();

let node: FakeNode;
let closing: (() => Promise<void>)[];
/** Ports by door. */
let ports: { rpc: number; rest: number; grpc: number };
let waiting: (() => void)[];

beforeEach(async () => {
  closing = [];
  waiting = [];
  node = fakeNode();
  const [block, results] = [node.block.bind(node), node.blockResults.bind(node)];
  const held = async () => new Promise<void>((resolve) => waiting.push(resolve));
  node.block = async (height) => held().then(async () => block(height));
  node.blockResults = async (height) => held().then(async () => results(height));
  const heavy = new HeavyQueue(4);
  const host = { host: "127.0.0.1", port: 0 };
  const services = openServices(node, undefined, heavy);
  const rpc = await startRpcServer({ view: node, ...host, heavy });
  const grpcWeb = grpcWebHandler(services);
  const rest = await startRestServer({ services, ...host, heavy, grpcWeb });
  const grpc = await startGrpcServer({ services, ...host });
  for (const { close } of [rpc, rest, grpc]) closing.push(close);
  ports = { rpc: rpc.port, rest: rest.port, grpc: grpc.port };
});
afterEach(async () => {
  for (const release of waiting.splice(0)) release();
  await Promise.all(closing.map(async (close) => close()));
});

/** A client at an address of its own: what it sends to these ports comes from there. */
async function clientAt(localAddress: string) {
  const relay = async (port: number): Promise<number> => {
    const server: Server = createServer((socket) => {
      const onward = connect({ port, host: "127.0.0.1", localAddress });
      for (const one of [socket, onward]) one.on("error", () => undefined);
      socket.pipe(onward).pipe(socket);
      closing.push(async () => void [socket, onward].map((one) => one.destroy()));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closing.push(async () => void server.close());
    return (server.address() as { port: number }).port;
  };
  const [rpc, rest, grpc] = [
    await relay(ports.rpc),
    await relay(ports.rest),
    await relay(ports.grpc),
  ];
  const get = async (url: string): Promise<unknown> => (await fetch(url)).json();
  return {
    rpc: async () => get(`http://127.0.0.1:${rpc}/block_results?height=2`),
    status: async () => get(`http://127.0.0.1:${rpc}/status`),
    websocket: async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${rpc}/websocket`);
      await once(socket, "open");
      const params = { height: "2" };
      socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "block_results", params }));
      const [data] = (await once(socket, "message")) as [Buffer];
      socket.close();
      return JSON.parse(data.toString("utf8")) as unknown;
    },
    rest: async () => get(`http://127.0.0.1:${rest}/cosmos/base/tendermint/v1beta1/blocks/2`),
    grpcWeb: async () => {
      const headers = { "content-type": "application/grpc-web+proto" };
      const body = new Uint8Array(messageFrame(REQUEST));
      const url = `http://127.0.0.1:${rest}/${PATH}`;
      return (await fetch(url, { method: "POST", headers, body })).arrayBuffer();
    },
    grpc: async () => {
      const client = openClient(`127.0.0.1:${grpc}`);
      const { code } = await callUnary(client, `/${PATH}`, REQUEST);
      client.close();
      return code;
    },
  };
}

onLinux("calls of one client wait for each other whatever the door, others' do not", async () => {
  const greedy = await clientAt("127.0.0.2");
  const doors = ["rpc", "rest", "grpcWeb", "grpc", "websocket"] as const;
  let done = 0;
  const calls = doors.map(async (door) => {
    await greedy[door]();
    done += 1;
  });
  await expect.poll(() => waiting.length).toBe(1);
  expect(await greedy.status()).toMatchObject({ result: { sync_info: {} } });
  // Another client's calls have their turn meanwhile, at any door.
  const modest = await clientAt("127.0.0.3");
  for (const door of doors) {
    const answer = modest[door]();
    await expect.poll(() => waiting.length).toBe(2);
    waiting.pop()?.();
    await answer;
    expect(done).toBe(0);
  }
  for (let count = 1; count <= doors.length; count += 1) {
    await expect.poll(() => waiting.length).toBe(1);
    waiting.pop()?.();
    await expect.poll(() => done).toBe(count);
  }
  await Promise.all(calls);
});
