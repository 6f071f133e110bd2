import type { UsageState } from "../../gen/settled/settlement/v1/state.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { amountOf, type Coins } from "../../types/coins.ts";
import { type BillingRules, chargeOf, denomBill } from "./bill.ts";
import type { Purse } from "./means.ts";

/**
 * As `Means`, for an order with discounts or tax: a record is covered when all that are taken so
 * far of its denom and it cost, less discounts and with tax, at most the balance (RULES 30).
 */
export class BilledMeans implements Purse {
  readonly #rules: BillingRules;
  readonly #balance: Coins;
  readonly #taken = new KeyMap<{ sum: bigint; units: bigint }>();
  readonly #spent = new KeyMap<true>();

  constructor(rules: BillingRules, balance: Coins) {
    this.#rules = rules;
    this.#balance = balance;
  }

  isSpent(denom: string): boolean {
    return this.#spent.has(denom);
  }

  covers({ denom, cost, units }: UsageState): boolean {
    const before = this.#taken.get(denom) ?? { sum: 0n, units: 0n };
    const after = { sum: before.sum + BigInt(cost), units: before.units + units };
    const charge = chargeOf(this.#rules, { denom, ...after });
    const isCovered = charge <= amountOf(this.#balance, denom);
    if (isCovered) this.#taken.set(denom, after);
    else this.#spent.set(denom, true);
    return isCovered;
  }

  takenOf(denom: string): bigint {
    const taken = this.#taken.get(denom);
    if (taken === undefined) return 0n;
    const bill = denomBill(this.#rules, { denom, ...taken }, amountOf(this.#balance, denom));
    return bill.isTaxWithin ? bill.paid - bill.tax : bill.paid;
  }

  giveBack(denom: string): void {
    this.#taken.delete(denom);
  }
}
