import type { Context } from "../../baseapp/context.ts";
import {
  type EscrowState,
  PayoutLedgerKind as Kind,
  type PayoutState,
  PayoutStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { addCoins, type Coins, isZeroCoins, NO_COINS, wireCoins } from "../../types/coins.ts";
import { logPayout } from "./payout_ledger.ts";
import { mayBecome, settleHoldback, unpaid } from "./payout_state.ts";
import { coinsIn, type Records } from "./records.ts";

const {
  PAYOUT_STATUS_COMPLETED: COMPLETED,
  PAYOUT_STATUS_HELD: HELD,
  PAYOUT_STATUS_REFUNDED: REFUNDED,
} = PayoutStatus;

/** Coins of a payout that a refund of its settlement gave back to the customer. */
export interface Reversal {
  readonly leg: "holdback" | "net";
  readonly coins: Coins;
  /** Whether they were in the account `settlement`; if not, the provider gave them. */
  readonly isUnpaid: boolean;
  readonly journalSeq: bigint;
}

/**
 * Writes what a refund of its settlement took of a payout, one entry of its ledger for each entry
 * of the journal. One that has nothing left to pay, and was not paid, is refunded.
 * @param request.reason the id of the refund
 */
export function reversePayout(
  ctx: Context,
  records: Records,
  request: {
    before: PayoutState;
    escrow: EscrowState;
    reversals: readonly Reversal[];
    reason: string;
  },
): void {
  const { before, escrow, reversals, reason } = request;
  if (reversals.length === 0) return;
  let payout = settleHoldback(reversals.reduce(reversed, before));
  const isOver = before.status !== COMPLETED && isZeroCoins(unpaid(payout));
  const ends = isOver && (before.status === HELD || mayBecome(before.status, HELD));
  if (ends) {
    payout = { ...payout, dueAtNs: 0n, nextAttemptHeight: 0n };
    if (before.status !== HELD) {
      payout = logPayout(
        ctx,
        { ...payout, holdReason: reason },
        { kind: Kind.PAYOUT_LEDGER_KIND_HELD, status: HELD, amount: NO_COINS, reason },
      );
    }
  }
  reversals.forEach(({ coins: amount, journalSeq }, index) => {
    const status = ends && index === reversals.length - 1 ? REFUNDED : payout.status;
    const kind = Kind.PAYOUT_LEDGER_KIND_REFUNDED;
    payout = logPayout(ctx, payout, { kind, status, amount, reason, journalSeq });
  });
  records.setPayout(ctx, before, payout, escrow);
}

function reversed(payout: PayoutState, { leg, coins, isUnpaid }: Reversal): PayoutState {
  if (!isUnpaid) return payout;
  if (leg === "holdback") {
    const sum = addCoins(coinsIn(payout.reversedHoldback), coins);
    return { ...payout, reversedHoldback: wireCoins(sum) };
  }
  const sum = addCoins(coinsIn(payout.reversedNet), coins);
  return { ...payout, reversedNet: wireCoins(sum) };
}
