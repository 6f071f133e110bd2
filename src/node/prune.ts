import { bytesOfKey, type Key } from "../lib/key.ts";
import type { Db } from "../store/db.ts";
import { compactHistory, dropHistory, HistoryPruner } from "../store/prune.ts";
import type { Hasher } from "../types/crypto.ts";
import { BlockPruner } from "./block_pruner.ts";
import { BlockStore, earliestKept, tipOp } from "./block_store.ts";

export interface PruneProgress {
  readonly step: "pruning history" | "pruning blocks" | "compacting";
  readonly done: number;
  readonly total: number;
}

/** The lowest heights that are left. */
export interface PrunedTo {
  readonly history: bigint;
  readonly block: bigint;
}

/**
 * Prunes a database that nothing runs on, all at once, and compacts it. The lowest heights move
 * first, synced, so that a run that is cut short leaves garbage only, which the next one deletes.
 */
export async function pruneDatabase(
  db: Db,
  hasher: Hasher,
  keep: { readonly keepHistory: number | "all"; readonly keepBlocks: number | "all" },
  onProgress: (progress: PruneProgress) => void = () => undefined,
): Promise<PrunedTo> {
  const history = await dropHistory(db, keep.keepHistory);
  const block = await dropBlocks(db, hasher, keep.keepBlocks);
  const pruner = new HistoryPruner(db);
  while (await pruner.step()) {
    onProgress({ step: "pruning history", done: pruner.height, total: history });
  }
  const blocks = new BlockPruner(db, hasher);
  const total = Number(block);
  while (await blocks.step(block)) {
    onProgress({ step: "pruning blocks", done: Number(blocks.height ?? 0n), total });
  }
  onProgress({ step: "compacting", done: 0, total: 1 });
  await compactHistory(db);
  await db.compact(bytesOfKey("B" as Key), bytesOfKey("C" as Key));
  return { history: BigInt(history), block };
}

async function dropBlocks(db: Db, hasher: Hasher, keepBlocks: number | "all"): Promise<bigint> {
  const store = new BlockStore(db, hasher);
  await store.load();
  const { tip } = store;
  if (tip === undefined) return 0n;
  const earliest = earliestKept(tip.earliest, tip.latest, keepBlocks);
  if (earliest > tip.earliest) await db.write([tipOp({ latest: tip.latest, earliest })]);
  return earliest;
}
