import { bytesOfKey } from "../lib/key.ts";
import type { Db } from "../store/db.ts";
import { VERSION_KEY } from "../store/store.ts";

/**
 * A database whose batches are not waited for by the disk until it is closed: for building what can
 * be built again. A power cut before `close` has resolved may leave any part of it.
 */
export function bulkDb(db: Db): Db {
  return {
    get: async (key) => db.get(key),
    getSync: (key) => db.getSync(key),
    range: (input) => db.range(input),
    iterator: (input) => db.iterator(input),
    snapshot: () => db.snapshot(),
    compact: async (from, to) => db.compact(from, to),
    batch: () => {
      const batch = db.batch();
      return {
        put: (key, value) => batch.put(key, value),
        putVersioned: (key, value, height) => batch.putVersioned(key, value, height),
        del: (key) => batch.del(key),
        write: async () => batch.write({ sync: false }),
      };
    },
    write: async (ops) => db.write(ops, { sync: false }),
    close: async () => {
      // A synced write carries all that were written before it.
      const value = db.getSync(bytesOfKey(VERSION_KEY));
      if (value !== undefined) await db.write([{ key: VERSION_KEY, value }], { sync: true });
      await db.close();
    },
  };
}
