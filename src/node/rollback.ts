import { ChainError } from "../lib/errors.ts";
import type { Db, DbBatch } from "../store/db.ts";
import {
  checkTarget,
  markRollback,
  pendingRollback,
  ROLLBACK_KEY,
  undoOnDisk,
  versionOnDisk,
} from "../store/rollback.ts";
import { must } from "../lib/assert.ts";
import type { Hasher } from "../types/crypto.ts";
import { ErrInvalidHeight } from "../types/sdk_errors.ts";
import { removalSlices } from "./block_removal.ts";
import { BlockStore, type Tip, tipOp } from "./block_store.ts";

/** Blocks that one batch takes back, and keys after which it takes back no more. */
const BLOCKS_PER_BATCH = 32;
const KEYS_PER_BATCH = 20_000;

export interface RollbackProgress {
  /** Blocks taken back so far, and of all. */
  readonly blocks: number;
  readonly total: number;
}

/**
 * Takes a chain that nothing runs on back to a height: state, blocks, results, indexes and tip. A
 * mark is written first, so a rollback that is cut short is finished by the next one or at the next
 * start. Every batch is synced: LevelDB may lose an earlier write that is not, and keep a later one.
 * @throws ChainError sdk/26 for a height that is above the latest or not kept, before anything is
 * written
 */
export async function rollBack(
  db: Db,
  hasher: Hasher,
  target: bigint,
  onProgress: (progress: RollbackProgress) => void = () => undefined,
): Promise<void> {
  await finishRollback(db, hasher);
  await assertKept(db, hasher, target);
  await markRollback(db, target);
  await undoBlocks(db, hasher, target, onProgress);
}

/** Finishes a rollback that was cut short. Returns its height; undefined when there was none. */
export async function finishRollback(db: Db, hasher: Hasher): Promise<bigint | undefined> {
  const target = pendingRollback(db);
  if (target !== undefined) await undoBlocks(db, hasher, target, () => undefined);
  return target;
}

async function assertKept(db: Db, hasher: Hasher, target: bigint): Promise<void> {
  checkTarget(db, target);
  const { tip } = await loaded(db, hasher);
  // Genesis has no block.
  if (tip === undefined || target >= tip.earliest || target === 0n) return;
  const detail = `cannot go back to height ${target}: the lowest block kept is ${tip.earliest}`;
  throw new ChainError(ErrInvalidHeight, detail);
}

async function undoBlocks(
  db: Db,
  hasher: Hasher,
  target: bigint,
  onProgress: (progress: RollbackProgress) => void,
): Promise<void> {
  const { tip } = await loaded(db, hasher);
  let version = must(versionOnDisk(db), "there is a state");
  const total = Number(version.height - target);
  let blocks = 0;
  do {
    const batch = db.batch();
    let [undone, keys] = [0, 0];
    while (undone < BLOCKS_PER_BATCH && keys < KEYS_PER_BATCH && version.height > target) {
      const { height } = version;
      const { before, keyCount } = undoOnDisk(db, version, batch);
      version = before;
      keys += keyCount;
      for await (const ops of removalSlices(db, hasher, height)) {
        for (const { key } of ops) batch.del(key);
      }
      undone += 1;
    }
    blocks += undone;
    putTip(batch, tip, version.height);
    if (version.height <= target) batch.del(ROLLBACK_KEY);
    await batch.write({ sync: true });
    onProgress({ blocks, total });
  } while (version.height > target);
}

/** A chain that is at genesis again has no blocks, and so no tip. */
function putTip(batch: DbBatch, tip: Tip | undefined, latest: bigint): void {
  if (tip === undefined) return;
  const left = latest < tip.earliest ? undefined : { latest, earliest: tip.earliest };
  const { key, value } = tipOp(left);
  if (value === undefined) batch.del(key);
  else batch.put(key, value);
}

async function loaded(db: Db, hasher: Hasher): Promise<BlockStore> {
  const store = new BlockStore(db, hasher);
  await store.load();
  return store;
}
