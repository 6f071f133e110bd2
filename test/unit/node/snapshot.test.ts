import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { loadOpenApp } from "../../../src/cli/open_app.ts";
import { toHex } from "../../../src/lib/bytes.ts";
import { resolveConfig } from "../../../src/node/config.ts";
import { nodeCrypto } from "../../../src/node/crypto_native.ts";
import { genesisPath, writeGenesisFile } from "../../../src/node/genesis_file.ts";
import { databasePath, openHome, restoringPath } from "../../../src/node/home.ts";
import { createSnapshot } from "../../../src/node/snapshot_create.ts";
import {
  listSnapshots,
  SnapshotFile,
  snapshotAt,
  verifySnapshot,
} from "../../../src/node/snapshot_files.ts";
import { encodeChunk, encodeEnd, encodeSnapshotHeader } from "../../../src/node/snapshot_format.ts";
import { restoreSnapshot } from "../../../src/node/snapshot_restore.ts";
import { openReader } from "../../../src/store/reader.ts";
import { openLevelDb, openMemoryDb } from "../../../src/store/leveldb.ts";
import type { Db } from "../../../src/store/db.ts";
import { recordRun } from "../../crash/recorded_run.ts";
import { KEEP_ALL, type RecordedRun, ReplayHost } from "../../crash/replay_host.ts";
import { temporaryFolder } from "../../e2e/node_process.ts";

const crypto = nodeCrypto();
const { hasher } = crypto;
const HEIGHT = 40;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let run: RecordedRun;
let db: Db;
let genesis: string;
/** A snapshot of HEIGHT, which later blocks stand on. */
let good: string;
let cases = 0;
let here: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  run = await recordRun(HEIGHT + 20, 3);
  db = await openMemoryDb();
  const host = await ReplayHost.open(db, run, KEEP_ALL);
  while (await host.next()) continue;
  genesis = join(folder.path, "genesis.json");
  await writeGenesisFile(genesis, run.genesis);
  good = (await create(join(folder.path, "good"))).path;
});

afterAll(async () => folder.remove());

beforeEach(async () => {
  cases += 1;
  here = join(folder.path, `case-${cases}`);
  await mkdir(here);
});

async function create(to: string, onProgress: (chunks: number) => void = () => undefined) {
  return createSnapshot({
    ...{ db, hasher, chainId: "settled-test", genesisPath: genesis, height: BigInt(HEIGHT) },
    ...{ folder: to, chunkBytes: 2000 },
    onProgress: ({ chunks }) => onProgress(chunks),
  });
}

async function restore(
  file: string,
  home: string,
  onProgress: (step: string, done: number) => void = () => undefined,
) {
  return restoreSnapshot({
    ...{ file, home, crypto, config: resolveConfig({}), openApp: await loadOpenApp() },
    openDb: async (path) => openLevelDb(path),
    onProgress: ({ step, done }) => onProgress(step, done),
  });
}

/** Copies the good snapshot with one byte turned. */
async function damaged(at: number, name = "bad.snapshot"): Promise<string> {
  const bytes = await readFile(good);
  bytes[at] = (bytes[at] as number) ^ 1;
  const path = join(here, name);
  await writeFile(path, bytes);
  return path;
}

async function offsets(): Promise<{ first: number; ends: number[]; bytes: number }> {
  const file = await SnapshotFile.open(good, hasher);
  const ends: number[] = [];
  for await (const { endOffset } of file.chunks()) ends.push(endOffset);
  await file.close();
  return { first: file.firstOffset, ends, bytes: file.bytes };
}

