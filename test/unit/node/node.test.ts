import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeBlock } from "../../../src/codec/tendermint.ts";
import { toHex, utf8 } from "../../../src/lib/bytes.ts";
import { sha256 } from "../../../src/lib/sha256.ts";
import { commitHash } from "../../../src/node/comet/commit_hash.ts";
import { headerHash } from "../../../src/node/comet/header_hash.ts";
import { partSetHeader } from "../../../src/node/comet/part_set.ts";
import { resultsHash } from "../../../src/node/comet/results_hash.ts";
import { voteSignBytes } from "../../../src/node/comet/vote.ts";
import { type NodeConfig, resolveConfig } from "../../../src/node/config.ts";
import { DevControlsError, HaltedError, MempoolError } from "../../../src/node/errors.ts";
import { type GenesisFile, genesisPath, writeGenesisFile } from "../../../src/node/genesis_file.ts";
import { type NodeOptions, type RunningNode, startNode } from "../../../src/node/node.ts";
import { verifyEd25519, validatorKeyPath } from "../../../src/node/validator_key.ts";
import type { NodeEvent, StoredBlock } from "../../../src/node/view.ts";
import { parseTime, type TimeNs } from "../../../src/types/time.ts";
import { ownMs } from "../../testkit/own_time.ts";
import { until } from "../../testkit/until.ts";
import { FakeApp, GENESIS_TIME, testGenesis } from "./fake_app.ts";

const MANUAL = { blockMode: "manual", dev: true } as const;

let home: string;
const running: RunningNode[] = [];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "settled-node-"));
});

afterEach(async () => {
  for (const node of running.splice(0)) await node.stop();
  await rm(home, { recursive: true, force: true });
});

async function start(
  flags: Partial<NodeConfig>,
  more: Partial<NodeOptions> & { genesis?: GenesisFile } = {},
): Promise<RunningNode & { app: FakeApp }> {
  let app: FakeApp | undefined;
  const node = await startNode({
    home: undefined,
    config: resolveConfig({}, flags),
    genesis: testGenesis(),
    openApp: async (opening) => {
      app = await FakeApp.open(opening);
      return app;
    },
    appVersion: "0.1.0",
    ...more,
  });
  running.push(node);
  return { ...node, app: app as FakeApp };
}

const bytes = (text: string) => utf8(text);
const hex = (data: Uint8Array) => toHex(data).toUpperCase();

