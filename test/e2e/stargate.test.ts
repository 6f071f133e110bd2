import { Secp256k1HdWallet } from "@cosmjs/amino";
import {
  type DeliverTxResponse,
  AminoTypes,
  BroadcastTxError,
  createDefaultAminoConverters,
  createProtobufRpcClient,
  defaultRegistryTypes,
  GasPrice,
  QueryClient,
  SigningStargateClient,
} from "@cosmjs/stargate";
import {
  DirectSecp256k1HdWallet,
  type EncodeObject,
  type OfflineSigner,
  Registry,
} from "@cosmjs/proto-signing";
import { Comet38Client, type comet38, connectComet, WebsocketClient } from "@cosmjs/tendermint-rpc";
import { beforeAll, describe, expect, test } from "vitest";
import { settledAminoConverters, settledTypes } from "../../src/client/amino_types.ts";
import { acknowledgeSignBytes, usageSignBytes } from "../../src/client/settlement_msgs.ts";
import { type Signer, signerFromMnemonic } from "../../src/client/signer.ts";
import type { DevAccount } from "../../src/cli/dev_accounts.ts";
import { TxRaw } from "../../src/gen/cosmos/tx/v1beta1/tx.ts";
import { must } from "../../src/lib/assert.ts";
import { sha256 } from "../../src/lib/sha256.ts";
import * as query from "../../src/gen/virtengine/settlement/v1/query.ts";
import * as tx from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { devNode } from "./dev_node.ts";

// The client is the published one, unchanged: what holds here holds for every program built on it.

type Mode = "direct" | "amino";

const PACKAGE = "virtengine.settlement.v1";
const GENESIS_UVE = 1_000_000_000_000_000n;
/** 400,000 gas at the node's minimum price of 0.025uve. */
const FEE = { amount: [{ denom: "uve", amount: "10000" }], gas: "400000" };
const FEE_UVE = 10_000n;

const registry = new Registry([...defaultRegistryTypes, ...settledTypes()]);
const aminoTypes = new AminoTypes({
  ...createDefaultAminoConverters(),
  ...settledAminoConverters(),
});

const node = devNode(["--block-interval", "20ms", "--log-level", "error"]);
const account = (name: string): DevAccount => node.account(name);

async function walletOf({ mnemonic }: DevAccount, mode: Mode): Promise<OfflineSigner> {
  const options = { prefix: node.report.bech32Prefix };
  if (mode === "direct") return DirectSecp256k1HdWallet.fromMnemonic(mnemonic, options);
  return Secp256k1HdWallet.fromMnemonic(mnemonic, options);
}

async function connect(name: string, mode: Mode): Promise<SigningStargateClient> {
  return SigningStargateClient.connectWithSigner(node.rpc, await walletOf(account(name), mode), {
    registry,
    aminoTypes,
    broadcastPollIntervalMs: 25,
    gasPrice: GasPrice.fromString("0.025uve"),
  });
}

function message<T>(name: string, codec: { fromPartial(object: object): T }, value: object) {
  return { typeUrl: `/${PACKAGE}.${name}`, value: codec.fromPartial(value) };
}

/** The response of the first message of a tx that worked. */
function responseOf<T>(result: DeliverTxResponse, codec: { decode(bytes: Uint8Array): T }): T {
  expect(result.rawLog).toBe("");
  expect(result.code).toBe(0);
  return codec.decode(must(result.msgResponses[0], "a tx has a response per message").value);
}

async function ask<Req, Res>(
  method: string,
  request: { encode(value: Req): { finish(): Uint8Array }; fromPartial(object: object): Req },
  response: { decode(bytes: Uint8Array): Res },
  input: object,
): Promise<Res> {
  const comet = await connectComet(node.rpc);
  const rpc = createProtobufRpcClient(new QueryClient(comet));
  const data = request.encode(request.fromPartial(input)).finish();
  return response.decode(await rpc.request(`${PACKAGE}.Query`, method, data));
}

/** One side of the market: an account with its client. */
interface Party {
  readonly address: string;
  readonly client: SigningStargateClient;
  readonly signer: Signer;
  /** Txs that paid the fixed fee. */
  paid: number;
}

async function party(name: string, mode: Mode): Promise<Party> {
  const { address, mnemonic } = account(name);
  const signer = await signerFromMnemonic(mnemonic);
  return { address, signer, client: await connect(name, mode), paid: 0 };
}

