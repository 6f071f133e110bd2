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

/** What a write replaced, so that it can be undone. */
interface Replaced {
  readonly key: Key;
  readonly change: Change | undefined;
  /** Entries that the write added to the declared prefix that the key lies in. */
  readonly added: number;
}

/**
 * Changes on top of a parent, which never sees them: those of a block, or of a check. Parts of
 * them, such as the ante steps and the messages of a tx, are kept or dropped as a whole; what they
 * replace is noted, so that keeping costs nothing and a read looks into one place.
 */
export class Overlay implements Kv {
  readonly #parent: ReadKv;
  // Look-ups, and a listing in an order that only execution decides.
  readonly #changes = new Map<Key, Change>();
  readonly #ordered = new Map<string, OrderedMap<Change>>();
  /** Entries that this overlay adds to a declared prefix, less those it removes. */
  readonly #added = new Map<string, number>();
  /** Where each open part begins in what was replaced. */
  readonly #begins: number[] = [];
  readonly #replaced: Replaced[] = [];

  constructor(parent: ReadKv) {
    this.#parent = parent;
  }

  get(key: Key): Uint8Array | undefined {
    const change = this.#changes.get(key);
    return change === undefined ? this.#parent.get(key) : change.value;
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  set(key: Key, value: Uint8Array): void {
    const before = this.#changes.get(key);
    this.#write(key, before, { value, isNew: before?.isNew ?? false, from: 0 });
  }

  create(key: Key, value: Uint8Array): void {
    const before = this.#changes.get(key);
    // After a removal in this overlay the key is absent here, yet may be there below.
    this.#write(key, before, { value, isNew: before?.isNew ?? true, from: 0 });
  }

  delete(key: Key): void {
    const before = this.#changes.get(key);
    this.#write(key, before, { value: undefined, isNew: before?.isNew ?? false, from: 0 });
  }

  begin(): void {
    this.#begins.push(this.#replaced.length);
  }

  keep(): void {
    assert(this.#begins.pop() !== undefined, "no part is open");
    if (this.#begins.length === 0) this.#replaced.length = 0;
  }

  drop(): void {
    const begin = this.#begins.pop();
    assert(begin !== undefined, "no part is open");
    for (let index = this.#replaced.length - 1; index >= begin; index -= 1) {
      this.#restore(this.#replaced[index] as Replaced);
    }
    this.#replaced.length = begin;
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
    assert(this.#begins.length === 0, "a part is still open");
    return this.#changes;
  }

  #write(key: Key, before: Change | undefined, change: Change): void {
    const added = this.#parent.isIterable(key) ? this.#writeOrdered(key, before, change) : 0;
    if (this.#begins.length > 0) this.#replaced.push({ key, change: before, added });
    this.#changes.set(key, change);
  }

  /** Returns how many entries the prefix has more. */
  #writeOrdered(key: Key, before: Change | undefined, change: Change): number {
    const prefix = key.slice(0, PREFIX_LENGTH);
    const wasThere =
      before === undefined ? !change.isNew && this.#parent.has(key) : before.value !== undefined;
    const added = (change.value === undefined ? 0 : 1) - (wasThere ? 1 : 0);
    if (added > 0 && this.countUnder(prefix) >= ITERABLE_ENTRIES_MAX) {
      const kind = `0x${toHex(bytesOfKey(prefix as Key))}`;
      throw new ChainError(ErrPrefixFull, `${ITERABLE_ENTRIES_MAX} entries under ${kind}`);
    }
    this.#count(prefix, added);
    let ordered = this.#ordered.get(prefix);
    if (ordered === undefined) {
      ordered = new OrderedMap();
      this.#ordered.set(prefix, ordered);
    }
    ordered.set(key, change);
    return added;
  }

  #restore({ key, change, added }: Replaced): void {
    if (change === undefined) this.#changes.delete(key);
    else this.#changes.set(key, change);
    if (!this.#parent.isIterable(key)) return;
    const prefix = key.slice(0, PREFIX_LENGTH);
    const ordered = this.#ordered.get(prefix);
    if (change === undefined) ordered?.delete(key);
    else ordered?.set(key, change);
    this.#count(prefix, -added);
  }

  #count(prefix: string, added: number): void {
    if (added !== 0) this.#added.set(prefix, (this.#added.get(prefix) ?? 0) + added);
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
