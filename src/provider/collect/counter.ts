/** How far a total that only grows has gone between two looks. */
interface Growth {
  readonly grown: bigint;
  /** The total had gone back: it began anew, and what it had from there is all that is known. */
  readonly wasReset: boolean;
}

/**
 * A total that only grows, until its source begins anew. Its growth while nobody looks is not lost:
 * the next look has it. What was counted between the last look and a reset is lost, and not guessed.
 */
export class Counter {
  #last: bigint | undefined;

  /** @param last what the look before saw; undefined: the first look counts nothing */
  constructor(last?: bigint) {
    this.#last = last;
  }

  get last(): bigint | undefined {
    return this.#last;
  }

  advance(total: bigint): Growth {
    const last = this.#last;
    this.#last = total;
    if (last === undefined) return { grown: 0n, wasReset: false };
    if (total < last) return { grown: total, wasReset: true };
    return { grown: total - last, wasReset: false };
  }

  /** The source is new: all that it has at the next look was counted since the last one. */
  restart(): void {
    this.#last = 0n;
  }
}
