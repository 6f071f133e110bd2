import { coins, DirectSecp256k1HdWallet } from "@cosmjs/proto-signing";
import { SigningStargateClient, StargateClient } from "@cosmjs/stargate";
import { afterAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { TxRaw } from "../../src/gen/cosmos/tx/v1beta1/tx.ts";
import { toBase64, toHex } from "../../src/lib/bytes.ts";
import { must } from "../../src/lib/assert.ts";
import { sha256 } from "../../src/lib/sha256.ts";
import { testAccount } from "../testkit/accounts.ts";
import { multisignedTx, multisigParty, signatures } from "../testkit/multisig.ts";
import { cli } from "../unit/cli/fake_io.ts";
import { devNode } from "./dev_node.ts";
import { rpcCall } from "./node_process.ts";

// What Keplr sends, call by call: its connectivity check, its balances, its way to send and trace.

const node = devNode(["--block-interval", "50ms", "--log-level", "error"]);
const sockets: WebSocket[] = [];
afterAll(() => {
  for (const socket of sockets) socket.terminate();
});

async function get(url: string): Promise<never> {
  const response = await fetch(url, { headers: { origin: "chrome-extension://keplr" } });
  expect(response.status).toBe(200);
  return (await response.json()) as never;
}

async function post(path: string, body: object): Promise<never> {
  const response = await fetch(`${node.rest}${path}`, {
    ...{ method: "POST", headers: { "content-type": "application/json" } },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as never;
}

interface Frame {
  readonly id?: number;
  readonly result?: Record<string, unknown>;
  readonly error?: unknown;
}

/** A WebSocket with every frame that came. */
async function openSocket(): Promise<{ send: (call: object) => void; frames: Frame[] }> {
  const socket = new WebSocket(`${node.rpc.replace("http", "ws")}/websocket`);
  sockets.push(socket);
  const frames: Frame[] = [];
  socket.on("message", (data: Buffer) => frames.push(JSON.parse(data.toString()) as Frame));
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve).once("error", reject);
  });
  return { send: (call) => socket.send(JSON.stringify({ jsonrpc: "2.0", ...call })), frames };
}

async function frame(frames: readonly Frame[], fits: (frame: Frame) => boolean): Promise<Frame> {
  return node.program.until("frame", () => frames.find(fits));
}

async function payer() {
  const { mnemonic, address } = node.account("customer-1");
  const wallet = await DirectSecp256k1HdWallet.fromMnemonic(mnemonic, { prefix: "ve" });
  return { address, client: await SigningStargateClient.connectWithSigner(node.rpc, wallet, SOON) };
}

/** CosmJS asks for a tx every three seconds otherwise. */
const SOON = { broadcastPollIntervalMs: 20 };
const FEE = { amount: coins(10_000, "uve"), gas: "400000" };

test("the suggestion has what Keplr asks for, and the node confirms it", async () => {
  const { rest } = node;
  const chain = (await get(`${rest}/chain.json`)) as {
    rpc: string;
    rest: string;
    chainId: string;
    bech32Config: Record<string, string>;
    currencies: unknown[];
    feeCurrencies: unknown[];
  };
  expect(chain).toMatchObject({
    ...{ chainId: node.report.chainId, rpc: node.rpc, rest, bip44: { coinType: 118 } },
    stakeCurrency: { coinDenom: "VE", coinMinimalDenom: "uve", coinDecimals: 6 },
  });
  expect(chain.chainId).toMatch(/^[a-z]+-[0-9]+$/);
  expect(chain.bech32Config).toEqual({
    ...{ bech32PrefixAccAddr: "ve", bech32PrefixAccPub: "vepub" },
    ...{ bech32PrefixValAddr: "vevaloper", bech32PrefixValPub: "vevaloperpub" },
    ...{ bech32PrefixConsAddr: "vevalcons", bech32PrefixConsPub: "vevalconspub" },
  });
  expect(chain.currencies).toHaveLength(2);
  expect(chain.feeCurrencies).toEqual([
    {
      ...{ coinDenom: "VE", coinMinimalDenom: "uve", coinDecimals: 6 },
      gasPriceStep: { low: 0.025, average: 0.03, high: 0.04 },
    },
  ]);
  const printed = await cli(["wallet", "keplr", "--home", node.home]);
  expect(JSON.parse(printed.stdout)).toEqual(chain);

  const status = (await get(`${chain.rpc}/status`)) as {
    result: { node_info: { network: string } };
  };
  expect(status.result.node_info.network).toBe(chain.chainId);
  const info = (await get(`${chain.rest}/cosmos/base/tendermint/v1beta1/node_info`)) as {
    default_node_info: { network: string };
  };
  expect(info.default_node_info.network).toBe(chain.chainId);
  const { send, frames } = await openSocket();
  send({ method: "subscribe", params: ["tm.event='NewBlock'"], id: 1 });
  await frame(frames, ({ id, result }) => id === 1 && result !== undefined);
  await rpcCall(node.rpc, "dev_mine");
  await frame(frames, ({ result }) => result?.["query"] === "tm.event='NewBlock'");
});

