import { describe, expect, test } from "vitest";
import { type Key, keyOfBytes, u48Key } from "../../../src/lib/key.ts";
import { nodeCrypto } from "../../../src/node/crypto_native.ts";
import { changeListPrefix, parseHistoryKey } from "../../../src/store/change_list.ts";
import type { Db } from "../../../src/store/db.ts";
import { openMemoryDb } from "../../../src/store/leveldb.ts";
import { loadStore } from "../../../src/store/load.ts";
import { dropHistory, HistoryPruner } from "../../../src/store/prune.ts";
import { commitStaged, openReader } from "../../../src/store/reader.ts";
import { revertTo } from "../../../src/store/rollback.ts";
import { Store } from "../../../src/store/store.ts";
import type { TimeNs } from "../../../src/types/time.ts";
import { dumpOf } from "../../crash/dump.ts";

const { hasher } = nodeCrypto();
const WALKED = "\x01\x01" as Key;
const key = (n: number) => `\x01\x02${String.fromCharCode(n)}` as Key;

async function storeOver(db: Db, keepHistory: number | "all" = "all"): Promise<Store> {
  const store = new Store({ db, iterablePrefixes: [WALKED], depth: 4, hasher, keepHistory });
  await loadStore(store, () => undefined);
  return store;
}

/** A block that writes its height to every one of some keys. */
async function block(store: Store, height: number, keys: readonly Key[]): Promise<void> {
  const overlay = store.overlay();
  for (const each of keys) overlay.set(each, Uint8Array.of(height & 255, height >> 8));
  store.stage(overlay, { height: BigInt(height), time: BigInt(height) as TimeNs });
  await commitStaged(store, []);
}

async function blocks(store: Store, from: number, to: number, keys = 3): Promise<void> {
  for (let height = from; height <= to; height += 1) {
    const written = Array.from({ length: keys }, (_, n) => key((height + n) % 7));
    await block(store, height, written);
  }
}

async function pruneAll(db: Db): Promise<number> {
  const pruner = new HistoryPruner(db);
  let steps = 0;
  while (await pruner.step()) steps += 1;
  return steps;
}

/** Heights of all history entries and change lists that there are. */
async function heightsOf(db: Db): Promise<{ entries: number[]; lists: number[] }> {
  const dump = await dumpOf(db);
  const entries = dump.filter((row) => row.key.startsWith("H"));
  const lists = dump.filter((row) => row.key.startsWith("C"));
  const distinct = (heights: number[]) => [...new Set(heights)].sort((a, b) => a - b);
  return {
    entries: distinct(entries.map((row) => parseHistoryKey(row.key as Key).height)),
    lists: distinct(lists.map((row) => Number.parseInt(hexOf(row.key.slice(1, 7)), 16))),
  };
}

function hexOf(text: string): string {
  return Buffer.from(text, "latin1").toString("hex");
}

describe("pruning history", () => {
  test("what can be read is left whole, and nothing else is left", async () => {
    const db = await openMemoryDb();
    const store = await storeOver(db, 5);
    await blocks(store, 0, 30);
    const expected = await readAll(db, 25, 30);
    expect((await heightsOf(db)).lists).toHaveLength(31);
    await pruneAll(db);
    expect(await readAll(db, 25, 30)).toEqual(expected);
    expect(await heightsOf(db)).toEqual({
      entries: [26, 27, 28, 29, 30],
      lists: [26, 27, 28, 29, 30],
    });
    const snapshot = db.snapshot();
    expect(() => openReader(snapshot, 24n)).toThrow(/heights 25 to 30 are kept/);
    await snapshot.close();
    // The chain goes back over what is left, and on from there.
    await revertTo(store, 25n);
    await blocks(store, 26, 30);
    expect(await readAll(db, 25, 30)).toEqual(expected);
  });

  test("an open reader answers from before it, whatever is pruned meanwhile", async () => {
    const db = await openMemoryDb();
    const store = await storeOver(db, 3);
    await blocks(store, 0, 20);
    const snapshot = db.snapshot();
    const reader = openReader(snapshot, 17n);
    const before = await rowsOf(reader);
    await blocks(store, 21, 60);
    await pruneAll(db);
    expect(await rowsOf(reader)).toEqual(before);
    await snapshot.close();
    const fresh = db.snapshot();
    expect(() => openReader(fresh, 17n)).toThrow(/are kept/);
    await fresh.close();
  });

  test("a step is bounded, also in a block that changes much", async () => {
    const db = await openMemoryDb();
    const store = await storeOver(db, 0);
    const many = Array.from({ length: 8000 }, (_, n) => `\x01\x02${u48Key(n)}` as Key);
    const history = await storeOver(db, "all");
    for (let height = 0; height < 3; height += 1) await block(history, height, many);
    expect((await heightsOf(db)).entries).toEqual([1, 2]);
    await loadStore(store, () => undefined);
    await block(store, 3, [key(1)]);
    const pruner = new HistoryPruner(db);
    let steps = 0;
    while (await pruner.step()) steps += 1;
    // 24,000 keys, 512 a step.
    expect(steps).toBeGreaterThan(45);
    expect(steps).toBeLessThan(52);
    expect(await heightsOf(db)).toEqual({ entries: [], lists: [] });
  });

  test("what a power cut brings back is pruned by the next pruner", async () => {
    const db = await openMemoryDb();
    await blocks(await storeOver(db, 5), 0, 30);
    const whole = await dumpOf(db);
    await pruneAll(db);
    const pruned = await dumpOf(db);
    const back = whole.filter(({ key: each }) => {
      const inList = each.startsWith(changeListPrefix(9)) || each.startsWith(changeListPrefix(20));
      return (
        inList || (each.startsWith("H") && [9, 20].includes(parseHistoryKey(each as Key).height))
      );
    });
    expect(back.length).toBeGreaterThan(4);
    const bytes = ({ key: each, value }: (typeof back)[number]) => {
      return { key: each, value: new Uint8Array(Buffer.from(value, "latin1")) };
    };
    await db.write(back.map(bytes));
    await pruneAll(db);
    expect(await dumpOf(db)).toEqual(pruned);
  });

  test("history can be given up on a stopped chain, never got back", async () => {
    const db = await openMemoryDb();
    await blocks(await storeOver(db), 0, 30);
    expect(await dropHistory(db, "all")).toBe(0);
    expect(await dropHistory(db, 4)).toBe(26);
    expect(await dropHistory(db, 20)).toBe(26);
    await pruneAll(db);
    expect((await heightsOf(db)).lists).toEqual([27, 28, 29, 30]);
    const store = await storeOver(db);
    await expect(revertTo(store, 20n)).rejects.toThrow(/the lowest height kept is 26/);
    await blocks(store, 31, 33);
    expect((await heightsOf(db)).lists).toEqual([27, 28, 29, 30, 31, 32, 33]);
  });
});

async function rowsOf(reader: ReturnType<typeof openReader>): Promise<[string, string][]> {
  const rows: [string, string][] = [];
  for await (const [each, value] of reader.range("" as Key)) rows.push([each, keyOfBytes(value)]);
  return rows;
}

async function readAll(db: Db, from: number, to: number): Promise<unknown[]> {
  const all: unknown[] = [];
  for (let height = from; height <= to; height += 1) {
    const snapshot = db.snapshot();
    all.push(await rowsOf(openReader(snapshot, BigInt(height))));
    await snapshot.close();
  }
  return all;
}
