/**
 * A map by text key whose order of insertion cannot be seen: it has look-ups, and listings sorted
 * by key. The core uses it in place of Map.
 */
export class KeyMap<V> {
  // Order cannot reach state: no method of this class iterates it without sorting.
  readonly #entries = new Map<string, V>();

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  set(key: string, value: V): void {
    this.#entries.set(key, value);
  }

  delete(key: string): boolean {
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** Keys in code-unit order, which for byte-string keys is byte order. */
  sortedKeys(): string[] {
    return [...this.#entries.keys()].sort(compareKeys);
  }

  sortedEntries(): [string, V][] {
    return [...this.#entries.entries()].sort((a, b) => compareKeys(a[0], b[0]));
  }

  sortedValues(): V[] {
    return this.sortedEntries().map(([, value]) => value);
  }
}

/** Compares by code unit: -1, 0 or 1. */
export function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
