import { type Client, Metadata, status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import {
  QueryBalanceRequest,
  QueryBalanceResponse,
} from "../../src/gen/cosmos/bank/v1beta1/query.ts";
import {
  BroadcastMode,
  BroadcastTxRequest,
  BroadcastTxResponse,
} from "../../src/gen/cosmos/tx/v1beta1/service.ts";
import { HealthCheckRequest, HealthCheckResponse } from "../../src/gen/grpc/health/v1/health.ts";
import type { Fault, FaultKind, RequestClass } from "../../src/torture/fault.ts";
import { TortureProxy } from "../../src/torture/proxy.ts";
import { ReflectedClient } from "../e2e/reflected_client.ts";
import { type CallOutcome, callUnary, openClient } from "../unit/api/grpc_calls.ts";
import { PayingChain } from "./paying_chain.ts";

// Every fault of requests before a real node's gRPC: what an unchanged client sees, and what the
// node has done.

const BROADCAST = "/cosmos.tx.v1beta1.Service/BroadcastTx";
const BALANCE = "/cosmos.bank.v1beta1.Query/Balance";
/** The tx is in the mempool's memory: the node has seen it. */
const SEEN = 19;

let chain: PayingChain;
let proxy: TortureProxy | undefined;
let client: Client | undefined;

beforeAll(async () => {
  chain = await PayingChain.start();
});

afterEach(async () => {
  client?.close();
  await proxy?.close();
  proxy = undefined;
});

afterAll(async () => {
  await chain?.stop();
});

async function between(...faults: Fault[]): Promise<Client> {
  proxy = await TortureProxy.start({ node: chain.doors, faults });
  client = openClient(proxy.doors.grpc ?? "");
  return client;
}

const first = (kind: FaultKind, of: RequestClass, more: Partial<Fault> = {}): Fault => ({
  ...{ kind, at: { of, nth: 1 } },
  ...more,
});

function broadcast(through: Client, txBytes: Uint8Array): Promise<CallOutcome> {
  const mode = BroadcastMode.BROADCAST_MODE_SYNC;
  return callUnary(through, BROADCAST, BroadcastTxRequest.encode({ txBytes, mode }).finish());
}

const codeOf = ({ value = new Uint8Array() }: CallOutcome) =>
  BroadcastTxResponse.decode(value).txResponse?.code;

/** Sends a payment through faults; how it went, and how many payments the chain has more at once. */
async function pay(...faults: Fault[]): Promise<{ outcome: CallOutcome; made: bigint }> {
  const tx = await chain.payment();
  const before = await chain.paymentsMade();
  const outcome = await broadcast(await between(...faults), tx);
  return { outcome, made: (await chain.paymentsMade()) - before };
}

function askBalance(through: Client, metadata = new Metadata()): Promise<CallOutcome> {
  const request = QueryBalanceRequest.encode({ address: chain.payer.address, denom: "uve" });
  return callUnary(through, BALANCE, request.finish(), { metadata });
}

const amountOf = ({ value = new Uint8Array() }: CallOutcome) =>
  QueryBalanceResponse.decode(value).balance?.amount;

test("without a fault a client sees what the node says: headers, errors and trailers too", async () => {
  const through = await between();
  const metadata = new Metadata();
  metadata.set("x-cosmos-block-height", "1");
  const old = await askBalance(through, metadata);
  expect(old.headers).toMatchObject({ "x-cosmos-block-height": "1" });
  expect(amountOf(old)).toBe("1000000000000000");
  const direct = openClient(chain.doors.grpc);
  for (const path of ["/cosmos.bank.v1beta1.Query/Balance", "/no.such.Query/Method"]) {
    const [here, there] = [
      await callUnary(through, path, Uint8Array.of(0x0a, 0xff)),
      await callUnary(direct, path, Uint8Array.of(0x0a, 0xff)),
    ];
    expect(here).toMatchObject({ code: there.code, details: there.details });
    expect(here.code).not.toBe(status.OK);
  }
  direct.close();
  expect(proxy?.counts).toMatchObject({ query: 3, broadcast: 0 });
  expect(proxy?.countsByDoor).toEqual({ rpc: 0, rest: 0, grpc: 3 });
});

test("a lost answer: the connection is cut, and the tx is in a block by then", async () => {
  const { outcome, made } = await pay(first("lose_answer", "broadcast"));
  expect(outcome.code).toBe(status.UNAVAILABLE);
  expect(made).toBe(1n);
});

test.each(["cut_request", "unavailable"] as const)("%s: the node never sees it", async (kind) => {
  const before = await chain.paymentsMade();
  const { outcome } = await pay(first(kind, "broadcast"));
  expect(outcome.code).toBe(status.UNAVAILABLE);
  await chain.direct.devMine();
  expect(await chain.paymentsMade()).toBe(before);
});

test.each([
  ["cut_answer", status.UNAVAILABLE],
  ["bad_gateway", status.UNAVAILABLE],
  ["garbage", status.OK],
  ["truncated", status.INTERNAL],
] as const)("%s: the node does it, the client cannot read that", async (kind, code) => {
  const before = await chain.paymentsMade();
  const { outcome } = await pay(first(kind, "broadcast"));
  expect(outcome.code).toBe(code);
  if (kind === "garbage") expect(() => codeOf(outcome)).toThrow();
  await chain.direct.devMine();
  expect((await chain.paymentsMade()) - before).toBe(1n);
});

test("a duplicate: the client gets what the node says to the second", async () => {
  const before = await chain.paymentsMade();
  const { outcome } = await pay(first("duplicate", "broadcast"));
  expect(codeOf(outcome)).toBe(SEEN);
  await chain.direct.devMine();
  expect((await chain.paymentsMade()) - before).toBe(1n);
});

test("a connection that was cut is made again", async () => {
  const through = await between(first("cut_request", "query"));
  expect((await askBalance(through)).code).toBe(status.UNAVAILABLE);
  await expect.poll(async () => (await askBalance(through)).code).toBe(status.OK);
});

test("delay and drip: the answer comes whole, and late", async () => {
  for (const kind of ["delay", "drip"] as const) {
    const through = await between(first(kind, "query", { ms: 120 }));
    const began = performance.now();
    expect(amountOf(await askBalance(through))).toMatch(/^9/);
    expect(performance.now() - began).toBeGreaterThan(100);
    through.close();
    await proxy?.close();
  }
});

test("hold: a call that comes later is answered first, over the same connection", async () => {
  const through = await between(first("hold", "query", { ms: 5000 }));
  const order: string[] = [];
  const early = askBalance(through).then(() => order.push("early"));
  await expect.poll(() => proxy?.counts.query).toBe(1);
  await askBalance(through).then(() => order.push("late"));
  await early;
  expect(order).toEqual(["late", "early"]);
});

test("stale: an earlier answer to the same question, at the same height", async () => {
  const through = await between({ kind: "stale", at: { of: "query", nth: 2 } });
  const before = amountOf(await askBalance(through));
  await chain.direct.waitForTx((await chain.direct.broadcastSync(await chain.payment())).hash);
  expect(amountOf(await askBalance(through))).toBe(before);
  expect(amountOf(await askBalance(through))).toBe(String(BigInt(before ?? "0") - 5001n));
});

test("a request that is late arrives, though its client has gone", async () => {
  const before = await chain.paymentsMade();
  const tx = await chain.payment();
  const through = await between(first("delay", "broadcast", { ms: 150 }));
  void broadcast(through, tx);
  await expect.poll(() => proxy?.counts.broadcast).toBe(1);
  through.close();
  await expect.poll(async () => (await chain.paymentsMade()) - before).toBe(1n);
});

test("a stream is passed on as it comes, and cut in the middle when it is to be", async () => {
  const through = await between(first("cut_answer", "any"));
  const watch = (of: Client) => {
    const said: unknown[] = [];
    const call = of.makeServerStreamRequest(
      "/grpc.health.v1.Health/Watch",
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes: Buffer) => HealthCheckResponse.decode(bytes).status,
      HealthCheckRequest.encode({ service: "" }).finish(),
    );
    call.on("data", (value) => said.push(value));
    call.on("error", (error: { code?: number }) => said.push(error.code));
    return { call, said };
  };
  const cut = watch(through);
  await expect.poll(() => cut.said).toEqual([status.UNAVAILABLE]);
  const whole = watch(through);
  await expect.poll(() => whole.said).toEqual([1]);
  expect(proxy?.open).toBe(1);
  whole.call.cancel();
  await expect.poll(() => proxy?.open).toBe(0);
});

test("both sides may speak for long: reflection tells all", async () => {
  const reflected = await ReflectedClient.open(await between(), ["cosmos.tx.v1beta1.Service"]);
  expect(reflected).toBeDefined();
});
