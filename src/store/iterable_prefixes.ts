import { assert } from "../lib/assert.ts";
import type { Key } from "../lib/key.ts";
import { OrderedMap } from "../lib/ordered.ts";
import type { Entry } from "./entry.ts";
import { PREFIX_LENGTH } from "./kv.ts";

/** Every pair of bytes. */
const PLACES = 65_536;

/** The declared prefixes with their entries, found by the two bytes of a key without a look-up. */
export class IterablePrefixes {
  readonly #places: (OrderedMap<Entry> | undefined)[];
  readonly #prefixes: readonly Key[];

  constructor(prefixes: readonly Key[]) {
    this.#prefixes = prefixes;
    this.#places = new Array<OrderedMap<Entry> | undefined>(PLACES).fill(undefined);
    for (const prefix of prefixes) {
      assert(prefix.length === PREFIX_LENGTH, "an iterable prefix has two bytes", { prefix });
      this.#places[placeOf(prefix)] = new OrderedMap();
    }
  }

  /** The entries that the key is, or would be, among; undefined when its prefix is not declared. */
  of(key: Key): OrderedMap<Entry> | undefined {
    return this.#places[placeOf(key)];
  }

  /** The same entries, going their own way. */
  fork(): IterablePrefixes {
    const copy = new IterablePrefixes(this.#prefixes);
    for (const prefix of this.#prefixes) {
      copy.#places[placeOf(prefix)] = this.of(prefix)?.fork();
    }
    return copy;
  }
}

/** A key of one byte lies in no declared prefix: its place is NaN, which is none. */
function placeOf(key: Key): number {
  return key.charCodeAt(0) * 256 + key.charCodeAt(1);
}
