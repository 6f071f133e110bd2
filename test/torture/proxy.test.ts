import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Client } from "../../src/client/client.ts";
import { ConnectionError, RpcError } from "../../src/client/errors.ts";
import type { Fault, FaultKind, RequestClass } from "../../src/torture/fault.ts";
import { TortureProxy } from "../../src/torture/proxy.ts";
import { PayingChain } from "./paying_chain.ts";

// Every fault of requests before a real node: what the client sees, and what the node has done.

let chain: PayingChain;
let proxy: TortureProxy | undefined;

beforeAll(async () => {
  chain = await PayingChain.start();
});

afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
});

afterAll(async () => {
  await chain?.stop();
});

async function between(...faults: Fault[]): Promise<string> {
  const { rpc, rest } = chain.doors;
  proxy = await TortureProxy.start({ node: { rpc, rest }, faults });
  return proxy.doors.rpc;
}

const first = (kind: FaultKind, of: RequestClass, more: Partial<Fault> = {}): Fault => ({
  ...{ kind, at: { of, nth: 1 } },
  ...more,
});

/** Sends a payment through faults; how it went, and how many payments the chain has more at once. */
async function pay(...faults: Fault[]): Promise<{ error: unknown; made: bigint }> {
  const tx = await chain.payment();
  const before = await chain.paymentsMade();
  const client = await Client.connect(await between(...faults));
  const error = await client.broadcastSync(tx).then(
    ({ code, log }) => (code === 0 ? undefined : new Error(log)),
    (reason: unknown) => reason,
  );
  return { error, made: (await chain.paymentsMade()) - before };
}

test("without a fault a client sees what the node says", async () => {
  const { error } = await pay();
  expect(error).toBeUndefined();
  await chain.direct.devMine();
});

test("a lost answer: the connection is cut, and the tx is in a block by then", async () => {
  const { error, made } = await pay(first("lose_answer", "broadcast"));
  expect(error).toBeInstanceOf(ConnectionError);
  expect(made).toBe(1n);
});

test.each(["cut_request", "unavailable"] as const)("%s: the node never sees it", async (kind) => {
  const before = await chain.paymentsMade();
  const { error } = await pay(first(kind, "broadcast"));
  expect(error).toBeInstanceOf(ConnectionError);
  await chain.direct.devMine();
  expect(await chain.paymentsMade()).toBe(before);
});

test.each(["cut_answer", "bad_gateway", "garbage", "truncated"] as const)(
  "%s: the node does it, the client cannot read that",
  async (kind) => {
    const before = await chain.paymentsMade();
    const { error } = await pay(first(kind, "broadcast"));
    expect(error).toBeInstanceOf(ConnectionError);
    await chain.direct.devMine();
    expect((await chain.paymentsMade()) - before).toBe(1n);
  },
);

test("a duplicate: the client gets what the node says to the second", async () => {
  const before = await chain.paymentsMade();
  const { error } = await pay(first("duplicate", "broadcast"));
  expect(error).toBeInstanceOf(RpcError);
  expect(String(error)).toMatch(/already exists in cache/);
  await chain.direct.devMine();
  expect((await chain.paymentsMade()) - before).toBe(1n);
});

test("delay and drip: the answer comes whole, and late", async () => {
  for (const kind of ["delay", "drip"] as const) {
    const client = await Client.connect(await between(first(kind, "query", { ms: 120 })));
    const began = performance.now();
    expect(await client.balance(chain.payer.address, "uusd")).toBe(10n ** 12n);
    expect(performance.now() - began).toBeGreaterThan(100);
    await proxy?.close();
  }
});

test("hold: a request that comes later is answered first", async () => {
  const hold = first("hold", "query", { ms: 5000 });
  const client = await Client.connect(await between(hold));
  const order: string[] = [];
  const early = client.balance(chain.payer.address, "uve").then(() => order.push("early"));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await client.status().then(() => order.push("late"));
  await early;
  expect(order).toEqual(["late", "early"]);
});

test("stale: an earlier answer to the same question", async () => {
  const client = await Client.connect(
    await between({ kind: "stale", at: { of: "query", nth: 2 } }),
  );
  const before = await client.balance(chain.payer.address, "uve");
  await chain.direct.waitForTx((await chain.direct.broadcastSync(await chain.payment())).hash);
  expect(await client.balance(chain.payer.address, "uve")).toBe(before);
  expect(await client.balance(chain.payer.address, "uve")).toBe(before - 5001n);
});

test("faults that are reached are told apart from those that are not", async () => {
  const [hit, missed] = [first("delay", "query"), first("delay", "lookup")];
  const client = await Client.connect(await between(hit, missed));
  await client.balance(chain.payer.address, "uve");
  expect([...(proxy?.applied ?? [])]).toEqual([hit]);
  expect(proxy?.counts).toMatchObject({ query: 1, lookup: 0, other: 1, any: 2 });
});

test("a WebSocket is passed on, and cut when it is to be", async () => {
  const socketOf = async (...faults: Fault[]) => {
    const url = (await between(...faults)).replace("http", "ws");
    return new WebSocket(`${url}/websocket`);
  };
  const ask = (socket: WebSocket) =>
    new Promise((resolve) => {
      socket.once("message", (data: Buffer) => resolve(JSON.parse(data.toString())));
      socket.once("error", resolve);
      socket.once("close", () => resolve("closed"));
      socket.once("open", () => {
        socket.send(JSON.stringify({ jsonrpc: "2.0", id: 7, method: "health", params: {} }));
      });
    });
  const open = await socketOf();
  expect(await ask(open)).toMatchObject({ id: 7, result: {} });
  open.terminate();
  await proxy?.close();
  const cut = await ask(await socketOf(first("cut_request", "other")));
  expect(cut).toBeInstanceOf(Error);
});

test("REST: a tx is a broadcast, and its answer is lost when it is in a block", async () => {
  const lost = first("lose_answer", "broadcast");
  await between(lost, first("unavailable", "query"));
  const url = proxy?.doors.rest ?? "";
  const before = await chain.paymentsMade();
  const balance = `${url}/cosmos/bank/v1beta1/balances/${chain.payer.address}`;
  expect((await fetch(balance)).status).toBe(503);
  const tx = Buffer.from(await chain.payment()).toString("base64");
  const body = JSON.stringify({ tx_bytes: tx, mode: "BROADCAST_MODE_SYNC" });
  const post = () => fetch(`${url}/cosmos/tx/v1beta1/txs`, { method: "POST", body });
  await expect(post()).rejects.toThrow("fetch failed");
  expect((await chain.paymentsMade()) - before).toBe(1n);
  const again = (await (await post()).json()) as { tx_response: { code: number } };
  expect(again.tx_response.code).toBe(19);
  expect(proxy?.counts).toMatchObject({ broadcast: 2, query: 1 });
  expect(proxy?.countsByDoor).toEqual({ rpc: 0, rest: 3, grpc: 0 });
  expect((await fetch(balance)).status).toBe(200);
});