describe("blocks", () => {
  test("below keep_blocks are let go of, and the status says where they begin", async () => {
    const { view } = await start({ ...MANUAL, keepBlocks: 3 });
    await view.dev?.mine({ blocks: 9 });
    expect(view.status().latestHeight).toBe(10n);
    await until(() => view.status().earliestHeight === 8n, "the status to tell of block 8");
    expect((await view.block(8n))?.header.height).toBe(8n);
    await until(async () => (await view.block(7n)) === undefined, "block 7 to go");
  });

  test("have a first one as soon as the node has started, with the app hash of genesis", async () => {
    const { view } = await start(MANUAL);
    const status = view.status();
    expect(status.latestHeight).toBe(1n);
    const block = (await view.block(1n)) as StoredBlock;
    expect(toHex(block.header.appHash)).toBe(toHex(sha256(bytes("settled-test"))));
    expect(block.header.lastBlockId).toBeUndefined();
    expect(block.lastCommit).toBeUndefined();
    expect(toHex(block.id.hash)).toBe(toHex(status.latestBlockHash));
    expect(status.earliestHeight).toBe(1n);
    expect(view.info.bondDenom).toBe("utest");
    expect(view.info.nodeId).toMatch(/^[0-9a-f]{40}$/);
  });

  test("chain up: ids, commits, results and signatures tie", async () => {
    const { view } = await start(MANUAL);
    await view.mempool.add(bytes("a"));
    await view.mempool.add(bytes("fail b"));
    await view.dev?.mine({ blocks: 3 });
    const chain = await Promise.all([1n, 2n, 3n, 4n].map(async (height) => view.block(height)));
    const results = await Promise.all(
      [1n, 2n, 3n, 4n].map(async (height) => view.blockResults(height)),
    );
    for (const [index, block] of chain.entries()) {
      if (block === undefined) throw new Error(`no block ${index + 1}`);
      const { id, header, commit, txs, lastCommit, size } = block;
      expect(toHex(headerHash(header))).toBe(toHex(id.hash));
      const encoded = encodeBlock({ header, txs, lastCommit });
      expect(encoded.length).toBe(size);
      expect(partSetHeader(encoded)).toEqual({ total: id.partsTotal, hash: id.partsHash });
      const vote = { ...commit, chainId: "settled-test" };
      expect(
        verifyEd25519(view.info.validator.publicKey, voteSignBytes(vote), commit.signature),
      ).toBe(true);
      const below = chain[index - 1];
      if (below === undefined) continue;
      expect(header.lastBlockId).toEqual(below.id);
      expect(lastCommit).toEqual(below.commit);
      expect(toHex(header.lastCommitHash)).toBe(toHex(commitHash(below.commit)));
      expect(header.time > below.header.time).toBe(true);
      expect(toHex(header.lastResultsHash)).toBe(
        toHex(resultsHash(results[index - 1]?.txResults ?? [])),
      );
      expect(toHex(header.appHash)).toBe(toHex(results[index - 1]?.appHash ?? bytes("")));
    }
    expect(chain[1]?.txs.map(toHex)).toEqual([bytes("a"), bytes("fail b")].map(toHex));
    expect(results[1]?.txResults.map(({ code }) => code)).toEqual([0, 9]);
    expect(results[1]?.events[0]?.type).toBe("begin");
    expect(await view.heightOfHash(chain[2]?.id.hash as Uint8Array)).toBe(3n);
    expect(await view.block(5n)).toBeUndefined();
  });

  test("are bounded by gas, in order of arrival", async () => {
    const { view } = await start(MANUAL, { genesis: testGenesis({ maxGas: 250n }) });
    for (const text of ["a", "b", "c"]) await view.mempool.add(bytes(text));
    await expect(view.mempool.add(bytes("gas=251"))).rejects.toThrow(
      "gas wanted 251 is greater than max gas 250",
    );
    await view.dev?.mine({ blocks: 2 });
    expect((await view.block(2n))?.txs).toHaveLength(2);
    expect((await view.block(3n))?.txs).toHaveLength(1);
  });

  test("are bounded by bytes, encoded", async () => {
    const { view } = await start({ ...MANUAL, blockMaxBytes: 65_536 });
    for (let index = 0; index < 10; index += 1)
      await view.mempool.add(bytes(`${index}`.padEnd(15_000, ".")));
    await view.dev?.mine({ blocks: 1 });
    const block = await view.block(2n);
    expect(block?.txs).toHaveLength(4);
    expect(block?.size).toBeLessThanOrEqual(65_536);
  });

  test("start at the initial height of genesis", async () => {
    const { view } = await start(MANUAL, { genesis: testGenesis({ initialHeight: 100n }) });
    expect(view.status()).toMatchObject({ latestHeight: 100n, earliestHeight: 100n });
  });
});

describe("schedule", () => {
  test("mixed makes a block soon after a tx, and empty ones", async () => {
    const { view } = await start({
      blockMode: "mixed",
      blockIntervalMs: 5,
      emptyBlockIntervalMs: 60,
    });
    await until(() => view.status().latestHeight >= 3n, "empty blocks");
    const before = view.status().latestHeight;
    await view.mempool.add(bytes("x"));
    await until(() => view.mempool.count === 0, "the tx");
    expect(view.status().latestHeight).toBeGreaterThan(before);
  });

  test("instant makes no empty blocks", async () => {
    const { view } = await start({ blockMode: "instant" });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(view.status().latestHeight).toBe(1n);
    await view.mempool.add(bytes("x"));
    await until(() => view.status().latestHeight === 2n, "the block");
  });

  test("by hand only needs the dev controls", async () => {
    await expect(start({ blockMode: "manual" })).rejects.toThrow(
      "block_mode manual makes blocks by hand",
    );
  });
});

