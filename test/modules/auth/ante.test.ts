import { secp256k1 } from "@noble/curves/secp256k1.js";
import { beforeEach, describe, expect, test } from "vitest";
import { buildSimulationTx, encodeBody } from "../../../src/client/tx_builder.ts";
import { encodePartial } from "../../../src/client/wire.ts";
import { PubKey } from "../../../src/gen/cosmos/crypto/secp256k1/keys.ts";
import { SimulateRequest, SimulateResponse } from "../../../src/gen/cosmos/tx/v1beta1/service.ts";
import { AuthInfo, SignDoc, TxBody, TxRaw } from "../../../src/gen/cosmos/tx/v1beta1/tx.ts";
import { concatBytes, toHex } from "../../../src/lib/bytes.ts";
import { sha256 } from "../../../src/lib/sha256.ts";
import type { TxResult } from "../../../src/types/tx.ts";
import {
  customer,
  provider,
  stranger,
  testAccount,
  type TestAccount,
} from "../../testkit/accounts.ts";
import {
  CHAIN_ID,
  FREE,
  moduleAccount,
  openChain,
  type TestChain,
  type TxOptions,
} from "../../testkit/chain.ts";
import { wire } from "../../testkit/coins.ts";
import { msg, type TestMessage } from "../../testkit/messages.ts";
import { eventsOf, expectCode, expectOk } from "../../testkit/outcome.ts";

const START = 1_000_000_000_000n;

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
});

const send = (signer: TestAccount = customer): TestMessage =>
  msg.send(
    signer,
    provider.address === signer.address ? stranger.address : provider.address,
    "1uve",
  );

async function deliver(options: TxOptions, message = send()): Promise<TxResult> {
  const { txResults } = await chain.block(await chain.tx([message], options));
  return txResults[0] as TxResult;
}

/** A refusal before the messages: no fee, no sequence, nothing at all. */
async function refused(
  options: TxOptions | Uint8Array,
  code: string,
  text: string,
): Promise<TxResult> {
  const bytes = options instanceof Uint8Array ? options : await chain.tx([send()], options);
  const before = await chain.exported();
  const checked = expectCode(chain.app.checkTx(bytes), code);
  expect(checked.log).toBe(text);
  const { txResults } = await chain.block(bytes);
  expect(txResults[0]).toMatchObject({ code: checked.code, log: text });
  expect(await chain.exported()).toBe(before);
  return checked;
}

/** A tx of several signers, and of whatever the body and the auth info are told to hold. */
async function custom(
  messages: readonly TestMessage[],
  signers: readonly TestAccount[],
  change: {
    body?: Partial<TxBody>;
    publicKey?: (signer: TestAccount) => unknown;
    fee?: Partial<AuthInfo["fee"] & object>;
    mode?: number;
    signature?: (signature: Uint8Array) => Uint8Array;
    signatures?: number;
  } = {},
): Promise<Uint8Array> {
  const body = TxBody.decode(encodeBody({ messages }));
  const bodyBytes = encodePartial(TxBody, { ...body, ...change.body });
  const facts = await Promise.all(signers.map(({ address }) => chain.accountOf(address)));
  const keyOf = (signer: TestAccount) => ({
    typeUrl: "/cosmos.crypto.secp256k1.PubKey",
    value: PubKey.encode({ key: signer.publicKey }).finish(),
  });
  const authInfoBytes = encodePartial(AuthInfo, {
    signerInfos: signers.map((signer, index) => ({
      publicKey: change.publicKey === undefined ? keyOf(signer) : change.publicKey(signer),
      modeInfo: { single: { mode: change.mode ?? 1 } },
      sequence: facts[index]?.sequence ?? 0n,
    })),
    fee: { amount: [], gasLimit: FREE.gasLimit, payer: "", granter: "", ...change.fee },
  });
  const signatures = signers.map((signer, index) => {
    const accountNumber = facts[index]?.number ?? 0n;
    const doc = SignDoc.encode({ bodyBytes, authInfoBytes, chainId: CHAIN_ID, accountNumber });
    const signature = signer.sign(sha256(doc.finish()));
    return change.signature === undefined ? signature : change.signature(signature);
  });
  const count = change.signatures ?? signatures.length;
  const all = Array.from({ length: count }, (_, n) => signatures[n % signatures.length]);
  return encodePartial(TxRaw, { bodyBytes, authInfoBytes, signatures: all });
}

