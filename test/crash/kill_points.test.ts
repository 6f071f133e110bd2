import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BlockPruner } from "../../src/node/block_pruner.ts";
import { nodeCrypto } from "../../src/node/crypto_native.ts";
import { writeGenesisFile } from "../../src/node/genesis_file.ts";
import { resolveConfig } from "../../src/node/config.ts";
import { finishRollback, rollBack } from "../../src/node/rollback.ts";
import { createSnapshot } from "../../src/node/snapshot_create.ts";
import { restoreSnapshot } from "../../src/node/snapshot_restore.ts";
import { databasePath } from "../../src/node/home.ts";
import { openLevelDb, openMemoryDb } from "../../src/store/leveldb.ts";
import { HistoryPruner } from "../../src/store/prune.ts";
import { temporaryFolder } from "../e2e/node_process.ts";
import { loadOpenApp } from "../../src/cli/open_app.ts";
import { crashSize } from "./crash_size.ts";
import { differenceOf, type Dump, dumpOf, filled } from "./dump.ts";
import { CountedKiller, KillDb, Killed } from "./kill_db.ts";
import { seededRandom } from "./random.ts";
import { recordRun } from "./recorded_run.ts";
import { type Keep, KEEP_ALL, type RecordedRun, ReplayHost } from "./replay_host.ts";

const { hasher } = nodeCrypto();
const HEIGHTS = 90;
const KEEP: Keep = { keepHistory: 6, keepBlocks: 4 };
const { seed, rounds } = crashSize("POINTS", 30, 2000);

let run: RecordedRun;
/** What the database holds at every height when all is kept, and when it is pruned by KEEP. */
const whole: Dump[] = [];
const pruned: Dump[] = [];

beforeAll(async () => {
  run = await recordRun(HEIGHTS, seed);
  const host = await ReplayHost.open(await openMemoryDb(), run, KEEP_ALL);
  const short = await ReplayHost.open(await openMemoryDb(), run, KEEP);
  do {
    whole.push(await dumpOf(host.db));
    await pruneAll(short);
    pruned.push(await dumpOf(short.db));
  } while ((await host.next()) && (await short.next()));
});

async function pruneAll({ db, store }: ReplayHost): Promise<void> {
  const history = new HistoryPruner(db);
  const blocks = new BlockPruner(db, hasher);
  while (await history.step()) continue;
  while (store.tip !== undefined && (await blocks.step(store.tip.earliest))) continue;
}

/** Runs until it is killed or done; whether it was killed. */
async function untilKilled(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    // A write that had begun ends behind the kill: it reached the disk.
    await nextTurn();
    if (error instanceof Killed) return true;
    throw error;
  }
}

test(
  `killed in commits and pruning (${rounds} rounds, seed ${seed})`,
  async () => {
    const random = seededRandom(seed);
    let [kills, ahead] = [0, 0];
    for (let round = 0; round < rounds; round += 1) {
      const from = random(HEIGHTS - 12);
      const db = await filled((random(2) === 0 ? whole : pruned)[from] as Dump);
      const killer = new CountedKiller(1 + random(40));
      let told = from;
      const isKilled = await untilKilled(async () => {
        const host = await ReplayHost.open(new KillDb(db, killer), run, KEEP);
        const history = new HistoryPruner(host.db);
        const blocks = new BlockPruner(host.db, hasher);
        while (host.height < from + 8 && (await host.next())) {
          told = host.height;
          for (let steps = random(4); steps > 0; steps -= 1) {
            await history.step();
            await blocks.step(host.store.tip?.earliest ?? 0n);
          }
        }
      });
      const host = await ReplayHost.open(db, run, KEEP);
      host.assertRecorded();
      expect([told, told + 1], `round ${round}`).toContain(host.height);
      if (isKilled) kills += 1;
      if (host.height > told) ahead += 1;
      if (round % 20 === 0) await host.app.checkFullInvariants();
      await host.next();
      await pruneAll(host);
      const difference = differenceOf(await dumpOf(db), pruned[host.height]);
      expect(difference, `round ${round}`).toBeUndefined();
    }
    expect(kills).toBeGreaterThan(rounds / 2);
    expect(ahead).toBeGreaterThan(0);
  },
  60_000 + rounds * 400,
);

