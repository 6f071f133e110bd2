import { assert } from "../lib/assert.ts";
import { type Key, prefixEnd } from "../lib/key.ts";
import { OrderedMap } from "../lib/ordered.ts";
import { isQueryKey, PREFIX_LENGTH, type ReadKv } from "./kv.ts";

/** The committed state of the latest height, held in memory and loaded from disk at start. */
export class State implements ReadKv {
  // Look-ups only: nothing iterates this map, so its order cannot reach state.
  readonly #values = new Map<Key, Uint8Array>();
  readonly #ordered = new Map<string, OrderedMap<Uint8Array>>();

  constructor(iterablePrefixes: readonly Key[]) {
    for (const prefix of iterablePrefixes) {
      assert(prefix.length === PREFIX_LENGTH, "an iterable prefix has two bytes", { prefix });
      this.#ordered.set(prefix, new OrderedMap());
    }
  }

  get size(): number {
    return this.#values.size;
  }

  get(key: Key): Uint8Array | undefined {
    assert(!isQueryKey(key), "the machine never reads a query index");
    return this.#values.get(key);
  }

  has(key: Key): boolean {
    return this.#values.has(key);
  }

  iterate(prefix: Key): Iterable<[Key, Uint8Array]> {
    const ordered = this.#ordered.get(prefix.slice(0, PREFIX_LENGTH));
    assert(ordered !== undefined, "prefix is not declared iterable", { prefix });
    return ordered.range(prefix, prefixEnd(prefix));
  }

  isIterable(key: Key): boolean {
    return this.#ordered.has(key.slice(0, PREFIX_LENGTH));
  }

  countUnder(prefix: string): number {
    return this.#ordered.get(prefix)?.size ?? 0;
  }

  /** Takes over one committed change; `undefined` deletes. */
  apply(key: Key, value: Uint8Array | undefined): void {
    if (isQueryKey(key)) return;
    const prefix = key.slice(0, PREFIX_LENGTH);
    const ordered = this.#ordered.get(prefix);
    if (value === undefined) {
      this.#values.delete(key);
      ordered?.delete(key);
      return;
    }
    this.#values.set(key, value);
    ordered?.set(key, value);
  }
}
