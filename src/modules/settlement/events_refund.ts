import { type Coins, formatCoins } from "../../types/coins.ts";
import { type Event, event } from "../../types/event.ts";
import { secondsOf, type TimeNs } from "../../types/time.ts";
import type { Legs } from "./refund_legs.ts";

/** Events of refunds of settlements, and of what is owed of them. All attributes: README.md. */

const PREFIX = "virtengine.settlement.v1.Event";

const seconds = (time: TimeNs): string => secondsOf(time).toString();

export function settlementRefunded(e: {
  refundId: string;
  settlementId: string;
  orderId: string;
  customer: string;
  provider: string;
  amount: Coins;
  /** What each part gives back, what is owed of it included. */
  legs: Legs;
  owed: Coins;
  rewardsCancelled: Coins;
  reason: string;
  initiator: string;
  at: TimeNs;
}): Event {
  return event(`${PREFIX}SettlementRefunded`, {
    refund_id: e.refundId,
    settlement_id: e.settlementId,
    order_id: e.orderId,
    customer: e.customer,
    provider: e.provider,
    amount: formatCoins(e.amount),
    platform_fee: formatCoins(e.legs.platformFee),
    validator_fee: formatCoins(e.legs.validatorFee),
    holdback: formatCoins(e.legs.holdback),
    net: formatCoins(e.legs.net),
    tax: formatCoins(e.legs.tax),
    owed: formatCoins(e.owed),
    rewards_cancelled: formatCoins(e.rewardsCancelled),
    reason: e.reason,
    initiator: e.initiator,
    refunded_at: seconds(e.at),
  });
}

/** @param e.leg the part of the settlement whose account could not pay */
export function receivableBooked(e: {
  receivableId: string;
  refundId: string;
  leg: string;
  debtor: string;
  creditor: string;
  amount: Coins;
  at: TimeNs;
}): Event {
  return event(`${PREFIX}ReceivableBooked`, {
    receivable_id: e.receivableId,
    refund_id: e.refundId,
    leg: e.leg,
    debtor: e.debtor,
    creditor: e.creditor,
    amount: formatCoins(e.amount),
    booked_at: seconds(e.at),
  });
}

export function receivablePaid(e: {
  receivableId: string;
  payer: string;
  debtor: string;
  creditor: string;
  amount: Coins;
  /** What is still owed. */
  owed: Coins;
  at: TimeNs;
}): Event {
  return event(`${PREFIX}ReceivablePaid`, {
    receivable_id: e.receivableId,
    payer: e.payer,
    debtor: e.debtor,
    creditor: e.creditor,
    amount: formatCoins(e.amount),
    owed: formatCoins(e.owed),
    paid_at: seconds(e.at),
  });
}

export function rewardsCancelled(e: {
  refundId: string;
  address: string;
  amount: Coins;
  at: TimeNs;
}): Event {
  const values = { refund_id: e.refundId, address: e.address, amount: formatCoins(e.amount) };
  return event(`${PREFIX}RewardsCancelled`, { ...values, cancelled_at: seconds(e.at) });
}