describe("a snapshot", () => {
  test("is the whole state of its height, and the chain goes on from it", async () => {
    const home = join(here, "home");
    const restored = await restore(good, home);
    expect(toHex(restored.appHash)).toBe(run.appHashes[HEIGHT]);
    const copy = await openLevelDb(databasePath(home));
    const host = await ReplayHost.open(copy, run, KEEP_ALL);
    expect(host.height).toBe(HEIGHT);
    host.assertRecorded();
    await host.app.checkFullInvariants();
    expect(host.store.tip).toEqual({ latest: BigInt(HEIGHT), earliest: BigInt(HEIGHT) });
    expect(await rowsOf(copy)).toEqual(await rowsOf(db));
    const original = await ReplayHost.open(db, run, KEEP_ALL);
    for (const part of ["block", "results"] as const) {
      expect(await host.store[part](BigInt(HEIGHT))).toEqual(
        await original.store[part](BigInt(HEIGHT)),
      );
    }
    while (await host.next()) continue;
    expect(host.height).toBe(HEIGHT + 20);
    await host.app.checkFullInvariants();
    const snapshot = copy.snapshot();
    expect(() => openReader(snapshot, BigInt(HEIGHT - 1))).toThrow(`heights ${HEIGHT} to`);
    expect(openReader(snapshot, BigInt(HEIGHT)).height).toBe(BigInt(HEIGHT));
    await snapshot.close();
    await copy.close();
    expect(JSON.parse(await readFile(genesisPath(home), "utf8"))).toEqual(run.genesis);
  });

  test("has the same bytes whoever makes it, of the latest height or an earlier one", async () => {
    const other = await openMemoryDb();
    const host = await ReplayHost.open(other, run, KEEP_ALL);
    while (host.height < HEIGHT && (await host.next())) continue;
    const { path } = await createSnapshot({
      ...{ db: other, hasher, chainId: "settled-test", genesisPath: genesis, height: 0n },
      ...{ folder: here, chunkBytes: 2000 },
    });
    expect((await readFile(path)).equals(await readFile(good))).toBe(true);
  });

  test("that is cut short goes on behind its last good chunk", async () => {
    const whole = await readFile(good);
    const stop = async () =>
      create(here, (chunks) => {
        if (chunks === 9) throw new Error("stopped");
      });
    await expect(stop()).rejects.toThrow("stopped");
    const partial = join(here, `settled-test-${HEIGHT}.snapshot.partial`);
    const size = (await stat(partial)).size;
    expect(await listSnapshots(here, hasher)).toMatchObject([{ fault: "not finished" }]);
    await expect(snapshotAt(here, hasher)).rejects.toThrow("no finished snapshot");
    // The last chunk is torn: only those before it count.
    await truncate(partial, size - 5);
    const created = await create(here);
    expect(created.resumedChunks).toBe(8);
    expect((await readFile(created.path)).equals(whole)).toBe(true);
    await expect(create(here)).rejects.toThrow("exists already");
    await expect(stat(partial)).rejects.toThrow("ENOENT");
  });

  test("of a height that is not kept is refused", async () => {
    const input = { db, hasher, chainId: "x", genesisPath: genesis, folder: here };
    const make = async (height: bigint) => createSnapshot({ ...input, height });
    await expect(make(1000n)).rejects.toThrow("the latest is 60");
    await expect(make(-1n)).rejects.toThrow("cannot query at height");
  });

  test("is listed with what it holds", async () => {
    await copyFile(good, join(here, "one.snapshot"));
    await writeFile(join(here, "two.snapshot"), "not a snapshot at all");
    await writeFile(join(here, "notes.txt"), "");
    const [bad, one] = await listSnapshots(here, hasher);
    expect(bad).toMatchObject({ fault: expect.stringContaining("no snapshot file") as string });
    expect(one?.header).toMatchObject({ chainId: "settled-test", height: BigInt(HEIGHT) });
    expect(toHex(one?.header?.appHash as Uint8Array)).toBe(run.appHashes[HEIGHT]);
    expect(one?.end?.keyCount).toBe((await rowsOf(db)).length);
    expect(await snapshotAt(here, hasher)).toBe(join(here, "one.snapshot"));
    expect(await listSnapshots(join(here, "none"), hasher)).toEqual([]);
  });

  test("is listed among what is none, whatever that says of itself", async () => {
    await copyFile(good, join(here, "one.snapshot"));
    await mkdir(join(here, "folder.snapshot"));
    const header = { format: 4, chain_id: "x", height: "1", time: "0", app_hash: "00".repeat(32) };
    const faults: [string, string][] = [
      ["null", "no JSON object"],
      ["{", "no JSON object"],
      [JSON.stringify({ ...header, format: 5 }), "format 5 is not known here"],
      [JSON.stringify({ ...header, height: "-1" }), "not what a snapshot says first"],
      [JSON.stringify({ ...header, height: "1e3" }), "not what a snapshot says first"],
      [JSON.stringify({ ...header, time: "" }), "not what a snapshot says first"],
      [JSON.stringify({ ...header, app_hash: "00" }), "not what a snapshot says first"],
    ];
    for (const [index, [json, fault]] of faults.entries()) {
      const path = join(here, `${index}.snapshot`);
      await writeFile(path, withHeader(json));
      await expect(verifySnapshot(path, hasher)).rejects.toThrow(`${path}: `);
      await expect(verifySnapshot(path, hasher)).rejects.toThrow(fault);
    }
    const listed = await listSnapshots(here, hasher);
    const found = listed.filter(({ fault }) => fault === undefined);
    expect(found.map(({ path }) => path)).toEqual([join(here, "one.snapshot")]);
    expect(listed).toHaveLength(faults.length + 2);
  });
});

