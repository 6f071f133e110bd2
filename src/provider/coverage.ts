/** Disjoint spans of time [start, end), touching ones merged, so that long runs stay one span. */
export class Coverage {
  readonly #starts: bigint[] = [];
  readonly #ends: bigint[] = [];

  /** Adds a span; returns the one that it would overlap, and then adds nothing. */
  add(start: bigint, end: bigint): { start: bigint; end: bigint } | undefined {
    const at = this.#firstEndingAfter(start);
    const [nextStart, nextEnd] = [this.#starts[at], this.#ends[at]];
    if (nextStart !== undefined && nextEnd !== undefined && nextStart < end) {
      return { start: nextStart, end: nextEnd };
    }
    const joinsBefore = at > 0 && this.#ends[at - 1] === start;
    const joinsAfter = nextStart === end;
    if (joinsBefore && joinsAfter) {
      this.#ends[at - 1] = nextEnd as bigint;
      this.#starts.splice(at, 1);
      this.#ends.splice(at, 1);
    } else if (joinsBefore) this.#ends[at - 1] = end;
    else if (joinsAfter) this.#starts[at] = start;
    else {
      this.#starts.splice(at, 0, start);
      this.#ends.splice(at, 0, end);
    }
    return undefined;
  }

  /** Number of spans. */
  get size(): number {
    return this.#starts.length;
  }

  #firstEndingAfter(time: bigint): number {
    let [low, high] = [0, this.#ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ends[middle] as bigint) <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
