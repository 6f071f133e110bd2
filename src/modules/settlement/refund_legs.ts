import type {
  PayoutState,
  RefundedLegs,
  SettlementState,
} from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { maxBigint, minBigint, mulDivFloor } from "../../lib/int.ts";
import { addCoins, amountOf, type Coins, coinsOf, NO_COINS, wireCoins } from "../../types/coins.ts";
import { refundedOfHoldback, refundedOfNet } from "./payout_state.ts";
import { coinsIn } from "./records.ts";

/** Parts of a settlement, and how a refund divides over them (RULES 31). */

/** The parts in the order in which a refund fills them; tax is on top of the total. */
export const LEGS = ["platformFee", "validatorFee", "holdback", "net", "tax"] as const;
export type LegName = (typeof LEGS)[number];

/** Base units of one denom. */
export type LegAmounts = Readonly<Record<LegName, bigint>>;

export type Legs = Readonly<Record<LegName, Coins>>;

export const NO_LEGS: Legs = {
  platformFee: NO_COINS,
  validatorFee: NO_COINS,
  holdback: NO_COINS,
  net: NO_COINS,
  tax: NO_COINS,
};

/** All but the tax: what a total is made of. */
export function sumOfLegs(legs: LegAmounts): bigint {
  return legs.platformFee + legs.validatorFee + legs.holdback + legs.net;
}

/**
 * What each part gives for `amount` of one denom: floor(share × part) less what it gave before,
 * the share being that of all refunds up to this one; the remainder from the net, and what the net
 * does not have, from holdback, validator fee and platform fee, in this order. So refunds of the
 * whole give each part back exactly, whatever their number and sizes.
 * @param legs the parts, which sum to the total
 * @param done what each gave before
 * @param amount at most what is left of the total
 */
export function splitRefund(legs: LegAmounts, done: LegAmounts, amount: bigint): LegAmounts {
  const total = sumOfLegs(legs);
  const refunded = sumOfLegs(done) + amount;
  assert(refunded <= total, "settlement: more is refunded than was settled", { refunded, total });
  const due = (name: LegName): bigint =>
    total === 0n ? 0n : maxBigint(mulDivFloor(refunded, legs[name], total) - done[name], 0n);
  let left = amount;
  const take = (most: bigint): bigint => {
    const taken = minBigint(most, left);
    left -= taken;
    return taken;
  };
  const first = {
    platformFee: take(due("platformFee")),
    validatorFee: take(due("validatorFee")),
    holdback: take(due("holdback")),
  };
  const net = take(legs.net - done.net);
  const rest = (name: "platformFee" | "validatorFee" | "holdback"): bigint =>
    first[name] + take(legs[name] - done[name] - first[name]);
  const holdback = rest("holdback");
  const validatorFee = rest("validatorFee");
  const platformFee = rest("platformFee");
  return { platformFee, validatorFee, holdback, net, tax: due("tax") };
}

/** As `splitRefund`, denom by denom. */
export function splitRefundCoins(legs: Legs, done: Legs, amount: Coins): Legs {
  return amount.reduce<Legs>((sum, coin) => {
    const of = (parts: Legs): LegAmounts => amountsOf(parts, coin.denom);
    const split = splitRefund(of(legs), of(done), coin.amount);
    return addLegs(
      sum,
      mapLegs((name) => coinsOf(coin.denom, split[name])),
    );
  }, NO_LEGS);
}

/** All but the tax. */
export function sumOfCoins({ platformFee, validatorFee, holdback, net }: Legs): Coins {
  return [platformFee, validatorFee, holdback, net].reduce(addCoins, NO_COINS);
}

/** The parts that are not others' fees. */
export function withoutFees(legs: Legs): Legs {
  return { ...legs, platformFee: NO_COINS, validatorFee: NO_COINS };
}

export function addLegs(a: Legs, b: Legs): Legs {
  return mapLegs((name) => addCoins(a[name], b[name]));
}

export function mapLegs(of: (name: LegName) => Coins): Legs {
  return {
    platformFee: of("platformFee"),
    validatorFee: of("validatorFee"),
    holdback: of("holdback"),
    net: of("net"),
    tax: of("tax"),
  };
}

/** What a settlement is made of. Without a payout nothing was held back. */
export function legsOf(settlement: SettlementState, payout: PayoutState | undefined): Legs {
  return {
    platformFee: coinsIn(settlement.platformFee),
    validatorFee: coinsIn(settlement.validatorFee),
    holdback: coinsIn(payout?.holdback ?? []),
    net: coinsIn(payout?.net ?? settlement.providerShare),
    tax: coinsIn(settlement.tax),
  };
}

/** What its parts gave back or owe, by refunds of the settlement or of its payout. */
export function doneOf(settlement: SettlementState, payout: PayoutState | undefined): Legs {
  const done = legsIn(settlement.refunded);
  if (payout === undefined || payout.refunded.length === 0) return done;
  return {
    ...done,
    holdback: addCoins(done.holdback, refundedOfHoldback(payout)),
    net: addCoins(done.net, refundedOfNet(payout)),
  };
}

/** Parts as the state keeps them. */
export function legsIn(wire: RefundedLegs | undefined): Legs {
  return wire === undefined ? NO_LEGS : mapLegs((name) => coinsIn(wire[name]));
}

export function wireLegs(legs: Legs): RefundedLegs {
  return {
    platformFee: wireCoins(legs.platformFee),
    validatorFee: wireCoins(legs.validatorFee),
    holdback: wireCoins(legs.holdback),
    net: wireCoins(legs.net),
    tax: wireCoins(legs.tax),
  };
}

function amountsOf(legs: Legs, denom: string): LegAmounts {
  return {
    platformFee: amountOf(legs.platformFee, denom),
    validatorFee: amountOf(legs.validatorFee, denom),
    holdback: amountOf(legs.holdback, denom),
    net: amountOf(legs.net, denom),
    tax: amountOf(legs.tax, denom),
  };
}