describe("refusals before the messages", () => {
  test("a memo of 257 bytes: sdk/12", async () => {
    const memo = `${"é".repeat(128)}x`;
    const text = "maximum number of characters is 256 but received 257 characters: memo too large";
    await refused({ memo }, "sdk/12", text);
    expectOk(await deliver({ memo: "é".repeat(128) }));
  });

  test("a timeout height that is past: sdk/30", async () => {
    await chain.blocksTo(5n);
    const text = "block height: 6, timeout height: 5: tx timeout height";
    await refused({ timeoutHeight: 5n }, "sdk/30", text);
    expectOk(await deliver({ timeoutHeight: 7n }));
  });

  test("another sequence: sdk/32, with the text that clients parse", async () => {
    const text = (got: bigint) =>
      `account sequence mismatch, expected 0, got ${got}: incorrect account sequence`;
    await refused({ sequence: 1n }, "sdk/32", text(1n));
    await refused({ sequence: 7n }, "sdk/32", text(7n));
    expectOk(await deliver({}));
    const behind = "account sequence mismatch, expected 1, got 0: incorrect account sequence";
    await refused({ sequence: 0n }, "sdk/32", behind);
  });

  test.each<[name: string, options: TxOptions]>([
    ["chain id", { chainId: "settled-2" }],
    ["account number", { accountNumber: 77n }],
    ["chain id in amino-json", { chainId: "settled-2", mode: "amino-json" }],
    ["account number in amino-json", { accountNumber: 77n, mode: "amino-json" }],
  ])("another %s: sdk/4", async (_, options) => {
    const text = `signature verification failed; please verify account number (0), sequence (0) and chain-id (${CHAIN_ID}): unauthorized`;
    await refused(options, "sdk/4", text);
  });

  test("an account that does not exist: sdk/9, with a fee and without", async () => {
    const nobody = testAccount("nobody");
    const text = `account ${nobody.address} does not exist: unknown address`;
    await refused(await chain.tx([send(nobody)]), "sdk/9", text);
    const fee = { amount: wire("5uve"), gasLimit: 100_000n };
    await refused(await chain.tx([send(nobody)], { fee }), "sdk/9", text);
  });

  test("a fee that the signer does not have: sdk/5", async () => {
    const fee = { amount: wire(`${START + 1n}uve`), gasLimit: 100_000n };
    const text = `spendable balance ${START}uve is smaller than ${START + 1n}uve: insufficient funds`;
    await refused({ fee }, "sdk/5", text);
  });

  test("too little gas: sdk/11, with the text that clients parse", async () => {
    const tx = await chain.tx([send()], { fee: { amount: [], gasLimit: 100n } });
    const text = `out of gas in location: txSize; gasWanted: 100, gasUsed: ${tx.length * 10}: out of gas`;
    await refused(tx, "sdk/11", text);
  });

  test("no signature and too many: sdk/15 and sdk/14", async () => {
    const none = await custom([send()], [customer], { signatures: 0 });
    await refused(none, "sdk/15", "no signatures supplied");
    const many = await custom([send()], [customer], { signatures: 8 });
    const why = "each member of a multisig counts, whether it signs or not";
    const text = `signatures: 8, limit: 7 (tx_sig_limit of auth; ${why})`;
    await refused(many, "sdk/14", `${text}: maximum number of signatures exceeded`);
  });

  test("a number of signatures that is not that of the signers: sdk/4", async () => {
    const two = await custom([send()], [customer], { signatures: 2 });
    await refused(two, "sdk/4", "wrong number of signers; expected 1, got 2: unauthorized");
    const one = await custom([send(), send(stranger)], [customer]);
    await refused(one, "sdk/4", "wrong number of signers; expected 2, got 1: unauthorized");
  });

  test("a signature with a high s, of another length or of nothing: sdk/4", async () => {
    const { n } = secp256k1.Point.CURVE();
    const highS = (signature: Uint8Array): Uint8Array => {
      const s = BigInt(`0x${toHex(signature.subarray(32))}`);
      const high = (n - s).toString(16).padStart(64, "0");
      return concatBytes(signature.subarray(0, 32), Uint8Array.from(Buffer.from(high, "hex")));
    };
    const changes = [
      highS,
      (signature: Uint8Array) => signature.subarray(0, 63),
      (signature: Uint8Array) => concatBytes(signature, Uint8Array.of(0)),
      () => new Uint8Array(64),
      () => new Uint8Array(0),
      (signature: Uint8Array) => signature.map((byte, index) => (index === 9 ? byte ^ 1 : byte)),
    ];
    for (const signature of changes) {
      const tx = await custom([send()], [customer], { signature });
      const text = `signature verification failed; please verify account number (0), sequence (0) and chain-id (${CHAIN_ID}): unauthorized`;
      await refused(tx, "sdk/4", text);
    }
  });

  test("an unknown extension option: sdk/31; a non-critical one is passed over", async () => {
    const option = { typeUrl: "/example.Option", value: new Uint8Array(0) };
    const tx = await custom([send()], [customer], { body: { extensionOptions: [option] } });
    await refused(tx, "sdk/31", "/example.Option: unknown extension options");
    const soft = { nonCriticalExtensionOptions: [option] };
    const fine = await custom([send()], [customer], { body: soft });
    expectOk((await chain.block(fine)).txResults[0] as TxResult);
  });

  test("the key of somebody else, of another kind, of another length, or none: sdk/8", async () => {
    const typeUrl = "/cosmos.crypto.secp256k1.PubKey";
    const of = (key: Uint8Array) => ({ typeUrl, value: PubKey.encode({ key }).finish() });
    const other = await custom([send()], [customer], { publicKey: () => of(stranger.publicKey) });
    const notOurs = `pubKey does not match signer address ${customer.address}: it is of ${stranger.address}: invalid pubkey`;
    await refused(other, "sdk/8", notOurs);
    const none = await custom([send()], [customer], { publicKey: () => undefined });
    await refused(
      none,
      "sdk/8",
      `account ${customer.address}: no public key is known: invalid pubkey`,
    );
    const ed = { typeUrl: "/cosmos.crypto.ed25519.PubKey", value: of(new Uint8Array(32)).value };
    const wrong = await custom([send()], [customer], { publicKey: () => ed });
    const kind = `expected ${typeUrl}, got /cosmos.crypto.ed25519.PubKey: invalid pubkey`;
    await refused(wrong, "sdk/8", kind);
    const short = await custom([send()], [customer], { publicKey: () => of(new Uint8Array(32)) });
    await refused(short, "sdk/8", "a compressed key has 33 bytes, got 32: invalid pubkey");
  });

  test("another sign mode: sdk/37", async () => {
    const tx = await custom([send()], [customer], { mode: 2 });
    const text =
      "sign mode 2; use SIGN_MODE_DIRECT or SIGN_MODE_LEGACY_AMINO_JSON: feature not supported";
    await refused(tx, "sdk/37", text);
  });

  test("a fee payer or granter besides the first signer: sdk/37", async () => {
    for (const fee of [{ payer: stranger.address }, { granter: stranger.address }]) {
      const tx = await custom([send()], [customer], { fee });
      const text = "fee payer and granter: the first signer pays the fee: feature not supported";
      await refused(tx, "sdk/37", text);
    }
    const own = await custom([send()], [customer], { fee: { payer: customer.address } });
    expectOk((await chain.block(own)).txResults[0] as TxResult);
  });

  test("bytes that are no tx, a tx without messages and an unknown type: sdk/2 and sdk/18", async () => {
    for (const bytes of [
      new Uint8Array(0),
      Uint8Array.of(1, 2, 3),
      new Uint8Array(5000).fill(255),
    ]) {
      const { code, codespace } = chain.app.checkTx(bytes);
      expect([codespace, [2, 18].includes(code)]).toEqual(["sdk", true]);
    }
    const none = await custom([send()], [customer], { body: { messages: [] } });
    await refused(none, "sdk/18", "must contain at least one message: invalid request");
    const unknown = { ...send(), typeUrl: "/virtengine.settlement.v1.MsgNothing" };
    const bytes = await custom([unknown], [customer]);
    expectCode(chain.app.checkTx(bytes), "sdk/2", "MsgNothing", "tx parse error");
    const garbled = { ...send(), value: Uint8Array.of(0x0a, 0xff) };
    expectCode(chain.app.checkTx(await custom([garbled], [customer])), "sdk/2", "tx parse error");
  });
});

