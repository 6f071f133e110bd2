import { toSafeNumber } from "../lib/int.ts";
import { bytesOfKey, type Key, keyOfBytes, u48Key } from "../lib/key.ts";
import {
  type ChangedKey,
  changeListPrefix,
  heightOfChangeList,
  historyKey,
  keysOfPart,
  partOfChangeList,
} from "./change_list.ts";
import {
  DB_CHANGES,
  DB_HISTORY,
  type Db,
  type DbBatch,
  type DbIterator,
  type DbReads,
} from "./db.ts";
import { heightAt } from "./entry.ts";
import { EARLIEST_KEY, VERSION_KEY } from "./store.ts";
import { decodeVersion } from "./version.ts";

/** Keys that one step looks at: about a millisecond. */
const KEYS_PER_STEP = 512;
/** What reading one part and deleting it counts for, in keys. */
const KEYS_PER_PART = 16;

/** One part of a change list, as far as it is pruned. */
interface Part {
  readonly stored: Key;
  readonly height: number;
  readonly keys: Iterator<ChangedKey>;
}

/**
 * Deletes the history of heights that can no longer be read: what blocks up to the lowest readable
 * height overwrote, and their change lists. Nothing that a reader may be opened at needs it, and an
 * open reader has a snapshot that still holds it.
 *
 * The steps are atomic and not synced. A part of a change list goes last, in one batch with the
 * last of what it names, so after a kill or a power cut the rest is found again: a new pruner
 * begins at the first change list there is, whatever an earlier one had reached.
 */
export class HistoryPruner {
  readonly #db: Db;
  #from = DB_CHANGES as Key;
  #part: Part | undefined;
  #height = 0;

  constructor(db: Db) {
    this.#db = db;
  }

  /** The height that is being pruned, or was last. */
  get height(): number {
    return this.#height;
  }

  /**
   * Deletes a bounded number of entries: of several small blocks, or a part of a large one. False
   * when there was nothing to delete.
   */
  async step(): Promise<boolean> {
    const end = changeListPrefix(readableFrom(this.#db) + 1);
    const from = this.#part === undefined ? this.#from : behind(this.#part.stored);
    if (this.#part === undefined && from >= end) return false;
    let walk: DbIterator | undefined;
    const nextPart = async (): Promise<Part | undefined> => {
      walk ??= this.#db.iterator({ gte: bytesOfKey(from), lt: bytesOfKey(end) });
      return partOf(await walk.next());
    };
    try {
      this.#part ??= await nextPart();
      if (this.#part === undefined) {
        this.#from = end;
        return false;
      }
      const batch = this.#db.batch();
      let looked = 0;
      while (this.#part !== undefined && looked < KEYS_PER_STEP) {
        looked += this.#takeFrom(this.#part, batch, KEYS_PER_STEP - looked);
        this.#part ??= await nextPart();
      }
      await batch.write({ sync: false });
      return true;
    } finally {
      await walk?.close();
    }
  }

  /** Deletes what a part names, then the part itself. Returns how many keys were looked at. */
  #takeFrom(part: Part, batch: DbBatch, keysMax: number): number {
    this.#height = part.height;
    for (let looked = 0; looked < keysMax; looked += 1) {
      const next = part.keys.next();
      if (next.done === true) {
        batch.del(part.stored);
        this.#part = undefined;
        this.#from = behind(part.stored);
        return looked + KEYS_PER_PART;
      }
      const { key, hadValue } = next.value;
      if (hadValue) batch.del(historyKey(key, part.height));
    }
    return keysMax;
  }
}

/** The first key behind another. */
function behind(key: Key): Key {
  return `${key}\0` as Key;
}

function partOf(entry: readonly [Uint8Array, Uint8Array] | undefined): Part | undefined {
  if (entry === undefined) return undefined;
  const stored = keyOfBytes(entry[0]);
  const keys = keysOfPart(entry[1], partOfChangeList(stored));
  return { stored, height: heightOfChangeList(stored), keys };
}

/**
 * Gives up history below the last `keepHistory` heights of a database that no store is open on; a
 * pruner then deletes it. Returns the lowest height that can still be read.
 */
export async function dropHistory(db: Db, keepHistory: number | "all"): Promise<number> {
  const current = readableFrom(db);
  const stored = db.getSync(bytesOfKey(VERSION_KEY));
  if (stored === undefined || keepHistory === "all") return current;
  const latest = toSafeNumber(decodeVersion(stored).height);
  const wanted = latest - keepHistory;
  if (wanted <= current) return current;
  const batch = db.batch();
  batch.putVersioned(EARLIEST_KEY, new Uint8Array(0), wanted);
  await batch.write({ sync: true });
  return wanted;
}

/** Gives the space of pruned history back to the disk: takes a while on a large database. */
export async function compactHistory(db: Db): Promise<void> {
  const end = u48Key(281_474_976_710_655);
  await db.compact(bytesOfKey(DB_CHANGES as Key), bytesOfKey((DB_CHANGES + end) as Key));
  await db.compact(bytesOfKey(DB_HISTORY as Key), bytesOfKey("I" as Key));
}

function readableFrom(db: DbReads): number {
  const stored = db.getSync(bytesOfKey(EARLIEST_KEY));
  return stored === undefined ? 0 : heightAt(stored, 0);
}
