import type { Client } from "@grpc/grpc-js";
import { DirectSecp256k1HdWallet, type EncodeObject, Registry } from "@cosmjs/proto-signing";
import { defaultRegistryTypes, SigningStargateClient } from "@cosmjs/stargate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { settledTypes } from "../../src/client/amino_types.ts";
import { TxRaw } from "../../src/gen/cosmos/tx/v1beta1/tx.ts";
import { encodeBech32 } from "../../src/lib/bech32.ts";
import { must } from "../../src/lib/assert.ts";
import { sha256 } from "../../src/lib/sha256.ts";
import { openClient } from "../unit/api/grpc_calls.ts";
import { devNode } from "./dev_node.ts";
import { CallError, ReflectedClient, reflect } from "./reflected_client.ts";

// The client has no .proto file and none of our code for messages: reflection tells it everything.

const NOT_FOUND = 5;
const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
const UNIMPLEMENTED = 12;
const UNKNOWN = 2;
const OWN_SERVICES = [
  "cosmos.auth.v1beta1.Query",
  "cosmos.bank.v1beta1.Query",
  "cosmos.base.node.v1beta1.Service",
  "cosmos.base.tendermint.v1beta1.Service",
  "cosmos.tx.v1beta1.Service",
  "settled.bank.v1.Query",
  "settled.settlement.v1.Query",
  "virtengine.settlement.v1.Query",
];
const TX = "cosmos.tx.v1beta1.Service";
const FEE = { amount: [{ denom: "uve", amount: "10000" }], gas: "400000" };

const node = devNode(["--block-interval", "20ms", "--log-level", "error"]);
let channel: Client;
let client: ReflectedClient;
let customer: string;
let provider: string;

beforeAll(async () => {
  channel = openClient(must(node.report.endpoints.grpc ?? undefined, "a node has a gRPC door"));
  client = await ReflectedClient.open(channel, OWN_SERVICES);
  [customer, provider] = [node.account("customer-1").address, node.account("provider-1").address];
});

afterAll(() => channel?.close());

/** The bytes of a tx that CosmJS has signed. */
async function signed(messages: readonly EncodeObject[], memo = ""): Promise<Uint8Array> {
  const { mnemonic, address } = node.account("customer-1");
  const wallet = await DirectSecp256k1HdWallet.fromMnemonic(mnemonic, {
    prefix: node.report.bech32Prefix,
  });
  const registry = new Registry([...defaultRegistryTypes, ...settledTypes()]);
  const signer = await SigningStargateClient.connectWithSigner(node.rpc, wallet, { registry });
  const raw = await signer.sign(address, messages, FEE, memo);
  signer.disconnect();
  return TxRaw.encode(TxRaw.fromPartial(raw)).finish();
}

function transfer(amount: string): EncodeObject {
  const coins = [{ denom: "uve", amount }];
  const value = { fromAddress: customer, toAddress: provider, amount: coins };
  return { typeUrl: "/cosmos.bank.v1beta1.MsgSend", value };
}

function hashOf(tx: Uint8Array): string {
  return Buffer.from(sha256(tx)).toString("hex").toUpperCase();
}

async function failure(call: Promise<unknown>): Promise<CallError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(CallError);
  return error as CallError;
}

/** The GetTx answer, as soon as the tx is in a block. */
async function indexed(hash: string) {
  return node.program.until(`tx ${hash} in a block`, async () => {
    try {
      return (await client.call(`${TX}/GetTx`, { hash })).answer;
    } catch (error) {
      if (!(error instanceof CallError) || error.code !== NOT_FOUND) throw error;
      return undefined;
    }
  });
}

describe("reflection", () => {
  test.each(["v1", "v1alpha"] as const)("%s lists the services", async (version) => {
    const [answer] = await reflect(channel, version, [{ listServices: "*" }]);
    const names = answer?.listServicesResponse?.service.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining([...OWN_SERVICES, "grpc.health.v1.Health"]));
    expect(names?.filter((name) => name.endsWith(".Msg"))).toEqual([]);
  });

  test("answers every request of a stream in order, what is not there as NOT_FOUND", async () => {
    const answers = await reflect(channel, "v1alpha", [
      { fileByFilename: "cosmos/bank/v1beta1/query.proto" },
      { fileByFilename: "no/such.proto" },
      { fileContainingSymbol: "virtengine.settlement.v1.Query.UsageSummary" },
      { fileContainingSymbol: "no.such.Symbol" },
      { fileContainingExtension: { containingType: "no.Such", extensionNumber: 1 } },
      { allExtensionNumbersOfType: "cosmos.bank.v1beta1.MsgSend" },
    ]);
    expect(answers.map((answer) => answer.errorResponse?.errorCode ?? 0)).toEqual([
      ...[0, NOT_FOUND, 0, NOT_FOUND, NOT_FOUND, 0],
    ]);
  });
});

