import { toSafeNumber } from "../../lib/int.ts";
import type { Key } from "../../lib/key.ts";
import type { Codec } from "../../baseapp/module.ts";
import type { Kv } from "../../store/kv.ts";
import { recordKey } from "./keys.ts";

/**
 * As DecodedCache, for records with numbers: what was written or read last is found by its number
 * modulo the size, without hashing, and nothing is forgotten but what it makes room for.
 */
export class SeqCache<T> {
  readonly #prefix: Key;
  readonly #codec: Codec<T>;
  readonly #kept: ({ readonly bytes: Uint8Array; readonly record: T } | undefined)[];

  constructor(prefix: Key, codec: Codec<T>, size: number) {
    this.#prefix = prefix;
    this.#codec = codec;
    this.#kept = new Array<undefined>(size).fill(undefined);
  }

  read(kv: Kv, seq: bigint): T | undefined {
    const bytes = kv.get(recordKey(this.#prefix, seq));
    if (bytes === undefined) return undefined;
    const place = toSafeNumber(seq) % this.#kept.length;
    const known = this.#kept[place];
    if (known?.bytes === bytes) return known.record;
    const record = this.#codec.decode(bytes);
    this.#kept[place] = { bytes, record };
    return record;
  }

  /** Writes a record whose number is fresh. */
  create(kv: Kv, seq: bigint, record: T): void {
    const bytes = this.#codec.encode(record).finish();
    kv.create(recordKey(this.#prefix, seq), bytes);
    this.#kept[toSafeNumber(seq) % this.#kept.length] = { bytes, record };
  }
}
