import { createHash } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { RpcError } from "../../../src/client/errors.ts";
import { feeOf, parseGasPrice } from "../../../src/provider/gas.ts";
import { type SenderOptions, TxSender } from "../../../src/provider/submit.ts";
import type { Outgoing } from "../../../src/provider/tx_facts.ts";
import { FakeChain, signer } from "./fake_chain.ts";

const gasPrice = parseGasPrice("0.025uve");

function messages(count: number, size = 1): Outgoing[] {
  return Array.from({ length: count }, (_, at) => {
    const value = new Uint8Array(size).fill(at);
    return { message: { typeUrl: "/test.Msg", value }, gas: 1000n };
  });
}

describe("sending messages in txs", () => {
  let chain: FakeChain;
  const sender = (options: Partial<SenderOptions> = {}) =>
    new TxSender(chain.client, signer, { gasPrice, ...options });
  beforeEach(() => {
    chain = new FakeChain();
  });
  const sizes = () => chain.included.map((tx) => tx.messages.length);

  it("puts many messages into one tx, bounded by number, bytes and gas", async () => {
    const outcomes = await sender().send(messages(250));
    expect(sizes()).toEqual([100, 100, 50]);
    expect(outcomes).toHaveLength(250);
    const echoed = outcomes.map((outcome) => (outcome.refusal ? -1 : outcome.response[0]));
    expect(echoed).toEqual(Array.from({ length: 250 }, (_, at) => at));
    await sender({ bytesMax: 3100 }).send(messages(7, 1000));
    expect(sizes().slice(3)).toEqual([3, 3, 1]);
    await sender({ gasMax: 2500n }).send(messages(5));
    expect(sizes().slice(6)).toEqual([2, 2, 1]);
  });

  it("gives every message the events of its own place", async () => {
    const [, second] = await sender().send(messages(2));
    expect(second?.refusal).toBeUndefined();
    expect(second).toMatchObject({ events: [{ attributes: [{ key: "msg_index", value: "1" }] }] });
  });

  it("D-13 finds the refused messages of a failed tx, and sends all others again", async () => {
    const refused = [3, 4, 77];
    chain.rule = ({ value }) =>
      refused.includes(value[0] as number) ? { code: 1512, log: "overlap" } : undefined;
    let txs = 0;
    const outcomes = await sender({ onTx: () => void (txs += 1) }).send(messages(100));
    const found = outcomes.flatMap(({ refusal }, at) => (refusal === undefined ? [] : [at]));
    expect(found).toEqual(refused);
    expect(outcomes[3]?.refusal).toMatchObject({ codespace: "settlement", code: 1512 });
    expect(txs).toBe(4);
    expect(sizes()).toEqual([100, 99, 98, 97]);
  });

  it("halves a tx whose error names no message", async () => {
    const bad = (value: Uint8Array) => value[0] === 5;
    chain.rule = ({ value }) => (bad(value) ? { code: 111222, log: "panic" } : undefined);
    const original = chain.waitForTx.bind(chain);
    chain.waitForTx = async (hash) => {
      const tx = await original(hash);
      return tx.code === 0 ? tx : { ...tx, log: "panic" };
    };
    const outcomes = await sender().send(messages(8));
    expect(outcomes.map(({ refusal }) => refusal?.code)).toEqual(
      Array.from({ length: 8 }, (_, at) => (at === 5 ? 111222 : undefined)),
    );
  });

  it("takes up the chain's sequence when somebody else used the account", async () => {
    const one = sender();
    await one.send(messages(1));
    chain.sequence += 3n;
    const outcomes = await one.send(messages(1));
    expect(outcomes[0]?.refusal).toBeUndefined();
    expect(chain.sequence).toBe(10n);
  });

  it("waits for room in the mempool", async () => {
    chain.mempoolFullTimes = 2;
    await sender().send(messages(1));
    expect(sizes()).toEqual([1]);
  });

  it("takes a tx that an earlier run left in the mempool for its own", async () => {
    const original = chain.broadcastSync.bind(chain);
    let hash = "";
    chain.broadcastSync = async (tx) => {
      await original(tx);
      hash = createHash("sha256").update(tx).digest("hex").toUpperCase();
      throw new RpcError(-32603, "Internal error", "tx already exists in cache");
    };
    const waitForTx = chain.waitForTx.bind(chain);
    const asked: string[] = [];
    chain.waitForTx = (name) => {
      asked.push(name);
      return waitForTx("TX1");
    };
    const outcomes = await sender().send(messages(3));
    expect(asked).toEqual([hash]);
    expect(outcomes.every(({ refusal }) => refusal === undefined)).toBe(true);
  });

  it("raises the gas limit when the chain runs out of it", async () => {
    chain.gasPerMessage = 20_000n;
    const outcomes = await sender().send(messages(2));
    expect(outcomes.every(({ refusal }) => refusal === undefined)).toBe(true);
    const limits = chain.included.map(({ gasLimit }) => gasLimit);
    expect(limits.at(-1)).toBe((limits[0] as bigint) * 2n ** BigInt(limits.length - 1));
  });

  it("keeps the order of several senders of one account's messages", async () => {
    const one = sender();
    await Promise.all([one.send(messages(150)), one.send(messages(50))]);
    expect(chain.included).toHaveLength(3);
    expect(chain.sequence).toBe(8n);
  });

  it("does nothing for no messages", async () => {
    expect(await sender().send([])).toEqual([]);
    expect(chain.included).toEqual([]);
  });
});

describe("fees", () => {
  it("are the gas limit times the price, rounded up", () => {
    expect(feeOf(1n, gasPrice)).toBe(1n);
    expect(feeOf(40n, gasPrice)).toBe(1n);
    expect(feeOf(41n, gasPrice)).toBe(2n);
    expect(() => parseGasPrice("uve")).toThrow(/not a gas price/);
  });
});