async function send(from: Party, ...messages: EncodeObject[]): Promise<DeliverTxResponse> {
  from.paid += 1;
  return from.client.signAndBroadcast(from.address, messages, FEE, "e2e");
}

async function balanceOf({ client, address }: Party): Promise<bigint> {
  return BigInt((await client.getBalance(address, "uve")).amount);
}

describe.each<[Mode, string, string]>([
  ["direct", "customer-1", "provider-1"],
  ["amino", "customer-2", "provider-2"],
])("sign mode %s", (mode, customerName, providerName) => {
  const order = `order-${mode}`;
  const lease = `lease-${mode}`;
  const now = BigInt(Math.floor(Date.now() / 1000));
  const period = { periodStart: now - 7200n, periodEnd: now - 3600n };
  let customer: Party;
  let provider: Party;
  let escrowId: string;
  let usageIds: string[];

  beforeAll(async () => {
    customer = await party(customerName, mode);
    provider = await party(providerName, mode);
  });

  function usage(usageType: string, usageUnits: bigint, price: string): EncodeObject {
    const unitPrice = { denom: "uve", amount: price };
    const doc = { orderId: order, leaseId: lease, usageType, usageUnits, ...period, unitPrice };
    const bytes = usageSignBytes({ chainId: node.report.chainId, ...doc });
    const signature = provider.signer.sign(sha256(bytes));
    return message("MsgRecordUsage", tx.MsgRecordUsage, {
      ...{ sender: provider.address, signature },
      ...doc,
    });
  }

  test("connect, chain id, account and balance", async () => {
    expect(await customer.client.getChainId()).toBe(node.report.chainId);
    expect(await customer.client.getHeight()).toBeGreaterThan(0);
    expect(await customer.client.getAccount(customer.address)).toMatchObject({
      address: customer.address,
      sequence: 0,
    });
    expect(await balanceOf(customer)).toBe(GENESIS_UVE);
    const { address } = await signerFromMnemonic(account("authority").mnemonic, {
      hdPath: "m/44'/118'/0'/0/9",
    });
    expect(await customer.client.getAccount(address)).toBeNull();
  });

  test("escrow: simulate, create, activate", async () => {
    const create = message("MsgCreateEscrow", tx.MsgCreateEscrow, {
      ...{ sender: customer.address, orderId: order, expiresIn: 86_400n },
      amount: [{ denom: "uve", amount: "1000000" }],
    });
    const gas = await customer.client.simulate(customer.address, [create], "e2e");
    expect(gas).toBeGreaterThan(1000);
    expect(gas).toBeLessThan(400_000);
    const created = await send(customer, create);
    expect(created.gasUsed).toBeGreaterThan(1000n);
    ({ escrowId } = responseOf(created, tx.MsgCreateEscrowResponse));
    const activate = { sender: customer.address, escrowId, leaseId: lease };
    const recipient = provider.address;
    await send(
      customer,
      message("MsgActivateEscrow", tx.MsgActivateEscrow, { ...activate, recipient }),
    ).then((result) => responseOf(result, tx.MsgActivateEscrowResponse));
    const found = await ask("Escrow", query.QueryEscrowRequest, query.QueryEscrowResponse, {
      escrowId,
    });
    expect(found.escrow).toMatchObject({ orderId: order, leaseId: lease, recipient });
    expect(found.escrow?.state).toBe("active");
    expect(found.escrow?.balance).toEqual([{ denom: "uve", amount: "1000000" }]);
  });

  test("usage: two records in one tx, one of them acknowledged", async () => {
    const recorded = await send(
      provider,
      usage("cpu", 100n, "1500500000000000000000"),
      usage("gpu", 3n, "33333333000000000000000"),
    );
    expect(recorded.code).toBe(0);
    const answers = recorded.msgResponses.map(({ value }) =>
      tx.MsgRecordUsageResponse.decode(value),
    );
    // 100 × 1500.5 and floor(3 × 33333.333).
    expect(answers.map(({ totalCost }) => totalCost)).toEqual(["150050uve", "99999uve"]);
    usageIds = answers.map(({ usageId }) => usageId);
    const usageId = must(usageIds[0], "two records");
    const doc = { chainId: node.report.chainId, usageId, totalCost: "150050uve" };
    const signature = customer.signer.sign(sha256(acknowledgeSignBytes(doc)));
    const acknowledge = { sender: customer.address, usageId, signature };
    const result = await send(
      customer,
      message("MsgAcknowledgeUsage", tx.MsgAcknowledgeUsage, acknowledge),
    );
    responseOf(result, tx.MsgAcknowledgeUsageResponse);
    const found = await ask(
      "UsageRecord",
      query.QueryUsageRecordRequest,
      query.QueryUsageRecordResponse,
      { usageId },
    );
    expect(found.usageRecord).toMatchObject({ customerAcknowledged: true, settled: false });
  });

  test("a check that fails throws, a tx that fails in its block is a result", async () => {
    // Less than the minimum gas price: refused before any block, nothing is paid.
    const before = await balanceOf(provider);
    const cheap = { ...FEE, amount: [{ denom: "uve", amount: "1" }] };
    const claim = message("MsgClaimRewards", tx.MsgClaimRewards, { sender: provider.address });
    const error = await provider.client
      .signAndBroadcast(provider.address, [claim], cheap)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BroadcastTxError);
    expect(error).toMatchObject({ code: 13, codespace: "sdk" });
    expect((error as BroadcastTxError).log).toMatch(/insufficient fee/);
    expect(await balanceOf(provider)).toBe(before);
    // The same period once more: in a block, with the module's code, and the fee is paid.
    const failed = await send(provider, usage("cpu", 100n, "1500500000000000000000"));
    expect(failed.code).toBe(1514);
    expect(failed.rawLog).toMatch(/usage record already exists/);
    expect(await balanceOf(provider)).toBe(before - FEE_UVE);
  });

  test("settlement, final settlement, queries", async () => {
    const settle = { sender: customer.address, orderId: order };
    const part = await send(customer, message("MsgSettleOrder", tx.MsgSettleOrder, settle));
    const settled = responseOf(part, tx.MsgSettleOrderResponse);
    // 150050 + 99999; 5 % floored; the provider keeps what 5 % and 1 % (2500) leave.
    expect(settled).toMatchObject({
      totalAmount: "250049uve",
      platformFee: "12502uve",
      providerShare: "235047uve",
    });
    const last = { ...settle, isFinal: true };
    const final = await send(customer, message("MsgSettleOrder", tx.MsgSettleOrder, last));
    responseOf(final, tx.MsgSettleOrderResponse);
    const { settlementId } = settled;
    const found = await ask(
      "Settlement",
      query.QuerySettlementRequest,
      query.QuerySettlementResponse,
      { settlementId },
    );
    expect(found.settlement).toMatchObject({ orderId: order, usageRecordIds: usageIds });
    expect(found.settlement?.validatorFee).toEqual([{ denom: "uve", amount: "2500" }]);
    const payouts = await ask(
      "PayoutsByProvider",
      query.QueryPayoutsByProviderRequest,
      query.QueryPayoutsByProviderResponse,
      { provider: provider.address },
    );
    expect(payouts.payouts).toHaveLength(1);
    const rewards = await ask(
      "ClaimableRewards",
      query.QueryClaimableRewardsRequest,
      query.QueryClaimableRewardsResponse,
      { address: provider.address },
    );
    // floor(150050 × 0.1) and floor(99999 × 0.1 × 1.2 × 0.9).
    expect(rewards.rewards?.totalClaimable).toEqual([{ denom: "uve", amount: "25804" }]);
  });

  test("claim, and the balances of both sides to the last unit", async () => {
    const claim = message("MsgClaimRewards", tx.MsgClaimRewards, { sender: provider.address });
    const claimed = responseOf(await send(provider, claim), tx.MsgClaimRewardsResponse);
    expect(claimed.claimedAmount).toBe("25804uve");
    expect([customer.paid, provider.paid]).toEqual([5, 3]);
    expect(await balanceOf(customer)).toBe(GENESIS_UVE - 250_049n - 5n * FEE_UVE);
    expect(await balanceOf(provider)).toBe(GENESIS_UVE + 235_047n + 25_804n - 3n * FEE_UVE);
    const again = await send(provider, claim);
    expect(again.code).toBe(1511);
  });

  test("txs and blocks are found", async () => {
    const memo = await send(customer, {
      typeUrl: "/cosmos.bank.v1beta1.MsgSend",
      value: sendOne(customer, provider),
    });
    expect(memo.code).toBe(0);
    const { client } = customer;
    const found = must((await client.getTx(memo.transactionHash)) ?? undefined, "getTx finds it");
    expect(found).toMatchObject({ height: memo.height, code: 0, hash: memo.transactionHash });
    expect(found.events.map(({ type }) => type)).toContain("transfer");
    const sent = await client.searchTx([{ key: "message.sender", value: customer.address }]);
    expect(sent).toHaveLength(customer.paid);
    expect(sent.at(-1)?.hash).toBe(memo.transactionHash);
    const byHeight = await client.searchTx([{ key: "tx.height", value: memo.height }]);
    expect(byHeight.map(({ hash }) => hash)).toContain(memo.transactionHash);
    const block = await client.getBlock(memo.height);
    expect(block.header).toMatchObject({ height: memo.height, chainId: node.report.chainId });
    expect(block.txs).toHaveLength(byHeight.length);
    const comet = (await connectComet(node.rpc)) as Comet38Client;
    const results = await comet.blockResults(memo.height);
    expect(results.results.map(({ code }) => code)).toEqual(byHeight.map(({ code }) => code));
    expect(await client.getTx("00".repeat(32))).toBeNull();
  });
});

