import type { UsageState } from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { minBigint } from "../../lib/int.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { amountOf, type Coins } from "../../types/coins.ts";
import { type Allocation, type Allotment, allocate } from "./allocate.ts";
import { type BillingRules, billOf, type DenomBill, denomBill, divideOver } from "./bill.ts";
import { BilledMeans } from "./billed_means.ts";
import { CoinSums } from "./coin_sums.ts";

/**
 * As `allocate`, with an order's discounts and tax. Amounts are what records are settled for: cost
 * less discount, less the tax that prices contain, and what a final settlement cannot pay.
 * @param rules undefined for an order that has none
 */
export function allocateUnder(
  rules: BillingRules | undefined,
  records: readonly UsageState[],
  balance: Coins,
  final: boolean,
): Allocation {
  if (rules === undefined) return allocate(records, balance, final);
  const covered = final ? { records, stoppedAt: undefined } : coveredOf(rules, records, balance);
  const byDenom = new KeyMap<UsageState[]>();
  for (const usage of covered.records) {
    const same = byDenom.get(usage.denom);
    if (same === undefined) byDenom.set(usage.denom, [usage]);
    else same.push(usage);
  }
  const parts: DenomBill[] = [];
  const allotted = new KeyMap<Line>();
  for (const [denom, same] of byDenom.sortedEntries()) {
    const sum = same.reduce((total, { cost }) => total + BigInt(cost), 0n);
    const units = same.reduce((total, usage) => total + usage.units, 0n);
    const part = denomBill(rules, { denom, sum, units }, amountOf(balance, denom));
    parts.push(part);
    for (const line of linesOf(part, same)) allotted.set(line.usage.seq.toString(), line);
  }
  const lines = covered.records.map(({ seq }) => {
    return must(allotted.get(seq.toString()), "settlement: every record taken has an amount");
  });
  const total = new CoinSums();
  for (const { usage, amount } of lines) total.add(usage.denom, amount);
  return {
    taken: lines,
    total: total.coins(),
    stoppedAt: covered.stoppedAt ?? lines.find(({ isShort }) => isShort)?.usage,
    bill: billOf(rules, parts),
  };
}

interface Line extends Allotment {
  /** Whether it is paid less than its price. */
  readonly isShort: boolean;
}

function coveredOf(
  rules: BillingRules,
  records: readonly UsageState[],
  balance: Coins,
): { records: readonly UsageState[]; stoppedAt: UsageState | undefined } {
  const means = new BilledMeans(rules, balance);
  const covered: UsageState[] = [];
  let stoppedAt: UsageState | undefined;
  for (const usage of records) {
    if (means.isSpent(usage.denom)) continue;
    if (means.covers(usage)) covered.push(usage);
    else stoppedAt ??= usage;
  }
  return { records: covered, stoppedAt };
}

/** What each record of one denom is settled for: in full, until what is paid is used up. */
function linesOf(bill: DenomBill, records: readonly UsageState[]): Line[] {
  const costs = records.map(({ cost }) => BigInt(cost));
  const discounts = divideOver(bill.discount, costs);
  const prices = costs.map((cost, index) => cost - (discounts[index] ?? 0n));
  let left = bill.paid;
  const paid = prices.map((price) => {
    const part = minBigint(price, left);
    left -= part;
    return part;
  });
  const taxes = divideOver(bill.isTaxWithin ? bill.tax : 0n, paid);
  return records.map((usage, index) => {
    const part = paid[index] ?? 0n;
    return {
      usage,
      amount: part - (taxes[index] ?? 0n),
      discount: discounts[index] ?? 0n,
      isShort: part < (prices[index] ?? 0n),
    };
  });
}