test(
  `killed in rollbacks (${rounds} rounds, seed ${seed})`,
  async () => {
    const random = seededRandom(seed + 1);
    let [kills, untouched] = [0, 0];
    for (let round = 0; round < rounds; round += 1) {
      const from = 1 + random(HEIGHTS);
      const target = random(from);
      const db = await filled(whole[from] as Dump);
      const killer = new CountedKiller(1 + random(12));
      const isKilled = await untilKilled(async () =>
        rollBack(new KillDb(db, killer), hasher, BigInt(target)),
      );
      if (isKilled) kills += 1;
      const finished = await finishRollback(db, hasher);
      // Killed before the mark was there: then nothing has been done.
      const isUntouched = isKilled && killer.passed === 0;
      if (isUntouched) untouched += 1;
      const expected = isUntouched ? from : target;
      const difference = differenceOf(await dumpOf(db), whole[expected]);
      expect(difference, `round ${round}`).toBeUndefined();
      if (finished !== undefined) expect(finished).toBe(BigInt(target));
      if (round % 5 !== 0) continue;
      const host = await ReplayHost.open(db, run, KEEP_ALL);
      host.assertRecorded();
      if (round % 20 === 0) await host.app.checkFullInvariants();
      while (host.height < target + 5 && (await host.next())) continue;
      expect(differenceOf(await dumpOf(db), whole[host.height])).toBeUndefined();
    }
    expect(kills).toBeGreaterThan(rounds / 2);
    expect(untouched).toBeGreaterThan(0);
  },
  60_000 + rounds * 400,
);

const restoreRounds = Math.ceil(rounds / 10);
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(async () => folder.remove());

test(
  `killed in restores of a snapshot (${restoreRounds} rounds, seed ${seed})`,
  async () => {
    const random = seededRandom(seed + 2);
    const height = 1 + random(HEIGHTS);
    const genesis = join(folder.path, "genesis.json");
    await mkdir(folder.path, { recursive: true });
    await writeGenesisFile(genesis, run.genesis);
    const snapshot = await createSnapshot({
      ...{ db: await filled(whole[HEIGHTS] as Dump), hasher, chainId: "settled-test" },
      ...{ genesisPath: genesis, height: BigInt(height), folder: folder.path, chunkBytes: 1000 },
    });
    expect(snapshot.chunks).toBeGreaterThan(10);
    let [kills, resumed] = [0, 0];
    for (let round = 0; round < restoreRounds; round += 1) {
      const home = join(folder.path, "home");
      // Killed until it comes through: points that grow, so that it does.
      for (let tries = 1; ; tries += 1) {
        const killer = new CountedKiller(1 + random(60) * tries);
        const restore = async () => {
          const result = await restoreSnapshot({
            ...{ file: snapshot.path, home, crypto: nodeCrypto() },
            config: resolveConfig({}),
            openApp: await loadOpenApp(),
            openDb: async (path) => new KillDb(await openLevelDb(path), killer),
            onProgress: () => killer.at("after"),
          });
          if (result.resumedChunks > 0) resumed += 1;
        };
        if (!(await untilKilled(restore))) break;
        kills += 1;
      }
      const db = await openLevelDb(databasePath(home));
      const host = await ReplayHost.open(db, run, KEEP_ALL);
      expect(host.height).toBe(height);
      host.assertRecorded();
      await host.app.checkFullInvariants();
      while (host.height < height + 5 && (await host.next())) continue;
      await db.close();
      await rm(home, { recursive: true });
    }
    expect(kills).toBeGreaterThan(restoreRounds / 2);
    expect(resumed).toBeGreaterThan(0);
  },
  60_000 + restoreRounds * 3000,
);
