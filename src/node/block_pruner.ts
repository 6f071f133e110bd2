import { bytesOfKey, type Key, keyOfBytes, u64FromKey } from "../lib/key.ts";
import type { Db } from "../store/db.ts";
import type { BatchOp } from "../types/application.ts";
import type { Hasher } from "../types/crypto.ts";
import { blockKey, outcomeKey, txKey } from "./block_keys.ts";
import { removalSlices } from "./block_removal.ts";

/** Slices of one step: about a millisecond of work. */
const SLICES_PER_STEP = 4;

/**
 * Deletes blocks, results, txs and index entries below a height that only rises, in atomic batches
 * that are not synced. A new pruner begins at the lowest height of which anything is left, so what
 * a power cut brings back is deleted again.
 */
export class BlockPruner {
  readonly #db: Db;
  readonly #hasher: Hasher;
  #next: bigint | undefined;
  #slices: AsyncGenerator<readonly BatchOp[]> | undefined;

  constructor(db: Db, hasher: Hasher) {
    this.#db = db;
    this.#hasher = hasher;
  }

  /** The height that is pruned next; undefined before the first step. */
  get height(): bigint | undefined {
    return this.#next;
  }

  /**
   * Deletes entries of blocks below `earliest`: of several small blocks, or a part of a large one.
   * @returns false when there was nothing to delete
   * @throws StoredDataError for a record that cannot be read
   */
  async step(earliest: bigint): Promise<boolean> {
    this.#next ??= await lowestHeight(this.#db, earliest);
    const ops: BatchOp[] = [];
    for (let slices = 0; slices < SLICES_PER_STEP && this.#next < earliest; ) {
      this.#slices ??= removalSlices(this.#db, this.#hasher, this.#next);
      const { value, done } = await this.#slices.next();
      if (done === true) {
        this.#slices = undefined;
        this.#next += 1n;
      } else {
        slices += 1;
        for (const op of value) ops.push(op);
      }
    }
    if (ops.length === 0) return this.#next < earliest;
    await this.#db.write(ops, { sync: false });
    return true;
  }

  /** Lets go of what a step may have left open. */
  async close(): Promise<void> {
    await this.#slices?.return(undefined);
    this.#slices = undefined;
  }
}

/** The lowest height of which there is any record below `end`; `end` when there is none. */
async function lowestHeight(db: Db, end: bigint): Promise<bigint> {
  const kinds = [blockKey, outcomeKey, (height: bigint) => txKey(height, 0)];
  let lowest = end;
  for (const keyOf of kinds) lowest = (await firstHeight(db, keyOf, lowest)) ?? lowest;
  return lowest;
}

async function firstHeight(
  db: Db,
  keyOf: (height: bigint) => Key,
  end: bigint,
): Promise<bigint | undefined> {
  const bounds = { gte: bytesOfKey(keyOf(0n)), lt: bytesOfKey(keyOf(end)), limit: 1 };
  for await (const [key] of db.range(bounds)) return u64FromKey(keyOfBytes(key), 2);
  return undefined;
}