test("a tx is sent over REST and traced over the socket, as Keplr does it", async () => {
  const { address, client } = await payer();
  const balances = (await get(`${node.rest}/cosmos/bank/v1beta1/balances/${address}`)) as {
    balances: { denom: string }[];
  };
  expect(balances.balances.map(({ denom }) => denom)).toEqual(["uusd", "uve"]);
  const { account } = (await get(`${node.rest}/cosmos/auth/v1beta1/accounts/${address}`)) as {
    account: Record<string, string>;
  };
  expect(account).toMatchObject({ "@type": "/cosmos.auth.v1beta1.BaseAccount", address });

  const message = {
    typeUrl: "/cosmos.bank.v1beta1.MsgSend",
    value: {
      ...{ fromAddress: address, toAddress: testAccount("keplr").address },
      amount: coins(5, "uve"),
    },
  };
  const tx = TxRaw.encode(await client.sign(address, [message], FEE, "")).finish();
  const simulated = (await post("/cosmos/tx/v1beta1/simulate", { tx_bytes: toBase64(tx) })) as {
    gas_info: { gas_used: string };
  };
  expect(Number(simulated.gas_info.gas_used)).toBeGreaterThan(0);

  const hash = toHex(sha256(tx)).toUpperCase();
  const { send, frames } = await openSocket();
  const query = `tm.event='Tx' AND tx.hash='${hash}'`;
  send({ method: "subscribe", params: { query }, id: 2 });
  await frame(frames, ({ id, result }) => id === 2 && result !== undefined);
  const mode = "BROADCAST_MODE_SYNC";
  const sent = (await post("/cosmos/tx/v1beta1/txs", { tx_bytes: toBase64(tx), mode })) as {
    tx_response: { code: number; txhash: string };
  };
  expect(sent.tx_response).toMatchObject({ code: 0, txhash: hash });
  await frame(frames, ({ id, result }) => id === 2 && result?.["query"] === query);
  send({ method: "tx", params: { hash: toBase64(sha256(tx)), prove: false }, id: 3 });
  const traced = await frame(frames, ({ id }) => id === 3);
  expect(traced.result).toMatchObject({ hash, tx_result: { code: 0 } });
});

test("effects of a tx are told over REST before it is sent", async () => {
  const { address, client } = await payer();
  const to = testAccount("effects").address;
  const message = {
    typeUrl: "/cosmos.bank.v1beta1.MsgSend",
    value: { fromAddress: address, toAddress: to, amount: coins(5, "uve") },
  };
  const tx = TxRaw.encode(await client.sign(address, [message], FEE, "")).finish();
  const effects = (await post("/settled/tx/v1/simulate_effects", { tx_bytes: toBase64(tx) })) as {
    changes: unknown[];
  };
  expect(effects).toMatchObject({ code: 0, log: "" });
  expect(effects.changes).toContainEqual({
    ...{ address, module_name: "", denom: "uve", change: "-10005" },
  });
  expect(effects.changes).toContainEqual({
    ...{ address: to, module_name: "", denom: "uve", change: "5" },
  });
});

test("two of three members of a multisig pay, with CosmJS over the RPC", async () => {
  const { address, client } = await payer();
  const party = await multisigParty(2, ["dan", "eve", "fay"]);
  const funded = await client.sendTokens(address, party.address, coins(50_000, "uve"), FEE);
  expect(funded.code).toBe(0);
  const reader = await StargateClient.connect(node.rpc);
  const { accountNumber, sequence } = must(
    (await reader.getAccount(party.address)) ?? undefined,
    "an account",
  );
  const chainId = node.report.chainId;
  const message = {
    typeUrl: "/cosmos.bank.v1beta1.MsgSend",
    value: { fromAddress: party.address, toAddress: address, amount: coins(7, "uve") },
  };
  const signers = party.members.filter((_, place) => place !== 1);
  const facts = { accountNumber: BigInt(accountNumber), sequence: Number(sequence), chainId };
  const signed = await signatures(signers, [message], facts);
  const tx = multisignedTx(party, signed, Number(sequence));
  expect((await reader.broadcastTx(tx, undefined, SOON.broadcastPollIntervalMs)).code).toBe(0);
  const after = must((await reader.getAccount(party.address)) ?? undefined, "an account");
  expect(after.pubkey?.type).toBe("tendermint/PubKeyMultisigThreshold");
  expect(Number(after.sequence)).toBe(1);
});
