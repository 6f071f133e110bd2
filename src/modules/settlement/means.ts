import type { UsageState } from "../../gen/settled/settlement/v1/state.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { amountOf, type Coins } from "../../types/coins.ts";

/** What a settlement's records are paid of, while they are taken in their order (RULES 24). */
export interface Purse {
  /** Whether a record of this denom was not covered: no later one of it is taken. */
  isSpent(denom: string): boolean;
  /** Takes a record; false, and its denom is spent, when there is less than it needs. */
  covers(usage: UsageState): boolean;
  /** What the records taken of a denom are settled for, in its base units. */
  takenOf(denom: string): bigint;
  /** Gives back what was taken of a denom; one that is spent stays so. */
  giveBack(denom: string): void;
}

/** What is left of a balance while records are taken of it for what they cost. */
export class Means implements Purse {
  readonly #balance: Coins;
  readonly #left = new KeyMap<bigint>();
  readonly #spent = new KeyMap<true>();

  constructor(balance: Coins) {
    this.#balance = balance;
  }

  isSpent(denom: string): boolean {
    return this.#spent.has(denom);
  }

  covers({ denom, cost }: UsageState): boolean {
    const left = this.#leftOf(denom) - BigInt(cost);
    if (left < 0n) this.#spent.set(denom, true);
    else this.#left.set(denom, left);
    return left >= 0n;
  }

  /** Takes all that is left of a denom. */
  drain(denom: string): bigint {
    const left = this.#leftOf(denom);
    this.#left.set(denom, 0n);
    return left;
  }

  takenOf(denom: string): bigint {
    return amountOf(this.#balance, denom) - this.#leftOf(denom);
  }

  giveBack(denom: string): void {
    this.#left.delete(denom);
  }

  #leftOf(denom: string): bigint {
    return this.#left.get(denom) ?? amountOf(this.#balance, denom);
  }
}
