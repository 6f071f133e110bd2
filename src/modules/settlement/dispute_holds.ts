import type { Context } from "../../baseapp/context.ts";
import {
  type EscrowState,
  PayoutLedgerKind as Kind,
  type PayoutState,
  PayoutStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { isZeroCoins } from "../../types/coins.ts";
import { disputeId } from "./dispute_records.ts";
import * as events from "./events_payout.ts";
import { logPayout, payoutId } from "./payout_ledger.ts";
import { mayBecome, unpaid } from "./payout_state.ts";
import type { Records } from "./records.ts";

/** What disputes of settled records do to the payout of their settlement (RULES 21). */

const { PAYOUT_STATUS_COMPLETED: COMPLETED, PAYOUT_STATUS_HELD: HELD } = PayoutStatus;
const { PAYOUT_STATUS_PENDING: PENDING } = PayoutStatus;

/** Counts a dispute, and holds what is still to be paid unless it is held already. */
export function holdForDispute(
  ctx: Context,
  records: Records,
  { payout: before, escrow, seq }: { payout: PayoutState; escrow: EscrowState; seq: bigint },
): void {
  const counted = { ...before, openDisputes: before.openDisputes + 1, disputeSeq: seq };
  const left = unpaid(before);
  const ofHoldback = before.status === COMPLETED;
  const isHeld = before.status === HELD || before.holdbackHeld;
  const isOver = isZeroCoins(left) || (!ofHoldback && !mayBecome(before.status, HELD));
  if (isHeld || isOver) {
    records.setPayout(ctx, before, counted, escrow);
    return;
  }
  const reason = disputeId(seq);
  const held = {
    ...counted,
    ...{ nextAttemptHeight: 0n, holdReason: reason },
    ...{ holdbackHeld: ofHoldback, heldByDispute: true },
  };
  const status = ofHoldback ? COMPLETED : HELD;
  const note = { kind: Kind.PAYOUT_LEDGER_KIND_HELD, status, amount: left, reason };
  records.setPayout(ctx, before, logPayout(ctx, held, note), escrow);
  const facts = { payoutId: payoutId(before), disputeId: reason, reason, at: ctx.time };
  ctx.emit(events.payoutHeld(facts));
}

/**
 * Counts a dispute that is over. After the last one, what disputes held waits for its time again:
 * this block's own work pays what is due.
 */
export function releaseFromDispute(
  ctx: Context,
  records: Records,
  { payout: before, escrow }: { payout: PayoutState; escrow: EscrowState },
): void {
  assert(before.openDisputes > 0, "settlement: a payout counts its disputes", { seq: before.seq });
  const counted = { ...before, openDisputes: before.openDisputes - 1 };
  if (counted.openDisputes > 0 || !before.heldByDispute) {
    records.setPayout(ctx, before, counted, escrow);
    return;
  }
  const free = { ...counted, heldByDispute: false, holdbackHeld: false, holdReason: "" };
  const left = unpaid(before);
  const isHeld = before.status === HELD || before.holdbackHeld;
  if (!isHeld || isZeroCoins(left)) {
    // A refund took all that was held.
    records.setPayout(ctx, before, free, escrow);
    return;
  }
  const status = before.status === HELD ? PENDING : before.status;
  const note = { kind: Kind.PAYOUT_LEDGER_KIND_RELEASED, status, amount: left };
  records.setPayout(ctx, before, logPayout(ctx, free, note), escrow);
  ctx.emit(events.payoutReleased({ payoutId: payoutId(before), at: ctx.time }));
}
