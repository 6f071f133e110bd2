import { ChainError } from "../lib/errors.ts";
import { ErrOutOfGas } from "../types/sdk_errors.ts";

/** Gas of one tx. Costs are fixed per byte, signature, message and record: see auth's README. */
export class GasMeter {
  readonly limit: bigint;
  #used = 0n;

  constructor(limit: bigint) {
    this.limit = limit;
  }

  get used(): bigint {
    return this.#used;
  }

  /** @throws ChainError sdk/11 naming where it ran out. */
  consume(amount: bigint, location: string): void {
    this.#used += amount;
    if (this.#used > this.limit) {
      throw new ChainError(
        ErrOutOfGas,
        `out of gas in location: ${location}; gasWanted: ${this.limit}, gasUsed: ${this.#used}`,
      );
    }
  }
}
