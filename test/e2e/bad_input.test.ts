import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Client, type TxInfo } from "../../src/client/client.ts";
import * as msgs from "../../src/client/settlement_msgs.ts";
import { type Signer, signerFromMnemonic } from "../../src/client/signer.ts";
import { buildTx } from "../../src/client/tx_builder.ts";
import { type EncodedMessage, encodePartial } from "../../src/client/wire.ts";
import { MsgSend } from "../../src/gen/cosmos/bank/v1beta1/tx.ts";
import { TxRaw } from "../../src/gen/cosmos/tx/v1beta1/tx.ts";
import { must } from "../../src/lib/assert.ts";
import { toBase64 } from "../../src/lib/bytes.ts";
import { cli } from "../unit/cli/fake_io.ts";
import { devNode } from "./dev_node.ts";
import { rpcCall } from "./node_process.ts";

const FEE = { amount: [{ denom: "uve", amount: "25000" }], gasLimit: 1_000_000n };

// Blocks by hand: the app hash moves only when a test wants it to.
const node = devNode(["--block-mode", "instant", "--log-level", "error"]);
let client: Client;
let customer: Signer;
let provider: Signer;

beforeAll(async () => {
  client = await Client.connect(node.rpc);
  customer = await signerFromMnemonic(node.account("customer-1").mnemonic);
  provider = await signerFromMnemonic(node.account("provider-1").mnemonic);
});

function send(amount: string): EncodedMessage {
  const fromAddress = customer.address;
  const value = { fromAddress, toAddress: provider.address, amount: [{ denom: "uve", amount }] };
  return { typeUrl: "/cosmos.bank.v1beta1.MsgSend", value: encodePartial(MsgSend, value) };
}

async function signed(
  messages: readonly EncodedMessage[],
  change: { signer?: Signer; chainId?: string; sequence?: bigint; memo?: string } = {},
): Promise<Uint8Array> {
  const { signer = customer, chainId = client.chainId, memo = "" } = change;
  const { accountNumber, sequence } = must(await client.account(signer.address), "it exists");
  const at = { accountNumber, sequence: change.sequence ?? sequence };
  return buildTx({ signer, chainId, ...at, fee: FEE, messages, memo });
}

/** A tx that gets into a block, whether it works there or not. */
async function included(tx: Uint8Array): Promise<TxInfo> {
  const { code, log, hash } = await client.broadcastSync(tx);
  expect(`${code} ${log}`).toMatch(/^0 /);
  return client.waitForTx(hash, { pollMs: 5 });
}

/** Refused before any block: the check's code and text. */
async function refused(tx: Uint8Array): Promise<string> {
  const { code, codespace, log } = await client.broadcastSync(tx);
  return `${codespace}/${code} ${log}`;
}

