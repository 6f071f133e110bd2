import type { Key } from "../../src/lib/key.ts";
import { exportSettlement } from "../../src/modules/settlement/export.ts";
import { INVOICE_SERIES_PREFIX, TOTAL_PREFIX } from "../../src/modules/settlement/keys.ts";
import { DB_STATE, type Db, type DbBatch } from "../../src/store/db.ts";
import type { Reader } from "../../src/store/read_view.ts";
import type { TimeNs } from "../../src/types/time.ts";
import type { Exported } from "./records.ts";

type Rows = ReadonlyMap<string, Uint8Array>;

const NONE: Exported = {};
/** Few rows, which are read whole. */
const WHOLE = [TOTAL_PREFIX, INVOICE_SERIES_PREFIX].map((prefix) => DB_STATE + prefix);

/** The rows of the state that the blocks of a chain wrote and deleted. */
export class Written {
  readonly #state = new Map<string, Uint8Array>();
  readonly #whole = new Map<string, Uint8Array>();
  #written = new Map<string, Uint8Array>();
  #gone = new Map<string, Uint8Array>();

  /** Has a database tell of its batches, before a chain is opened over it. */
  watch(db: Db): void {
    const begin = db.batch.bind(db);
    db.batch = () => {
      const batch: DbBatch = begin();
      const [put, del] = [batch.putVersioned.bind(batch), batch.del.bind(batch)];
      batch.putVersioned = (key, value, height) => {
        if (key.startsWith(DB_STATE)) this.#put(key, value);
        put(key, value, height);
      };
      batch.del = (key) => {
        this.#delete(key);
        del(key);
      };
      return batch;
    };
  }

  /** The settlement module's records that blocks wrote or deleted since the last call, as genesis. */
  async settlement(): Promise<{ written: Exported; gone: Exported }> {
    const [written, gone] = [this.#written, this.#gone];
    [this.#written, this.#gone] = [new Map(), new Map()];
    const isLess = gone.size > 0;
    return {
      written: await this.#exported(written),
      gone: isLess ? await this.#exported(gone) : NONE,
    };
  }

  /** An export that finds these rows only; what is there once, and few rows, are those of now. */
  async #exported(rows: Rows): Promise<Exported> {
    const found = new Map<string, [Key, Uint8Array][]>();
    const chosen = [...rows].filter(([key]) => !isWhole(key));
    for (const [key, value] of [...chosen, ...this.#whole]) {
      const own = key.slice(DB_STATE.length) as Key;
      const list = found.get(kindOf(own)) ?? [];
      list.push([own, value]);
      found.set(kindOf(own), list);
    }
    const reader: Reader = {
      ...{ height: 0n, time: 0n as TimeNs, close: async () => undefined },
      get: async (key) => this.#state.get(DB_STATE + key),
      range: (prefix) => under(prefix, found.get(kindOf(prefix)) ?? []),
    };
    return (await exportSettlement(reader)) as Exported;
  }

  #put(key: string, value: Uint8Array): void {
    this.#state.set(key, value);
    this.#written.set(key, value);
    this.#gone.delete(key);
    if (isWhole(key)) this.#whole.set(key, value);
  }

  #delete(key: string): void {
    const before = this.#state.get(key);
    // Rows without a value only find others.
    if (before !== undefined && before.length > 0) this.#gone.set(key, before);
    for (const rows of [this.#state, this.#written, this.#whole]) rows.delete(key);
  }
}

/** Of a row: its module and table. */
function kindOf(key: Key): string {
  return key.slice(0, TOTAL_PREFIX.length);
}

function isWhole(key: string): boolean {
  return WHOLE.some((prefix) => key.startsWith(prefix));
}

async function* under(
  prefix: Key,
  rows: readonly [Key, Uint8Array][],
): AsyncGenerator<[Key, Uint8Array]> {
  const found = rows.filter(([key]) => key.startsWith(prefix));
  yield* found.sort(([a], [b]) => (a < b ? -1 : 1));
}
