import { ChainError, register } from "../lib/errors.ts";
import { byteKey, bytesOfKey, type Key } from "../lib/key.ts";
import { DB_META, type DbBatch, type DbReads } from "./db.ts";

/**
 * Number of the layout of keys and values, of the store and of every module. It goes up with each
 * change that makes what an older program wrote mean something else, or nothing.
 *
 *   1: up to November 2026, without a number
 *   2: open usage in lists, natural keys by meter and start
 *   3: queues of automatic settlement, payouts, holdbacks and due invoices; their ledgers
 */
export const LAYOUT = 4;

export const LAYOUT_KEY = `${DB_META}layout` as Key;

const ErrLayout = register("store", 3, "another layout of the state");

/** Adds the number to the batch that makes a database one with a state. */
export function putLayout(batch: DbBatch): void {
  batch.put(LAYOUT_KEY, bytesOfKey(byteKey(LAYOUT)));
}

/** @throws ChainError store/3 when another program's keys are in the database. */
export function requireLayout(db: DbReads): void {
  const found = db.getSync(bytesOfKey(LAYOUT_KEY))?.[0] ?? 1;
  if (found === LAYOUT) return;
  const detail = `the state has layout ${found}, this program reads ${LAYOUT}: export the state with the program that wrote it, and start from that genesis`;
  throw new ChainError(ErrLayout, detail, { found, expected: LAYOUT });
}
