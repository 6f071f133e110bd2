import type { UsageState } from "../../gen/settled/settlement/v1/state.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { amountOf, type Coins } from "../../types/coins.ts";

/** What is left of a balance while records are taken of it, in their order (RULES 24). */
export class Means {
  readonly #balance: Coins;
  readonly #left = new KeyMap<bigint>();
  readonly #spent = new KeyMap<true>();

  constructor(balance: Coins) {
    this.#balance = balance;
  }

  /** Whether a record of this denom was not covered: no later one of it is taken. */
  isSpent(denom: string): boolean {
    return this.#spent.has(denom);
  }

  /** Takes the cost of a record; false, and its denom is spent, when there is less. */
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

  #leftOf(denom: string): bigint {
    return this.#left.get(denom) ?? amountOf(this.#balance, denom);
  }
}
