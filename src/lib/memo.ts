import { KeyMap } from "./key_map.ts";

/**
 * Remembers values of a pure function of a text. When it is full it forgets everything, which
 * costs less than an order of what was asked for last: a look-up writes nothing.
 */
export class Memo<V> {
  readonly #entries = new KeyMap<V>();
  readonly #countMax: number;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    if (this.#entries.size >= this.#countMax) this.#entries.clear();
    this.#entries.set(key, value);
  }

  clear(): void {
    this.#entries.clear();
  }
}
