import { KeyMap } from "../../lib/key_map.ts";
import { type Coins, coinsOf } from "../../types/coins.ts";

/** Adds up many amounts, few denoms. */
export class CoinSums {
  readonly #sums = new KeyMap<{ amount: bigint }>();

  add(denom: string, amount: bigint): void {
    const sum = this.#sums.get(denom);
    if (sum === undefined) this.#sums.set(denom, { amount });
    else sum.amount += amount;
  }

  coins(): Coins {
    return this.#sums.sortedEntries().flatMap(([denom, { amount }]) => coinsOf(denom, amount));
  }
}
