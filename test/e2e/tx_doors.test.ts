import type { Client } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { TxRaw } from "../../src/gen/cosmos/tx/v1beta1/tx.ts";
import { must } from "../../src/lib/assert.ts";
import { toBase64, toHex } from "../../src/lib/bytes.ts";
import { customer, stranger } from "../testkit/accounts.ts";
import { msg } from "../testkit/messages.ts";
import { openClient } from "../unit/api/grpc_calls.ts";
import { type EverythingNode, startEverythingNode } from "./everything_node.ts";
import { rpcCall } from "./node_process.ts";
import { type Answer, CallError, ReflectedClient } from "./reflected_client.ts";
import { get, post } from "./rest_routes.ts";

// The same tx by every way into the node: all of them say the same of it.

const TX = "cosmos.tx.v1beta1.Service";
const EFFECTS = "settled.tx.v1.Service/SimulateEffects";
const BROADCAST = "/cosmos/tx/v1beta1/txs";

let node: EverythingNode;
let rpc: string;
let channel: Client;
let grpc: ReflectedClient;

beforeAll(async () => {
  node = await startEverythingNode();
  rpc = node.chain.report.endpoints.rpc;
  channel = openClient(must(node.chain.report.endpoints.grpc ?? undefined, "a gRPC door"));
  grpc = await ReflectedClient.open(channel, [TX, "settled.tx.v1.Service"]);
});

afterAll(async () => {
  channel?.close();
  await node?.stop();
  expect(node?.faults).toEqual([]);
});

const payment = () => msg.send(stranger, customer.address, "5uve");

/** What a call over a WebSocket answers. */
async function overSocket(method: string, params: object): Promise<Answer> {
  const socket = new WebSocket(`${rpc.replace("http", "ws")}/websocket`);
  try {
    return await new Promise((resolve, reject) => {
      socket.once("error", reject);
      socket.once("message", (data: Buffer) => resolve(JSON.parse(data.toString())));
      socket.once("open", () => {
        socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }));
      });
    });
  } finally {
    socket.terminate();
  }
}

/** The message and the trailers of a gRPC-Web call. */
async function overWeb(path: string, message: Uint8Array): Promise<[Buffer, string]> {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  const headers = { "content-type": "application/grpc-web+proto" };
  const body = Buffer.concat([head, message]);
  const response = await fetch(`${node.rest}/${path}`, { method: "POST", headers, body });
  const bytes = Buffer.from(await response.arrayBuffer());
  const end = bytes[0] === 0 ? 5 + bytes.readUInt32BE(1) : 0;
  return [bytes.subarray(Math.min(5, end), end), bytes.subarray(end + 5).toString()];
}

async function refusalOf(call: Promise<unknown>): Promise<CallError> {
  return call.then(
    () => {
      throw new Error("the call was not refused");
    },
    (error: unknown) => {
      expect(error).toBeInstanceOf(CallError);
      return error as CallError;
    },
  );
}

/** The answer of a query over the RPC. */
async function overAbci(path: string, data: Uint8Array): Promise<Answer> {
  const params = { path: `/${path}`, data: toHex(data) };
  const { result } = await rpcCall(rpc, "abci_query", params);
  return (result as Answer).response;
}

