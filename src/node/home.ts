import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Db } from "../store/db.ts";
import { openLevelDb, openMemoryDb } from "../store/leveldb.ts";
import type { NodeConfig } from "./config.ts";
import { nodeCrypto } from "./crypto_native.ts";
import { NodeStartError } from "./errors.ts";
import { type GenesisFile, genesisPath, readGenesisFile } from "./genesis_file.ts";
import { lockHome } from "./home_lock.ts";
import { loadNodeKey, nodeKeyPath } from "./node_key.ts";
import { finishRollback } from "./rollback.ts";
import {
  loadValidatorKey,
  newSigningKey,
  type SigningKey,
  validatorKeyPath,
} from "./validator_key.ts";

/** Where the commitment of a home is saved: it can be deleted, and is made again. */
export function checkpointPath(home: string): string {
  return join(home, "data", "commitment.checkpoint");
}

/** What a node runs on. */
export interface OpenHome {
  readonly genesis: GenesisFile;
  readonly validatorKey: SigningKey;
  readonly nodeKey: SigningKey;
  readonly db: Db;
  /** Path of the saved commitment; undefined in memory. */
  readonly checkpoint?: string;
  /** Closes the database and lets the next process have the home. */
  close(): Promise<void>;
}

/** Where the database of a home is. */
export function databasePath(home: string): string {
  return join(home, "data", "settled.db");
}

/**
 * Takes a home: its lock, genesis, keys (made where there are none) and database.
 * @param genesis in place of the home's file
 * @throws NodeStartError
 */
export async function openHome(
  home: string,
  config: NodeConfig,
  genesis: GenesisFile | undefined,
): Promise<OpenHome> {
  const lock = await lockHome(home);
  try {
    await refuseHalfRestored(home);
    const path = databasePath(home);
    const parts = {
      genesis: genesis ?? (await readGenesisFile(genesisPath(home))),
      validatorKey: await loadValidatorKey(validatorKeyPath(home)),
      nodeKey: await loadNodeKey(nodeKeyPath(home)),
      db: await openDatabase(path, config.dbCacheMib * 1024 * 1024),
    };
    const close = async () => {
      await parts.db.close();
      await lock.release();
    };
    await finishRollback(parts.db, nodeCrypto().hasher).catch(async (error: unknown) => {
      await parts.db.close();
      throw error;
    });
    return { ...parts, checkpoint: checkpointPath(home), close };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Where a snapshot is being restored to; the folder is gone when that is done. */
export function restoringPath(home: string): string {
  return join(home, "data", "restoring");
}

async function refuseHalfRestored(home: string): Promise<void> {
  const path = restoringPath(home);
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (!isThere) return;
  const remedy = "run the same `settled snapshot restore` again, or remove that folder";
  throw new NodeStartError(`a snapshot is only half restored (${path}): ${remedy}`, { path });
}

/** Opens a database, made when absent. @throws NodeStartError naming its path */
export async function openDatabase(path: string, cacheBytes: number): Promise<Db> {
  await mkdir(path, { recursive: true });
  try {
    return await openLevelDb(path, cacheBytes);
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = cause instanceof Error ? cause.message : message;
    throw new NodeStartError(`cannot open the database ${path}: ${reason}`, { path });
  }
}

/** A home in memory with new keys. @throws NodeStartError without a genesis */
export async function memoryHome(genesis: GenesisFile | undefined): Promise<OpenHome> {
  if (genesis === undefined) {
    throw new NodeStartError("a node in memory needs a genesis: pass one in the options");
  }
  const db = await openMemoryDb();
  const [validatorKey, nodeKey] = [newSigningKey(), newSigningKey()];
  return { genesis, validatorKey, nodeKey, db, close: async () => db.close() };
}
