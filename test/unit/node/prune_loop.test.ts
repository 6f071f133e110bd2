import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { must } from "../../../src/lib/assert.ts";
import { nodeCrypto } from "../../../src/node/crypto_native.ts";
import type { NodeLog } from "../../../src/node/log.ts";
import { PruneLoop } from "../../../src/node/prune_loop.ts";
import { searchTxs } from "../../../src/node/search.ts";
import { openMemoryDb } from "../../../src/store/leveldb.ts";
import { openReader } from "../../../src/store/reader.ts";
import { dumpOf } from "../../crash/dump.ts";
import { recordRun } from "../../crash/recorded_run.ts";
import { ReplayHost } from "../../crash/replay_host.ts";
import { ownMs } from "../../testkit/own_time.ts";

const { hasher } = nodeCrypto();

function logTo(errors: unknown[]): NodeLog {
  const nothing = () => undefined;
  return {
    debug: nothing,
    info: nothing,
    warn: nothing,
    error: (_text, facts) => void errors.push(facts),
  };
}

test("blocks go on while it prunes, and what is kept is answered as ever", async () => {
  const run = await recordRun(60, 5);
  const db = await openMemoryDb();
  const keep = { keepHistory: 8, keepBlocks: 5 };
  const host = await ReplayHost.open(db, run, keep);
  const errors: unknown[] = [];
  const pruning = new PruneLoop({ db, hasher, store: host.store, log: logTo(errors) });
  pruning.start();
  while (await host.next()) continue;
  const { tip } = host.store;
  expect(tip).toEqual({ latest: 60n, earliest: 56n });
  while ((await leftBelow(56n)) || (await historyLeft())) await sleep(20);
  await pruning.stop();
  expect(errors).toEqual([]);
  host.assertRecorded();
  expect(await host.store.block(55n)).toBeUndefined();
  expect(await host.store.results(55n)).toBeUndefined();
  for (let height = 56n; height <= 60n; height += 1n) {
    const block = must(await host.store.block(height), "it is kept");
    expect(block.txs).toHaveLength(must(run.blocks[Number(height) - 1], "it was run").txs.length);
  }
  const page = { page: 1, perPage: 100, descending: false };
  const { txs, total } = await searchTxs(host.store, "tx.height > 0", page);
  expect(total).toBe(txs.length);
  expect(new Set(txs.map(({ height }) => height >= 56n))).toEqual(new Set([true]));
  const snapshot = db.snapshot();
  expect(openReader(snapshot, 52n).height).toBe(52n);
  expect(() => openReader(snapshot, 51n)).toThrow("heights 52 to 60 are kept");
  await snapshot.close();

  async function leftBelow(height: bigint): Promise<boolean> {
    const end = `Bb${Buffer.from(u64(height)).toString("latin1")}`;
    return (await dumpOf(db)).some(({ key }) => key.startsWith("Bb") && key < end);
  }

  async function historyLeft(): Promise<boolean> {
    return (await dumpOf(db)).filter(({ key }) => key.startsWith("C")).length > 8;
  }
});

function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

test("it stops at once when it has nothing to do, and a failure is told and ends it alone", async () => {
  const run = await recordRun(10, 5);
  const db = await openMemoryDb();
  const host = await ReplayHost.open(db, run, { keepHistory: 2, keepBlocks: 2 });
  const errors: unknown[] = [];
  const idle = new PruneLoop({ db, hasher, store: host.store, log: logTo(errors) });
  idle.start();
  await sleep(10);
  expect(await ownMs(() => idle.stop())).toBeLessThan(150);
  while (await host.next()) continue;
  // A record that cannot be read: the disk is damaged, but the chain goes on.
  const damaged = (await dumpOf(db)).find(({ key }) => key.startsWith("Bt"));
  await db.write([{ key: must(damaged, "there are txs").key, value: Uint8Array.of(255) }]);
  const failing = new PruneLoop({ db, hasher, store: host.store, log: logTo(errors) });
  failing.start();
  while (errors.length === 0) await sleep(5);
  await failing.stop();
  expect(errors).toMatchObject([{ error: expect.stringContaining("stored tx") as string }]);
});
