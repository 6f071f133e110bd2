import type { Key } from "../lib/key.ts";
import { Memo } from "../lib/memo.ts";
import type { Kv } from "../store/kv.ts";
import type { Codec } from "./module.ts";

/**
 * Stored records with what they decode to. A decoded record is given again as long as the state
 * holds the very bytes that it was decoded from, or encoded to, so the cache cannot be told from
 * decoding each time. Records are never changed in place.
 */
export class DecodedCache<T> {
  readonly #codec: Codec<T>;
  readonly #known: Memo<{ readonly bytes: Uint8Array; readonly record: T }>;

  constructor(codec: Codec<T>, countMax: number) {
    this.#codec = codec;
    this.#known = new Memo(countMax);
  }

  read(kv: Kv, key: Key): T | undefined {
    const bytes = kv.get(key);
    if (bytes === undefined) return undefined;
    const known = this.#known.get(key);
    if (known?.bytes === bytes) return known.record;
    const record = this.#codec.decode(bytes);
    this.#known.set(key, { bytes, record });
    return record;
  }

  /** As `write`, of a key that is absent. */
  create(kv: Kv, key: Key, record: T): void {
    const bytes = this.#codec.encode(record).finish();
    kv.create(key, bytes);
    this.#known.set(key, { bytes, record });
  }

  write(kv: Kv, key: Key, record: T): void {
    const bytes = this.#codec.encode(record).finish();
    kv.set(key, bytes);
    this.#known.set(key, { bytes, record });
  }
}
