/** The texts seen last, at most `capacity` of them. */
export class LruSet {
  readonly #capacity: number;
  // A Set keeps the order of insertion; adding again after a deletion makes an entry the newest.
  readonly #entries = new Set<string>();
  // Stays at the oldest. A new iterator would pass all that was deleted in front of it, each time.
  #fromOldest = this.#entries.values();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(entry: string): boolean {
    return this.#entries.has(entry);
  }

  /** Makes `entry` the newest. Returns whether it was not there before. */
  add(entry: string): boolean {
    const isNew = !this.#entries.delete(entry);
    this.#entries.add(entry);
    if (this.#entries.size > this.#capacity) this.#deleteOldest();
    return isNew;
  }

  delete(entry: string): void {
    this.#entries.delete(entry);
  }

  #deleteOldest(): void {
    const oldest = this.#fromOldest.next();
    if (oldest.done === true) {
      // Once at the end, an iterator stays there.
      this.#fromOldest = this.#entries.values();
      this.#deleteOldest();
    } else this.#entries.delete(oldest.value);
  }
}
