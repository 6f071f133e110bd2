import fc from "fast-check";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { bytesOfKey, type Key, keyOfBytes, prefixEnd } from "../../src/lib/key.ts";
import { verifyProof } from "../../src/lib/verify_proof.ts";
import { nodeCrypto } from "../../src/node/crypto_native.ts";
import { branchOf } from "../../src/store/branch_db.ts";
import type { Db, DbBatch, DbSnapshot } from "../../src/store/db.ts";
import { openLevelDb, openMemoryDb } from "../../src/store/leveldb.ts";
import { loadStore } from "../../src/store/load.ts";
import type { Overlay } from "../../src/store/overlay.ts";
import type { Reader } from "../../src/store/read_view.ts";
import { HistoryPruner } from "../../src/store/prune.ts";
import { openReader, proofsAt } from "../../src/store/reader.ts";
import { Store, stateKey } from "../../src/store/store.ts";
import type { TimeNs } from "../../src/types/time.ts";
import { runs, TIMEOUT } from "./runs.ts";

const { hasher } = nodeCrypto();

/** Committed and walked, derived and walked, committed with point reads, an index for queries. */
const PREFIXES = ["\x01\x01", "\x81\x02", "\x01\x03", "\xc1\x04"] as const;
const WALKED = [PREFIXES[0], PREFIXES[1]] as unknown as Key[];
const isIndex = (key: Key) => key.charCodeAt(0) >= 0xc0;

/** Few keys, some of them prefixes of others, so that they are written again and again. */
const key: fc.Arbitrary<Key> = fc
  .tuple(
    fc.constantFrom(...PREFIXES),
    fc.array(fc.constantFrom(0, 1, 0xfe, 0xff), { maxLength: 3 }),
  )
  .map(([prefix, bytes]) => (prefix + String.fromCharCode(...bytes)) as Key);

type Write = { key: Key; value: number | undefined };
type Action =
  | { do: "write"; writes: Write[]; nested: "keep" | "drop" | "none" }
  | { do: "commit"; overlap: boolean }
  | { do: "read"; at: number; prefix: Key; from: Key; reverse: boolean; limit: number }
  | { do: "hold"; at: number }
  | { do: "undo"; blocks: number }
  | { do: "branch"; writes: Write[][] }
  | { do: "prune"; steps: number }
  | { do: "reopen"; keepHistory: number | "all"; cacheBytes: number };

const writes = fc.array(fc.record({ key, value: fc.option(fc.nat(255), { nil: undefined }) }), {
  minLength: 1,
  maxLength: 8,
});
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("write" as const),
      writes,
      nested: fc.constantFrom("keep" as const, "drop" as const, "none" as const),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("commit" as const), overlap: fc.boolean() }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("read" as const),
      at: fc.nat(1000),
      prefix: fc.constantFrom(...PREFIXES, "", "\x01") as fc.Arbitrary<Key>,
      from: key,
      reverse: fc.boolean(),
      limit: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("hold" as const), at: fc.nat(1000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("undo" as const),
      blocks: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("branch" as const),
      writes: fc.array(writes, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("prune" as const), steps: fc.nat(20) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("reopen" as const),
      keepHistory: fc.constantFrom("all" as const, 0, 1, 3),
      cacheBytes: fc.constantFrom(0, 2000, 1_000_000),
    }),
  },
);

type Plain = Map<Key, number>;

