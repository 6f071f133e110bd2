import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { routesOf } from "../../src/api/rpc/routes.ts";
import { toBase64, toHex } from "../../src/lib/bytes.ts";
import { customer, stranger } from "../testkit/accounts.ts";
import { msg } from "../testkit/messages.ts";
import { type EverythingNode, startEverythingNode } from "./everything_node.ts";

// Every method of the RPC by every way to call it: by name and by position, integers as text and as
// numbers, as an address, over a WebSocket. All of them give the same answer.

type Json = any;
interface Call {
  /** As CosmJS sends them: integers are text. */
  readonly params: Readonly<Record<string, string | boolean>>;
  /** As a person writes them in an address. */
  readonly uri: string;
}

let node: EverythingNode;
let rpc: string;
let calls: Record<string, Call>;
let socket: WebSocket;

/** Frames are answered one after another. */
let answered: (answer: Json) => void = () => undefined;

beforeAll(async () => {
  node = await startEverythingNode();
  rpc = node.chain.report.endpoints.rpc;
  const { height } = await node.send(msg.send(stranger, customer.address, "5uve"));
  socket = new WebSocket(`${rpc.replace("http", "ws")}/websocket`);
  socket.on("message", (data: Buffer) => answered(JSON.parse(data.toString())));
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  calls = await callsAt(height);
});

afterAll(async () => {
  socket?.terminate();
  await node?.stop();
  expect(node?.faults).toEqual([]);
});

async function callsAt(height: string): Promise<Record<string, Call>> {
  const { result } = await byPost("block", { height });
  const block = result.block_id.hash as string;
  const txHash = (await byPost("tx_search", { query: `tx.height=${height}` })).result.txs[0].hash;
  const at: Call = { params: { height }, uri: `height=${height}` };
  const page: Call["params"] = { page: "1", per_page: "2", order_by: "desc" };
  const pageUri = 'page=1&per_page="2"&order_by="desc"';
  const none: Call = { params: {}, uri: "" };
  // Bytes that are no tx: each check refuses them anew.
  const junk = Uint8Array.of(1, 2, 3);
  const tx: Call = { params: { tx: toBase64(junk) }, uri: "tx=0x010203" };
  const ofBlock: Call = {
    params: { hash: toBase64(Buffer.from(block, "hex")) },
    uri: `hash=0x${block}`,
  };
  const data = toHex(Uint8Array.of(10, 3, 117, 118, 101));
  return {
    ...{ health: none, status: none, net_info: none, genesis: none, abci_info: none },
    ...{ num_unconfirmed_txs: none, unconfirmed_txs: { params: { limit: "5" }, uri: "limit=5" } },
    genesis_chunked: { params: { chunk: "0" }, uri: "chunk=0" },
    ...{ consensus_params: at, block: at, block_results: at, commit: at, header: at },
    validators: {
      params: { height, page: "1", per_page: "5" },
      uri: `height=${height}&page=1&per_page=5`,
    },
    blockchain: {
      params: { minHeight: "1", maxHeight: height },
      uri: `minHeight=1&maxHeight="${height}"`,
    },
    ...{ block_by_hash: ofBlock, header_by_hash: ofBlock },
    block_search: {
      params: { query: `block.height = ${height}`, ...page },
      uri: `query="block.height = ${height}"&${pageUri}`,
    },
    tx_search: {
      params: { query: "tx.height > 1", prove: true, ...page },
      uri: `query="tx.height > 1"&prove=true&${pageUri}`,
    },
    tx: {
      params: { hash: toBase64(Buffer.from(txHash, "hex")), prove: true },
      uri: `hash=0x${txHash}&prove=true`,
    },
    ...{ check_tx: tx, broadcast_tx_sync: tx, broadcast_tx_async: tx, broadcast_tx_commit: tx },
    abci_query: {
      params: { path: "/cosmos.bank.v1beta1.Query/SupplyOf", data, height, prove: true },
      uri: `path="/cosmos.bank.v1beta1.Query/SupplyOf"&data=0x${data}&height=${height}&prove=true`,
    },
  };
}

async function byPost(method: string, params: unknown): Promise<Json> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: -1, method, params });
  const response = await fetch(rpc, { method: "POST", body });
  expect(response.status).toBe(200);
  return response.json();
}

