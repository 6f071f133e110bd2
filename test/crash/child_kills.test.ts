import { appendFile, cp, mkdir, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nodeCrypto } from "../../src/node/crypto_native.ts";
import { writeGenesisFile } from "../../src/node/genesis_file.ts";
import { databasePath } from "../../src/node/home.ts";
import { finishRollback } from "../../src/node/rollback.ts";
import { createSnapshot } from "../../src/node/snapshot_create.ts";
import { openLevelDb } from "../../src/store/leveldb.ts";
import { temporaryFolder } from "../e2e/node_process.ts";
import type { Task } from "./child.ts";
import { crashSize } from "./crash_size.ts";
import { seededRandom } from "./random.ts";
import { recordRun } from "./recorded_run.ts";
import { type Keep, KEEP_ALL, type RecordedRun, ReplayHost } from "./replay_host.ts";
import { runChild } from "./run_child.ts";

const HEIGHTS = 120;
const KEEP: Keep = { keepHistory: 20, keepBlocks: 10 };
const { seed, rounds } = crashSize("KILLS", 2, 150);

let run: RecordedRun;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let base: Pick<Task, "run" | "keep">;

beforeAll(async () => {
  folder = await temporaryFolder();
  run = await recordRun(HEIGHTS, seed);
  base = { run: join(folder.path, "run.json"), keep: KEEP };
  await writeFile(base.run, JSON.stringify(run));
});
afterAll(async () => folder.remove());

/** Opens the database as it was left; its state must be that of the run. */
async function opened(path: string, keep: Keep) {
  const db = await openLevelDb(path);
  const host = await ReplayHost.open(db, run, keep);
  host.assertRecorded();
  return { host, db };
}

test(
  `a process that kills itself in commits and pruning (${rounds} rounds, seed ${seed})`,
  async () => {
    const random = seededRandom(seed);
    const path = join(folder.path, "commit");
    let told = 0;
    let kills = 0;
    for (let round = 0; round < rounds; round += 1) {
      const end = await runChild({ ...base, do: "commit", path, killAt: 1 + random(250) });
      told = end.height ?? told;
      if (end.isKilled) kills += 1;
      const { host, db } = await opened(path, KEEP);
      expect([told, told + 1], `round ${round}`).toContain(host.height);
      if (round % 5 === 0) await host.app.checkFullInvariants();
      told = host.height;
      await db.close();
      if (told < HEIGHTS - 10) continue;
      await rm(path, { recursive: true });
      told = 0;
    }
    expect(kills).toBeGreaterThan(0);
  },
  200_000 + rounds * 10_000,
);

test(
  `a process that kills itself in rollbacks (${rounds} rounds, seed ${seed})`,
  async () => {
    const random = seededRandom(seed + 1);
    const path = join(folder.path, "rollback");
    const keep = KEEP_ALL;
    await runChild({ ...base, do: "commit", path, keep, killAt: 0 });
    let [from, kills] = [HEIGHTS, 0];
    for (let round = 0; round < rounds; round += 1) {
      const target = random(from);
      const killAt = 1 + random(14);
      const end = await runChild({ ...base, do: "rollback", path, keep, killAt, target });
      if (end.isKilled) kills += 1;
      const left = await openLevelDb(path);
      const finished = await finishRollback(left, nodeCrypto().hasher);
      await left.close();
      const { host, db } = await opened(path, keep);
      // Killed before the mark was on disk: nothing has been done, and nothing is told.
      const isUntouched = end.isKilled && finished === undefined && host.height === from;
      expect(host.height, `round ${round}`).toBe(isUntouched ? from : target);
      if (isUntouched) expect(killAt).toBeLessThanOrEqual(2);
      while (host.height < HEIGHTS && (await host.next())) continue;
      from = host.height;
      if (round % 5 === 0) await host.app.checkFullInvariants();
      await db.close();
    }
    expect(kills).toBeGreaterThan(0);
  },
  200_000 + rounds * 10_000,
);

