import type { Discount } from "../../gen/settled/settlement/v1/state.ts";
import { minBigint, mulDivFloor } from "../../lib/int.ts";
import { amountOf, type Coins } from "../../types/coins.ts";
import { coinsIn } from "./records.ts";

export const DISCOUNT_KINDS = ["percentage", "fixed", "volume"] as const;

/** Basis points in one. */
export const BPS_ONE = 10_000n;

/** A discount of an order that is valid now. */
export interface ValidDiscount {
  /** In the list of the order's discounts, from 0. */
  readonly place: number;
  readonly kind: string;
  readonly description: string;
  readonly rateBps: bigint;
  /** What is left to give of a fixed one. */
  readonly left: Coins;
  readonly tiers: readonly { readonly minUnits: bigint; readonly rateBps: bigint }[];
  readonly minTotal: Coins;
  /** A denom that is not in it has no most. */
  readonly most: Coins;
}

/** Records of one denom that one settlement takes. */
export interface Takings {
  readonly denom: string;
  /** Of their costs, base units. */
  readonly sum: bigint;
  readonly units: bigint;
}

/** @param seconds block time, unix seconds: both bounds of a discount are in it */
export function validDiscounts(discounts: readonly Discount[], seconds: bigint): ValidDiscount[] {
  return discounts.flatMap((discount, place) => {
    const { validFrom, validUntil, kind, description } = discount;
    if (seconds < validFrom || (validUntil !== 0n && seconds > validUntil)) return [];
    return {
      ...{ place, kind, description },
      rateBps: BigInt(discount.rateBps),
      left: coinsIn(discount.amount),
      tiers: discount.tiers.map(({ minUnits, rateBps }) => {
        return { minUnits, rateBps: BigInt(rateBps) };
      }),
      minTotal: coinsIn(discount.minTotal),
      most: coinsIn(discount.maxDiscount),
    };
  });
}

/**
 * What each discount takes off, in base units: all of the same sum, one after the other as far as
 * there is something left of it (RULES 30).
 */
export function reductionsOf(discounts: readonly ValidDiscount[], takings: Takings): bigint[] {
  let rest = takings.sum;
  return discounts.map((discount) => {
    const reduction = minBigint(reductionOf(discount, takings), rest);
    rest -= reduction;
    return reduction;
  });
}

function reductionOf(discount: ValidDiscount, takings: Takings): bigint {
  const { denom, sum } = takings;
  if (sum < amountOf(discount.minTotal, denom)) return 0n;
  const asked =
    discount.kind === "fixed"
      ? amountOf(discount.left, denom)
      : mulDivFloor(sum, rateOf(discount, takings), BPS_ONE);
  const most = amountOf(discount.most, denom);
  return most === 0n ? asked : minBigint(asked, most);
}

function rateOf({ kind, rateBps, tiers }: ValidDiscount, { units }: Takings): bigint {
  if (kind === "percentage") return rateBps;
  return tiers.findLast(({ minUnits }) => minUnits <= units)?.rateBps ?? 0n;
}
