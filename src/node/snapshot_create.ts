import type { Hash } from "node:crypto";
import { type FileHandle, mkdir, open, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { equalBytes } from "../lib/bytes.ts";
import type { Key } from "../lib/key.ts";
import type { Db } from "../store/db.ts";
import { openReader } from "../store/reader.ts";
import {
  CHUNK_BYTES_MAX,
  chunksOf,
  type EntryChunk,
  entriesOf,
  stateChunks,
} from "../store/snapshot.ts";
import type { Hasher } from "../types/crypto.ts";
import { BlockStore, blockOps, genesisOps } from "./block_store.ts";
import { syncFolder } from "./files.ts";
import { PARTIAL_SUFFIX, SNAPSHOT_SUFFIX, SnapshotFile } from "./snapshot_files.ts";
import {
  CHECKSUM_BYTES,
  type ChunkKind,
  encodeChunk,
  encodeEnd,
  encodeSnapshotHeader,
  FORMAT_VERSION,
  SnapshotError,
  type SnapshotHeader,
} from "./snapshot_format.ts";

export interface CreateInput {
  readonly db: Db;
  readonly hasher: Hasher;
  readonly chainId: string;
  /** The home's genesis file, which goes into the snapshot as it is. */
  readonly genesisPath: string;
  /** 0n for the latest. */
  readonly height: bigint;
  /** Folder of the snapshot, made when absent. */
  readonly folder: string;
  /** Bytes of a chunk, at most and by default 4 MiB. */
  readonly chunkBytes?: number;
  readonly onProgress?: (progress: CreateProgress) => void;
}

export interface CreateProgress {
  readonly chunks: number;
  readonly keys: number;
  readonly bytes: number;
}

export interface CreatedSnapshot extends CreateProgress {
  readonly path: string;
  readonly header: SnapshotHeader;
  /** Chunks that an earlier, unfinished run had written. */
  readonly resumedChunks: number;
}

interface Walk {
  readonly good: GoodChunks;
  keys: number;
  chunks: number;
  bytes: number;
}

/**
 * Writes the state of one kept height, with its block, to a file of its own. What an unfinished run
 * left of the same height is kept as far as its checksums hold. The file has its name only when it
 * is whole and on disk.
 * @throws ChainError sdk/26 for a height whose state is not kept, SnapshotError for one without a
 * block
 */
export async function createSnapshot(input: CreateInput): Promise<CreatedSnapshot> {
  const { db, hasher, chainId, folder, chunkBytes = CHUNK_BYTES_MAX } = input;
  const snapshot = db.snapshot();
  try {
    const reader = openReader(snapshot, input.height);
    const block = await blockEntries(db, hasher, reader.height);
    const { height, time } = reader;
    const { appHash } = block;
    const header: SnapshotHeader = { format: FORMAT_VERSION, chainId, height, time, appHash };
    const name = `${chainId.replaceAll(/[^0-9A-Za-z._-]/g, "_")}-${height}${SNAPSHOT_SUFFIX}`;
    const path = join(folder, name);
    await refuseExisting(path);
    await mkdir(folder, { recursive: true });
    const good = await goodChunks(path + PARTIAL_SUFFIX, header, hasher);
    const file = await open(path + PARTIAL_SUFFIX, "r+");
    const walk: Walk = { good, keys: good.keys, chunks: 0, bytes: good.offset };
    try {
      await writePieces(file, walk, "G", genesisPieces(input.genesisPath, chunkBytes), input);
      await writePieces(file, walk, "B", chunksOf(block.entries, chunkBytes), input);
      // The state is walked from behind the last key that is in the file.
      walk.chunks = Math.max(walk.chunks, good.count);
      const state = stateChunks(reader, { after: good.lastKey, chunkBytes });
      await writePieces(file, walk, "S", state, input);
      const digest = new Uint8Array(good.digest.digest());
      const end = { chunkCount: walk.chunks, keyCount: walk.keys, appHash, digest };
      await append(file, walk, encodeEnd(end, hasher));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(path + PARTIAL_SUFFIX, path);
    await syncFolder(folder);
    const { chunks, keys, bytes } = walk;
    return { path, header, chunks, keys, bytes, resumedChunks: good.count };
  } finally {
    await snapshot.close();
  }
}

async function refuseExisting(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined) throw new SnapshotError(`${path} exists already`);
}

/** Writes chunks of one kind, but for those that are in the file. */
async function writePieces(
  file: FileHandle,
  walk: Walk,
  kind: ChunkKind,
  chunks: AsyncIterable<EntryChunk>,
  { hasher, onProgress }: CreateInput,
): Promise<void> {
  for await (const { payload, entryCount } of chunks) {
    const index = walk.chunks;
    walk.chunks += 1;
    if (index < walk.good.count) continue;
    const bytes = encodeChunk({ kind, index, entryCount, payload }, hasher);
    await append(file, walk, bytes);
    walk.good.digest.update(bytes.subarray(bytes.length - CHECKSUM_BYTES));
    if (kind === "S") walk.keys += entryCount;
    onProgress?.(walk);
  }
}

async function append(file: FileHandle, walk: Walk, bytes: Uint8Array): Promise<void> {
  await file.write(bytes, 0, bytes.length, walk.bytes);
  walk.bytes += bytes.length;
}

/** What an unfinished file holds that can be kept. */
interface GoodChunks {
  readonly count: number;
  /** Behind the last of them. */
  readonly offset: number;
  /** Keys of the state in them, and the last one. */
  readonly keys: number;
  readonly lastKey: Key | undefined;
  readonly digest: Hash;
}

/** Looks through what an earlier run left and cuts off what is damaged; begins a file otherwise. */
async function goodChunks(
  path: string,
  header: SnapshotHeader,
  hasher: Hasher,
): Promise<GoodChunks> {
  const start = encodeSnapshotHeader(header, hasher);
  const found = await readFileStart(path, start.length);
  if (!equalBytes(found, start)) {
    const file = await open(path, "w");
    await file.write(start);
    await file.close();
  }
  const snapshot = await SnapshotFile.open(path, hasher);
  let [count, offset, keys] = [0, snapshot.firstOffset, 0];
  let lastKey: Key | undefined;
  try {
    for await (const chunk of snapshot.chunks()) {
      count += 1;
      offset = chunk.endOffset;
      if (chunk.kind !== "S") continue;
      keys += chunk.entryCount;
      for (const [key] of entriesOf(chunk.payload)) lastKey = key;
    }
  } catch (error) {
    // The first chunk that is not whole: it is written anew, with all behind it.
    if (!(error instanceof SnapshotError)) throw error;
  } finally {
    await snapshot.close();
  }
  const file = await open(path, "r+");
  await file.truncate(offset);
  await file.close();
  return { count, offset, keys, lastKey, digest: snapshot.digest() };
}

async function readFileStart(path: string, length: number): Promise<Uint8Array> {
  const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (file === undefined) return new Uint8Array(0);
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function* genesisPieces(path: string, chunkBytes: number): AsyncGenerator<EntryChunk> {
  const bytes = await readFile(path);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const payload = new Uint8Array(bytes.subarray(at, at + chunkBytes));
    yield { payload, entryCount: 1 };
  }
}

/** What a database needs of one block, as if it were the first. @throws SnapshotError */
async function blockEntries(
  db: Db,
  hasher: Hasher,
  height: bigint,
): Promise<{ entries: [Key, Uint8Array][]; appHash: Uint8Array }> {
  const store = new BlockStore(db, hasher);
  await store.load();
  const [block, results, identity] = await Promise.all([
    store.block(height),
    store.results(height),
    store.genesisIdentity(),
  ]);
  if (block === undefined || results === undefined || identity === undefined) {
    throw new SnapshotError(`there is no block of height ${height} to take a snapshot of`);
  }
  const txs = block.txs.map((tx, index) => {
    const result = results.txResults[index] as (typeof results.txResults)[number];
    return { hash: hasher.sha256(tx), height, index, tx, result };
  });
  const ops = [...genesisOps(identity), ...blockOps({ block, results, txs }, height)];
  const entries = ops.map(({ key, value }): [Key, Uint8Array] => [key as Key, value as Uint8Array]);
  return { entries, appHash: results.appHash };
}
