import type { FullInvariant } from "../../baseapp/module.ts";
import { EscrowState } from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import type { Reader } from "../../store/read_view.ts";
import { addCoins, type Coins, equalCoins, formatCoins, NO_COINS } from "../../types/coins.ts";
import * as keys from "./keys.ts";
import { totalOf } from "./query_totals.ts";
import { coinsIn } from "./records.ts";

/** Invariants over all escrows, on demand. */
export const escrowFullInvariants: readonly FullInvariant[] = [
  { name: "I-08 the balances of all escrows sum to their running total", check: balancesSum },
  { name: "I-09 every escrow is its balance and what went out of it", check: escrowsAdd },
];

async function* escrows(reader: Reader): AsyncGenerator<EscrowState> {
  for await (const [, value] of reader.range(keys.ESCROW_PREFIX)) yield EscrowState.decode(value);
}

async function balancesSum(reader: Reader): Promise<void> {
  let sum: Coins = NO_COINS;
  for await (const { balance } of escrows(reader)) sum = addCoins(sum, coinsIn(balance));
  const total = coinsIn(await totalOf(reader, "escrowed"));
  const facts = { left: formatCoins(sum), right: formatCoins(total) };
  assert(equalCoins(sum, total), "I-08 settlement: balances of escrows differ", facts);
}

async function escrowsAdd(reader: Reader): Promise<void> {
  for await (const { seq, amount, ...parts } of escrows(reader)) {
    const { balance, totalSettled, refunded, taxPaid } = parts;
    const sum = [balance, totalSettled, refunded, taxPaid].map(coinsIn).reduce(addCoins, NO_COINS);
    const facts = { escrow: seq, left: formatCoins(sum), right: formatCoins(coinsIn(amount)) };
    assert(equalCoins(sum, coinsIn(amount)), "I-09 settlement: escrow does not add up", facts);
  }
}