describe("RULES 8 fees", () => {
  const paid = (amount: string) => ({ amount: wire(amount), gasLimit: 100_000n });

  test("RULES 8 the minimum gas price is asked for in checks only", async () => {
    chain = await openChain({ minimumGasPrice: "0.025" });
    const cheap = await chain.tx([send()], { fee: paid("2499uve") });
    const refusal = expectCode(chain.app.checkTx(cheap), "sdk/13");
    expect(refusal.log).toBe("insufficient fees; got: 2499uve required: 2500uve: insufficient fee");
    expectOk((await chain.block(cheap)).txResults[0] as TxResult);
    const enough = await chain.tx([send()], { fee: paid("2500uve") });
    expectOk(chain.app.checkTx(enough));
    const other = await chain.tx([send()], { fee: paid("9000uusd"), sequence: 1n });
    expectCode(chain.app.checkTx(other), "sdk/13", "got: 9000uusd required: 2500uve");
  });

  test("RULES 8 the minimum is rounded up", async () => {
    chain = await openChain({ minimumGasPrice: "0.025" });
    const fee = { amount: wire("2500uve"), gasLimit: 100_001n };
    expectCode(chain.app.checkTx(await chain.tx([send()], { fee })), "sdk/13", "required: 2501uve");
  });

  test("RULES 8 a price of 0 takes a fee of no coins and one of 0 coins", async () => {
    expectOk(await deliver({ fee: { amount: [], gasLimit: 100_000n } }));
    expectOk(await deliver({ fee: paid("0uve") }));
    expectOk(await deliver({ fee: paid("0uve"), mode: "amino-json" }));
  });

  test("RULES 8 fees go from the first signer to the fee collector, in any denom", async () => {
    const result = expectOk(await deliver({ fee: paid("30uve,7uusd") }));
    expect(await chain.balances(moduleAccount("fee_collector"))).toBe("7uusd,30uve");
    expect(await chain.balance(customer.address)).toBe(START - 31n);
    const [fee, sequence, signature] = result.events.filter(({ type }) => type === "tx");
    const of = (event: typeof fee) => event?.attributes.map(({ key, value }) => [key, value]);
    expect(of(fee)).toEqual([
      ["fee", "7uusd,30uve"],
      ["fee_payer", customer.address],
    ]);
    expect(of(sequence)).toEqual([["acc_seq", `${customer.address}/0`]]);
    expect(signature?.attributes[0]?.key).toBe("signature");
  });

  test("RULES 8 a failed tx pays its fee and uses its sequence, and keeps its ante events", async () => {
    const before = await chain.balance(provider.address);
    const message = msg.send(customer, provider.address, `${2n * START}uve`);
    const result = expectCode(await deliver({ fee: paid("30uve") }, message), "sdk/5");
    expect(result.log).toMatch(/^failed to execute message; message index: 0: /);
    expect(await chain.balance(customer.address)).toBe(START - 30n);
    expect(await chain.balance(provider.address)).toBe(before);
    expect((await chain.accountOf(customer.address)).sequence).toBe(1n);
    expect(eventsOf(result, "transfer")).toHaveLength(1);
    expect(result.events.some(({ type }) => type === "message")).toBe(false);
    expect(result.data).toHaveLength(0);
  });

  test("a tx that runs out of gas in a message pays, and says where", async () => {
    const fee = { amount: wire("30uve"), gasLimit: 9000n };
    const result = expectCode(await deliver({ fee }), "sdk/11");
    expect(result.log).toMatch(
      /out of gas in location: \/cosmos.bank.v1beta1.MsgSend; gasWanted: 9000, gasUsed: \d+: out of gas$/,
    );
    expect(await chain.balance(customer.address)).toBe(START - 30n);
    expect(result.gasUsed).toBeGreaterThan(result.gasWanted);
  });

  test("bad fees are refused with sdk/10", async () => {
    for (const amount of ["1uve,1uve", "1u", "-1uve"]) {
      const tx = await chain.tx([send()], { fee: paid(amount), sequence: 0n });
      expectCode(chain.app.checkTx(tx), "sdk/10");
    }
  });
});