describe("nothing shows before the disk has it", () => {
  test("status, txs, mempool and events wait for the commit", async () => {
    const { view, app } = await start(MANUAL);
    let finish: () => void = () => undefined;
    const reached = new Promise<void>((arrive) => {
      app.beforeCommit = async () => {
        arrive();
        return new Promise((resolve) => {
          finish = resolve;
        });
      };
    });
    const seen: NodeEvent[] = [];
    view.events.subscribe("tm.event EXISTS", (event) => seen.push(event));
    const tx = bytes("a transfer(sender=alice)");
    await view.mempool.add(tx);
    const mined = view.dev?.mine({ blocks: 1 });
    await reached;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(view.status().latestHeight).toBe(1n);
    expect(view.mempool.count).toBe(1);
    expect(await view.tx(sha256(tx))).toBeUndefined();
    expect(seen).toHaveLength(0);
    finish();
    await mined;
    expect(view.status().latestHeight).toBe(2n);
    expect(view.mempool.count).toBe(0);
    expect(await view.tx(sha256(tx))).toMatchObject({ height: 2n, index: 0 });
    expect(seen.map(({ kind }) => kind)).toEqual(["NewBlock", "Tx"]);
  });

  test("the next block is executed while one is written, and neither shows too early", async () => {
    const { view, app } = await start({ blockMode: "instant" });
    const gates: (() => void)[] = [];
    app.beforeCommit = async () => new Promise((resolve) => gates.push(resolve));
    const seen: string[] = [];
    view.events.subscribe("tm.event='NewBlock'", (event) => {
      if (event.kind === "NewBlock") seen.push(event.block.header.height.toString());
    });
    await view.mempool.add(bytes("a"));
    await until(() => gates.length === 1, "the first write");
    await view.mempool.add(bytes("b"));
    await until(() => app.executed === 3n, "the execution of the next block");
    // Two blocks are executed, one is being written, none is on disk.
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(gates).toHaveLength(1);
    expect(view.status().latestHeight).toBe(1n);
    expect(view.mempool.count).toBe(2);
    expect(seen).toEqual([]);
    // What is in a block is not taken again.
    await view.mempool.add(bytes("c"));
    gates[0]?.();
    await until(() => gates.length === 2, "the second write");
    expect(view.status().latestHeight).toBe(2n);
    expect(await view.tx(sha256(bytes("b")))).toBeUndefined();
    gates[1]?.();
    await until(() => gates.length === 3, "the third write");
    gates[2]?.();
    await until(() => view.mempool.count === 0, "the last block");
    expect(seen).toEqual(["2", "3", "4"]);
    const blocks = await Promise.all([2n, 3n, 4n].map(async (height) => view.block(height)));
    expect(blocks.map((block) => block?.txs.map(hex))).toEqual(
      ["a", "b", "c"].map((text) => [hex(bytes(text))]),
    );
    for (const [index, block] of blocks.entries()) {
      const below = await view.block(BigInt(index + 1));
      expect(block?.header.lastBlockId).toEqual(below?.id);
    }
  });

  test("a failed write drops the block that was executed on top of it", async () => {
    const { view, app, halted } = await start({ blockMode: "instant" });
    let fail: (error: Error) => void = () => undefined;
    app.beforeCommit = async () =>
      new Promise((_, reject) => {
        fail = reject;
      });
    await view.mempool.add(bytes("a"));
    await until(() => app.executed === 2n, "the first block");
    await view.mempool.add(bytes("b"));
    await until(() => app.executed === 3n, "the next block");
    app.beforeCommit = async () => undefined;
    fail(new Error("disk full"));
    expect((await halted).message).toBe("disk full");
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(view.status().latestHeight).toBe(1n);
    expect(view.mempool.count).toBe(2);
    expect(await view.block(2n)).toBeUndefined();
    await expect(view.mempool.add(bytes("c"))).rejects.toThrow("the node has halted: disk full");
  });

  test("a failed commit halts: nothing is acknowledged, nothing more is taken", async () => {
    const { view, app, halted } = await start(MANUAL);
    app.beforeCommit = async () => {
      throw new Error("disk full");
    };
    const tx = bytes("a");
    await view.mempool.add(tx);
    await expect(view.dev?.mine({ blocks: 1 })).rejects.toThrow(HaltedError);
    expect((await halted).message).toBe("disk full");
    expect(view.status().latestHeight).toBe(1n);
    expect(view.mempool.count).toBe(1);
    expect(await view.tx(sha256(tx))).toBeUndefined();
    await expect(view.mempool.add(bytes("b"))).rejects.toThrow("the node has halted: disk full");
    app.beforeCommit = async () => undefined;
    await expect(view.dev?.mine({ blocks: 1 })).rejects.toThrow(HaltedError);
  });

  test("a broken invariant halts the schedule too", async () => {
    const { view, halted } = await start({ blockMode: "instant" });
    await view.mempool.add(bytes("halt"));
    expect((await halted).message).toContain("books do not balance (height=2)");
    expect(view.status().latestHeight).toBe(1n);
  });
});