test(
  `a process that kills itself in restores of a snapshot (${rounds} rounds, seed ${seed})`,
  async () => {
    const random = seededRandom(seed + 2);
    const home = join(folder.path, "home");
    const genesisPath = join(folder.path, "genesis.json");
    await writeGenesisFile(genesisPath, run.genesis);
    const source = join(folder.path, "source");
    await runChild({ ...base, do: "commit", path: source, killAt: 0 });
    const sourceDb = await openLevelDb(source);
    const { path: snapshot } = await createSnapshot({
      ...{ db: sourceDb, hasher: nodeCrypto().hasher, chainId: "settled-test", genesisPath },
      ...{ height: BigInt(HEIGHTS - 5), folder: folder.path, chunkBytes: 1500 },
    });
    await sourceDb.close();
    let kills = 0;
    for (let round = 0; round < rounds; round += 1) {
      const killAt = 1 + random(300);
      const task = { ...base, do: "restore" as const, path: home, snapshot };
      const end = await runChild({ ...task, killAt });
      if (end.isKilled) {
        kills += 1;
        await runChild({ ...task, killAt: 0 });
      }
      const { host, db } = await opened(databasePath(home), KEEP);
      expect(host.height).toBe(HEIGHTS - 5);
      while (await host.next()) continue;
      await db.close();
      await rm(home, { recursive: true });
    }
    expect(kills).toBeGreaterThan(0);
  },
  200_000 + rounds * 10_000,
);

test(
  `a power cut that loses what was not synced (${rounds} rounds, seed ${seed})`,
  async () => {
    const random = seededRandom(seed + 3);
    const path = join(folder.path, "power");
    const after = join(folder.path, "after");
    let kept = 0;
    for (let round = 0; round < rounds; round += 1) {
      await rm(path, { recursive: true, force: true });
      await mkdir(path);
      const killAt = 80 + random(1200);
      // Enough junk for LevelDB to change its log and to compact while blocks are made.
      const junkBytes = [0, 2000, 800_000][random(3)] as number;
      const task = { ...base, do: "commit" as const, path, killAt, junkBytes };
      const { height: told = 0, logs, isKilled } = await runChild(task);
      for (let cut = 0; cut < 4; cut += 1) {
        await rm(after, { recursive: true, force: true });
        await cp(path, after, { recursive: true });
        await losePower(after, logs, random);
        const { host, db } = await opened(after, KEEP);
        expect(host.height, `round ${round}`).toBeGreaterThanOrEqual(told);
        expect(host.height, `round ${round}`).toBeLessThanOrEqual(told + (isKilled ? 1 : 0));
        if (cut === 0) await host.app.checkFullInvariants();
        kept += 1;
        await host.next();
        await db.close();
      }
    }
    expect(kept).toBe(rounds * 4);
  },
  200_000 + rounds * 20_000,
);

test("the simulated power cut takes what was not synced, and leaves what was", async () => {
  const [path, after] = [join(folder.path, "cut"), join(folder.path, "cut-after")];
  const db = await openLevelDb(path);
  const key = (text: string) => new TextEncoder().encode(text);
  await db.write([{ key: "synced", value: key("1") }]);
  const [name] = (await readdir(path)).filter((each) => each.endsWith(".log"));
  const { size } = await stat(join(path, name as string));
  await db.write([{ key: "loose", value: key("2") }], { sync: false });
  await cp(path, after, { recursive: true });
  await db.close();
  // A random number that is always 0 keeps nothing of what was not synced.
  expect(await losePower(after, [{ [name as string]: size }], () => 0)).toBeGreaterThan(0);
  const left = await openLevelDb(after);
  expect(await left.get(key("synced"))).toEqual(key("1"));
  expect(await left.get(key("loose"))).toBeUndefined();
  await left.close();
});

/**
 * Cuts the logs back to what was synced, with a part of the rest or with garbage in its place. The
 * tables and the manifest of LevelDB are synced before anything relies on them. A log that is not
 * among the sizes was begun after the last sync. Returns the bytes that were lost.
 */
async function losePower(
  path: string,
  logs: readonly Readonly<Record<string, number>>[],
  random: (below: number) => number,
): Promise<number> {
  let lost = 0;
  for (const name of (await readdir(path)).filter((each) => each.endsWith(".log"))) {
    const file = join(path, name);
    const { size } = await stat(file);
    const synced = syncedBytes(name, logs, size);
    const left = synced + (random(2) === 0 ? 0 : random(size - synced + 1));
    await truncate(file, left);
    lost += size - left;
    if (random(3) === 0) await appendFile(file, garbage(1 + random(4000), random));
  }
  return lost;
}

/**
 * What of a log is certainly on disk. A synced write is in the newest log; when that is new since
 * the sizes before, it may have been the last of the log before it.
 */
function syncedBytes(
  name: string,
  logs: readonly Readonly<Record<string, number>>[],
  size: number,
): number {
  let synced = 0;
  let before: string | undefined;
  for (const sizes of logs) {
    const newest = Object.keys(sizes).sort().at(-1);
    if (name === newest || name === before) synced = sizes[name] ?? synced;
    before = newest;
  }
  return Math.min(synced, size);
}

function garbage(length: number, random: (below: number) => number): Uint8Array {
  return Uint8Array.from({ length }, () => random(256));
}
