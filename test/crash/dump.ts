import { keyOfBytes } from "../../src/lib/key.ts";
import type { Db } from "../../src/store/db.ts";
import { openMemoryDb } from "../../src/store/leveldb.ts";
import type { BatchOp } from "../../src/types/application.ts";

/** All that a database holds, in the order of keys, as text that compares fast. */
export type Dump = readonly { readonly key: string; readonly value: string }[];

export async function dumpOf(db: Db): Promise<Dump> {
  const rows: { key: string; value: string }[] = [];
  for await (const [key, value] of db.range({ gte: new Uint8Array(0) })) {
    rows.push({ key: keyOfBytes(key), value: Buffer.from(value).toString("latin1") });
  }
  return rows;
}

/** A database in memory that holds a dump. */
export async function filled(dump: Dump): Promise<Db> {
  const db = await openMemoryDb();
  const ops: BatchOp[] = dump.map(({ key, value }) => {
    return { key, value: new Uint8Array(Buffer.from(value, "latin1")) };
  });
  await db.write(ops);
  return db;
}

/** The first entry in which two dumps differ; undefined for equal ones. */
export function differenceOf(found: Dump, expected: Dump | undefined): string | undefined {
  if (expected === undefined) return "nothing is expected";
  const at = found.findIndex((row, index) => {
    const other = expected[index];
    return row.key !== other?.key || row.value !== other.value;
  });
  if (at < 0 && found.length === expected.length) return undefined;
  const shown = (row: Dump[number] | undefined) => JSON.stringify(row ?? "the end");
  const index = at < 0 ? found.length : at;
  return `entry ${index}: found ${shown(found[index])}, expected ${shown(expected[index])}`;
}