describe("signatures", () => {
  test.each(["direct", "amino-json"] as const)("in mode %s are taken", async (mode) => {
    expectOk(await deliver({ mode, memo: "a <b> & c", timeoutHeight: 99n }));
    const messages = [msg.create(customer, "50uve,4uusd"), msg.claim(customer, "")];
    expectCode(await deliver({ mode }, messages[1]), 1511);
    expectOk(await deliver({ mode }, messages[0]));
  });

  test("after the first tx the key may be left out", async () => {
    expectOk(await deliver({}));
    const tx = await custom([send()], [customer], { publicKey: () => undefined });
    expectOk((await chain.block(tx)).txResults[0] as TxResult);
  });

  test("messages of two signers need both, each with a sequence of its own", async () => {
    const messages = [send(), send(stranger), send()];
    const tx = await custom(messages, [customer, stranger]);
    expectOk((await chain.block(tx)).txResults[0] as TxResult);
    expect((await chain.accountOf(customer.address)).sequence).toBe(1n);
    expect((await chain.accountOf(stranger.address)).sequence).toBe(1n);
    const wrongOrder = await custom(messages, [stranger, customer]);
    expectCode((await chain.block(wrongOrder)).txResults[0] as TxResult, "sdk/8");
  });

  test("a tx that was in a block is not taken again", async () => {
    const tx = await chain.tx([send()]);
    expectOk((await chain.block(tx)).txResults[0] as TxResult);
    const before = await chain.exported();
    const { txResults } = await chain.block(tx, tx);
    for (const result of txResults) expectCode(result, "sdk/32", "expected 1, got 0");
    expect(await chain.exported()).toBe(before);
  });

  test("one sender's txs of one block are checked and run one after the other", async () => {
    const txs = [await chain.tx([send()]), await chain.tx([send()]), await chain.tx([send()])];
    for (const tx of txs) expectOk(chain.app.checkTx(tx));
    const { txResults } = await chain.block(...txs);
    for (const result of txResults) expectOk(result);
    expect((await chain.accountOf(customer.address)).sequence).toBe(3n);
  });

  test("a check leaves no trace beyond the next block", async () => {
    const before = await chain.exported();
    const tx = await chain.tx([send()]);
    expectOk(chain.app.checkTx(tx));
    expectCode(chain.app.checkTx(tx), "sdk/32");
    await chain.block();
    expect(await chain.exported()).toBe(before);
    expectOk(chain.app.checkTx(tx));
  });

  test("a recheck passes over the signature, not over sequence and fee", async () => {
    const broken = await custom([send()], [customer], { signature: () => new Uint8Array(64) });
    expectOk(chain.app.checkTx(broken, "recheck"));
    expectCode(chain.app.checkTx(broken, "recheck"), "sdk/32");
  });
});