describe("refused before any block: nothing changes", () => {
  let before: { height: bigint; appHash: string };

  async function state() {
    const { latestHeight: height, latestAppHash: appHash } = await client.status();
    return { height, appHash };
  }

  beforeEach(async () => {
    before = await state();
  });

  afterEach(async () => {
    expect(await state()).toEqual(before);
    expect(await rpcCall(node.rpc, "num_unconfirmed_txs")).toMatchObject({
      result: { n_txs: "0" },
    });
    expect(node.program.hasExited).toBe(false);
  });

  test("malformed tx bytes", async () => {
    const good = await signed([send("1")]);
    const broken: [string, Uint8Array][] = [
      ["text", new TextEncoder().encode("not a tx")],
      ["zeros", new Uint8Array(100)],
      ["ones", new Uint8Array(100).fill(255)],
      ["cut", good.subarray(0, good.length - 10)],
      ["with a tail", Uint8Array.from([...good, 1, 2, 3])],
      ["a field that no tx has", Uint8Array.from([...good, 0x7a, 0x01, 0x00])],
    ];
    // No bytes are a tx without anything in it.
    expect(await refused(new Uint8Array(0))).toMatch(/^sdk\/18 .*at least one message/);
    for (const [what, bytes] of broken) {
      expect(`${what}: ${await refused(bytes)}`).toMatch(/: sdk\/2 .*tx parse error/);
    }
  });

  test("a signature that does not fit", async () => {
    const raw = TxRaw.decode(await signed([send("1")]));
    const signature = must(raw.signatures[0], "one signature");
    const flipped = signature.map((byte, index) => (index === 5 ? byte ^ 1 : byte));
    const forged = encodePartial(TxRaw, { ...raw, signatures: [flipped] });
    expect(await refused(forged)).toMatch(/^sdk\/4 signature verification failed/);
    const short = encodePartial(TxRaw, { ...raw, signatures: [signature.subarray(0, 63)] });
    expect(await refused(short)).toMatch(/^sdk\/4 /);
    const none = encodePartial(TxRaw, { ...raw, signatures: [] });
    expect(await refused(none)).toMatch(/^sdk\/(15|4) /);
  });

  test("an unknown message type", async () => {
    const unknown = { typeUrl: "/cosmos.staking.v1beta1.MsgDelegate", value: new Uint8Array([]) };
    const raw = encodePartial(TxRaw, TxRaw.decode(await signed([send("1"), unknown])));
    expect(await refused(raw)).toMatch(/^sdk\/(2|6) .*MsgDelegate/);
    const query = { ...send("1"), typeUrl: "/cosmos.bank.v1beta1.QueryBalanceRequest" };
    expect(await refused(await signed([query]))).toMatch(/^sdk\/(2|6) /);
  });

  test("another chain's tx, and a sequence that is used or not due", async () => {
    expect(await refused(await signed([send("1")], { chainId: "settled-2" }))).toMatch(
      /^sdk\/4 signature verification failed; please verify account number .* chain-id \(settled-1\)/,
    );
    const early = await refused(await signed([send("1")], { sequence: 1000n }));
    expect(early).toMatch(/^sdk\/32 account sequence mismatch, expected [0-9]+, got 1000/);
  });

  test("more than 1 MB", async () => {
    const big = await signed([send("1")], { memo: "x".repeat(1_100_000) });
    const tooLarge = await rpcCall(node.rpc, "broadcast_tx_sync", { tx: toBase64(big) });
    // Above the limit of a request the body is not even read; below it the mempool refuses.
    if (tooLarge.status === 200) expect(tooLarge.error?.data).toMatch(/Tx too large/);
    else expect(tooLarge.status).toBe(413);
    const huge = await rpcCall(node.rpc, "broadcast_tx_sync", { tx: "A".repeat(12_000_000) }).catch(
      () => ({ status: 0 }),
    );
    expect([0, 400, 413]).toContain(huge.status);
    const memo = await refused(await signed([send("1")], { memo: "x".repeat(257) }));
    expect(memo).toMatch(/^sdk\/12 .*257/);
  });

  test("messages that no state could accept", async () => {
    const from = customer.address;
    const cases: [EncodedMessage, RegExp][] = [
      [send("0"), /^sdk\/10 /],
      [send("-5"), /^sdk\/10 /],
      [send("1.5"), /^sdk\/10 /],
      [send("9".repeat(100)), /^(sdk\/10|bank\/4) /],
      [
        msgs.createEscrow({ sender: from, orderId: "", amount: [], expiresIn: 0n }),
        /^settlement\/[23] /,
      ],
      [
        msgs.settleOrder({ sender: from, orderId: "", usageRecordIds: [], isFinal: false }),
        /^settlement\/4 /,
      ],
      [
        msgs.settleOrder({
          sender: from,
          orderId: "o",
          usageRecordIds: ["u", "u"],
          isFinal: false,
        }),
        /^settlement\/4 /,
      ],
    ];
    for (const [message, text] of cases) {
      expect(await refused(await signed([message]))).toMatch(text);
    }
  });

  test("JSON-RPC that is none", async () => {
    for (const body of ["", "{", "null", "[]", '"status"', '{"method":7}', "\u0000"]) {
      const headers = { "content-type": "application/json" };
      const response = await fetch(node.rpc, { method: "POST", headers, body });
      expect(response.status).toBeLessThan(501);
      await response.text();
    }
    for (const [method, params] of [
      ["no_such_method", {}],
      ["block", { height: "-1" }],
      ["block", { height: "99999999999999999999" }],
      ["tx", { hash: "zz" }],
      ["abci_query", { path: "/no.such.Query/Method", data: "00" }],
      ["tx_search", { query: "AND AND" }],
      ["broadcast_tx_sync", { tx: 5 }],
    ] as const) {
      const { status, result, error } = await rpcCall(node.rpc, method, params);
      expect(status).toBe(200);
      const code = (result as { response?: { code: number } } | undefined)?.response?.code;
      expect(error?.code ?? code).not.toBe(0);
      expect(error === undefined && code === undefined).toBe(false);
    }
  });
});

