import type { Discount, TaxTerms } from "../../gen/settled/settlement/v1/state.ts";
import { type Event, event } from "../../types/event.ts";
import { secondsOf, type TimeNs } from "../../types/time.ts";
import { formatCoins } from "../../types/coins.ts";
import { coinsIn } from "./records.ts";

/** Events of discounts and tax. The list with all attributes is in README.md. */

const PREFIX = "virtengine.settlement.v1.Event";

interface Change {
  readonly orderId: string;
  readonly sender: string;
  readonly at: TimeNs;
}

export function discountsSet(
  e: Change & { old: readonly Discount[]; now: readonly Discount[] },
): Event {
  return event(`${PREFIX}DiscountsSet`, {
    order_id: e.orderId,
    set_by: e.sender,
    old: e.old.map(discountText).join(";"),
    new: e.now.map(discountText).join(";"),
    set_at: secondsOf(e.at).toString(),
  });
}

export function taxSet(
  e: Change & { old: TaxTerms | undefined; now: TaxTerms | undefined },
): Event {
  return event(`${PREFIX}TaxSet`, {
    order_id: e.orderId,
    set_by: e.sender,
    old: taxText(e.old),
    new: taxText(e.now),
    set_at: secondsOf(e.at).toString(),
  });
}

/** "percentage 500bps", "fixed 100uve", "volume 10:500bps,20:800bps", and what bounds it. */
function discountText(discount: Discount): string {
  const { kind, tiers, validFrom, validUntil } = discount;
  const coins = (wire: Discount["amount"]): string => formatCoins(coinsIn(wire));
  const values: Readonly<Record<string, string>> = {
    percentage: `${discount.rateBps}bps`,
    fixed: coins(discount.amount),
    volume: tiers.map(({ minUnits, rateBps }) => `${minUnits}:${rateBps}bps`).join(","),
  };
  const bounds = [
    validFrom === 0n ? "" : `from ${validFrom}`,
    validUntil === 0n ? "" : `until ${validUntil}`,
    discount.minTotal.length === 0 ? "" : `above ${coins(discount.minTotal)}`,
    discount.maxDiscount.length === 0 ? "" : `at most ${coins(discount.maxDiscount)}`,
  ];
  return [kind, values[kind] ?? "", ...bounds].filter((part) => part !== "").join(" ");
}

/** "exclusive VAT 0.19,local 0.02 compound"; empty for no tax. */
function taxText(tax: TaxTerms | undefined): string {
  if (tax === undefined) return "";
  const rates = tax.rates.map(({ name, rate, compound }) => {
    return `${name} ${rate}${compound ? " compound" : ""}`;
  });
  return [tax.mode, rates.join(",")].filter((part) => part !== "").join(" ");
}