describe("simulation", () => {
  const unsigned = (message: TestMessage, sequence = 0n) =>
    buildSimulationTx({ messages: [message], publicKey: message.signer.publicKey, sequence });

  test("needs no signature and no fee, runs the messages, and changes nothing", async () => {
    const before = await chain.exported();
    const result = expectOk(chain.app.simulate(unsigned(send()), chain.time));
    expect(result.gasUsed).toBeGreaterThan(11_000n);
    expect(eventsOf(result, "transfer")).toHaveLength(1);
    await chain.block();
    expect(await chain.exported()).toBe(before);
  });

  test("answers over a query as well, with an error where the tx would fail", async () => {
    const good = await answerOf(unsigned(send()));
    expect(good.code).toBe(0);
    const { gasInfo } = SimulateResponse.decode(good.value);
    expect(gasInfo?.gasUsed).toBeGreaterThan(0n);
    const rich = unsigned(msg.send(customer, provider.address, `${2n * START}uve`));
    const bad = await answerOf(rich);
    expect(bad).toMatchObject({ code: 5, codespace: "sdk" });
    expect(bad.log).toContain("failed to execute message; message index: 0");
  });

  async function answerOf(txBytes: Uint8Array) {
    const data = SimulateRequest.encode({ ...SimulateRequest.fromPartial({}), txBytes }).finish();
    const path = "/cosmos.tx.v1beta1.Service/Simulate";
    return chain.app.query({ path, data, height: 0n, prove: false });
  }

  test("the gas that it used is enough for the tx itself", async () => {
    const { gasUsed } = expectOk(chain.app.simulate(unsigned(send()), chain.time));
    // The signature, the mode and the fee make the real tx longer, at 10 gas a byte.
    const fee = { amount: wire("999999uve"), gasLimit: (gasUsed * 13n) / 10n };
    expectOk(await deliver({ fee }));
  });

  test("refuses another sequence, as checks do", async () => {
    expectCode(chain.app.simulate(unsigned(send(), 3n), chain.time), "sdk/32", "expected 0, got 3");
  });
});