describe("refused in a block: only the fee is paid", () => {
  async function balances(): Promise<bigint[]> {
    const parties = [customer.address, provider.address];
    return Promise.all(parties.map(async (address) => client.balance(address, "uve")));
  }

  async function totals(): Promise<string> {
    const path = "/settled.settlement.v1.Query/Totals";
    return toBase64((await client.queryRaw(path, new Uint8Array(0))).value);
  }

  /** Sends messages that must fail with a code, and sees that nothing but the fee moves. */
  async function failing(from: Signer, messages: EncodedMessage[], text: RegExp): Promise<void> {
    const [before, books] = [await balances(), await totals()];
    const { code, codespace, log } = await included(await signed(messages, { signer: from }));
    expect(`${codespace}/${code} ${log}`).toMatch(text);
    const paid = from === customer ? [25_000n, 0n] : [0n, 25_000n];
    expect(await balances()).toEqual(before.map((amount, index) => amount - (paid[index] ?? 0n)));
    expect(await totals()).toBe(books);
  }

  const period = () => {
    const now = BigInt(Math.floor(Date.now() / 1000));
    return { periodStart: now - 7200n, periodEnd: now - 3600n };
  };

  function usage(orderId: string, more: object = {}): EncodedMessage {
    return msgs.recordUsage({
      ...{ sender: provider.address, orderId, leaseId: "lease", usageUnits: 10n },
      ...{ usageType: "cpu", ...period(), signature: new Uint8Array(64).fill(1) },
      unitPrice: { denom: "uve", amount: "100000000000000000000" },
      ...more,
    });
  }

  function escrow(orderId: string): EncodedMessage {
    const amount = [{ denom: "uve", amount: "100000" }];
    return msgs.createEscrow({ sender: customer.address, orderId, amount, expiresIn: 86_400n });
  }

  test("an unknown order", async () => {
    const sender = customer.address;
    await failing(provider, [usage("no-order")], /^settlement\/(1501|1519) .*no-order/);
    const settle = { sender, orderId: "no-order", usageRecordIds: [], isFinal: true };
    await failing(customer, [msgs.settleOrder(settle)], /^settlement\/(1501|1519) .*no-order/);
    const acknowledge = { sender, usageId: "usage-1-99", signature: new Uint8Array(64).fill(1) };
    await failing(customer, [msgs.acknowledgeUsage(acknowledge)], /^settlement\/1513 .*usage-1-99/);
  });

  test("repeated ids, and a tx of which only the last message fails", async () => {
    const created = await included(await signed([escrow("order")]));
    expect(created.code).toBe(0);
    await failing(customer, [escrow("order")], /^settlement\/1502 .*order/);
    await failing(customer, [escrow("other"), escrow("order")], /^settlement\/1502 .*index: 1/);
    const { escrowId } = msgs.readCreateEscrow(must(created.responses[0], "one").value);
    const activate = { sender: customer.address, escrowId, leaseId: "lease" };
    const active = msgs.activateEscrow({ ...activate, recipient: provider.address });
    expect((await included(await signed([active]))).code).toBe(0);
    await failing(customer, [active], /^settlement\/1503 /);
    const once = usage("order");
    expect((await included(await signed([once], { signer: provider }))).code).toBe(0);
    await failing(provider, [once], /^settlement\/1514 /);
    await failing(provider, [usage("order", { leaseId: "lease-2" })], /^settlement\/1512 .*lease/);
    const start = { periodStart: period().periodStart + 60n };
    await failing(provider, [usage("order", start)], /^settlement\/15(12|14) .*overlap/i);
  });

  test("a reused sequence", async () => {
    const tx = await signed([send("1")]);
    expect((await included(tx)).code).toBe(0);
    const again = await rpcCall(node.rpc, "broadcast_tx_sync", { tx: toBase64(tx) });
    expect(again.error?.data).toMatch(/tx already exists in cache/);
    const { sequence } = must(await client.account(customer.address), "it exists");
    const reused = await signed([send("2")], { sequence: sequence - 1n });
    expect(await refused(reused)).toMatch(/^sdk\/32 account sequence mismatch, expected/);
  });

  test("more than there is", async () => {
    const all = await client.balance(customer.address, "uve");
    await failing(customer, [send(all.toString())], /^sdk\/5 .*insufficient funds/);
  });
});

