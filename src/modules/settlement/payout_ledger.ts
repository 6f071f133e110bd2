import type { Context } from "../../baseapp/context.ts";
import {
  type EscrowState,
  PayoutLedgerEntry,
  type PayoutLedgerKind,
  type PayoutState,
  PayoutStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { EMPTY_BYTES } from "../../lib/bytes.ts";
import { type Coins, wireCoins } from "../../types/coins.ts";
import type { Shares } from "./allocate.ts";
import { timedId } from "./ids.ts";
import { payoutLedgerKey } from "./keys.ts";
import { mayBecome } from "./payout_state.ts";

/** New payouts, and the numbered entries that say what happened to each. */

/** What a payout is made of; its coins are in the account `settlement` already. */
export interface NewPayout {
  readonly seq: bigint;
  readonly invoiceSeq: bigint;
  /** 0n for none. */
  readonly settlementSeq: bigint;
  readonly escrow: EscrowState;
  /** What was settled, fees included. */
  readonly gross: Coins;
  readonly shares: Shares;
}

/** What an entry of the ledger says. */
export interface LedgerNote {
  readonly kind: PayoutLedgerKind;
  readonly status: PayoutStatus;
  readonly amount: Coins;
  readonly reason?: string;
  readonly journalSeq?: bigint;
}

export function payoutId({ createdAtNs, seq }: PayoutState): string {
  return timedId("payout", createdAtNs, seq);
}

export function newPayout(ctx: Context, facts: NewPayout): PayoutState {
  return {
    seq: facts.seq,
    invoiceSeq: facts.invoiceSeq,
    settlementSeq: facts.settlementSeq,
    escrowSeq: facts.escrow.seq,
    gross: wireCoins(facts.gross),
    platformFee: wireCoins(facts.shares.platformFee),
    validatorFee: wireCoins(facts.shares.validatorFee),
    holdback: [],
    net: [],
    status: PayoutStatus.PAYOUT_STATUS_UNSPECIFIED,
    attempts: 0,
    createdAtNs: ctx.time,
    lastAttemptAtNs: 0n,
    processedAtNs: 0n,
    completedAtNs: 0n,
    height: ctx.height,
    holdbackReleased: [],
    refunded: [],
    holdReason: "",
    lastError: "",
    dueAtNs: 0n,
    nextAttemptHeight: 0n,
    holdbackDueAtNs: 0n,
    holdbackHeld: false,
    txHash: EMPTY_BYTES,
    ledgerCount: 0,
    reversedNet: [],
    reversedHoldback: [],
    openDisputes: 0,
    disputeSeq: 0n,
    heldByDispute: false,
    paramsVersion: 0n,
  };
}

/** Writes the next entry of a payout's ledger, and gives the payout as it is after it. */
export function logPayout(ctx: Context, payout: PayoutState, entry: LedgerNote): PayoutState {
  const { status: previousStatus } = payout;
  const { kind, status, amount, reason = "", journalSeq = 0n } = entry;
  const isNew = previousStatus === PayoutStatus.PAYOUT_STATUS_UNSPECIFIED;
  if (status !== previousStatus && !isNew && !mayBecome(previousStatus, status)) {
    assert(false, "settlement: no such transition of a payout", { previousStatus, status });
  }
  const number = payout.ledgerCount + 1;
  const record: PayoutLedgerEntry = {
    payoutSeq: payout.seq,
    number,
    kind,
    previousStatus,
    status,
    amount: wireCoins(amount),
    reason,
    height: ctx.height,
    timeNs: ctx.time,
    journalSeq,
  };
  ctx.kv.create(payoutLedgerKey(payout.seq, number), PayoutLedgerEntry.encode(record).finish());
  return { ...payout, status, ledgerCount: number };
}
