import { EMPTY_BYTES } from "../../lib/bytes.ts";
import { joinKeys, type Key } from "../../lib/key.ts";
import type { TimeNs } from "../../types/time.ts";
import type { RangeOptions, Reader } from "../../store/read_view.ts";
import { seqKey } from "./keys.ts";
import { seqsOfEntry } from "./seq_list.ts";

/** Lists that are fetched at first. */
const LISTS_AT_FIRST = 2;

/**
 * Lists of record numbers as if each number had an entry of its own, under the prefix and the
 * number. So pages and their keys do not depend on what stands in which list: a key stays good
 * whatever is added later.
 */
export class ListReader implements Reader {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  get height(): bigint {
    return this.#reader.height;
  }

  get time(): TimeNs {
    return this.#reader.time;
  }

  get(key: Key): Promise<Uint8Array | undefined> {
    return this.#reader.get(key);
  }

  async *range(prefix: Key, options: RangeOptions = {}): AsyncGenerator<[Key, Uint8Array]> {
    const { from, to, reverse = false, limit } = options;
    const start = from === undefined ? undefined : await this.#listOf(prefix, from);
    let left = limit ?? -1;
    // An entry is a list of many: a page mostly needs one or two.
    const expected = LISTS_AT_FIRST;
    for await (const entry of this.#reader.range(prefix, { from: start, to, reverse, expected })) {
      const seqs = seqsOfEntry(entry);
      if (reverse) seqs.reverse();
      const head = entry[0].slice(0, -6) as Key;
      for (const seq of seqs) {
        const key = joinKeys(head, seqKey(seq));
        if ((from !== undefined && key < from) || (to !== undefined && key >= to)) continue;
        if (left === 0) return;
        left -= 1;
        yield [key, EMPTY_BYTES];
      }
    }
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  /** The key of the list that `from` may stand in: the last that begins at it or before. */
  async #listOf(prefix: Key, from: Key): Promise<Key> {
    const upTo = { to: `${from}\0` as Key, reverse: true, limit: 1 };
    for await (const [key] of this.#reader.range(prefix, upTo)) return key;
    return from;
  }
}
