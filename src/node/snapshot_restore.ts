import { access, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { InvariantError } from "../lib/assert.ts";
import { equalBytes, fromUtf8, toHex, utf8 } from "../lib/bytes.ts";
import { bytesOfKey, type Key } from "../lib/key.ts";
import { toSafeNumber } from "../lib/int.ts";
import { DB_META, DB_NODE, type Db } from "../store/db.ts";
import { entriesOf, restoreEntries, restoreVersion } from "../store/snapshot.ts";
import type { Crypto } from "../types/crypto.ts";
import { BlockStore } from "./block_store.ts";
import type { NodeConfig } from "./config.ts";
import { syncFolder } from "./files.ts";
import { genesisPath, readGenesisFile } from "./genesis_file.ts";
import { databasePath, restoringPath } from "./home.ts";
import { lockHome } from "./home_lock.ts";
import type { OpenApp } from "./node.ts";
import { type SnapshotChunk, SnapshotFile, verifySnapshot } from "./snapshot_files.ts";
import { SnapshotError } from "./snapshot_format.ts";

/** Which snapshot goes into this database, and how many chunks are in it. */
const RESTORE_KEY = bytesOfKey(`${DB_META}restore` as Key);

export interface RestoreInput {
  readonly file: string;
  /** The new home; nothing may be there but settings and keys. */
  readonly home: string;
  readonly config: NodeConfig;
  readonly crypto: Crypto;
  /** Opens the database of a folder, made when absent. */
  readonly openDb: (path: string) => Promise<Db>;
  /** Opens the application, which hashes the whole state. */
  readonly openApp: OpenApp;
  readonly onProgress?: (progress: RestoreProgress) => void;
}

export interface RestoreProgress {
  readonly step: "verify" | "restore" | "hash" | "check";
  /** Bytes of the file, or keys of the state. */
  readonly done: number;
  readonly total: number;
}

export interface RestoredSnapshot {
  readonly chainId: string;
  readonly height: bigint;
  readonly appHash: Uint8Array;
  readonly keys: number;
  /** Chunks that an earlier, unfinished run had restored. */
  readonly resumedChunks: number;
}

/**
 * Makes a home of a snapshot. The whole file is verified before anything is written, every chunk
 * again before it is applied, and in the end the state is hashed and compared with the header and
 * the block. All is made in a folder of its own, which moves into place when it is right: a run
 * that is cut short goes on where it was, and no node starts on a half-restored home.
 * @throws SnapshotError, NodeStartError
 */
export async function restoreSnapshot(input: RestoreInput): Promise<RestoredSnapshot> {
  const { file: path, home, crypto } = input;
  await verifySnapshot(path, crypto.hasher, ({ bytes, total }) => {
    input.onProgress?.({ step: "verify", done: bytes, total });
  });
  const lock = await lockHome(home);
  const file = await SnapshotFile.open(path, crypto.hasher);
  try {
    const folder = restoringPath(home);
    const isDatabaseMoved = await inPlace(home, folder);
    if (isDatabaseMoved) await requireSame(folder, file);
    const { chainId, height, appHash } = file.header;
    let resumedChunks = 0;
    if (!isDatabaseMoved) {
      await mkdir(folder, { recursive: true });
      await syncFolder(dirname(folder));
      await noteSnapshot(folder, file);
      resumedChunks = await fillDatabase(file, folder, input);
      await move(join(folder, "settled.db"), databasePath(home));
    }
    await mkdir(dirname(genesisPath(home)), { recursive: true });
    if (await exists(join(folder, "genesis.json"))) {
      await move(join(folder, "genesis.json"), genesisPath(home));
    }
    await rm(folder, { recursive: true });
    await syncFolder(dirname(folder));
    const keys = file.end?.keyCount ?? 0;
    return { chainId, height, appHash, keys, resumedChunks };
  } finally {
    await file.close();
    await lock.release();
  }
}

/** Whether an earlier run had only the last names to move. @throws SnapshotError for a used home */
async function inPlace(home: string, folder: string): Promise<boolean> {
  const isBegun = await exists(folder);
  const hasDatabase = await exists(databasePath(home));
  // A restore moves the database first, so a genesis without one, or beside its own, is another's.
  const isGenesisDue = !hasDatabase || (await exists(join(folder, "genesis.json")));
  const isUsed = isGenesisDue && (await exists(genesisPath(home)));
  if (isUsed || (hasDatabase && !isBegun)) {
    throw new SnapshotError(`${home} has a chain already: choose another --home`);
  }
  return hasDatabase;
}

/** Notes in the folder which snapshot it is of, for when the database has left it. */
async function noteSnapshot(folder: string, file: SnapshotFile): Promise<void> {
  const out = await open(join(folder, NOTE_NAME), "w", 0o644);
  try {
    await out.write(identityOf(file));
    await out.sync();
  } finally {
    await out.close();
  }
}

const NOTE_NAME = "snapshot";

/** @throws SnapshotError when another snapshot than the folder's is named */
async function requireSame(folder: string, file: SnapshotFile): Promise<void> {
  const noted = await readFile(join(folder, NOTE_NAME), "utf8").catch(() => "");
  if (noted !== identityOf(file)) throw otherSnapshot(folder);
}

function otherSnapshot(folder: string): SnapshotError {
  return new SnapshotError(
    `${folder} holds a part of another snapshot: finish that one, or remove the folder`,
  );
}

async function fillDatabase(
  file: SnapshotFile,
  folder: string,
  input: RestoreInput,
): Promise<number> {
  const db = await input.openDb(join(folder, "settled.db"));
  try {
    const restored = await restoredChunks(db, file, folder);
    const genesis = join(folder, "genesis.json");
    await writeGenesis(file, genesis);
    const again = await SnapshotFile.open(file.path, input.crypto.hasher);
    try {
      for await (const chunk of again.chunks()) {
        if (chunk.index < restored) continue;
        await applyChunk(db, file, chunk);
        input.onProgress?.({ step: "restore", done: chunk.endOffset, total: file.bytes });
      }
    } finally {
      await again.close();
    }
    await finishDatabase(db, file, { ...input, genesis });
    return restored;
  } finally {
    await db.close();
  }
}

/** @throws SnapshotError when the folder holds a part of another snapshot */
async function restoredChunks(db: Db, file: SnapshotFile, folder: string): Promise<number> {
  const stored = await db.get(RESTORE_KEY);
  const note = stored === undefined ? undefined : parseNote(stored);
  if (note === undefined) return 0;
  if (note.snapshot === identityOf(file)) return note.chunks;
  throw otherSnapshot(folder);
}

/** The end record tells two files of one height apart. */
function identityOf({ end }: SnapshotFile): string {
  return toHex(end?.digest ?? new Uint8Array(0));
}

function noteOf(file: SnapshotFile, chunks: number): Uint8Array {
  return utf8(JSON.stringify({ snapshot: identityOf(file), chunks }));
}

function parseNote(bytes: Uint8Array): { snapshot: string; chunks: number } {
  return JSON.parse(fromUtf8(bytes) ?? "") as { snapshot: string; chunks: number };
}

/** The genesis file is written whole by every run: it is small beside the state, or all there is. */
async function writeGenesis(file: SnapshotFile, path: string): Promise<void> {
  const out = await open(path, "w", 0o644);
  try {
    for await (const { kind, payload } of file.chunks()) {
      if (kind !== "G") break;
      await out.write(payload);
    }
    await out.sync();
  } finally {
    await out.close();
  }
}

async function applyChunk(db: Db, file: SnapshotFile, chunk: SnapshotChunk): Promise<void> {
  const batch = db.batch();
  if (chunk.kind === "S") restoreEntries(batch, chunk.payload, toSafeNumber(file.header.height));
  if (chunk.kind === "B") {
    for (const [key, value] of entriesOf(chunk.payload)) {
      if (!key.startsWith(DB_NODE)) {
        throw new SnapshotError(`${file.path}: chunk ${chunk.index + 1}: a key that no block has`);
      }
      batch.put(key, value);
    }
  }
  batch.put(`${DB_META}restore`, noteOf(file, chunk.index + 1));
  // Synced: LevelDB may lose an earlier write that is not, and keep a later one.
  await batch.write({ sync: true });
}

/** Makes the entries a state, and hashes it. @throws SnapshotError for another app hash */
async function finishDatabase(
  db: Db,
  file: SnapshotFile,
  input: RestoreInput & { readonly genesis: string },
): Promise<void> {
  const { config, crypto } = input;
  const { height, time, appHash } = file.header;
  const batch = db.batch();
  restoreVersion(batch, { height, time, appHash }, toSafeNumber(height));
  await batch.write({ sync: true });
  const genesis = await readGenesisFile(input.genesis);
  const total = file.end?.keyCount ?? 0;
  const onRebuild = ({ keys }: { keys: number }) =>
    input.onProgress?.({ step: "hash", done: keys, total });
  try {
    const app = await input.openApp({ db, crypto, config, genesis: genesis.doc, onRebuild });
    input.onProgress?.({ step: "check", done: 0, total: 1 });
    await app.checkDerivedKeys();
    input.onProgress?.({ step: "check", done: 1, total: 1 });
    await app.close();
  } catch (error) {
    if (!(error instanceof InvariantError)) throw error;
    throw new SnapshotError(`${file.path}: its state does not hold together: ${error.message}`);
  }
  const store = new BlockStore(db, crypto.hasher);
  await store.load();
  const found = (await store.outcome(height))?.appHash ?? new Uint8Array(0);
  if (!equalBytes(found, appHash)) {
    const detail = `the block has the app hash ${toHex(found)}, expected ${toHex(appHash)}`;
    throw new SnapshotError(`${file.path}: ${detail}`);
  }
  await db.write([{ key: `${DB_META}restore`, value: undefined }]);
}

async function move(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncFolder(dirname(to));
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
