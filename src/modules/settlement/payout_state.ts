import { PayoutState, PayoutStatus } from "../../gen/settled/settlement/v1/state.ts";
import type { Context } from "../../baseapp/context.ts";
import { EMPTY_BYTES } from "../../lib/bytes.ts";
import { byteKey, i64Key, joinKeys, type Key } from "../../lib/key.ts";
import { minBigint } from "../../lib/int.ts";
import { addCoins, amountOf, type Coins, mapCoins, NO_COINS, subCoins } from "../../types/coins.ts";
import type { WireCoin } from "../../types/coins.ts";
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

/** Refunds are taken from the holdback first (RULES 28): what is above it came from the net. */
function refundedOfHoldback(payout: PayoutState): Coins {
  const holdback = coinsIn(payout.holdback);
  return mapCoins(coinsIn(payout.refunded), (amount, denom) =>
    minBigint(amount, amountOf(holdback, denom)),
  );
}

/** The net but what of it went back to the customer. */
export function netToPay(payout: PayoutState): Coins {
  if (payout.refunded.length === 0) return coinsIn(payout.net);
  const ofNet = subCoins(coinsIn(payout.refunded), refundedOfHoldback(payout));
  return subCoins(coinsIn(payout.net), ofNet);
}

/** The holdback that is neither with the provider nor with the customer. */
export function holdbackLeft(payout: PayoutState): Coins {
  if (payout.holdback.length === 0) return NO_COINS;
  const released = coinsIn(payout.holdbackReleased);
  return subCoins(subCoins(coinsIn(payout.holdback), released), refundedOfHoldback(payout));
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
