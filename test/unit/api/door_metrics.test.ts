import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import WebSocket from "ws";
import type { RpcLimits } from "../../../src/api/rpc/limits.ts";
import { type RpcServer, startRpcServer } from "../../../src/api/rpc/server.ts";
import { startGrpcServer } from "../../../src/api/grpc/server.ts";
import { grpcWebHandler } from "../../../src/api/grpc/grpc_web.ts";
import { messageFrame } from "../../../src/api/grpc/web_frames.ts";
import { startRestServer } from "../../../src/api/rest/server.ts";
import { measured, unaryClassOf } from "../../../src/api/services/measured.ts";
import { STATUS, UnaryError } from "../../../src/api/services/unary.ts";
import type { DoorMetrics } from "../../../src/node/metrics.ts";
import { fakeNode } from "./fake_node.ts";
import { callUnary, openClient } from "./grpc_calls.ts";

let told: string[];
let server: RpcServer | undefined;

const metrics: DoorMetrics = {
  began: (door, kind) => (end) => void told.push(`${door} ${kind} ${end}`),
  refused: (door, limit) => void told.push(`${door} limit ${limit}`),
};

beforeEach(() => {
  told = [];
});
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(limits: Partial<RpcLimits> = {}): Promise<RpcServer> {
  const place = { host: "127.0.0.1", port: 0 };
  server = await startRpcServer({ view: fakeNode(), ...place, limits, metrics });
  return server;
}

async function post(value: unknown): Promise<void> {
  const { url } = server as RpcServer;
  await (await fetch(url, { method: "POST", body: JSON.stringify(value) })).text();
}

const call = (method: string, params: object = {}) => ({ jsonrpc: "2.0", id: 1, method, params });

const until = async (text: string) => expect.poll(() => told).toContain(text);

test("every call of the RPC is told once, by door, class and end", async () => {
  const { url } = await start();
  await post([call("status"), call("abci_query", { path: "/echo" }), call("nothing")]);
  await post(call("abci_query", { path: "/fault" }));
  await fetch(`${url}/block?height=77`);
  expect(told).toEqual([
    ...["rpc read ok", "rpc query ok", "rpc unknown refused"],
    ...["rpc query failed", "rpc read refused"],
  ]);
  const socket = new WebSocket(`${url.replace("http", "ws")}/websocket`);
  await once(socket, "open");
  const query = "tm.event='NewBlock'";
  for (const frame of [
    call("subscribe", { query }),
    call("subscribe", { query }),
    call("health"),
  ]) {
    socket.send(JSON.stringify(frame));
  }
  await until("websocket read ok");
  socket.close();
  expect(told.slice(5)).toEqual([
    ...["websocket subscribe ok", "websocket subscribe refused", "websocket read ok"],
  ]);
});

test("whom a limit of the RPC turns away is told", async () => {
  const { url } = await start({ bodyBytes: 400, batchSize: 2, socketClients: 0 });
  await post(call("status", { filler: "x".repeat(500) }));
  await post([call("health"), call("health"), call("health")]);
  const socket = new WebSocket(`${url.replace("http", "ws")}/websocket`);
  await once(socket, "error");
  expect(told).toEqual(["rpc limit body", "rpc limit batch", "rpc limit sockets"]);
  await server?.close();
  const few = await start({ connections: 1 });
  const first = connect(few.port, "127.0.0.1");
  await once(first, "connect");
  const second = connect(few.port, "127.0.0.1");
  await until("rpc limit connections");
  first.destroy();
  second.destroy();
});

test("whom a limit of gRPC, gRPC-Web or REST turns away is told", async () => {
  const path = "cosmos.bank.v1beta1.Query/SupplyOf";
  const handle = () => new Promise<never>(() => undefined);
  const services = new Map([[path, { path, handle }]]);
  const place = { services, host: "127.0.0.1", port: 0, metrics };
  const grpc = await startGrpcServer({ ...place, limits: { connections: 1, callMs: 30 } });
  const client = openClient(grpc.address);
  expect((await callUnary(client, `/${path}`, new Uint8Array(0))).code).toBe(4);
  const second = connect(grpc.port, "127.0.0.1");
  await until("grpc limit connections");
  second.destroy();
  client.close();
  await grpc.close();
  const grpcWeb = grpcWebHandler(services, {
    ...{ requestBytes: 10, callMs: 30 },
    refused: (limit) => metrics.refused("grpc-web", limit),
  });
  const limits = { callMs: 30, urlLength: 100 };
  const rest = await startRestServer({ ...place, limits, grpcWeb });
  const web = async (bytes: number) => {
    const headers = { "content-type": "application/grpc-web+proto" };
    const body = new Uint8Array(messageFrame(new Uint8Array(bytes)));
    await (await fetch(`${rest.url}/${path}`, { method: "POST", headers, body })).arrayBuffer();
  };
  await web(0);
  await web(100);
  const supply = `${rest.url}/cosmos/bank/v1beta1/supply/by_denom?denom=uve`;
  expect((await fetch(supply)).status).toBe(504);
  expect((await fetch(`${supply}${"x".repeat(100)}`)).status).toBe(414);
  await rest.close();
  expect(told).toEqual([
    ...["grpc limit time", "grpc limit connections"],
    ...["grpc-web limit time", "grpc-web limit body"],
    ...["rest limit time", "rest limit address"],
  ]);
});

test("methods of the other doors are told by what they cost and how they end", async () => {
  const path = "cosmos.bank.v1beta1.Query/Balance";
  const answer = { value: new Uint8Array(0), height: 1n };
  const outcomes: (Error | undefined)[] = [
    undefined,
    new UnaryError(STATUS.notFound, "no such account"),
    new TypeError("a fault"),
  ];
  const handle = async () => {
    const error = outcomes.shift();
    if (error !== undefined) throw error;
    return answer;
  };
  const method = measured(new Map([[path, { path, handle }]]), "grpc", metrics).get(path);
  for (let count = 0; count < 3; count += 1) {
    await method?.handle(new Uint8Array(0), { height: 0n }).catch(() => undefined);
  }
  expect(told).toEqual(["grpc query ok", "grpc query refused", "grpc query failed"]);
  const classes = {
    "cosmos.tx.v1beta1.Service/Simulate": "tx",
    "cosmos.tx.v1beta1.Service/BroadcastTx": "tx",
    "cosmos.tx.v1beta1.Service/GetTxsEvent": "search",
    "cosmos.tx.v1beta1.Service/GetTx": "read",
    "cosmos.base.tendermint.v1beta1.Service/ABCIQuery": "query",
    "cosmos.base.tendermint.v1beta1.Service/GetLatestBlock": "read",
    "settled.settlement.v1.Query/Totals": "query",
  };
  for (const [name, kind] of Object.entries(classes)) expect(unaryClassOf(name)).toBe(kind);
});