describe("files for the provider daemon", () => {
  const HEADER =
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time";

  async function replay(file: string, content: string, ...flags: string[]) {
    const path = join(node.home, file);
    await writeFile(path, content);
    const before = (await client.status()).latestAppHash;
    const from = ["--from", "provider-1", "--home", node.home, "--node", node.rpc];
    const run = await cli(["provider", "replay", "--file", path, ...from, ...flags]);
    expect((await client.status()).latestAppHash).toBe(before);
    return run;
  }

  test("a CSV with broken rows names the line, and nothing is sent", async () => {
    const good = "pod-1,1000,1024,0,0,,LS,Running,0,7200,0";
    const broken: [string, string, RegExp][] = [
      ["too few columns", "pod-2,1000", /line 3/],
      ["no number", "pod-2,many,1024,0,0,,LS,Running,0,7200,0", /line 3.*cpu_milli/],
      ["a fraction", "pod-2,1.5,1024,0,0,,LS,Running,0,7200,0", /line 3.*cpu_milli/],
      ["a negative", "pod-2,-1,1024,0,0,,LS,Running,0,7200,0", /line 3.*cpu_milli/],
      ["ends before it starts", "pod-2,1,1,0,0,,LS,Running,0,10,20", /line 3/],
      ["a repeated name", good, /line 3.*pod-1/],
    ];
    for (const [what, row, says] of broken) {
      const text = `${HEADER}\n${good}\n${row}\n`;
      const { exit: code, stderr } = await replay(
        "pods.csv",
        text,
        "--format",
        "pods",
        "--with-orders",
      );
      expect(`${what}: ${code} ${stderr}`).toMatch(new RegExp(`^${what}: [12] `));
      expect(`${what}: ${stderr}`).toMatch(says);
    }
  });

  test("NDJSON that is none, an empty file, no file", async () => {
    const notJson = await replay("bad.ndjson", '{"job":\n');
    expect(`${notJson.exit} ${notJson.stderr}`).toMatch(/^[12] .*line 1.*not JSON/s);
    const empty = await replay("empty.ndjson", "");
    expect(`${empty.exit} ${empty.stderr}`).toMatch(/^[12] .*empty/s);
    const args = ["provider", "replay", "--file", join(node.home, "none.csv")];
    const home = ["--from", "provider-1", "--home", node.home, "--node", node.rpc];
    const missing = await cli([...args, ...home]);
    expect(`${missing.exit} ${missing.stderr}`).toMatch(/^[12] .*none\.csv/s);
  });
});

test("after all of it the node is up, and did not complain", async () => {
  expect((await included(await signed([send("1")]))).code).toBe(0);
  expect(node.program.hasExited).toBe(false);
  expect(node.program.stderr).not.toMatch(/internal error|halted/);
});
