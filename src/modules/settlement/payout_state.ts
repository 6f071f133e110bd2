import { PayoutState, PayoutStatus } from "../../gen/settled/settlement/v1/state.ts";
import type { Context } from "../../baseapp/context.ts";
import { EMPTY_BYTES } from "../../lib/bytes.ts";
import { byteKey, i64Key, joinKeys, type Key } from "../../lib/key.ts";
import { minBigint } from "../../lib/int.ts";
import {
  addCoins,
  amountOf,
  type Coins,
  isZeroCoins,
  mapCoins,
  NO_COINS,
  subCoins,
  type WireCoin,
} from "../../types/coins.ts";
import * as keys from "./keys.ts";

/** What a payout still owes, where it may go, and which keys follow from it. */

const {
  PAYOUT_STATUS_PENDING: PENDING,
  PAYOUT_STATUS_PROCESSING: PROCESSING,
  PAYOUT_STATUS_COMPLETED: COMPLETED,
  PAYOUT_STATUS_FAILED: FAILED,
  PAYOUT_STATUS_HELD: HELD,
  PAYOUT_STATUS_REFUNDED: REFUNDED,
  PAYOUT_STATUS_CANCELLED: CANCELLED,
} = PayoutStatus;

/** As deployed, and that a failed payout may be held and a held one is pending when released. */
const TRANSITIONS: Readonly<Partial<Record<PayoutStatus, readonly PayoutStatus[]>>> = {
  [PENDING]: [PROCESSING, HELD, CANCELLED],
  [PROCESSING]: [COMPLETED, FAILED, HELD],
  [HELD]: [PENDING, PROCESSING, REFUNDED, CANCELLED],
  [FAILED]: [PROCESSING, HELD],
};

export function mayBecome(from: PayoutStatus, to: PayoutStatus): boolean {
  return TRANSITIONS[from]?.includes(to) ?? false;
}

function coinsIn(wire: readonly WireCoin[]): Coins {
  return wire.map(({ denom, amount }) => ({ denom, amount: BigInt(amount) }));
}

/**
 * What refunds of the payout took of its holdback, which comes first (RULES 28), as far as refunds
 * of the settlement left it.
 */
export function refundedOfHoldback(payout: PayoutState): Coins {
  const most = subCoins(coinsIn(payout.holdback), coinsIn(payout.reversedHoldback));
  return mapCoins(coinsIn(payout.refunded), (amount, denom) =>
    minBigint(amount, amountOf(most, denom)),
  );
}

/** What refunds of the payout took above its holdback. */
export function refundedOfNet(payout: PayoutState): Coins {
  return subCoins(coinsIn(payout.refunded), refundedOfHoldback(payout));
}

/** The net but what of it went back to the customer before it was paid. */
export function netToPay(payout: PayoutState): Coins {
  const net = coinsIn(payout.net);
  const left = payout.refunded.length === 0 ? net : subCoins(net, refundedOfNet(payout));
  return subCoins(left, coinsIn(payout.reversedNet));
}

/** The holdback that is neither with the provider nor with the customer. */
export function holdbackLeft(payout: PayoutState): Coins {
  if (payout.holdback.length === 0) return NO_COINS;
  const released = addCoins(coinsIn(payout.holdbackReleased), coinsIn(payout.reversedHoldback));
  return subCoins(subCoins(coinsIn(payout.holdback), released), refundedOfHoldback(payout));
}

/** A holdback that has gone has no time, no next attempt and nothing that is held. */
export function settleHoldback(payout: PayoutState): PayoutState {
  if (payout.holdbackDueAtNs === 0n || !isZeroCoins(holdbackLeft(payout))) return payout;
  const nextAttemptHeight = payout.status === COMPLETED ? 0n : payout.nextAttemptHeight;
  return { ...payout, holdbackDueAtNs: 0n, holdbackHeld: false, nextAttemptHeight };
}

/** What the account `settlement` holds of a payout (I-11). */
export function unpaid(payout: PayoutState | undefined): Coins {
  if (payout === undefined) return NO_COINS;
  const holdback = holdbackLeft(payout);
  return payout.status === COMPLETED ? holdback : addCoins(netToPay(payout), holdback);
}

/** Whether a holdback waits for its time. */
export function waitsForHoldback(payout: PayoutState): boolean {
  return (
    payout.status === COMPLETED &&
    payout.holdbackDueAtNs !== 0n &&
    !payout.holdbackHeld &&
    payout.nextAttemptHeight === 0n
  );
}

/** The one queue entry of a payout; undefined when no block has to look at it. */
export function queueKey(payout: PayoutState): Key | undefined {
  const { seq, status } = payout;
  if (payout.nextAttemptHeight !== 0n) {
    return joinKeys(
      keys.PAYOUT_RETRY_QUEUE_PREFIX,
      i64Key(payout.nextAttemptHeight),
      keys.seqKey(seq),
    );
  }
  if (status === PENDING) {
    return joinKeys(keys.PAYOUT_QUEUE_PREFIX, i64Key(payout.dueAtNs), keys.seqKey(seq));
  }
  if (!waitsForHoldback(payout)) return undefined;
  return joinKeys(keys.HOLDBACK_QUEUE_PREFIX, i64Key(payout.holdbackDueAtNs), keys.seqKey(seq));
}

/** The escrow of a payout names them. */
export interface PayoutParties {
  readonly recipient: string;
  readonly depositor: string;
}

/** Writes a payout with its look-ups and its queue entry; the running total is the caller's. */
export function writePayout(
  ctx: Context,
  before: PayoutState | undefined,
  after: PayoutState,
  { recipient, depositor }: PayoutParties,
): void {
  const seq = keys.seqKey(after.seq);
  ctx.kv.set(keys.recordKey(keys.PAYOUT_PREFIX, after.seq), PayoutState.encode(after).finish());
  if (before === undefined) {
    const byProvider = keys.textIndexKey(keys.PAYOUT_BY_PROVIDER_PREFIX, recipient);
    ctx.kv.create(joinKeys(byProvider, seq), EMPTY_BYTES);
    const byCustomer = keys.textIndexKey(keys.PAYOUT_BY_CUSTOMER_PREFIX, depositor);
    ctx.kv.create(joinKeys(byCustomer, seq), EMPTY_BYTES);
  }
  replaceKey(ctx, before && statusKey(before), statusKey(after));
  replaceKey(ctx, before && queueKey(before), queueKey(after));
}

function replaceKey(ctx: Context, before: Key | undefined, after: Key | undefined): void {
  if (before === after) return;
  if (before !== undefined) ctx.kv.delete(before);
  if (after !== undefined) ctx.kv.set(after, EMPTY_BYTES);
}

/** Payouts by state, but completed ones: they are nearly all. */
export function statusKey(payout: PayoutState): Key | undefined {
  if (payout.status === COMPLETED) return undefined;
  return joinKeys(keys.PAYOUT_BY_STATUS_PREFIX, byteKey(payout.status), keys.seqKey(payout.seq));
}
