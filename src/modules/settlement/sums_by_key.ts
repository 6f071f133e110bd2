import type { KeyMap } from "../../lib/key_map.ts";
import { addCoins, type Coins, NO_COINS } from "../../types/coins.ts";

/** Sums of coins by record or address, as invariants and genesis compare them. */

/** Adds coins to what a record or an address has already. */
export function add(sums: KeyMap<Coins>, key: bigint | string, coins: Coins): void {
  sums.set(key.toString(), addCoins(sumOf(sums, key), coins));
}

export function sumOf(sums: KeyMap<Coins>, key: bigint | string): Coins {
  return sums.get(key.toString()) ?? NO_COINS;
}
