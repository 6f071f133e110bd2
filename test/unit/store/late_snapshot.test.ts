import { expect, test } from "vitest";
import type { Key } from "../../../src/lib/key.ts";
import { Overlay } from "../../../src/store/overlay.ts";
import type { Reader } from "../../../src/store/read_view.ts";
import { commitStaged, readAt } from "../../../src/store/reader.ts";
import { openMemoryDb } from "../../../src/store/leveldb.ts";
import { Store } from "../../../src/store/store.ts";
import { portableCrypto } from "../../../src/types/portable_crypto.ts";
import type { TimeNs } from "../../../src/types/time.ts";

const A = "\x01\x01a" as Key;
/** A query index: memory never knows it. */
const INDEX = "\xc1\x01b" as Key;

async function openStore() {
  let snapshots = 0;
  const db = await openMemoryDb();
  const counted = new Proxy(db, {
    get: (target, name) => {
      if (name === "snapshot") {
        return () => {
          snapshots += 1;
          return target.snapshot();
        };
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const store = new Store({
    ...{ db: counted, iterablePrefixes: [], depth: 4 },
    hasher: portableCrypto.hasher,
  });
  let height = 0n;
  const block = async (value: number): Promise<void> => {
    const overlay = store.overlay();
    expect(overlay).toBeInstanceOf(Overlay);
    overlay.set(A, Uint8Array.of(value));
    overlay.set(INDEX, Uint8Array.of(value));
    store.stage(overlay, { height, time: (1n + height) as TimeNs });
    await commitStaged(store, []);
    height += 1n;
  };
  const read = <R>(answer: (reader: Reader) => Promise<R>): Promise<R> =>
    readAt<R>({
      ...{ store, height: 0n, fromMemory: true },
      read: (reader) => ({ answer: answer(reader), finish: (found: R) => found }),
      failed: (error) => {
        throw error;
      },
    });
  return { block, read, taken: () => snapshots };
}

test("what memory answers needs no snapshot; what it does not know, one", async () => {
  const { block, read, taken } = await openStore();
  await block(1);
  expect(await read(async (reader) => reader.get(A))).toEqual(Uint8Array.of(1));
  expect(taken()).toBe(0);
  const both = async (reader: Reader) => [await reader.get(INDEX), await reader.get(INDEX)];
  expect(await read(both)).toEqual([Uint8Array.of(1), Uint8Array.of(1)]);
  expect(taken()).toBe(1);
});

test("a read that asks the disk after a block began again, and is of one height", async () => {
  const { block, read, taken } = await openStore();
  await block(1);
  let attempts = 0;
  const found = await read(async (reader) => {
    attempts += 1;
    const first = await reader.get(A);
    if (attempts === 1) await block(2);
    return { height: reader.height, first, second: await reader.get(INDEX) };
  });
  expect(found).toEqual({ height: 1n, first: Uint8Array.of(2), second: Uint8Array.of(2) });
  expect({ attempts, snapshots: taken() }).toEqual({ attempts: 2, snapshots: 1 });
});

test("a read whose error was caught begins again all the same", async () => {
  const { block, read } = await openStore();
  await block(1);
  let attempts = 0;
  const found = await read(async (reader) => {
    attempts += 1;
    if (attempts === 1) await block(2);
    return reader.get(INDEX).catch(() => "caught");
  });
  expect(found).toEqual(Uint8Array.of(2));
});