describe("time", () => {
  test("virtual blocks take the given time, creep after it, and wait for the wall clock", async () => {
    const { view } = await start({ dev: true, time: "virtual", blockMode: "instant" });
    expect(view.status().latestTime).toBe(GENESIS_TIME + 1n);
    const time = parseTime("2024-01-02T00:00:00Z") as TimeNs;
    const made = await view.dev?.mine({ blocks: 2, time });
    expect(made).toEqual({ height: 3n, time: time + 1n });
    expect(view.simulate(bytes("s")).info).toBe((time + 2n).toString());
    await view.mempool.add(bytes("waits"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(view.mempool.count).toBe(1);
    await view.dev?.useWallClock();
    await until(() => view.mempool.count === 0, "the block of the wall clock");
    expect(view.status().latestTime > parseTime("2025-01-01T00:00:00Z")!).toBe(true);
  });

  test("refuses times before the last block and after the wall clock", async () => {
    const { view } = await start(MANUAL);
    const mine = async (time: string) =>
      view.dev?.mine({ blocks: 1, time: parseTime(time) as TimeNs });
    await expect(mine("2020-01-01T00:00:00Z")).rejects.toThrow("is not after the last block");
    await expect(mine("2999-01-01T00:00:00Z")).rejects.toThrow("is after the wall clock");
    await expect(view.dev?.mine({ blocks: 0 })).rejects.toThrow(DevControlsError);
    expect(view.status().latestHeight).toBe(1n);
  });

  test("creeps by a nanosecond while the clock is behind, and warns once", async () => {
    let now = parseTime("2025-01-01T00:00:00Z") as TimeNs;
    const warnings: string[] = [];
    const log = {
      debug: () => undefined,
      info: () => undefined,
      warn: (text: string) => warnings.push(text),
      error: () => undefined,
    };
    const { view } = await start(MANUAL, { wallClock: () => now, log });
    now = parseTime("2024-12-31T00:00:00Z") as TimeNs;
    const first = view.status().latestTime;
    await view.dev?.mine({ blocks: 3 });
    expect(view.status().latestTime).toBe(first + 3n);
    expect(warnings).toHaveLength(1);
  });
});

describe("home", () => {
  const onDisk = async () => start(MANUAL, { home });

  test("goes on where it stopped, with the same keys and last results", async () => {
    const first = await onDisk();
    await first.view.mempool.add(bytes("a"));
    await first.view.dev?.mine({ blocks: 1 });
    const status = first.view.status();
    expect(await ownMs(() => first.stop())).toBeLessThan(2000);
    const second = await onDisk();
    expect(second.view.status()).toEqual(status);
    expect(second.view.info.nodeId).toBe(first.view.info.nodeId);
    await second.view.dev?.mine({ blocks: 1 });
    const results = await second.view.blockResults(2n);
    const next = await second.view.block(3n);
    expect(toHex(next?.header.lastResultsHash as Uint8Array)).toBe(
      toHex(resultsHash(results?.txResults ?? [])),
    );
    expect(next?.header.lastBlockId?.hash).toEqual(status.latestBlockHash);
    expect((await second.view.tx(sha256(bytes("a"))))?.height).toBe(2n);
    expect((await stat(validatorKeyPath(home))).mode & 0o777).toBe(0o600);
  });

  test("is refused to a second node, which names the first's pid", async () => {
    await onDisk();
    await expect(onDisk()).rejects.toThrow(`is in use by process ${process.pid}`);
  });

  test("is taken over from a dead process", async () => {
    await writeFile(join(home, "node.lock"), JSON.stringify({ pid: 4_194_999 }));
    const node = await onDisk();
    expect(JSON.parse(await readFile(join(home, "node.lock"), "utf8")).pid).toBe(process.pid);
    await node.stop();
    await expect(stat(join(home, "node.lock"))).rejects.toThrow("ENOENT");
  });

  test("reads its genesis file, and refuses another one later", async () => {
    const options = {
      home,
      config: resolveConfig({}, MANUAL),
      openApp: FakeApp.open,
      appVersion: "0.1.0",
    };
    await expect(startNode(options)).rejects.toThrow('run "settled init" first');
    const { json } = testGenesis();
    await writeGenesisFile(genesisPath(home), json);
    const node = await startNode(options);
    expect(node.view.genesis()).toEqual(json);
    await node.stop();
    await writeGenesisFile(genesisPath(home), { ...(json as object), chain_id: "other-1" });
    await expect(startNode(options)).rejects.toThrow(
      "not the one that this database was made with",
    );
  });

  test("with state ahead of the blocks is refused", async () => {
    const node = await onDisk();
    await node.stop();
    const openApp = async (opening: Parameters<typeof FakeApp.open>[0]) => {
      const app = await FakeApp.open(opening);
      return Object.assign(Object.create(app) as FakeApp, {
        info: () => ({ ...app.info(), height: 7n }),
      });
    };
    await expect(start(MANUAL, { home, openApp })).rejects.toThrow(
      "state is at height 7, but the last block is 1",
    );
  });
});

describe("mempool", () => {
  test("refuses a tx that fits in no block; the largest it takes does", async () => {
    const { view } = await start({ ...MANUAL, blockMaxBytes: 65_536 });
    const max = 65_536 - 1024 - 64;
    expect(view.info.txBytesMax).toBe(max);
    await expect(view.mempool.add(bytes("x".padEnd(max + 1, ".")))).rejects.toThrow(
      `Tx too large. Max size is ${max}, but got ${max + 1}`,
    );
    await view.mempool.add(bytes("x".padEnd(max, ".")));
    await view.dev?.mine({ blocks: 1 });
    expect((await view.block(2n))?.txs).toHaveLength(1);
    expect(view.mempool.count).toBe(0);
  });

  test("refuses with CometBFT's texts", async () => {
    const { view } = await start({ ...MANUAL, mempoolTxsMax: 2, txBytesMax: 1024 });
    await view.mempool.add(bytes("a"));
    await expect(view.mempool.add(bytes("a"))).rejects.toThrow(
      new MempoolError("in-cache", "tx already exists in cache"),
    );
    await expect(view.mempool.add(new Uint8Array(1025))).rejects.toThrow(
      "Tx too large. Max size is 1024, but got 1025",
    );
    await view.mempool.add(bytes("b"));
    await expect(view.mempool.add(bytes("c"))).rejects.toThrow(
      "mempool is full: number of txs 2 (max: 2), total txs bytes 2 (max: 67108864)",
    );
    expect(view.mempool.waiting(1).map(toHex)).toEqual([toHex(bytes("a"))]);
  });

  test("a refused tx may come again; one that succeeded in a block may not, one that failed may", async () => {
    const { view, app } = await start(MANUAL);
    app.refused.add("later");
    expect((await view.mempool.add(bytes("later"))).code).toBe(5);
    app.refused.clear();
    expect((await view.mempool.add(bytes("later"))).code).toBe(0);
    await view.mempool.add(bytes("fail"));
    await view.dev?.mine({ blocks: 1 });
    await expect(view.mempool.add(bytes("later"))).rejects.toThrow("tx already exists in cache");
    expect((await view.mempool.add(bytes("fail"))).code).toBe(0);
  });

  test("checks what is left after each block, and drops what fails then", async () => {
    const { view, app } = await start(MANUAL, { genesis: testGenesis({ maxGas: 100n }) });
    for (const text of ["a", "b", "c"]) await view.mempool.add(bytes(text));
    app.refused.add("b");
    const before = app.checks;
    await view.dev?.mine({ blocks: 1 });
    expect(app.checks - before).toBe(2);
    expect(view.mempool.waiting(9).map(hex)).toEqual([hex(bytes("c"))]);
    expect(view.mempool.bytes).toBe(1);
  });
});
