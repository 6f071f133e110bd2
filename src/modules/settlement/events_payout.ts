import { type Coins, formatCoins } from "../../types/coins.ts";
import { type Event, event } from "../../types/event.ts";
import { secondsOf, type TimeNs } from "../../types/time.ts";

/** Events about payouts and fee accounts. The list with all attributes is in README.md. */

const PREFIX = "virtengine.settlement.v1.Event";

const seconds = (time: TimeNs): string => secondsOf(time).toString();

/** A payout that has to wait; one that is paid at once is only completed. */
export function payoutPending(e: {
  payoutId: string;
  settlementId: string;
  net: Coins;
  due: TimeNs;
}): Event {
  const { payoutId: payout_id, settlementId: settlement_id } = e;
  const values = { payout_id, settlement_id, net_amount: formatCoins(e.net) };
  return event(`${PREFIX}PayoutPending`, { ...values, due_at: seconds(e.due) });
}

/** @param e.nextAttemptHeight 0n when there is none */
export function payoutFailed(e: {
  payoutId: string;
  error: string;
  attempts: number;
  nextAttemptHeight: bigint;
  at: TimeNs;
}): Event {
  return event(`${PREFIX}PayoutFailed`, {
    payout_id: e.payoutId,
    error: e.error,
    failed_at: seconds(e.at),
    attempts: e.attempts.toString(),
    next_attempt_height: e.nextAttemptHeight === 0n ? undefined : e.nextAttemptHeight.toString(),
  });
}

/** Its escrow is disputed: it is looked at again at a time, or a height. */
export function payoutPostponed(e: {
  payoutId: string;
  escrowId: string;
  until?: TimeNs;
  untilHeight?: bigint;
}): Event {
  return event(`${PREFIX}PayoutPostponed`, {
    payout_id: e.payoutId,
    escrow_id: e.escrowId,
    until: e.until === undefined ? undefined : seconds(e.until),
    until_height: e.untilHeight?.toString(),
  });
}

export function payoutHeld(e: {
  payoutId: string;
  /** Empty when no dispute of a record holds it. */
  disputeId?: string;
  reason: string;
  at: TimeNs;
}): Event {
  const { payoutId: payout_id, disputeId: dispute_id = "", reason } = e;
  const values = { payout_id, dispute_id, reason };
  return event(`${PREFIX}PayoutHeld`, { ...values, held_at: seconds(e.at) });
}

export function payoutReleased(e: { payoutId: string; at: TimeNs }): Event {
  const values = { payout_id: e.payoutId, released_at: seconds(e.at) };
  return event(`${PREFIX}PayoutReleased`, values);
}

export function payoutRefunded(e: {
  payoutId: string;
  customer: string;
  amount: Coins;
  reason: string;
  at: TimeNs;
}): Event {
  const { payoutId: payout_id, customer, reason } = e;
  const values = { payout_id, customer, amount: formatCoins(e.amount), reason };
  return event(`${PREFIX}PayoutRefunded`, { ...values, refunded_at: seconds(e.at) });
}

export function holdbackReleased(e: {
  payoutId: string;
  provider: string;
  amount: Coins;
  at: TimeNs;
}): Event {
  const values = { payout_id: e.payoutId, provider: e.provider, amount: formatCoins(e.amount) };
  return event(`${PREFIX}HoldbackReleased`, { ...values, released_at: seconds(e.at) });
}

export function feesWithdrawn(e: {
  account: string;
  recipient: string;
  amount: Coins;
  at: TimeNs;
}): Event {
  const values = { account: e.account, recipient: e.recipient, amount: formatCoins(e.amount) };
  return event(`${PREFIX}FeesWithdrawn`, { ...values, withdrawn_at: seconds(e.at) });
}