describe("a tx whose sequence was used is refused with the one that is due", () => {
  let tx: Uint8Array;
  let text: string;

  beforeAll(async () => {
    const account = `/cosmos/auth/v1beta1/account_info/${stranger.address}`;
    const used = (await get(node.rest, account)).json.info.sequence as string;
    tx = await node.tx(payment());
    await node.send(msg.send(stranger, customer.address, "6uve"));
    text = `account sequence mismatch, expected ${Number(used) + 1}, got ${used}`;
  });

  test.each(["broadcast_tx_sync", "broadcast_tx_commit"])("%s", async (method) => {
    const found = await rpcCall(rpc, method, { tx: toBase64(tx) });
    const result = found.result as Answer;
    const checked = method === "broadcast_tx_commit" ? result.check_tx : result;
    expect(checked).toMatchObject({ code: 32, codespace: "sdk" });
    expect(checked.log).toContain(text);
  });

  test("check_tx, by GET and over a WebSocket", async () => {
    const byGet = await get(rpc, `/check_tx?tx=0x${toHex(tx)}`);
    const bySocket = await overSocket("check_tx", { tx: toBase64(tx) });
    for (const { result } of [byGet.json, bySocket]) {
      expect(result).toMatchObject({ code: 32, codespace: "sdk" });
      expect(result.log).toContain(text);
    }
    const sent = await get(rpc, `/broadcast_tx_sync?tx=0x${toHex(tx)}`);
    expect(sent.json.result.log).toContain(text);
    const pushed = await overSocket("broadcast_tx_sync", { tx: toBase64(tx) });
    expect(pushed.result.log).toContain(text);
  });

  test("REST", async () => {
    const mode = "BROADCAST_MODE_SYNC";
    const { json } = await post(node.rest, BROADCAST, { tx_bytes: toBase64(tx), mode });
    expect(json.tx_response).toMatchObject({ code: 32, codespace: "sdk" });
    expect(json.tx_response.raw_log).toContain(text);
    const path = "/cosmos/tx/v1beta1/simulate";
    const simulated = await post(node.rest, path, { tx_bytes: toBase64(tx) });
    expect(simulated.status).toBeGreaterThanOrEqual(400);
    expect(simulated.json.message).toContain(text);
  });

  test("gRPC", async () => {
    const request = { txBytes: tx, mode: 2 };
    const { answer } = await grpc.call(`${TX}/BroadcastTx`, request);
    expect(answer.txResponse).toMatchObject({ code: 32, codespace: "sdk" });
    expect(answer.txResponse.rawLog).toContain(text);
    const { details } = await refusalOf(grpc.call(`${TX}/Simulate`, { txBytes: tx }));
    expect(details).toContain(text);
  });

  test("gRPC-Web", async () => {
    const request = grpc.encode("cosmos.tx.v1beta1.BroadcastTxRequest", { txBytes: tx, mode: 2 });
    const [message, trailers] = await overWeb(`${TX}/BroadcastTx`, request);
    expect(trailers).toContain("grpc-status:0");
    const answer = grpc.decode("cosmos.tx.v1beta1.BroadcastTxResponse", message);
    expect(answer.txResponse.rawLog).toContain(text);
  });

  test("abci_query of the simulation", async () => {
    const data = grpc.encode("cosmos.tx.v1beta1.SimulateRequest", { txBytes: tx });
    expect((await overAbci(`${TX}/Simulate`, data)).log).toContain(text);
  });
});

describe("a tx that nobody has signed", () => {
  const balance = async () =>
    (await get(node.rest, `/cosmos/bank/v1beta1/balances/${customer.address}`)).json;

  test.each([
    ["no signature", () => []],
    ["an empty one", () => [new Uint8Array(0)]],
    ["one of zeros", () => [new Uint8Array(64)]],
    [
      "that of another tx",
      async () =>
        TxRaw.decode(await node.tx(msg.send(stranger, customer.address, "1uve"))).signatures,
    ],
  ])("with %s moves nothing, by whatever door it comes", async (_, signatures) => {
    const before = await balance();
    const signed = TxRaw.decode(await node.tx(payment()));
    const tx = TxRaw.encode({ ...signed, signatures: await signatures() }).finish();
    const codes: [number, string][] = [];
    const note = ({ code, codespace }: Answer) => void codes.push([code, codespace]);
    for (const method of ["broadcast_tx_sync", "check_tx", "broadcast_tx_commit"]) {
      const { result } = await rpcCall(rpc, method, { tx: toBase64(tx) });
      note((result as Answer).check_tx ?? result);
      note((await get(rpc, `/${method}?tx=0x${toHex(tx)}`)).json.result.check_tx ?? result);
    }
    await rpcCall(rpc, "broadcast_tx_async", { tx: toBase64(tx) });
    note((await overSocket("broadcast_tx_sync", { tx: toBase64(tx) })).result);
    const body = { tx_bytes: toBase64(tx), mode: "BROADCAST_MODE_SYNC" };
    note((await post(node.rest, BROADCAST, body)).json.tx_response);
    const request = { txBytes: tx, mode: 2 };
    note((await grpc.call(`${TX}/BroadcastTx`, request)).answer.txResponse);
    const [message] = await overWeb(
      `${TX}/BroadcastTx`,
      grpc.encode("cosmos.tx.v1beta1.BroadcastTxRequest", request),
    );
    note(grpc.decode("cosmos.tx.v1beta1.BroadcastTxResponse", message).txResponse);
    const isNone = (await signatures()).length === 0;
    expect(codes).toEqual(codes.map(() => [isNone ? 15 : 4, "sdk"]));
    expect(codes).toHaveLength(10);
    expect(await balance()).toEqual(before);
  });

  test("there is no faucet and no dev control on a chain that is no dev chain", async () => {
    const { status } = await post(node.rest, "/faucet", { address: customer.address });
    expect(status).toBe(501);
    for (const method of ["dev_mine", "dev_use_wall_clock"]) {
      expect((await rpcCall(rpc, method)).error).toMatchObject({ code: -32601 });
      expect((await get(rpc, `/${method}`)).status).toBe(404);
    }
  });
});