describe("queries", () => {
  test("an account, its balances, and at which height", async () => {
    const path = "cosmos.auth.v1beta1.Query/Account";
    const { answer, height } = await client.call(path, { address: customer });
    expect(answer.account.typeUrl).toBe("/cosmos.auth.v1beta1.BaseAccount");
    expect(Number(height)).toBeGreaterThan(0);
    const balances = await client.call("cosmos.bank.v1beta1.Query/AllBalances", {
      address: customer,
    });
    expect(balances.answer.balances.map(({ denom }: { denom: string }) => denom)).toEqual([
      ...["uusd", "uve"],
    ]);
  });

  test("what is not there is NOT_FOUND, a bad argument INVALID_ARGUMENT", async () => {
    const address = encodeBech32(node.report.bech32Prefix, new Uint8Array(20).fill(7));
    const nobody = client.call("cosmos.auth.v1beta1.Query/Account", { address });
    expect((await failure(nobody)).code).toBe(NOT_FOUND);
    const escrow = client.call("virtengine.settlement.v1.Query/Escrow", { escrowId: "nope" });
    const missing = await failure(escrow);
    expect(missing.code).toBe(NOT_FOUND);
    expect(missing.details).toMatch(/^escrow not found: "nope"/);
    const bad = client.call("cosmos.bank.v1beta1.Query/AllBalances", { address: "nonsense" });
    expect((await failure(bad)).code).toBe(INVALID_ARGUMENT);
    const fiat = client.call("virtengine.settlement.v1.Query/FiatConversion", {});
    expect((await failure(fiat)).code).toBe(UNIMPLEMENTED);
  });

  test("an older height answers as it was then; one that is none is refused", async () => {
    const tx = await signed([transfer("12345")], "heights");
    const { answer: sent } = await client.call(`${TX}/BroadcastTx`, { txBytes: tx, mode: 2 });
    expect(sent.txResponse.code).toBe(0);
    const { txResponse } = await indexed(hashOf(tx));
    const height = BigInt(txResponse.height);
    const balanceAt = async (at: bigint) => {
      const request = { address: provider, denom: "uve" };
      const given = { height: String(at) };
      const found = await client.call("cosmos.bank.v1beta1.Query/Balance", request, given);
      expect(found.height).toBe(String(at));
      return BigInt(found.answer.balance.amount);
    };
    expect((await balanceAt(height)) - (await balanceAt(height - 1n))).toBe(12345n);
    for (const wrong of ["-1", "1000000", "x"]) {
      const call = client.call("cosmos.bank.v1beta1.Query/Params", {}, { height: wrong });
      expect((await failure(call)).code).toBe(INVALID_ARGUMENT);
    }
  });

  test("a deadline that has passed is DEADLINE_EXCEEDED", async () => {
    const call = client.call("cosmos.bank.v1beta1.Query/Params", {}, { deadlineMs: -1 });
    expect((await failure(call)).code).toBe(DEADLINE_EXCEEDED);
  });
});