function sendOne(from: Party, to: Party) {
  return {
    fromAddress: from.address,
    toAddress: to.address,
    amount: [{ denom: "uusd", amount: "1" }],
  };
}

test("a fee of auto pays what the simulation says", async () => {
  const sender = await party("authority", "direct");
  const { client, address } = sender;
  const value = { fromAddress: address, toAddress: account("customer-1").address };
  const amount = [{ denom: "uve", amount: "5" }];
  const typeUrl = "/cosmos.bank.v1beta1.MsgSend";
  const before = await balanceOf(sender);
  const result = await client.signAndBroadcast(
    address,
    [{ typeUrl, value: { ...value, amount } }],
    "auto",
  );
  expect(result.code).toBe(0);
  const fee = (result.gasWanted * 25n + 999n) / 1000n;
  expect(await balanceOf(sender)).toBe(before - 5n - fee);
});

test("a reused sequence and another chain's signature are refused by the check", async () => {
  const { client, address } = await party("authority", "direct");
  const { accountNumber, sequence } = await client.getSequence(address);
  const amount = [{ denom: "uve", amount: "1" }];
  const value = { fromAddress: address, toAddress: account("customer-1").address, amount };
  const typeUrl = "/cosmos.bank.v1beta1.MsgSend";
  const broadcast = async (signerData: { sequence: number; chainId: string }) => {
    const explicit = { accountNumber, ...signerData };
    const raw = await client.sign(address, [{ typeUrl, value }], FEE, "", explicit);
    const bytes = TxRaw.encode(TxRaw.fromPartial(raw)).finish();
    return client.broadcastTx(bytes).catch((error: unknown) => error);
  };
  const { chainId } = node.report;
  expect(await broadcast({ sequence: sequence - 1, chainId })).toMatchObject({ code: 32 });
  expect(await broadcast({ sequence, chainId: "other-1" })).toMatchObject({ code: 4 });
});