async function byAddress(method: string, uri: string): Promise<Json> {
  const response = await fetch(`${rpc}/${method}?${uri.replaceAll(" ", "%20")}`);
  return response.json();
}

async function bySocket(method: string, params: unknown): Promise<Json> {
  const answer = new Promise((resolve) => {
    answered = resolve;
  });
  socket.send(JSON.stringify({ jsonrpc: "2.0", id: -1, method, params }));
  return answer;
}

const asNumbers = (params: Call["params"]) =>
  Object.fromEntries(
    Object.entries(params).map(([name, value]) =>
      typeof value === "string" && /^[0-9]+$/.test(value) ? [name, Number(value)] : [name, value],
    ),
  );

describe("one method, many forms", () => {
  const methods = [...routesOf(false).entries()];
  const all = methods.filter(([, { access }]) => access !== "websocket");

  test("all methods are called", () => {
    expect(Object.keys(calls).sort()).toEqual(all.map(([name]) => name).sort());
    expect(all.length).toBeGreaterThanOrEqual(25);
  });

  test.each(all.map(([name]) => name))("%s", async (name) => {
    const { params, uri } = calls[name] as Call;
    const answer = await byPost(name, params);
    expect(answer).toMatchObject({ jsonrpc: "2.0", id: -1, result: expect.anything() });
    const names = Object.keys(routesOf(false).get(name)?.params ?? {});
    expect(Object.keys(params).sort()).toEqual([...names].sort());
    const list = names.map((each) => params[each]);
    expect(await byPost(name, list)).toEqual(answer);
    expect(await byPost(name, asNumbers(params))).toEqual(answer);
    expect(await byAddress(name, uri)).toEqual(answer);
    expect(await bySocket(name, params)).toEqual(answer);
    expect(await bySocket(name, list)).toEqual(answer);
    const batch = [name, "health"].map((method, id) => ({
      ...{ jsonrpc: "2.0", id, method },
      params: method === name ? params : {},
    }));
    const response = await fetch(rpc, { method: "POST", body: JSON.stringify(batch) });
    expect(await response.json()).toEqual([
      { ...answer, id: 0 },
      { jsonrpc: "2.0", id: 1, result: {} },
    ]);
  });
});

describe("ranges, with CometBFT's words", () => {
  const refusal = async (method: string, params: object) =>
    (await byPost(method, params)).error as { code: number; data: string };

  test.each<[string, object, string]>([
    ["block", { height: "0" }, "height must be greater than 0, but got 0"],
    ["commit", { height: "-5" }, "height must be greater than 0, but got -5"],
    ["block_results", { height: "0" }, "height must be greater than 0, but got 0"],
    ["blockchain", { minHeight: "-1" }, "heights must be non-negative"],
    ["blockchain", { minHeight: "9", maxHeight: "8" }, "can't be greater than max height 8"],
    ["validators", { page: "2" }, "page should be within [1, 1] range, given 2"],
    ["validators", { page: "0" }, "page should be within [1, 1] range, given 0"],
    ["tx_search", { query: "tx.height=1", page: "-1" }, "page should be within [1, 1] range"],
    ["block_search", { query: "block.height=1", page: "3" }, "page should be within [1, 1] range"],
    ["block_search", { query: "block.height=1", order_by: "up" }, "expected order_by to be either"],
    ["genesis_chunked", { chunk: "9" }, "there are 0 chunks, 9 is invalid"],
  ])("%s %j", async (method, params, text) => {
    const error = await refusal(method, params);
    expect([method, error.code]).toEqual([method, -32603]);
    expect(error.data).toContain(text);
  });

  test("heights after the last, and before the first that is kept", async () => {
    const { result } = await byPost("status", {});
    const latest = BigInt(result.sync_info.latest_block_height);
    const earliest = BigInt(result.sync_info.earliest_block_height);
    for (const method of ["block", "header", "commit", "block_results", "consensus_params"]) {
      const high = await refusal(method, { height: String(latest + 10n) });
      expect(high.data).toMatch(
        /^height [0-9]+ must be less than or equal to the current blockchain height [0-9]+$/,
      );
      if (earliest < 2n) continue;
      const low = await refusal(method, { height: "1" });
      expect(low.data).toBe(`height 1 is not available, lowest height is ${earliest}`);
    }
  });
});