describe("txs", () => {
  const orderId = "e2e-grpc/1/1";

  test("simulate, broadcast, find: an escrow is made", async () => {
    const value = {
      ...{ sender: customer, orderId, amount: [{ denom: "uve", amount: "1000000" }] },
      expiresIn: 86_400n,
    };
    const typeUrl = "/virtengine.settlement.v1.MsgCreateEscrow";
    const tx = await signed([{ typeUrl, value }], "grpc");
    const { answer: simulated } = await client.call(`${TX}/Simulate`, { txBytes: tx });
    expect(Number(simulated.gasInfo.gasUsed)).toBeGreaterThan(1000);
    expect(simulated.result.msgResponses).toMatchObject([
      { typeUrl: "/virtengine.settlement.v1.MsgCreateEscrowResponse" },
    ]);
    const { answer: sent } = await client.call(`${TX}/BroadcastTx`, { txBytes: tx, mode: 2 });
    const hash = hashOf(tx);
    expect(sent.txResponse).toMatchObject({ code: 0, txhash: hash, height: "0", rawLog: "" });
    const found = await indexed(hash.toLowerCase());
    expect(found.txResponse).toMatchObject({ code: 0, txhash: hash, codespace: "", rawLog: "" });
    expect(found.txResponse.timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(Buffer.from(found.txResponse.tx.value, "base64")).toEqual(Buffer.from(tx));
    expect(found.txResponse.gasUsed).toBe(simulated.gasInfo.gasUsed);
    expect(found.tx.body.memo).toBe("grpc");
    const types = found.txResponse.events.map(({ type }: { type: string }) => type);
    expect(types).toContain("message");
    const byOrder = await client.call("virtengine.settlement.v1.Query/EscrowsByOrder", { orderId });
    expect(byOrder.answer.escrows[0]).toMatchObject({ orderId, state: "pending" });
  });

  test("what was sent before, or is too large, is a code as in the Cosmos SDK", async () => {
    const tx = await signed([transfer("1")], "twice");
    const send = async (txBytes: Uint8Array, mode = 2) =>
      (await client.call(`${TX}/BroadcastTx`, { txBytes, mode })).answer.txResponse;
    expect(await send(tx, 3)).toMatchObject({ code: 0 });
    expect(await send(tx)).toMatchObject({ code: 19, codespace: "sdk" });
    const large = await send(new Uint8Array(1024 * 1024 + 1));
    expect(large).toMatchObject({ code: 21, codespace: "sdk" });
    await indexed(hashOf(tx));
    expect(await send(new Uint8Array(100))).toMatchObject({ code: 2, codespace: "sdk" });
    const block = client.call(`${TX}/BroadcastTx`, { txBytes: tx, mode: 1 });
    expect((await failure(block)).code).toBe(UNIMPLEMENTED);
    const none = client.call(`${TX}/BroadcastTx`, { txBytes: tx });
    expect((await failure(none)).code).toBe(INVALID_ARGUMENT);
  });

  test("a tx that fails in simulation is UNKNOWN with its log", async () => {
    const tx = await signed([transfer("9".repeat(20))]);
    const error = await failure(client.call(`${TX}/Simulate`, { txBytes: tx }));
    expect(error.code).toBe(UNKNOWN);
    expect(error.details).toMatch(/insufficient funds/);
  });

  test("search by query, by events, in order and in pages", async () => {
    for (const memo of ["one", "two", "three"]) {
      const tx = await signed([transfer("77")], memo);
      await client.call(`${TX}/BroadcastTx`, { txBytes: tx, mode: 2 });
      await indexed(hashOf(tx));
    }
    const memos = (answer: { txs: { body: { memo: string } }[] }) =>
      answer.txs.map(({ body }) => body.memo);
    const query = "transfer.amount='77uve'";
    const all = (await client.call(`${TX}/GetTxsEvent`, { query })).answer;
    expect(memos(all)).toEqual(["one", "two", "three"]);
    expect([all.total, all.txResponses.length]).toEqual(["3", 3]);
    const last = { query, page: 1, limit: 2, orderBy: 2 };
    expect(memos((await client.call(`${TX}/GetTxsEvent`, last)).answer)).toEqual(["three", "two"]);
    const events = ["message.action='/cosmos.bank.v1beta1.MsgSend'", query];
    const byEvents = { events, pagination: { offset: 2, limit: 2 } };
    expect(memos((await client.call(`${TX}/GetTxsEvent`, byEvents)).answer)).toEqual(["three"]);
    const wrong = [{}, { query: "=" }, { query, page: 9 }, { query: "x".repeat(600) }];
    for (const request of wrong) {
      const error = await failure(client.call(`${TX}/GetTxsEvent`, request));
      expect(error.code).toBe(INVALID_ARGUMENT);
    }
    const height = all.txResponses[0].height;
    const block = (await client.call(`${TX}/GetBlockWithTxs`, { height })).answer;
    expect(memos(block)).toEqual(["one"]);
    expect(block.block.header.height).toBe(height);
  });

  test("decode gives the tx, encode its bytes; binary amino is not offered", async () => {
    const tx = await signed([transfer("5")], "bytes");
    const decoded = (await client.call(`${TX}/TxDecode`, { txBytes: tx })).answer;
    expect(decoded.tx.body.memo).toBe("bytes");
    const encoded = (await client.call(`${TX}/TxEncode`, decoded)).answer;
    expect(Buffer.from(encoded.txBytes, "base64")).toEqual(Buffer.from(tx));
    const simulated = await client.call(`${TX}/Simulate`, decoded);
    expect(Number(simulated.answer.gasInfo.gasUsed)).toBeGreaterThan(1000);
    const bad = client.call(`${TX}/TxDecode`, { txBytes: new Uint8Array(9) });
    expect((await failure(bad)).code).toBe(INVALID_ARGUMENT);
    const amino = client.call(`${TX}/TxEncodeAmino`, { aminoJson: "{}" });
    expect((await failure(amino)).code).toBe(UNIMPLEMENTED);
  });
});

test("gRPC-Web on the REST port gives the same answer", async () => {
  const path = "cosmos.bank.v1beta1.Query/Balance";
  const request = { address: customer, denom: "uusd" };
  const { answer } = await client.call(path, request);
  const message = client.encode("cosmos.bank.v1beta1.QueryBalanceRequest", request);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  const response = await fetch(`${node.report.endpoints.rest}/${path}`, {
    method: "POST",
    headers: { "content-type": "application/grpc-web+proto", origin: "http://localhost:3000" },
    body: Buffer.concat([head, message]),
  });
  expect(response.headers.get("access-control-expose-headers")).toMatch(/grpc-status/i);
  const body = Buffer.from(await response.arrayBuffer());
  const length = body.readUInt32BE(1);
  const type = "cosmos.bank.v1beta1.QueryBalanceResponse";
  expect(client.decode(type, body.subarray(5, 5 + length))).toEqual(answer);
  expect(body.subarray(10 + length).toString()).toBe("grpc-status:0\r\ngrpc-message:\r\n");
});

describe("the node", () => {
  const COMET = "cosmos.base.tendermint.v1beta1.Service";

  test("says what it is and how far it has come", async () => {
    const info = (await client.call(`${COMET}/GetNodeInfo`)).answer;
    expect(info.defaultNodeInfo.network).toBe(node.report.chainId);
    expect(info.applicationVersion.appName).toBe("settled");
    const { syncing } = (await client.call(`${COMET}/GetSyncing`)).answer;
    expect(syncing).toBe(false);
    const status = (await client.call("cosmos.base.node.v1beta1.Service/Status")).answer;
    expect(Number(status.height)).toBeGreaterThan(1);
    const config = (await client.call("cosmos.base.node.v1beta1.Service/Config")).answer;
    expect(config.minimumGasPrice).toBe("0.025uve");
  });

  test("gives blocks and validators as its RPC does", async () => {
    const latest = (await client.call(`${COMET}/GetLatestBlock`)).answer;
    const { height } = latest.block.header;
    const found = (await client.call(`${COMET}/GetBlockByHeight`, { height })).answer;
    expect(found).toEqual(latest);
    const url = `${node.rpc}/block?height=${height}`;
    const { result } = (await (await fetch(url)).json()) as {
      result: { block_id: { hash: string } };
    };
    expect(Buffer.from(found.blockId.hash, "base64").toString("hex").toUpperCase()).toBe(
      result.block_id.hash,
    );
    expect(found.sdkBlock.header.proposerAddress).toMatch(/^vevalcons1/);
    const set = (await client.call(`${COMET}/GetValidatorSetByHeight`, { height: "1" })).answer;
    expect(set.validators).toHaveLength(1);
    expect(set.validators[0].address).toBe(found.sdkBlock.header.proposerAddress);
    for (const none of ["0", "-5", "1000000"]) {
      const call = client.call(`${COMET}/GetBlockByHeight`, { height: none });
      expect((await failure(call)).code).toBe(INVALID_ARGUMENT);
    }
  });

  test("passes ABCI queries on, failures as codes", async () => {
    const path = "/cosmos.bank.v1beta1.Query/Params";
    const done = (await client.call(`${COMET}/ABCIQuery`, { path })).answer;
    expect([done.code, Number(done.height) > 0]).toEqual([0, true]);
    const failed = (await client.call(`${COMET}/ABCIQuery`, { path: "/nope" })).answer;
    expect([failed.code, failed.codespace]).toEqual([6, "sdk"]);
  });
});
