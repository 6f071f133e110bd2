import { assert } from "../lib/assert.ts";
import type { Key } from "../lib/key.ts";
import { OrderedMap } from "../lib/ordered.ts";
import type { Entry } from "./entry.ts";
import { PREFIX_LENGTH } from "./kv.ts";

/** Entries of the prefixes that begin with one byte, by the second. */
type Places = (OrderedMap<Entry> | undefined)[];

/** Every byte. */
const PLACES = 256;

/** The declared prefixes with their entries, found by the two bytes of a key without a look-up. */
export class IterablePrefixes {
  /** By the first byte; a branch opens one of these, so that it holds what is declared only. */
  readonly #places: (Places | undefined)[] = emptyPlaces();
  readonly #prefixes: readonly Key[];

  constructor(prefixes: readonly Key[]) {
    this.#prefixes = prefixes;
    for (const prefix of prefixes) {
      assert(prefix.length === PREFIX_LENGTH, "an iterable prefix has two bytes", { prefix });
      this.#declare(prefix, new OrderedMap());
    }
  }

  /** The entries that the key is, or would be, among; undefined when its prefix is not declared. */
  of(key: Key): OrderedMap<Entry> | undefined {
    // A key of one byte lies in no declared prefix: its place is NaN, which is none.
    return this.#places[key.charCodeAt(0)]?.[key.charCodeAt(1)];
  }

  /** The same entries, going their own way. */
  fork(): IterablePrefixes {
    const copy = new IterablePrefixes(this.#prefixes);
    for (const prefix of this.#prefixes) {
      const entries = this.of(prefix);
      if (entries !== undefined) copy.#declare(prefix, entries.fork());
    }
    return copy;
  }

  #declare(prefix: Key, entries: OrderedMap<Entry>): void {
    const places = (this.#places[prefix.charCodeAt(0)] ??= emptyPlaces<OrderedMap<Entry>>());
    places[prefix.charCodeAt(1)] = entries;
  }
}

function emptyPlaces<T>(): (T | undefined)[] {
  return new Array<T | undefined>(PLACES).fill(undefined);
}