/** A file with a header whose checksum is right. */
function withHeader(json: string): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  const body = Buffer.concat([length, Buffer.from(json)]);
  return Buffer.concat([Buffer.from("settled snapshot"), body, hasher.sha256(body)]);
}

describe("a damaged snapshot", () => {
  test("is refused by the first bad chunk before a home is touched", async () => {
    const { ends } = await offsets();
    const bad = await damaged((ends[4] as number) - 40);
    const bytes = await readFile(bad);
    bytes[(ends[8] as number) - 40] = (bytes[(ends[8] as number) - 40] as number) ^ 1;
    await writeFile(bad, bytes);
    const home = join(here, "home");
    const pattern = new RegExp(
      `chunk 5 of ${ends.length}: checksum [0-9a-f]{64}, expected [0-9a-f]{64}`,
    );
    await expect(restore(bad, home)).rejects.toThrow(pattern);
    await expect(stat(home)).rejects.toThrow("ENOENT");
  });

  test("never gets through, whichever byte is turned", async () => {
    const { bytes } = await offsets();
    const step = Math.ceil(bytes / 400);
    for (let at = 0; at < bytes; at += at < 300 || at > bytes - 150 ? 1 : step) {
      const path = await damaged(at);
      await expect(verifySnapshot(path, hasher), `byte ${at}`).rejects.toThrow(/bad\.snapshot: /);
    }
  });

  test("never gets through cut off, with chunks swapped, left out or of another snapshot", async () => {
    const { first, ends, bytes } = await offsets();
    const whole = await readFile(good);
    const path = join(here, "bad.snapshot");
    for (const length of [
      10,
      first - 1,
      first,
      (ends[3] as number) - 1,
      ends[3] as number,
      bytes - 1,
    ]) {
      await writeFile(path, whole.subarray(0, length));
      await expect(verifySnapshot(path, hasher), `${length} bytes`).rejects.toThrow();
    }
    const piece = (index: number) =>
      whole.subarray(index === 0 ? first : ends[index - 1], ends[index]);
    const pieces = ends.map((_, index) => piece(index));
    const [start, end] = [whole.subarray(0, first), whole.subarray(ends.at(-1))];
    const swapped = [...pieces];
    [swapped[5], swapped[6]] = [piece(6), piece(5)];
    await writeFile(path, Buffer.concat([start, ...swapped, end]));
    await expect(verifySnapshot(path, hasher)).rejects.toThrow(/chunk 6 of \d+: it is chunk 7/);
    await writeFile(path, Buffer.concat([start, ...pieces.slice(0, -1), end]));
    await expect(verifySnapshot(path, hasher)).rejects.toThrow(/chunk \d+ of/);
    await writeFile(path, Buffer.concat([whole, Buffer.from("more")]));
    await expect(verifySnapshot(path, hasher)).rejects.toThrow();
  });
});

