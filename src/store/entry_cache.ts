import type { Key } from "../lib/key.ts";
import type { Entry } from "./entry.ts";

/** What an entry costs besides its bytes: the objects of key, value and map (measured). */
const OVERHEAD_BYTES = 240;

/**
 * Entries read or written lately, within a bound of bytes. There are two generations: what is used
 * goes into the young one, and when that has half of the bytes the old one is dropped and the
 * young one takes its place. That forgets about as well as a list in order of use, and a look-up
 * writes nothing.
 */
export class EntryCache {
  // Look-ups only: what is forgotten is read again, so the order cannot reach state.
  #young = new Map<Key, Entry>();
  #old = new Map<Key, Entry>();
  #youngBytes = 0;
  #oldBytes = 0;
  readonly #generationBytesMax: number;

  /** @param bytesMax of both generations together */
  constructor(bytesMax: number) {
    this.#generationBytesMax = bytesMax >>> 1;
  }

  /** About what the entries take in memory. */
  get bytes(): number {
    return this.#youngBytes + this.#oldBytes;
  }

  get(key: Key): Entry | undefined {
    const entry = this.#young.get(key);
    if (entry !== undefined) return entry;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: Key, entry: Entry): void {
    const before = this.#young.get(key);
    if (before !== undefined) this.#youngBytes -= costOf(key, before);
    this.#young.set(key, entry);
    this.#youngBytes += costOf(key, entry);
    if (this.#youngBytes > this.#generationBytesMax) this.#age();
  }

  delete(key: Key): void {
    const young = this.#young.get(key);
    if (young !== undefined) {
      this.#young.delete(key);
      this.#youngBytes -= costOf(key, young);
    }
    const old = this.#old.get(key);
    if (old === undefined) return;
    this.#old.delete(key);
    this.#oldBytes -= costOf(key, old);
  }

  #age(): void {
    this.#old = this.#young;
    this.#oldBytes = this.#youngBytes;
    this.#young = new Map();
    this.#youngBytes = 0;
  }
}

function costOf(key: Key, entry: Entry): number {
  return key.length + entry.value.length + OVERHEAD_BYTES;
}