describe("what a tx would do to balances", () => {
  const REQUEST = "settled.tx.v1.SimulateEffectsRequest";
  const RESPONSE = "settled.tx.v1.SimulateEffectsResponse";
  const plain = (address: string, change: string) =>
    expect.objectContaining({ address, denom: "uve", change });

  test("is the same over gRPC, gRPC-Web, REST and abci_query, and nothing is done", async () => {
    const tx = await node.tx(payment());
    const before = (await rpcCall(rpc, "status")).result as Answer;
    const { answer } = await grpc.call(EFFECTS, { txBytes: tx });
    expect(answer).toMatchObject({ code: 0, log: "" });
    expect(answer.changes).toHaveLength(2);
    expect(answer.changes).toContainEqual(plain(stranger.address, "-5"));
    expect(answer.changes).toContainEqual(plain(customer.address, "5"));
    const data = grpc.encode(REQUEST, { txBytes: tx });
    const [message, trailers] = await overWeb(EFFECTS, data);
    expect(trailers).toContain("grpc-status:0");
    expect(grpc.decode(RESPONSE, message)).toEqual(answer);
    const { code, value } = await overAbci(EFFECTS, data);
    expect(code).toBe(0);
    expect(grpc.decode(RESPONSE, Buffer.from(value, "base64"))).toEqual(answer);
    const path = "/settled/tx/v1/simulate_effects";
    const rest = await post(node.rest, path, { tx_bytes: toBase64(tx) });
    expect(rest.status).toBe(200);
    expect(rest.json.gas_used).toBe(answer.gasUsed);
    expect(rest.json.changes).toContainEqual(plain(stranger.address, "-5"));
    expect(rest.json.changes).toHaveLength(2);
    const after = (await rpcCall(rpc, "status")).result as Answer;
    expect(after.sync_info.latest_app_hash).toBe(before.sync_info.latest_app_hash);
  });

  test("a tx that would fail says how, and moves nothing", async () => {
    const tx = await node.tx(msg.send(stranger, customer.address, "9000000000000000uve"));
    const { answer } = await grpc.call(EFFECTS, { txBytes: tx });
    const rest = await post(node.rest, "/settled/tx/v1/simulate_effects", {
      tx_bytes: toBase64(tx),
    });
    for (const one of [answer, rest.json]) {
      expect(one).toMatchObject({ code: 5, codespace: "sdk", changes: [] });
      expect(one.log).toContain("insufficient funds");
    }
  });

  test("bytes that are no tx, none at all, and too many are refused", async () => {
    const big = TxRaw.encode(TxRaw.fromPartial({ bodyBytes: new Uint8Array(1_100_000) })).finish();
    for (const [bytes, text] of [
      [new Uint8Array(0), "tx_bytes is empty"],
      [big, "Tx too large. Max size is 1048576"],
    ] as const) {
      const refusal = await refusalOf(grpc.call(EFFECTS, { txBytes: bytes }));
      expect(refusal.code).toBe(3);
      expect(refusal.details).toContain(text);
    }
    const empty = await post(node.rest, "/settled/tx/v1/simulate_effects", { tx_bytes: "" });
    expect([empty.status, empty.json.message]).toEqual([400, "tx_bytes is empty"]);
  });
});
