import { must } from "../lib/assert.ts";
import { ChainError } from "../lib/errors.ts";
import { toSafeNumber } from "../lib/int.ts";
import { bytesOfKey, type Key } from "../lib/key.ts";
import type { BatchOp } from "../types/application.ts";
import { ErrInvalidHeight } from "../types/sdk_errors.ts";
import { DB_META, DB_STATE, type Db, type DbBatch, type DbReads } from "./db.ts";
import { heightAt } from "./entry.ts";
import { earliestHeight, versionBefore } from "./reader.ts";
import { type Store, VERSION_KEY } from "./store.ts";
import { readChangeList } from "./undo.ts";
import { decodeVersion, encodeVersion, type Version } from "./version.ts";

/** The height that a rollback under way goes to: 6 bytes. Absent when none is under way. */
export const ROLLBACK_KEY = `${DB_META}rollback` as Key;

/**
 * Takes a running store back to a height in one synced batch, with the host's own operations. Costs
 * what the blocks between changed. Nothing may be in flight. An overlay made after the call stands on
 * the earlier state at once; readers see it when the disk has it.
 * @throws ChainError sdk/26 for a height that is above the latest, or not kept
 */
export async function revertTo(
  store: Store,
  height: bigint,
  ops: readonly BatchOp[] = [],
): Promise<void> {
  const { db } = store;
  checkTarget(db, height);
  const batch = db.batch();
  while (must(store.version, "there is a state").height > height) store.undo(batch);
  for (const { key, value } of ops) {
    if (value === undefined) batch.del(key);
    else batch.put(key, value);
  }
  await batch.write({ sync: true });
  store.undoWritten();
}

/**
 * Adds to a batch what takes back the last block of a database that no store is open on.
 * @param version of that block: of the database, or what an earlier call returned
 * @returns the version before, and how many keys were put back
 */
export function undoOnDisk(
  db: DbReads,
  version: Version,
  batch: DbBatch,
): { readonly before: Version; readonly keyCount: number } {
  const list = readChangeList(db, version.height);
  list.removeFrom(batch);
  for (const [key, entry] of list.entries()) {
    if (entry === undefined) batch.del(DB_STATE + key);
    else batch.putVersioned(DB_STATE + key, entry.value, entry.from);
  }
  batch.put(VERSION_KEY, encodeVersion(list.before));
  return { before: list.before, keyCount: list.keys.length };
}

/** The version on disk; undefined before genesis. */
export function versionOnDisk(db: DbReads): Version | undefined {
  const stored = db.getSync(bytesOfKey(VERSION_KEY));
  return stored === undefined ? undefined : decodeVersion(stored);
}

/** The height of the unfinished rollback; undefined when there is none. */
export function pendingRollback(db: DbReads): bigint | undefined {
  const stored = db.getSync(bytesOfKey(ROLLBACK_KEY));
  return stored === undefined ? undefined : BigInt(heightAt(stored, 0));
}

/** Notes on disk that a rollback is under way, so that the next start finishes it. */
export async function markRollback(db: Db, height: bigint): Promise<void> {
  const batch = db.batch();
  batch.putVersioned(ROLLBACK_KEY, new Uint8Array(0), toSafeNumber(height));
  await batch.write({ sync: true });
}

/** @throws ChainError sdk/26 unless the state can be taken back to this height */
export function checkTarget(db: DbReads, height: bigint): void {
  const latest = versionOnDisk(db)?.height ?? 0n;
  const refuse = (problem: string) => {
    const detail = `cannot go back to height ${height}: ${problem}`;
    return new ChainError(ErrInvalidHeight, detail);
  };
  if (height === latest) return;
  if (height > latest) throw refuse(`the latest is ${latest}`);
  const earliest = earliestHeight(db);
  if (height < earliest || height < 0n) throw refuse(`the lowest height kept is ${earliest}`);
  const kept = versionBefore(db, height + 1n)?.height === height;
  if (!kept) throw refuse("the changes since are not kept");
}