test("a WebSocket tells of new blocks and of txs, as they are found afterwards", async () => {
  const sender = await party("authority", "direct");
  const query = `message.sender='${sender.address}'`;
  const [blocks, txs]: [comet38.NewBlockEvent[], comet38.TxEvent[]] = [[], []];
  // CosmJS 0.39 never sends anything on a socket that was idle when it got connected.
  const socket = new WebsocketClient(node.rpc.replace("http://", "ws://"));
  const comet = Comet38Client.create(socket);
  const subscriptions = [
    comet.subscribeNewBlock().subscribe({ next: (block) => void blocks.push(block) }),
    comet.subscribeTx(query).subscribe({ next: (event) => void txs.push(event) }),
  ];
  await comet.status();
  const to = account("customer-1").address;
  const sent = await sender.client.sendTokens(
    sender.address,
    to,
    [{ denom: "uve", amount: "1" }],
    FEE,
  );
  await expect.poll(() => txs.length).toBe(1);
  expect(txs[0]).toMatchObject({ height: sent.height });
  await expect.poll(() => blocks.map(({ header }) => header.height)).toContain(sent.height);
  const known = must(
    blocks.find(({ header }) => header.height === sent.height),
    "seen above",
  );
  const stored = await comet.block(sent.height);
  expect(stored.block.header.appHash).toEqual(known.header.appHash);
  expect(stored.block.txs).toEqual(known.txs);
  for (const subscription of subscriptions) subscription.unsubscribe();
  socket.disconnect();
});
