import type { EscrowState } from "../../gen/settled/settlement/v1/state.ts";
import { type Coins, subCoins } from "../../types/coins.ts";
import { coinsIn } from "./records.ts";

/** What a settlement may take of an escrow: not the cost of records that are disputed (RULES 21). */
export function spendable({ balance, reserved }: EscrowState): Coins {
  return reserved.length === 0 ? coinsIn(balance) : subCoins(coinsIn(balance), coinsIn(reserved));
}