function rowsOf(plain: Plain, prefix: Key): [Key, number][] {
  return [...plain]
    .filter(([each]) => each.startsWith(prefix))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The store with a plain map per height beside it. */
class Model {
  readonly db: Db;
  store: Store;
  overlay: Overlay;
  plain: Plain = new Map();
  /** What each height held; the index is the height. */
  heights: (Plain | undefined)[] = [];
  appHashes: Uint8Array[] = [];
  keepHistory: number | "all" = "all";
  earliest = 0;
  held: { snapshot: DbSnapshot; reader: Reader; plain: Plain }[] = [];
  /** The batch on its way to the disk. */
  writing: Promise<void> | undefined;

  constructor(db: Db) {
    this.db = db;
    this.store = this.newStore(1_000_000);
    this.overlay = this.store.overlay();
  }

  newStore(cacheBytes: number): Store {
    return new Store({
      db: this.db,
      iterablePrefixes: WALKED,
      depth: 4,
      hasher,
      cacheBytes,
      keepHistory: this.keepHistory,
      checkCreates: true,
    });
  }

  write(list: readonly Write[], nested: "keep" | "drop" | "none"): void {
    const plain = nested === "none" ? this.plain : new Map(this.plain);
    if (nested !== "none") this.overlay.begin();
    for (const { key: each, value } of list) writeBoth(this.overlay, plain, each, value);
    if (nested === "drop") this.overlay.drop();
    if (nested !== "keep") return;
    this.overlay.keep();
    this.plain = plain;
  }

  async commit(overlap: boolean): Promise<void> {
    const height = this.heights.length;
    const at = { height: BigInt(height), time: BigInt(height) as TimeNs };
    this.appHashes[height] = this.store.stage(this.overlay, at);
    this.heights.push(new Map(this.plain));
    this.overlay = this.store.overlay();
    await this.landed();
    const batch = this.db.batch();
    this.store.writeInto(batch);
    this.writing = batch.write({ sync: false });
    if (!overlap) await this.landed();
  }

  /** Waits for the batch under way; only then do readers see its block. */
  async landed(): Promise<void> {
    if (this.writing === undefined) return;
    await this.writing;
    this.store.written();
    this.writing = undefined;
    const { keepHistory } = this;
    const latest = this.latest;
    if (keepHistory !== "all") this.earliest = Math.max(this.earliest, latest - keepHistory);
  }

  /** On disk. */
  get latest(): number {
    return Number(this.store.version?.height ?? -1n);
  }

  async settle(): Promise<void> {
    await this.landed();
    // What was written and not committed is dropped.
    this.overlay = this.store.overlay();
    this.plain = new Map(this.heights.at(-1) ?? []);
  }

  /** Proofs of what keys held at a height against its app hash. */
  async checkProofs(height: number, plain: Plain): Promise<void> {
    const committed = allKeys.filter((each) => each.charCodeAt(0) < 0x80);
    const proofs = await proofsAt(this.store, BigInt(height), committed);
    for (const [index, each] of committed.entries()) {
      const value = plain.get(each);
      const claim = value === undefined ? null : Uint8Array.of(value);
      const [root, proof] = [this.appHashes[height] as Uint8Array, proofs[index] as Uint8Array];
      expect(verifyProof(root, bytesOfKey(each), claim, proof)).toBe(true);
      const other = value === undefined ? Uint8Array.of(1) : null;
      expect(verifyProof(root, bytesOfKey(each), other, proof)).toBe(false);
    }
  }

  /** Readers that were held open give the answers of their height still; they are closed. */
  async checkHeld(): Promise<void> {
    for (const { snapshot, reader, plain } of this.held.splice(0)) {
      await checkReader(reader, plain, EVERYTHING);
      await snapshot.close();
    }
  }

  /** What is in memory of the declared prefixes is what a scan of the disk finds. */
  async checkWalked(): Promise<void> {
    if (this.writing !== undefined) return;
    for (const prefix of WALKED) {
      const disk: [Key, number | undefined][] = [];
      const range = { gte: stateKey(prefix), lt: stateKey(prefixEnd(prefix) as Key) };
      for await (const [k, v] of this.db.range(range)) disk.push([keyOfBytes(k.subarray(1)), v[0]]);
      const memory = [...this.store.overlay().iterate(prefix)].map(([k, v]) => [k, v[0]]);
      expect(memory).toEqual(disk);
    }
  }

  checkMachine(): void {
    const { plain, overlay } = this;
    for (const [each, value] of plain) {
      if (!isIndex(each)) expect(overlay.get(each)?.[0]).toBe(value);
    }
    for (const prefix of WALKED) {
      const found = [...overlay.iterate(prefix)].map(([k, v]) => [k, v[0]]);
      expect(found).toEqual(rowsOf(plain, prefix));
      expect(overlay.countUnder(prefix)).toBe(found.length);
    }
  }
}

function writeBoth(target: Overlay, plain: Plain, each: Key, value: number | undefined): void {
  if (value === undefined) {
    target.delete(each);
    plain.delete(each);
    return;
  }
  const bytes = Uint8Array.of(value);
  if (plain.has(each)) target.set(each, bytes);
  else if (value % 2 === 0) target.create(each, bytes);
  else target.set(each, bytes);
  plain.set(each, value);
}

async function checkReader(
  reader: Reader,
  plain: Plain,
  range: { prefix: Key; from: Key; reverse: boolean; limit: number },
): Promise<void> {
  const { prefix, reverse, limit } = range;
  for (const each of allKeys) expect((await reader.get(each))?.[0]).toBe(plain.get(each));
  const from = range.from.startsWith(prefix) ? range.from : undefined;
  const bounds = reverse ? { to: from } : { from };
  const rows: [Key, number | undefined][] = [];
  for await (const [k, v] of reader.range(prefix, { ...bounds, reverse, limit })) {
    rows.push([k, v[0]]);
  }
  let expected = rowsOf(plain, prefix);
  if (from !== undefined) expected = expected.filter(([k]) => (reverse ? k < from : k >= from));
  if (reverse) expected.reverse();
  expect(rows).toEqual(expected.slice(0, limit));
}

const tails = ["", "\0", "\x01", "\xfe", "\xff", "\0\0", "\0\x01", "\xff\xff", "\0\xff\0"];
const allKeys = PREFIXES.flatMap((prefix) => tails.map((tail) => (prefix + tail) as Key));
const EVERYTHING = { prefix: "" as Key, from: "" as Key, reverse: false, limit: 10_000 };

async function step(model: Model, each: Action): Promise<void> {
  switch (each.do) {
    case "write":
      return model.write(each.writes, each.nested);
    case "commit":
      return model.commit(each.overlap);
    case "read":
    case "hold": {
      const { latest } = model;
      // A batch that lands just now may let go of the lowest heights.
      const { keepHistory } = model;
      const next = keepHistory === "all" ? 0 : model.heights.length - 1 - keepHistory;
      const earliest = Math.max(model.earliest, next);
      if (latest < 1 || earliest > latest) return;
      const height = Math.max(1, earliest + (each.at % (latest - earliest + 1)));
      const snapshot = model.db.snapshot();
      const wanted = height === latest ? 0n : BigInt(height);
      const reader = openReader(snapshot, wanted, model.store);
      // A batch that has landed, and is not yet known to have, shows at the latest height.
      if (wanted === 0n && reader.height !== BigInt(height)) return snapshot.close();
      const plain = model.heights[height] as Plain;
      if (each.do === "hold") model.held.push({ snapshot, reader, plain });
      else {
        await checkReader(reader, plain, each);
        await snapshot.close();
        if (model.keepHistory !== 0) await model.checkProofs(height, plain);
      }
      return;
    }
    case "undo": {
      await model.settle();
      const room = Math.min(each.blocks, model.latest - Math.max(model.earliest, 0));
      if (room <= 0 || model.keepHistory === 0) return;
      const batch = model.db.batch();
      for (let block = 0; block < room; block += 1) model.store.undo(batch);
      await batch.write({ sync: true });
      model.store.undoWritten();
      model.heights.length -= room;
      model.overlay = model.store.overlay();
      model.plain = new Map(model.heights.at(-1));
      return;
    }
    case "branch":
      return branch(model, each.writes);
    case "prune": {
      // Also while a block is on its way, as in a node.
      const pruner = new HistoryPruner(model.db);
      for (let done = 0; done < each.steps && (await pruner.step()); done += 1) continue;
      return;
    }
    case "reopen": {
      await model.settle();
      // Readers end with the process: they look into the memory of their store first.
      await model.checkHeld();
      model.keepHistory = each.keepHistory;
      model.store = model.newStore(each.cacheBytes);
      await loadStore(model.store, () => undefined);
      model.overlay = model.store.overlay();
    }
  }
}

/** Some blocks on a branch, while the chain itself goes on: neither sees the other. */
async function branch(model: Model, blocks: readonly Write[][]): Promise<void> {
  await model.settle();
  if (model.latest < 0) return;
  const { store, close } = branchOf(model.store);
  const plain = new Map(model.plain);
  const seen: Plain[] = [];
  const start = model.latest;
  for (const [index, list] of blocks.entries()) {
    const overlay = store.overlay();
    for (const { key: each, value } of list) writeBoth(overlay, plain, each, value);
    const height = start + 1 + index;
    const hash = store.stage(overlay, { height: BigInt(height), time: BigInt(height) as TimeNs });
    const batch = store.db.batch();
    store.writeInto(batch);
    await batch.write({ sync: false });
    store.written();
    seen.push(new Map(plain));
    model.write(list.slice(1), "none");
    await model.commit(false);
    expect(hash.length).toBe(32);
  }
  for (const [index, expected] of seen.entries()) {
    // A branch keeps as much history as the chain does.
    if (model.keepHistory !== "all" && index < seen.length - 1 - model.keepHistory) continue;
    const snapshot = store.db.snapshot();
    const reader = openReader(snapshot, BigInt(start + 1 + index), store);
    await checkReader(reader, expected, EVERYTHING);
    await checkReader(reader, expected, { ...EVERYTHING, reverse: true });
    await snapshot.close();
  }
  await close();
}

/** Writes take their time, so that a block is executed while another is on its way. */
function slowly(db: Db): Db {
  const batch = (): DbBatch => {
    const inner = db.batch();
    const write = inner.write.bind(inner);
    inner.write = async (options) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      return write(options);
    };
    return inner;
  };
  return new Proxy(db, {
    get: (target, name) => {
      if (name === "batch") return batch;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

async function onDisk(): Promise<Db> {
  const folder = mkdtempSync(join(tmpdir(), "settled-history-"));
  folders.push(folder);
  return openLevelDb(folder);
}

describe.each([
  ["memory", async () => slowly(await openMemoryDb()), 20],
  ["LevelDB", async () => slowly(await onDisk()), 6],
])("the history on %s", (_name, open, count) => {
  test(
    "answers at every kept height like a plain map per height, through overlays, overlap, reopening, pruning, undo and branches",
    async () => {
      const property = fc.asyncProperty(
        fc.array(action, { minLength: 20, maxLength: 80, size: "max" }),
        async (actions) => {
          const model = new Model(await open());
          await model.commit(false);
          for (const each of actions) {
            await step(model, each);
            model.checkMachine();
            await model.checkWalked();
          }
          await model.checkHeld();
          await model.settle();
          await model.db.close();
        },
      );
      await fc.assert(property, runs(count));
    },
    TIMEOUT,
  );
});
