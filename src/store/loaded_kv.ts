import type { Key } from "../lib/key.ts";
import { KeyMap } from "../lib/key_map.ts";
import type { ReadKv } from "./kv.ts";

/**
 * Keys that were read ahead, for machine code that runs outside of a block. What it lacks is noted
 * and answered as absent: whoever runs on it loads that and runs again, until it lacks nothing.
 */
export class LoadedKv implements ReadKv {
  readonly #values = new KeyMap<Uint8Array | undefined>();
  readonly #ranges = new KeyMap<readonly [Key, Uint8Array][]>();
  readonly #iterable: readonly Key[];
  #lackingKeys = new KeyMap<Key>();
  #lackingRanges = new KeyMap<Key>();

  /** @param iterable prefixes that may be walked */
  constructor(iterable: readonly Key[]) {
    this.#iterable = iterable;
  }

  /** Keys that are loaded, and entries of ranges. */
  get size(): number {
    return this.#values.size;
  }

  get(key: Key): Uint8Array | undefined {
    const value = this.#values.get(key);
    if (value === undefined && !this.isLoaded(key)) this.#lackingKeys.set(key, key);
    return value;
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  isIterable(key: Key): boolean {
    return this.#iterable.some((prefix) => key.startsWith(prefix));
  }

  countUnder(): number {
    return 0;
  }

  iterate(prefix: Key): Iterable<[Key, Uint8Array]> {
    const found = this.#ranges.get(prefix);
    if (found === undefined) this.#lackingRanges.set(prefix, prefix);
    return found === undefined ? [] : [...found];
  }

  isLoaded(key: Key): boolean {
    return this.#values.has(key);
  }

  load(key: Key, value: Uint8Array | undefined): void {
    this.#values.set(key, value);
  }

  loadRange(prefix: Key, entries: readonly [Key, Uint8Array][]): void {
    this.#ranges.set(prefix, entries);
    for (const [key, value] of entries) this.#values.set(key, value);
  }

  /** Takes what was asked for and not there since the last time. */
  takeLacking(): { keys: readonly Key[]; ranges: readonly Key[] } {
    const lacking = {
      keys: this.#lackingKeys.sortedValues(),
      ranges: this.#lackingRanges.sortedValues(),
    };
    this.#lackingKeys = new KeyMap();
    this.#lackingRanges = new KeyMap();
    return lacking;
  }
}
