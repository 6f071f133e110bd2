import { KeyMap } from "../lib/key_map.ts";
import { parseCoinsText } from "../types/coins.ts";
import type { Event } from "../types/event.ts";

/** How much more (or, below zero, less) of a denom an account has. */
export interface BalanceChange {
  readonly address: string;
  readonly denom: string;
  readonly change: bigint;
}

/**
 * What events say of balances, by address and denom. Whatever moves coins emits exactly one
 * `coin_spent` for who has them and one `coin_received` for who gets them: bank does, for all.
 */
export function balanceChanges(events: readonly Event[]): BalanceChange[] {
  const net = new KeyMap<BalanceChange>();
  for (const { type, attributes } of events) {
    const sign = type === "coin_received" ? 1n : type === "coin_spent" ? -1n : 0n;
    if (sign === 0n) continue;
    const value = (key: string) => attributes.find((each) => each.key === key)?.value ?? "";
    const address = value(sign === 1n ? "receiver" : "spender");
    for (const { denom, amount } of parseCoinsText(value("amount"))) {
      // No address holds a space, so no two pairs have one key.
      const key = `${address} ${denom}`;
      const change = (net.get(key)?.change ?? 0n) + sign * amount;
      net.set(key, { address, denom, change });
    }
  }
  return net.sortedValues().filter(({ change }) => change !== 0n);
}
