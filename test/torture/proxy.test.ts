import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { makeDevHome } from "../../src/cli/commands/init.ts";
import { openTestKeyring } from "../../src/cli/keyring/test_keyring.ts";
import { loadOpenApp } from "../../src/cli/open_app.ts";
import { type RunningChain, startChain } from "../../src/cli/running_chain.ts";
import { Client } from "../../src/client/client.ts";
import { ConnectionError, RpcError } from "../../src/client/errors.ts";
import type { Signer } from "../../src/client/signer.ts";
import { buildTx } from "../../src/client/tx_builder.ts";
import { MsgSend } from "../../src/gen/cosmos/bank/v1beta1/tx.ts";
import { readConfig } from "../../src/node/config.ts";
import { silentLog } from "../../src/node/log.ts";
import type { Fault, FaultKind, RequestClass } from "../../src/torture/fault.ts";
import { TortureProxy } from "../../src/torture/proxy.ts";

// Every fault of requests before a real node: what the client sees, and what the node has done.

let home: string;
let chain: RunningChain;
let direct: Client;
let payer: Signer;
let payee: string;
let proxy: TortureProxy | undefined;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "settled-proxy-"));
  await makeDevHome(home, "now");
  const config = await readConfig(home, { rpcPort: "0", blockIntervalMs: "20" });
  chain = await startChain({ home, config, log: silentLog, openApp: await loadOpenApp() });
  direct = await Client.connect(chain.report.endpoints.rpc);
  const keyring = openTestKeyring(join(home, "keyring-test"), "ve");
  payer = await keyring.signer("customer-1");
  payee = (await keyring.find("provider-1")).address;
}, 60_000);

afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
});

afterAll(async () => {
  await chain?.stop();
  await rm(home, { recursive: true, force: true });
});

async function between(...faults: Fault[]): Promise<string> {
  proxy = await TortureProxy.start({ target: chain.report.endpoints.rpc, faults });
  return proxy.url;
}

const first = (kind: FaultKind, of: RequestClass, more: Partial<Fault> = {}): Fault => ({
  ...{ kind, at: { of, nth: 1 } },
  ...more,
});

async function payment(): Promise<Uint8Array> {
  const account = await direct.account(payer.address);
  if (account === undefined) throw new Error("the payer has no account");
  const amount = [{ denom: "uve", amount: "1" }];
  const send = { fromAddress: payer.address, toAddress: payee, amount };
  const value = MsgSend.encode(send).finish();
  return buildTx({
    ...{ signer: payer, chainId: direct.chainId, ...account },
    messages: [{ typeUrl: "/cosmos.bank.v1beta1.MsgSend", value }],
    fee: { amount: [{ denom: "uve", amount: "5000" }], gasLimit: 200_000n },
  });
}

async function paymentsMade(): Promise<bigint> {
  return (await direct.account(payer.address))?.sequence ?? 0n;
}

/** Sends a payment through faults; how it went, and how many payments the chain has more at once. */
async function pay(...faults: Fault[]): Promise<{ error: unknown; made: bigint }> {
  const tx = await payment();
  const before = await paymentsMade();
  const client = await Client.connect(await between(...faults));
  const error = await client.broadcastSync(tx).then(
    ({ code, log }) => (code === 0 ? undefined : new Error(log)),
    (reason: unknown) => reason,
  );
  return { error, made: (await paymentsMade()) - before };
}

test("without a fault a client sees what the node says", async () => {
  const { error } = await pay();
  expect(error).toBeUndefined();
  await direct.devMine();
});

test("a lost answer: the connection is cut, and the tx is in a block by then", async () => {
  const { error, made } = await pay(first("lose_answer", "broadcast"));
  expect(error).toBeInstanceOf(ConnectionError);
  expect(made).toBe(1n);
});

test.each(["cut_request", "unavailable"] as const)("%s: the node never sees it", async (kind) => {
  const before = await paymentsMade();
  const { error } = await pay(first(kind, "broadcast"));
  expect(error).toBeInstanceOf(ConnectionError);
  await direct.devMine();
  expect(await paymentsMade()).toBe(before);
});

test.each(["cut_answer", "bad_gateway", "garbage", "truncated"] as const)(
  "%s: the node does it, the client cannot read that",
  async (kind) => {
    const before = await paymentsMade();
    const { error } = await pay(first(kind, "broadcast"));
    expect(error).toBeInstanceOf(ConnectionError);
    await direct.devMine();
    expect((await paymentsMade()) - before).toBe(1n);
  },
);

test("a duplicate: the client gets what the node says to the second", async () => {
  const before = await paymentsMade();
  const { error } = await pay(first("duplicate", "broadcast"));
  expect(error).toBeInstanceOf(RpcError);
  expect(String(error)).toMatch(/already exists in cache/);
  await direct.devMine();
  expect((await paymentsMade()) - before).toBe(1n);
});

test("delay and drip: the answer comes whole, and late", async () => {
  for (const kind of ["delay", "drip"] as const) {
    const client = await Client.connect(await between(first(kind, "query", { ms: 120 })));
    const began = performance.now();
    expect(await client.balance(payer.address, "uusd")).toBe(10n ** 12n);
    expect(performance.now() - began).toBeGreaterThan(100);
    await proxy?.close();
  }
});

test("hold: a request that comes later is answered first", async () => {
  const hold = first("hold", "query", { ms: 5000 });
  const client = await Client.connect(await between(hold));
  const order: string[] = [];
  const early = client.balance(payer.address, "uve").then(() => order.push("early"));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await client.status().then(() => order.push("late"));
  await early;
  expect(order).toEqual(["late", "early"]);
});

test("stale: an earlier answer to the same question", async () => {
  const client = await Client.connect(
    await between({ kind: "stale", at: { of: "query", nth: 2 } }),
  );
  const before = await client.balance(payer.address, "uve");
  await direct.waitForTx((await direct.broadcastSync(await payment())).hash);
  expect(await client.balance(payer.address, "uve")).toBe(before);
  expect(await client.balance(payer.address, "uve")).toBe(before - 5001n);
});

test("faults that are reached are told apart from those that are not", async () => {
  const [hit, missed] = [first("delay", "query"), first("delay", "lookup")];
  const client = await Client.connect(await between(hit, missed));
  await client.balance(payer.address, "uve");
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
