import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openApp, type SettledApp } from "../../../src/app/app.ts";
import type { TxOutcome } from "../../../src/codec/recorded_tx.ts";
import { nodeCrypto } from "../../../src/node/crypto_native.ts";
import { openMachineDb } from "../../../src/node/machine_db.ts";
import { openRecordedHome, type RecordedBlock } from "../../../src/node/recorded_blocks.ts";
import { openVerifyPool } from "../../../src/node/verify_pool.ts";
import type { Difference } from "../../../src/sim/compare_blocks.ts";
import { type ReplayBlock, replayBlocks } from "../../../src/sim/replay.ts";
import { replayChain } from "../../../src/sim/replay_chain.ts";
import { parseDec, type Dec } from "../../../src/types/dec.ts";
import { openLevelDb } from "../../../src/store/leveldb.ts";
import { canonicalJson } from "../../../src/codec/canonical_json.ts";
import { customer, provider } from "../../testkit/accounts.ts";
import { msg } from "../../testkit/messages.ts";
import { from, recordChain, type Recording, upperHex } from "./recording.ts";

let chain: Recording;
let folder: string;

beforeAll(async () => {
  chain = await recordChain();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "settled-replay-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function replayOf(blocks: readonly RecordedBlock[], more = {}) {
  return replayChain({ genesis: chain.genesis, blocks: from(blocks), ...more });
}

describe("a recorded chain replayed from genesis", () => {
  test("is worth replaying: txs that succeed and fail, and blocks with work of their own", () => {
    const txs = chain.blocks.flatMap((block) => block.txs);
    expect(txs.filter(({ outcome }) => outcome.code === 0).length).toBeGreaterThan(50);
    expect(txs.filter(({ outcome }) => outcome.code !== 0).length).toBeGreaterThan(20);
    expect(chain.blocks.some(({ outcome }) => outcome.events.length > 0)).toBe(true);
  });

  test.each([
    ["one thread", { verifyThreads: 0 }],
    ["two verifying threads", { verifyThreads: 2 }],
    ["trusted signatures", { trustSignatures: true }],
  ])("comes out as recorded with %s", async (_, options) => {
    const seen: number[] = [];
    const onProgress = ({ blocks }: { blocks: number }) => void seen.push(blocks);
    const report = await replayOf(chain.blocks, { ...options, onProgress });
    expect(report.difference).toBeUndefined();
    expect(upperHex(report.appHash)).toBe(chain.appHash);
    expect(report.blocks).toBe(chain.blocks.length);
    expect(report.txs).toBe(chain.blocks.reduce((sum, { txs }) => sum + txs.length, 0));
    expect(report.records).toBeGreaterThan(10);
    expect(seen).toEqual(chain.blocks.map((_block, index) => index + 1));
  });

  test("makes a home that holds the same state, blocks and results", async () => {
    const home = join(folder, "again");
    expect((await replayOf(chain.blocks, { into: home })).difference).toBeUndefined();
    const again = await openRecordedHome(home);
    const blocks: RecordedBlock[] = [];
    try {
      const { latest, earliest } = again.tip ?? { latest: 0n, earliest: 0n };
      for await (const block of again.blocks(earliest, latest)) blocks.push(block);
      expect(again.genesis).toEqual(chain.genesis);
    } finally {
      await again.close();
    }
    expect(blocks).toEqual(chain.blocks);
    const db = await openLevelDb(join(home, "data", "settled.db"));
    const genesis = chain.genesis.doc;
    const minimumGasPrice = parseDec("0") as Dec;
    const app = await openApp({ db, crypto: nodeCrypto(), genesis, minimumGasPrice });
    const { appState } = await app.exportGenesis();
    await app.checkFullInvariants();
    await db.close();
    expect(canonicalJson(appState)).toBe(chain.state);
  });

  test("is not built into a folder that holds anything", async () => {
    const home = join(folder, "again");
    await replayOf(chain.blocks.slice(0, 1), { into: home });
    await expect(replayOf(chain.blocks, { into: home })).rejects.toThrow("is not empty");
  });
});

type Alter = (block: RecordedBlock) => RecordedBlock;

const alterTx = (index: number, change: Partial<TxOutcome>): Alter => {
  return (block) => ({
    ...block,
    txs: block.txs.map((tx, at) =>
      at === index ? { ...tx, outcome: { ...tx.outcome, ...change } } : tx,
    ),
  });
};

const alterOutcome = (change: Partial<RecordedBlock["outcome"]>): Alter => {
  return (block) => ({ ...block, outcome: { ...block.outcome, ...change } });
};

/** Replays with one block altered, and another one further on, which must not be what is named. */
async function differenceOf(at: number, alter: Alter): Promise<Difference | undefined> {
  const later = chain.blocks.length - 1;
  const blocks = chain.blocks.map((block, index) => {
    if (index === later) return alterOutcome({ appHash: new Uint8Array(32) })(block);
    return index === at ? alter(block) : block;
  });
  const report = await replayOf(blocks);
  expect(report.blocks).toBe(at);
  const before = chain.blocks[at - 1] as RecordedBlock;
  expect(upperHex(report.appHash)).toBe(upperHex(before.outcome.appHash));
  return report.difference;
}

describe("the first difference is named", () => {
  /** The block of a tx that succeeded, far enough in. */
  const at = () => chain.blocks.findIndex(({ txs }, i) => i > 20 && txs[0]?.outcome.code === 0);
  const heightAt = (index: number) => chain.blocks[index]?.record.header.height;
  const fields: [string, Partial<TxOutcome>, string][] = [
    ["code", { code: 7 }, "7"],
    ["codespace", { codespace: "sdk" }, "sdk"],
    ["data", { data: Uint8Array.of(1, 171) }, "01AB"],
    ["gas_wanted", { gasWanted: 1n }, "1"],
    ["gas_used", { gasUsed: 2n }, "2"],
  ];

  test.each(fields)("in %s of a tx, with its hash", async (field, change, expected) => {
    const index = at();
    const tx = chain.blocks[index]?.txs[0];
    if (tx === undefined) throw new Error("there is such a block");
    const height = heightAt(index);
    const txHash = upperHex(nodeCrypto().hasher.sha256(tx.bytes));
    const found = await differenceOf(index, alterTx(0, change));
    expect(found).toMatchObject({ height, field: `txs[0].${field}`, txHash, expected });
    expect(found?.found).not.toBe(expected);
  });

  test("with the reason of a tx that fails now", async () => {
    const index = chain.blocks.findIndex(({ txs }) => (txs[0]?.outcome.code ?? 0) !== 0);
    const found = await differenceOf(index, alterTx(0, { code: 0 }));
    expect(found).toMatchObject({ height: heightAt(index), field: "txs[0].code", expected: "0" });
    expect(found?.log).toMatch(/./);
  });

  test("in an event of the block", async () => {
    const index = chain.blocks.findIndex(({ outcome }) => outcome.events.length > 0);
    const { events } = (chain.blocks[index] as RecordedBlock).outcome;
    const [first, ...rest] = events;
    if (first === undefined) throw new Error("there is such an event");
    const [attribute, ...others] = first.attributes;
    if (attribute === undefined) throw new Error("it has an attribute");
    const altered = [{ ...first, attributes: [{ ...attribute, value: "x" }, ...others] }, ...rest];
    expect(await differenceOf(index, alterOutcome({ events: altered }))).toMatchObject({
      ...{ height: heightAt(index), field: "events[0].attributes[0].value" },
      ...{ expected: "x", found: attribute.value },
    });
    expect(await differenceOf(index, alterOutcome({ events: events.slice(1) }))).toBeDefined();
    expect(await differenceOf(index, alterOutcome({ events: [...events, first] }))).toMatchObject({
      ...{ field: "events.length", expected: String(events.length + 1) },
    });
  });

  test("in the app hash", async () => {
    const appHash = new Uint8Array(32).fill(9);
    expect(await differenceOf(30, alterOutcome({ appHash }))).toEqual({
      ...{ height: heightAt(30), field: "app_hash", expected: "09".repeat(32) },
      found: upperHex((chain.blocks[30] as RecordedBlock).outcome.appHash),
    });
  });

  test("and a new home ends at the block before", async () => {
    const home = join(folder, "again");
    const appHash = new Uint8Array(32);
    const blocks = chain.blocks.map((block, i) =>
      i === 9 ? alterOutcome({ appHash })(block) : block,
    );
    const report = await replayOf(blocks, { into: home });
    expect(report.difference?.height).toBe(10n);
    const again = await openRecordedHome(home);
    await again.close();
    expect(again.tip).toEqual({ latest: 9n, earliest: 1n });
  });
});

test("signatures are verified unless they are trusted", async () => {
  const wrong = await recordChain(async (it) => {
    const tx = await it.tx([msg.send(customer, provider.address, "7uve")], { chainId: "other" });
    await it.block(tx);
  });
  const { genesis } = wrong;
  const last = wrong.blocks.at(-1) as RecordedBlock;
  expect(last.txs[0]?.outcome).toMatchObject({ codespace: "sdk", code: 4 });
  for (const verifyThreads of [0, 2]) {
    const report = await replayChain({ genesis, blocks: from(wrong.blocks), verifyThreads });
    expect(report.difference).toBeUndefined();
  }
  const blocks = from(wrong.blocks);
  const trusting = await replayChain({ genesis, blocks, trustSignatures: true });
  const { height } = last.record.header;
  const code = { field: "txs[0].code", expected: "4", found: "0" };
  expect(trusting.difference).toMatchObject({ height, ...code });
});

describe("replayBlocks", () => {
  async function freshApp(): Promise<SettledApp> {
    const genesis = chain.genesis.doc;
    const options = { genesis, minimumGasPrice: parseDec("0") as Dec, keepHistory: 0 };
    const app = await openApp({ db: openMachineDb(), crypto: nodeCrypto(), ...options });
    app.initChain(genesis);
    await app.commit([]);
    return app;
  }

  const bare = (): ReplayBlock[] =>
    chain.blocks.map(({ record, txs, outcome: { appHash } }) => {
      const { height, time, proposer } = record.header;
      return { height, time, proposer, txs: txs.map(({ bytes }) => bytes), expected: { appHash } };
    });

  test("needs no more than blocks and app hashes", async () => {
    const pool = openVerifyPool(2, nodeCrypto().verifier);
    const report = await replayBlocks({ blocks: from(bare()), app: await freshApp(), pool });
    await pool.close();
    expect(report.difference).toBeUndefined();
    expect(upperHex(report.appHash)).toBe(chain.appHash);
  });

  test("refuses a gap", async () => {
    const blocks = bare().filter(({ height }) => height !== 5n);
    const replay = replayBlocks({ blocks: from(blocks), app: await freshApp() });
    await expect(replay).rejects.toThrow("after block 4 comes block 6");
  });

  test("executes what comes before an error of the source, and then throws it", async () => {
    let reached = 0n;
    async function* broken() {
      yield* bare().slice(0, 6);
      throw new Error("the disk is gone");
    }
    const onProgress = ({ height }: { height: bigint }) => {
      reached = height;
    };
    const replay = replayBlocks({ blocks: broken(), app: await freshApp(), onProgress });
    await expect(replay).rejects.toThrow("the disk is gone");
    expect(reached).toBe(6n);
  });

  test("ends when a block cannot be written", async () => {
    const app = await freshApp();
    const commit = app.commit.bind(app);
    let commits = 0;
    app.commit = async (ops) => {
      commits += 1;
      if (commits === 4) throw new Error("no space left");
      await commit(ops);
    };
    await expect(replayBlocks({ blocks: from(bare()), app })).rejects.toThrow("no space left");
    expect(commits).toBe(4);
  });
});
