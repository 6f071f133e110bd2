import { afterEach, expect, test } from "vitest";
import { openApp } from "../../../src/app/app.ts";
import { sha256 } from "../../../src/lib/sha256.ts";
import { resolveConfig } from "../../../src/node/config.ts";
import { genesisJson, parseGenesis } from "../../../src/node/genesis_file.ts";
import { type RunningNode, startNode } from "../../../src/node/node.ts";
import type { Db, DbBatch } from "../../../src/store/db.ts";
import type { Dec } from "../../../src/types/dec.ts";
import { customer, customer2 } from "../../testkit/accounts.ts";
import { genesisOf, openChain } from "../../testkit/chain.ts";
import { msg } from "../../testkit/messages.ts";
import { until } from "../../testkit/until.ts";

const running: RunningNode[] = [];

afterEach(async () => {
  for (const node of running.splice(0)) await node.stop();
});

/** The database, with something done in front of every write of a batch. */
function slowed(db: Db, before: () => Promise<void>): Db {
  const batch = (): DbBatch => {
    const inner = db.batch();
    return {
      put: (key, value) => inner.put(key, value),
      putVersioned: (key, value, height) => inner.putVersioned(key, value, height),
      del: (key) => inner.del(key),
      write: async (options) => {
        await before();
        await inner.write(options);
      },
    };
  };
  return new Proxy(db, {
    get: (target, name) => {
      if (name === "batch") return batch;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

async function nodeOver(before: () => Promise<void>) {
  const doc = genesisOf();
  const node = await startNode({
    home: undefined,
    config: resolveConfig({}, { blockMode: "instant", verifyThreads: 2 }),
    genesis: parseGenesis(genesisJson({ doc, block: { maxBytes: -1n, maxGas: -1n } })),
    openApp: async ({ db, crypto, genesis }) => {
      const minimumGasPrice = 0n as Dec;
      return openApp({ db: slowed(db, before), crypto, genesis, minimumGasPrice });
    },
    appVersion: "0.1.0",
  });
  running.push(node);
  return node;
}

async function sends(count: number): Promise<Uint8Array[]> {
  const chain = await openChain();
  const txs: Uint8Array[] = [];
  for (let index = 0; index < count; index += 1) {
    txs.push(await chain.tx([msg.send(customer, customer2.address, "1uve")]));
  }
  return txs;
}

test("blocks of one sender's txs over a slow disk: in order, none lost, none shown early", async () => {
  let writing = 0;
  let latestHeight: () => bigint = () => 0n;
  const { view } = await nodeOver(async () => {
    writing += 1;
    const height = latestHeight();
    await new Promise((resolve) => setTimeout(resolve, 15));
    // Nothing of the block shows while it is being written.
    expect(latestHeight()).toBe(height);
    writing -= 1;
    expect(writing).toBe(0);
  });
  latestHeight = () => view.status().latestHeight;
  const txs = await sends(200);
  const results = [];
  for (let at = 0; at < txs.length; at += 20) {
    results.push(...txs.slice(at, at + 20).map(async (tx) => view.mempool.add(tx)));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect((await Promise.all(results)).every(({ code }) => code === 0)).toBe(true);
  await until(() => view.mempool.count === 0, "the txs");
  const latest = view.status().latestHeight;
  const inBlocks: Uint8Array[] = [];
  for (let height = 1n; height <= latest; height += 1n) {
    const block = await view.block(height);
    inBlocks.push(...(block?.txs ?? []));
    const outcome = await view.blockResults(height);
    expect(outcome?.txResults.every(({ code }) => code === 0)).toBe(true);
  }
  expect(inBlocks).toEqual(txs);
  expect(latest).toBeGreaterThan(3n);
  expect(await view.tx(sha256(txs[199] as Uint8Array))).toMatchObject({ height: latest });
});

test("a write that fails halts the node at the last block on disk", async () => {
  let failure: Error | undefined;
  const { view, halted } = await nodeOver(async () => {
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (failure !== undefined) throw failure;
  });
  const [first, second, third] = (await sends(3)) as [Uint8Array, Uint8Array, Uint8Array];
  await view.mempool.add(first);
  await until(() => view.mempool.count === 0, "the first tx");
  const before = view.status();
  failure = new Error("disk full");
  await view.mempool.add(second);
  expect((await halted).message).toBe("disk full");
  expect(view.status()).toEqual(before);
  expect(await view.tx(sha256(second))).toBeUndefined();
  await expect(view.mempool.add(third)).rejects.toThrow("halted");
});