describe("a restore", () => {
  test("that is cut short lets no node start, and goes on where it was", async () => {
    const home = join(here, "home");
    const { ends } = await offsets();
    const stop = async () =>
      restore(good, home, (step, done) => {
        if (step === "restore" && done >= (ends[7] as number)) throw new Error("stopped");
      });
    await expect(stop()).rejects.toThrow("stopped");
    const start = openHome(home, resolveConfig({}), undefined);
    await expect(start).rejects.toThrow(/only half restored .*snapshot restore/);
    expect((await restore(good, home)).resumedChunks).toBe(8);
    const copy = await openLevelDb(databasePath(home));
    (await ReplayHost.open(copy, run, KEEP_ALL)).assertRecorded();
    await copy.close();
    await expect(stat(restoringPath(home))).rejects.toThrow("ENOENT");
    const open = await openHome(home, resolveConfig({}), undefined);
    await open.close();
  });

  test("does not mix two snapshots, and does not touch a chain that is there", async () => {
    const home = join(here, "home");
    const stop = async () =>
      restore(good, home, (step) => {
        if (step === "restore") throw new Error("stopped");
      });
    await expect(stop()).rejects.toThrow("stopped");
    const { path: other } = await createSnapshot({
      ...{ db, hasher, chainId: "settled-test", genesisPath: genesis, height: 30n },
      folder: here,
    });
    await expect(restore(other, home)).rejects.toThrow("a part of another snapshot");
    await rm(restoringPath(home), { recursive: true });
    await restore(other, home);
    const before = await readFile(genesisPath(home));
    await expect(restore(good, home)).rejects.toThrow("has a chain already");
    expect((await readFile(genesisPath(home))).equals(before)).toBe(true);
  });

  test("of which only names are left to move is finished by its own snapshot alone", async () => {
    const home = join(here, "home");
    const { path: other } = await createSnapshot({
      ...{ db, hasher, chainId: "settled-test", genesisPath: genesis, height: 30n },
      folder: here,
    });
    await restore(good, home);
    // As a kill between the moves of database and genesis leaves it.
    await mkdir(restoringPath(home));
    await rename(genesisPath(home), join(restoringPath(home), "genesis.json"));
    const { end } = await SnapshotFile.open(good, hasher).then(async (file) => {
      await file.close();
      return file;
    });
    await writeFile(join(restoringPath(home), "snapshot"), toHex(end?.digest as Uint8Array));
    await expect(restore(other, home)).rejects.toThrow("a part of another snapshot");
    await expect(stat(genesisPath(home))).rejects.toThrow("ENOENT");
    expect((await restore(good, home)).height).toBe(BigInt(HEIGHT));
    await (await openHome(home, resolveConfig({}), undefined)).close();
  });

  test("does not write over the genesis of a home that was made meanwhile", async () => {
    const home = join(here, "home");
    const stop = async () =>
      restore(good, home, (step) => {
        if (step === "restore") throw new Error("stopped");
      });
    await expect(stop()).rejects.toThrow("stopped");
    await mkdir(join(home, "config"), { recursive: true });
    await writeFile(genesisPath(home), "mine");
    await expect(restore(good, home)).rejects.toThrow("has a chain already");
    expect(await readFile(genesisPath(home), "utf8")).toBe("mine");
  });

  test("of a block with keys that no block has is refused", async () => {
    const file = await SnapshotFile.open(good, hasher);
    const parts = [encodeSnapshotHeader(file.header, hasher)];
    const digest = createHash("sha256").update((parts[0] as Uint8Array).slice(-32));
    for await (const chunk of file.chunks()) {
      const payload = Uint8Array.from(chunk.payload);
      // The first key of a block begins behind the lengths of key and value.
      if (chunk.kind === "B") payload[6] = "S".charCodeAt(0);
      parts.push(encodeChunk({ ...chunk, payload }, hasher));
      digest.update((parts.at(-1) as Uint8Array).slice(-32));
    }
    await file.close();
    const end = { ...(file.end as NonNullable<typeof file.end>), digest: digest.digest() };
    const path = join(here, "forged.snapshot");
    await writeFile(path, Buffer.concat([...parts, encodeEnd(end, hasher)]));
    await verifySnapshot(path, hasher);
    await expect(restore(path, join(here, "home"))).rejects.toThrow("a key that no block has");
  });

  test("of a state that is not of its app hash is refused at the end", async () => {
    const forged = await openMemoryDb();
    for await (const [at, value] of db.range({ gte: new Uint8Array(0) })) {
      await forged.write([{ key: Buffer.from(at).toString("latin1"), value }]);
    }
    // One more key of a committed class, in a snapshot whose every checksum is right.
    const later = new Uint8Array(7);
    await forged.write([{ key: "S\x01\x7fforged", value: later }]);
    const { path } = await createSnapshot({
      ...{ db: forged, hasher, chainId: "settled-test", genesisPath: genesis, folder: here },
      height: BigInt(HEIGHT),
    });
    await verifySnapshot(path, hasher);
    const home = join(here, "home");
    await expect(restore(path, home)).rejects.toThrow(/its state does not hold together/);
    await expect(openHome(home, resolveConfig({}), undefined)).rejects.toThrow("half restored");
  });
});

describe("a snapshot whose app hash is right", () => {
  test("is refused when it lacks a natural key, which the app hash does not cover", async () => {
    const prefix = "\x83\x05";
    const forged = await openMemoryDb();
    let left: string | undefined;
    for await (const [at, value] of db.range({ gte: new Uint8Array(0) })) {
      const key = Buffer.from(at).toString("latin1");
      // A later block may have written it: of the height itself is what is old enough.
      const isWanted = left === undefined && key.startsWith(`S${prefix}`);
      if (isWanted && Buffer.from(value).readUIntBE(value.length - 6, 6) <= HEIGHT) left = key;
      else await forged.write([{ key, value }]);
    }
    expect(left).toBeDefined();
    const { path } = await createSnapshot({
      ...{ db: forged, hasher, chainId: "settled-test", genesisPath: genesis, folder: here },
      height: BigInt(HEIGHT),
    });
    await expect(restore(path, join(here, "home"))).rejects.toThrow("derived keys settlement");
  });
});

async function rowsOf(of: Db): Promise<[string, string][]> {
  const snapshot = of.snapshot();
  const rows: [string, string][] = [];
  for await (const [key, value] of openReader(snapshot, BigInt(HEIGHT)).range("" as never)) {
    rows.push([key, toHex(value)]);
  }
  await snapshot.close();
  return rows;
}
