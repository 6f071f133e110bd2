import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Db } from "../store/db.ts";
import { openLevelDb, openMemoryDb } from "../store/leveldb.ts";
import type { NodeConfig } from "./config.ts";
import { NodeStartError } from "./errors.ts";
import { type GenesisFile, genesisPath, readGenesisFile } from "./genesis_file.ts";
import { lockHome } from "./home_lock.ts";
import { loadNodeKey, nodeKeyPath } from "./node_key.ts";
import {
  loadValidatorKey,
  newSigningKey,
  type SigningKey,
  validatorKeyPath,
} from "./validator_key.ts";

/** What a node runs on. */
export interface OpenHome {
  readonly genesis: GenesisFile;
  readonly validatorKey: SigningKey;
  readonly nodeKey: SigningKey;
  readonly db: Db;
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
    return { ...parts, close };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openDatabase(path: string, cacheBytes: number): Promise<Db> {
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
