import { toSafeNumber } from "../lib/int.ts";
import { bytesOfKey, type Key, keyOfBytes, prefixEnd } from "../lib/key.ts";
import type { TimeNs } from "../types/time.ts";
import { historyFrom, historyKey, historyPrefix, parseHistoryKey } from "./change_list.ts";
import { DB_STATE, type DbIterator, type DbSnapshot } from "./db.ts";
import { decodeEntry, type Entry } from "./entry.ts";
import type { CurrentLookup, RangeOptions, Reader } from "./read_view.ts";
import { stateKey } from "./store.ts";

/** More rows than there can be. */
const ROWS_MAX = 9_007_199_254_740_991;

/** Behind every height that a history key can have. */
const LAST_HEIGHT = "\xff".repeat(6);

/**
 * The state of one height, over a snapshot of the database. A value holds from the height stored
 * with it until the next change of its key, which is the height of its history entry; a value
 * without one holds until now. So a key that was created needs no entry, and what was not changed
 * since is answered by the current state alone.
 */
export class HistoryReader implements Reader {
  readonly height: bigint;
  readonly time: TimeNs;
  readonly #snapshot: DbSnapshot;
  readonly #height: number;
  readonly #isLatest: boolean;
  readonly #memory: CurrentLookup | undefined;

  constructor(
    snapshot: DbSnapshot,
    at: { height: bigint; time: TimeNs; isLatest: boolean; memory?: CurrentLookup | undefined },
  ) {
    this.#memory = at.memory;
    this.#snapshot = snapshot;
    this.height = at.height;
    this.time = at.time;
    this.#height = toSafeNumber(at.height);
    this.#isLatest = at.isLatest;
  }

  async get(key: Key): Promise<Uint8Array | undefined> {
    const known = this.#memory?.(key);
    // Not changed since this height, so it is what the height held.
    if (known !== undefined && known.from <= this.#height) return known.value;
    const stored = this.#snapshot.getSync(stateKey(key));
    if (stored !== undefined) {
      const { value, from } = decodeEntry(stored);
      if (from <= this.#height) return value;
    }
    return this.#isLatest ? undefined : this.#before(key);
  }

  async *range(prefix: Key, options: RangeOptions = {}): AsyncGenerator<[Key, Uint8Array]> {
    const bounds = {
      from: options.from ?? prefix,
      to: options.to ?? prefixEnd(prefix),
      reverse: options.reverse ?? false,
    };
    const { limit, expected } = options;
    const rows = this.#isLatest ? this.#current(bounds, { limit, expected }) : this.#merged(bounds);
    let left = limit ?? ROWS_MAX;
    for await (const row of rows) {
      if (left <= 0) return;
      left -= 1;
      yield row;
    }
  }

  async close(): Promise<void> {
    await this.#snapshot.close();
  }

  /** The value that the key had at this height and lost after it. */
  async #before(key: Key): Promise<Uint8Array | undefined> {
    const walk = this.#snapshot.iterator({
      gte: bytesOfKey(historyKey(key, this.#height + 1)),
      lt: bytesOfKey((historyPrefix(key) + LAST_HEIGHT) as Key),
      limit: 1,
    });
    try {
      const found = await walk.next();
      return found === undefined ? undefined : this.#valueAt(decodeEntry(found[1]));
    } finally {
      await walk.close();
    }
  }

  #valueAt({ value, from }: Entry): Uint8Array | undefined {
    return from <= this.#height ? value : undefined;
  }

  /** Entries of the current state that were there at this height already. */
  async *#current(
    bounds: Bounds,
    { limit, expected }: { limit?: number | undefined; expected?: number | undefined } = {},
  ): AsyncGenerator<[Key, Uint8Array]> {
    const rows = this.#snapshot.range({
      gte: stateKey(bounds.from),
      lt: bounds.to === undefined ? bytesOfKey("T" as Key) : stateKey(bounds.to),
      reverse: bounds.reverse,
      expected,
      ...(limit === undefined ? {} : { limit }),
    });
    for await (const [key, stored] of rows) {
      const value = this.#valueAt(decodeEntry(stored));
      if (value !== undefined) yield [keyOfBytes(key.subarray(DB_STATE.length)), value];
    }
  }

  /** The two sources have no key in common: what changed after this height is history's. */
  async *#merged(bounds: Bounds): AsyncGenerator<[Key, Uint8Array]> {
    const past = new HistoryWalk(this.#snapshot, bounds, {
      height: this.#height,
      before: async (key) => this.#before(key),
    });
    try {
      let older = await past.next();
      for await (const row of this.#current(bounds)) {
        while (older !== undefined && older[0] < row[0] !== bounds.reverse) {
          yield older;
          older = await past.next();
        }
        yield row;
      }
      for (; older !== undefined; older = await past.next()) yield older;
    } finally {
      await past.close();
    }
  }
}

interface Bounds {
  readonly from: Key;
  readonly to: Key | undefined;
  readonly reverse: boolean;
}

/** Keys of a range that changed after a height, with what they had at it: a seek or two for each. */
class HistoryWalk {
  readonly #walk: DbIterator;
  readonly #height: number;
  readonly #reverse: boolean;
  readonly #before: (key: Key) => Promise<Uint8Array | undefined>;

  constructor(
    snapshot: DbSnapshot,
    { from, to, reverse }: Bounds,
    at: { height: number; before: (key: Key) => Promise<Uint8Array | undefined> },
  ) {
    this.#height = at.height;
    this.#before = at.before;
    this.#reverse = reverse;
    this.#walk = snapshot.iterator({
      gte: bytesOfKey(historyFrom(from)),
      lt: to === undefined ? bytesOfKey("I" as Key) : bytesOfKey(historyFrom(to)),
      reverse,
    });
  }

  async next(): Promise<[Key, Uint8Array] | undefined> {
    for (;;) {
      const found = await this.#walk.next();
      if (found === undefined) return undefined;
      const { key, height } = parseHistoryKey(keyOfBytes(found[0]));
      // Forwards the walk stands at the key's first change, backwards at its last.
      if (height <= this.#height && !this.#reverse) {
        this.#walk.seek(bytesOfKey(historyKey(key, this.#height + 1)));
        continue;
      }
      const end = this.#reverse ? historyPrefix(key) : historyPrefix(key) + LAST_HEIGHT;
      this.#walk.seek(bytesOfKey(end as Key));
      if (height <= this.#height) continue;
      const value = this.#reverse ? await this.#before(key) : this.#held(found[1]);
      if (value !== undefined) return [key, value];
    }
  }

  async close(): Promise<void> {
    await this.#walk.close();
  }

  #held(stored: Uint8Array): Uint8Array | undefined {
    const { value, from } = decodeEntry(stored);
    return from <= this.#height ? value : undefined;
  }
}
