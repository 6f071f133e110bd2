import { assert } from "../lib/assert.ts";
import { toHex } from "../lib/bytes.ts";
import { ChainError, register } from "../lib/errors.ts";
import { bytesOfKey, type Key, prefixEnd } from "../lib/key.ts";
import { OrderedMap } from "../lib/ordered.ts";
import { ITERABLE_ENTRIES_MAX, type Kv, PREFIX_LENGTH, type ReadKv } from "./kv.ts";

/** What a key is changed to. A later write makes another. */
export interface Change {
  /** undefined: removed. */
  readonly value: Uint8Array | undefined;
  /** Below the layer that holds the change there is no such key, so nothing has to be looked up. */
  readonly isNew: boolean;
  /** The block, once it is executed; 0 before. Kept here so that the change becomes the entry. */
  from: number;
}

/**
 * Changes on top of a parent: merged into it as a whole, or dropped without a trace. A block, a
 * tx's ante steps and its messages each have one.
 */
export class Overlay implements Kv {
  readonly #parent: ReadKv;
  // Look-ups, and a listing in order of first writing, which is the same wherever the block runs.
  readonly #changes = new Map<Key, Change>();
  readonly #ordered = new Map<string, OrderedMap<Change>>();
  /** Entries that this overlay adds to a declared prefix, less those it removes. */
  readonly #added = new Map<string, number>();

  constructor(parent: ReadKv) {
    this.#parent = parent;
  }

  get changeCount(): number {
    return this.#changes.size;
  }

  get(key: Key): Uint8Array | undefined {
    const change = this.#changes.get(key);
    return change === undefined ? this.#parent.get(key) : change.value;
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  set(key: Key, value: Uint8Array): void {
    this.#write(key, { value, isNew: this.#changes.get(key)?.isNew ?? false, from: 0 });
  }

  create(key: Key, value: Uint8Array): void {
    // After a removal in this overlay the key is absent here, yet may be there below.
    this.#write(key, { value, isNew: this.#changes.get(key)?.isNew ?? true, from: 0 });
  }

  delete(key: Key): void {
    const isNew = this.#changes.get(key)?.isNew ?? false;
    this.#write(key, { value: undefined, isNew, from: 0 });
  }

  isIterable(key: Key): boolean {
    return this.#parent.isIterable(key);
  }

  countUnder(prefix: string): number {
    return this.#parent.countUnder(prefix) + (this.#added.get(prefix) ?? 0);
  }

  iterate(prefix: Key): Iterable<[Key, Uint8Array]> {
    assert(this.isIterable(prefix), "prefix is not declared iterable", { prefix });
    const ordered = this.#ordered.get(prefix.slice(0, PREFIX_LENGTH));
    if (ordered === undefined || ordered.size === 0) return this.#parent.iterate(prefix);
    return merge(this.#parent.iterate(prefix), [...ordered.range(prefix, prefixEnd(prefix))]);
  }

  /** All changes, each key once. */
  changes(): ReadonlyMap<Key, Change> {
    return this.#changes;
  }

  /** Hands every change to the layer below. The overlay must not be used afterwards. */
  mergeInto(target: Kv): void {
    // The order of these writes cannot be seen: keys are distinct and the target is a map.
    for (const [key, { value, isNew }] of this.#changes) {
      if (value === undefined) {
        if (!isNew) target.delete(key);
      } else if (isNew) target.create(key, value);
      else target.set(key, value);
    }
  }

  #write(key: Key, change: Change): void {
    if (this.#parent.isIterable(key)) this.#writeOrdered(key, change);
    this.#changes.set(key, change);
  }

  #writeOrdered(key: Key, change: Change): void {
    const prefix = key.slice(0, PREFIX_LENGTH);
    const difference = (change.value === undefined ? 0 : 1) - (this.has(key) ? 1 : 0);
    if (difference > 0 && this.countUnder(prefix) >= ITERABLE_ENTRIES_MAX) {
      const kind = `0x${toHex(bytesOfKey(prefix as Key))}`;
      throw new ChainError(ErrPrefixFull, `${ITERABLE_ENTRIES_MAX} entries under ${kind}`);
    }
    if (difference !== 0) this.#added.set(prefix, (this.#added.get(prefix) ?? 0) + difference);
    let ordered = this.#ordered.get(prefix);
    if (ordered === undefined) {
      ordered = new OrderedMap();
      this.#ordered.set(prefix, ordered);
    }
    ordered.set(key, change);
  }
}

/** Live work (open records, queues) is bounded: settle, refund or claim some of it first. */
const ErrPrefixFull = register("store", 2, "too much open work");

function* merge(
  below: Iterable<[Key, Uint8Array]>,
  own: readonly [Key, Change][],
): Generator<[Key, Uint8Array]> {
  let at = 0;
  for (const entry of below) {
    while (at < own.length && (own[at] as [Key, Change])[0] < entry[0]) {
      const [key, { value }] = own[at] as [Key, Change];
      at += 1;
      if (value !== undefined) yield [key, value];
    }
    const same = own[at];
    if (same !== undefined && same[0] === entry[0]) {
      at += 1;
      if (same[1].value !== undefined) yield [same[0], same[1].value];
    } else yield entry;
  }
  for (; at < own.length; at += 1) {
    const [key, { value }] = own[at] as [Key, Change];
    if (value !== undefined) yield [key, value];
  }
}
