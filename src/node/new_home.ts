import { readdir } from "node:fs/promises";
import type { Db } from "../store/db.ts";
import { bulkDb } from "./bulk_db.ts";
import { NodeStartError } from "./errors.ts";
import { type GenesisFile, genesisPath, writeGenesisFile } from "./genesis_file.ts";
import { databasePath, openDatabase } from "./home.ts";
import { lockHome } from "./home_lock.ts";

/** A home that is being built from recorded blocks. */
export interface NewHome {
  /** Its writes are synced when the home is closed. */
  readonly db: Db;
  close(): Promise<void>;
}

/**
 * Makes a home with a genesis and an empty database, and no keys.
 * @param cacheBytes LevelDB's own cache
 * @throws NodeStartError for a folder that holds anything
 */
export async function makeHome(
  home: string,
  genesis: GenesisFile,
  cacheBytes: number,
): Promise<NewHome> {
  const found = await readdir(home).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  if (found.length > 0) {
    throw new NodeStartError(`${home} is not empty: name a new folder`, { home });
  }
  const lock = await lockHome(home);
  try {
    await writeGenesisFile(genesisPath(home), genesis.json);
    const db = bulkDb(await openDatabase(databasePath(home), cacheBytes));
    const close = async () => {
      await db.close();
      await lock.release();
    };
    return { db, close };
  } catch (error) {
    await lock.release();
    throw error;
  }
}
