import type { UsageState } from "../../gen/settled/settlement/v1/state.ts";
import { mulDivFloor } from "../../lib/int.ts";
import { amountOf, type Coins, mapCoins, subCoins } from "../../types/coins.ts";
import { type Bill, billWithin } from "./bill.ts";
import { CoinSums } from "./coin_sums.ts";
import { DEC_ONE, type Dec } from "../../types/dec.ts";
import { Means } from "./means.ts";

/** A usage record and what it is settled for, in base units of its denom. */
export interface Allotment {
  readonly usage: UsageState;
  readonly amount: bigint;
  /** What was taken off its cost; absent when the order has no discounts or tax. */
  readonly discount?: bigint;
}

export interface Allocation {
  readonly taken: readonly Allotment[];
  /** Sum of the amounts by denom. */
  readonly total: Coins;
  /** The first record that the balance did not cover. */
  readonly stoppedAt: UsageState | undefined;
  /** Absent when the order has no discounts or tax: costs and amounts say all. */
  readonly bill?: Bill;
}

/**
 * Divides an escrow's balance over records in recording order (RULES 24). Not final: per denom it
 * stops at the first record whose cost exceeds what is left. Final: that record is paid what is
 * left and the later ones nothing.
 */
export function allocate(
  records: readonly UsageState[],
  balance: Coins,
  final: boolean,
): Allocation {
  const means = new Means(balance);
  const taken: Allotment[] = [];
  let stoppedAt: UsageState | undefined;
  for (const usage of records) {
    const { denom } = usage;
    if (means.isSpent(denom) && !final) continue;
    if (means.covers(usage)) taken.push({ usage, amount: BigInt(usage.cost) });
    else {
      stoppedAt ??= usage;
      if (final) taken.push({ usage, amount: means.drain(denom) });
    }
  }
  return { taken, total: sumOf(taken), stoppedAt };
}

/** Whether so much of a denom is settled; both in its base units. */
export function isWorth(amount: bigint, minimum: bigint): boolean {
  return amount > 0n && amount >= minimum;
}

/** Leaves out every denom whose total is below the minimum (RULES 27). */
export function dropBelowMinimum(allocation: Allocation, minimum: bigint): Allocation {
  const { total } = allocation;
  const kept = ({ usage }: Allotment): boolean => isWorth(amountOf(total, usage.denom), minimum);
  const taken = allocation.taken.filter(kept);
  const { bill, stoppedAt } = allocation;
  const rest = { taken, total: sumOf(taken), stoppedAt };
  return bill === undefined ? rest : { ...rest, bill: billWithin(bill, rest.total) };
}

function sumOf(taken: readonly Allotment[]): Coins {
  const sums = new CoinSums();
  for (const { usage, amount } of taken) sums.add(usage.denom, amount);
  return sums.coins();
}

/** Costs of records by denom. */
export function costOf(records: readonly UsageState[]): Coins {
  const sums = new CoinSums();
  for (const { denom, cost } of records) sums.add(denom, BigInt(cost));
  return sums.coins();
}

export interface Shares {
  readonly platformFee: Coins;
  readonly validatorFee: Coins;
  readonly providerShare: Coins;
}

/** Fees floored once per denom on the total; the provider keeps the dust (RULES 28). */
export function splitFees(total: Coins, rates: { platform: Dec; validator: Dec }): Shares {
  const platformFee = mapCoins(total, (amount) => mulDivFloor(amount, rates.platform, DEC_ONE));
  const validatorFee = mapCoins(total, (amount) => mulDivFloor(amount, rates.validator, DEC_ONE));
  const providerShare = subCoins(subCoins(total, platformFee), validatorFee);
  return { platformFee, validatorFee, providerShare };
}
