import type { Key } from "../../lib/key.ts";
import type { KeyMap } from "../../lib/key_map.ts";
import type { Reader } from "../../store/read_view.ts";
import { addCoins, type Coins, NO_COINS } from "../../types/coins.ts";

/** Walks and sums that the invariants over all records share. */

/** All records of one kind, by number. */
export async function* all<T>(
  reader: Reader,
  prefix: Key,
  codec: { decode(bytes: Uint8Array): T },
): AsyncGenerator<T> {
  for await (const [, value] of reader.range(prefix)) yield codec.decode(value);
}

/** Entries under a prefix. */
export async function count(reader: Reader, prefix: Key): Promise<number> {
  let entries = 0;
  for await (const _entry of reader.range(prefix)) entries += 1;
  return entries;
}

/** Adds coins to what a record or an address has already. */
export function add(sums: KeyMap<Coins>, key: bigint | string, coins: Coins): void {
  sums.set(key.toString(), addCoins(sumOf(sums, key), coins));
}

export function sumOf(sums: KeyMap<Coins>, key: bigint | string): Coins {
  return sums.get(key.toString()) ?? NO_COINS;
}
