import { readdirSync, readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { nodeCrypto } from "../../src/node/crypto_native.ts";
import { resolveConfig } from "../../src/node/config.ts";
import { silentLog } from "../../src/node/log.ts";
import { PruneLoop } from "../../src/node/prune_loop.ts";
import { rollBack } from "../../src/node/rollback.ts";
import { restoreSnapshot } from "../../src/node/snapshot_restore.ts";
import { loadOpenApp } from "../../src/cli/open_app.ts";
import { openLevelDb } from "../../src/store/leveldb.ts";
import type { BatchOp } from "../../src/types/application.ts";
import { CountedKiller, KillDb, type Killer } from "./kill_db.ts";
import { type Keep, type RecordedRun, ReplayHost } from "./replay_host.ts";

/** What a child does until it kills itself. Paths are absolute. */
export interface Task {
  readonly do: "commit" | "rollback" | "restore";
  /** The recorded run as JSON. */
  readonly run: string;
  /** Folder of the database; of the home for a restore. */
  readonly path: string;
  readonly keep: Keep;
  /** At which point of all writes it dies; 0: never. */
  readonly killAt: number;
  /** Of a rollback. */
  readonly target?: number;
  /** Of a restore. */
  readonly snapshot?: string;
  /** Bytes of junk that every block writes besides, so that LevelDB changes its files. */
  readonly junkBytes?: number;
}

/** Lines on stdout: {"height"} when a block is told of, {"logs"} when a synced write is on disk. */
export type Line =
  | { readonly height: number }
  | { readonly logs: Readonly<Record<string, number>> }
  | { readonly done: true };

function tell(line: Line): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

/** SIGKILL: nothing of this process runs on, and what it had not given to the system is lost. */
function die(): void {
  process.kill(process.pid, "SIGKILL");
  // The signal is delivered by the kernel at its leisure.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
}

/** How long the logs of a database are. */
function logSizes(path: string): Record<string, number> {
  const logs = readdirSync(path).filter((name) => name.endsWith(".log"));
  return Object.fromEntries(
    logs.map((name) => [name, statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0]),
  );
}

function killerOf({ killAt, path, do: what }: Task): Killer {
  const counted = new CountedKiller(killAt === 0 ? Number.MAX_SAFE_INTEGER : killAt, die);
  if (what === "restore") return counted;
  return { at: (point) => counted.at(point), synced: () => tell({ logs: logSizes(path) }) };
}

async function commit(task: Task, run: RecordedRun): Promise<void> {
  const db = new KillDb(await openLevelDb(task.path), killerOf(task));
  const host = await ReplayHost.open(db, run, task.keep);
  const { hasher } = nodeCrypto();
  const pruning = new PruneLoop({ db, hasher, store: host.store, log: silentLog });
  pruning.start();
  const junk = junkOf(task.junkBytes ?? 0);
  while (await host.next(junk(host.height))) {
    tell({ height: host.height });
    // What a power cut may take, besides the deletions of pruning.
    await db.write([{ key: "Zloose", value: new Uint8Array(64) }], { sync: false });
  }
  await pruning.stop();
  await db.close();
}

/** Other bytes at every height: LevelDB would compress equal ones away. */
function junkOf(bytes: number): (height: number) => BatchOp[] {
  return (height) => {
    if (bytes === 0) return [];
    const value = new Uint8Array(bytes);
    let state = height + 1;
    for (let at = 0; at < bytes; at += 1) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      value[at] = state >>> 16;
    }
    return [{ key: `Zjunk${height % 8}`, value }];
  };
}

async function rollback(task: Task): Promise<void> {
  const db = new KillDb(await openLevelDb(task.path), killerOf(task));
  await rollBack(db, nodeCrypto().hasher, BigInt(task.target ?? 0));
  await db.close();
}

async function restore(task: Task): Promise<void> {
  const killer = killerOf(task);
  await restoreSnapshot({
    ...{ file: task.snapshot as string, home: task.path, crypto: nodeCrypto() },
    ...{ config: resolveConfig({}), openApp: await loadOpenApp() },
    openDb: async (path) => new KillDb(await openLevelDb(path), killer),
    onProgress: () => killer.at("after"),
  });
}

const task = JSON.parse(process.argv[2] as string) as Task;
const recorded = JSON.parse(readFileSync(task.run, "utf8")) as RecordedRun;
if (task.do === "commit") await commit(task, recorded);
else if (task.do === "rollback") await rollback(task);
else await restore(task);
tell({ done: true });
