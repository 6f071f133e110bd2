import type { AbstractLevel } from "abstract-level";
import { ClassicLevel } from "classic-level";
import { MemoryLevel } from "memory-level";
import { bytesOfKey, type Key } from "../lib/key.ts";
import type { BatchOp } from "../types/application.ts";
import type { Db, DbSnapshot, RangeInput } from "./db.ts";

type Level = AbstractLevel<Uint8Array, Uint8Array, Uint8Array>;

const ENCODINGS = { keyEncoding: "view", valueEncoding: "view" } as const;

/**
 * Opens the LevelDB folder, made when absent.
 * @param location a folder that no other process has open
 * @param cacheBytes LevelDB's own block cache
 */
export async function openLevelDb(location: string, cacheBytes = 32 * 1024 * 1024): Promise<Db> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(location, {
    ...ENCODINGS,
    cacheSize: cacheBytes,
    writeBufferSize: 16 * 1024 * 1024,
  });
  await level.open();
  return new LevelDb(level as unknown as Level);
}

/** The same code over memory, for tests and the test kit. */
export async function openMemoryDb(): Promise<Db> {
  const level = new MemoryLevel<Uint8Array, Uint8Array>({ ...ENCODINGS, storeEncoding: "view" });
  await level.open();
  return new LevelDb(level as unknown as Level);
}

class LevelDb implements Db {
  readonly #level: Level;

  constructor(level: Level) {
    this.#level = level;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return plain(await this.#level.get(key));
  }

  range(input: RangeInput): AsyncIterable<[Uint8Array, Uint8Array]> {
    return plainEntries(this.#level.iterator(bounds(input)));
  }

  snapshot(): DbSnapshot {
    const level = this.#level;
    const snapshot = level.snapshot();
    return {
      get: async (key) => plain(await level.get(key, { snapshot })),
      range: (input) => plainEntries(level.iterator({ ...bounds(input), snapshot })),
      close: async () => snapshot.close(),
    };
  }

  async write(ops: readonly BatchOp[], options: { sync?: boolean } = {}): Promise<void> {
    // A chained batch: array batches with byte encodings are several times slower.
    const batch = this.#level.batch();
    for (const { key, value } of ops) {
      const bytes = bytesOfKey(key as Key);
      if (value === undefined) batch.del(bytes);
      else batch.put(bytes, value);
    }
    await batch.write({ sync: options.sync ?? true } as object);
  }

  async close(): Promise<void> {
    await this.#level.close();
  }
}

/** LevelDB hands out Node Buffers, whose slice() is no copy: everyone else expects plain bytes. */
function plain<T extends Uint8Array | undefined>(bytes: T): T {
  if (bytes === undefined || bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) as T;
}

async function* plainEntries(
  entries: AsyncIterable<[Uint8Array, Uint8Array]>,
): AsyncGenerator<[Uint8Array, Uint8Array]> {
  for await (const [key, value] of entries) yield [plain(key), plain(value)];
}

function bounds({ gte, lt, reverse, limit }: RangeInput) {
  return {
    gte,
    ...(lt === undefined ? {} : { lt }),
    reverse: reverse ?? false,
    limit: limit ?? -1,
  };
}
