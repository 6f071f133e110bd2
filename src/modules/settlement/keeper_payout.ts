import type { Context } from "../../baseapp/context.ts";
import { isolated } from "../../baseapp/isolated.ts";
import {
  type EscrowState,
  EscrowStatus,
  PayoutLedgerKind as Kind,
  type PayoutState,
  PayoutStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { ChainError } from "../../lib/errors.ts";
import { maxBigint, minBigint, minSize, mulDivFloor } from "../../lib/int.ts";
import {
  addCoins,
  type Coins,
  coversCoins,
  equalCoins,
  formatCoins,
  isZeroCoins,
  mapCoins,
  NO_COINS,
  subCoins,
  wireCoins,
} from "../../types/coins.ts";
import { DEC_ONE } from "../../types/dec.ts";
import { addSeconds, NS_PER_SECOND, type TimeNs } from "../../types/time.ts";
import type { Accounts } from "./accounts.ts";
import * as errors from "./errors.ts";
import { payoutCompleted } from "./events.ts";
import * as events from "./events_payout.ts";
import type { BankKeeper } from "./expected_keepers.ts";
import { escrowId, timedId, timedSeqOf } from "./ids.ts";
import { quote } from "./keeper_escrow.ts";
import {
  logPayout,
  type LedgerNote,
  type NewPayout,
  newPayout,
  payoutId,
} from "./payout_ledger.ts";
import { holdbackLeft, mayBecome, netToPay, settleHoldback, unpaid } from "./payout_state.ts";
import { coinsIn, type Records } from "./records.ts";
import { payoutStatusName } from "./status_names.ts";

/** Attempts after the first one when `max_payout_retries` is 0. */
const RETRIES_DEFAULT = 3;
/** Blocks to wait after a failure: 2^attempts, at most 2^10. */
const BACK_OFF_DOUBLINGS_MAX = 10;
/** A payout of a disputed escrow is looked at again after as long as the dispute has lasted. */
const DISPUTE_WAIT_MIN = 60n * NS_PER_SECOND;
const DISPUTE_WAIT_MAX = 3600n * NS_PER_SECOND;
const DISPUTE_WAIT_BLOCKS = 60n;
const ERROR_CHARS_MAX = 256;

const {
  PAYOUT_STATUS_PENDING: PENDING,
  PAYOUT_STATUS_PROCESSING: PROCESSING,
  PAYOUT_STATUS_COMPLETED: COMPLETED,
  PAYOUT_STATUS_FAILED: FAILED,
  PAYOUT_STATUS_HELD: HELD,
  PAYOUT_STATUS_REFUNDED: REFUNDED,
  PAYOUT_STATUS_CANCELLED: CANCELLED,
} = PayoutStatus;

/**
 * Payouts: the provider's share on its way from the account `settlement`, its holdback included.
 * Nothing else moves coins out of that account.
 */
export class PayoutKeeper {
  readonly #records: Records;
  readonly #bank: BankKeeper;
  readonly #accounts: Accounts;
  readonly #unpayable: readonly string[];

  constructor(records: Records, bank: BankKeeper, accounts: Accounts) {
    this.#records = records;
    this.#bank = bank;
    this.#accounts = accounts;
    this.#unpayable = Object.values(accounts);
  }

  /** @throws ChainError settlement/1531 */
  byId(ctx: Context, id: string): PayoutState {
    const seq = timedSeqOf("payout", id);
    const payout = seq === undefined ? undefined : this.#records.payout(ctx, seq);
    if (payout === undefined || payoutId(payout) !== id) {
      throw new ChainError(errors.ErrPayoutNotFound, `payout ${quote(id)}`);
    }
    return payout;
  }

  /**
   * Makes the payout of an invoice and settlement, once, and pays it unless it has to wait. A
   * transfer that fails is a payout that failed: the settlement stands.
   */
  open(ctx: Context, facts: NewPayout): PayoutState {
    const known = this.#ofSettlement(ctx, facts.settlementSeq);
    if (known !== undefined) return known;
    const { extended, payoutHoldbackRate, wire } = this.#records.params(ctx);
    const { shares, escrow } = facts;
    const holdback = mapCoins(facts.gross, (a) => mulDivFloor(a, payoutHoldbackRate, DEC_ONE));
    const net = subCoins(shares.providerShare, holdback);
    const due = addSeconds(ctx.time, extended.payoutDelay);
    const payout = logPayout(
      ctx,
      {
        ...newPayout(ctx, facts),
        holdback: wireCoins(holdback),
        net: wireCoins(net),
        paramsVersion: this.#records.paramsVersion(ctx),
        dueAtNs: due,
        holdbackDueAtNs: isZeroCoins(holdback)
          ? 0n
          : addSeconds(ctx.time, wire.disputeWindowDuration),
      },
      { kind: Kind.PAYOUT_LEDGER_KIND_CREATED, status: PENDING, amount: net },
    );
    if (due > ctx.time) {
      const settlementId = settlementIdOf(payout);
      ctx.emit(events.payoutPending({ payoutId: payoutId(payout), settlementId, net, due }));
      return this.#write(ctx, undefined, payout, escrow);
    }
    return this.#write(ctx, undefined, this.#execute(ctx, payout, escrow), escrow);
  }

  /** The payout that a settlement has already (R-003-51). */
  #ofSettlement(ctx: Context, settlementSeq: bigint): PayoutState | undefined {
    if (settlementSeq === 0n) return undefined;
    const seq = this.#records.settlement(ctx, settlementSeq)?.payoutSeq ?? 0n;
    return seq === 0n ? undefined : this.#records.payout(ctx, seq);
  }

  /**
   * What a block does for a payout whose queue entry is due: pays it, tries it again or releases
   * its holdback. While its escrow is disputed it waits.
   */
  advance(ctx: Context, seq: bigint): void {
    const before = must(this.#records.payout(ctx, seq), "settlement: a queued payout exists");
    const escrow = this.#escrowOf(ctx, before);
    if (isDisputed(escrow)) {
      this.#write(ctx, before, this.#postpone(ctx, before, escrow), escrow);
    } else if (before.status === COMPLETED) {
      this.#write(ctx, before, this.#releaseHoldback(ctx, before, escrow), escrow);
    } else {
      this.#write(ctx, before, this.#execute(ctx, before, escrow), escrow);
    }
  }

  /** Looks again after some blocks at a payout with which a block could do nothing. */
  putOff(ctx: Context, seq: bigint, failure: ChainError): void {
    const before = must(this.#records.payout(ctx, seq), "settlement: a queued payout exists");
    const attempts = before.attempts + 1;
    const nextAttemptHeight = ctx.height + waitAfter(attempts);
    const lastError = failure.message.slice(0, ERROR_CHARS_MAX);
    const after = { ...before, attempts, nextAttemptHeight, lastError, lastAttemptAtNs: ctx.time };
    this.#write(ctx, before, after, this.#escrowOf(ctx, before));
    const facts = { payoutId: payoutId(before), error: lastError, attempts, at: ctx.time };
    ctx.emit(events.payoutFailed({ ...facts, nextAttemptHeight }));
  }

  /**
   * Keeps a payout, or the holdback of one that is paid, from being paid.
   * @throws ChainError settlement/1534 when it is held, 1503 when nothing of it can be.
   */
  hold(ctx: Context, before: PayoutState, reason: string): void {
    const { status } = before;
    if (before.heldByDispute && !isZeroCoins(unpaid(before))) {
      // It stays held when the dispute is over.
      const held = { ...before, heldByDispute: false, holdReason: reason };
      this.#write(ctx, before, held, this.#escrowOf(ctx, before));
      ctx.emit(events.payoutHeld({ payoutId: payoutId(before), reason, at: ctx.time }));
      return;
    }
    if (status === HELD || before.holdbackHeld) {
      const detail = `${payoutId(before)} is held: ${before.holdReason}`;
      throw new ChainError(errors.ErrPayoutHeld, detail);
    }
    const left = unpaid(before);
    const ofHoldback = status === COMPLETED && !isZeroCoins(left);
    if (!ofHoldback && !mayBecome(status, HELD)) throw transition(before, "held");
    const entry: LedgerNote = {
      ...{ kind: Kind.PAYOUT_LEDGER_KIND_HELD, status: ofHoldback ? COMPLETED : HELD },
      ...{ amount: left, reason },
    };
    const queues = { dueAtNs: 0n, nextAttemptHeight: 0n };
    const held = { ...before, ...queues, holdReason: reason, holdbackHeld: ofHoldback };
    const after = logPayout(ctx, held, entry);
    this.#write(ctx, before, after, this.#escrowOf(ctx, before));
    ctx.emit(events.payoutHeld({ payoutId: payoutId(before), reason, at: ctx.time }));
  }

  /**
   * Pays a payout that is held, failed or waits, at once; of one that is paid, its holdback.
   * @returns what the provider got, and the payout after it, which may have failed
   * @throws ChainError settlement/1535 while the escrow is disputed, 1503 when nothing is to pay.
   */
  release(ctx: Context, before: PayoutState): { paid: Coins; payout: PayoutState } {
    const left = unpaid(before);
    if (isOver(before)) throw transition(before, "released");
    const escrow = this.#escrowOf(ctx, before);
    requireUndisputed(before, escrow);
    let payout = before;
    if (before.status === HELD || before.holdbackHeld) {
      const ofHoldback = before.status === COMPLETED;
      const free = { ...before, holdReason: "", holdbackHeld: false };
      payout = logPayout(ctx, free, {
        kind: Kind.PAYOUT_LEDGER_KIND_RELEASED,
        status: ofHoldback ? COMPLETED : PENDING,
        amount: left,
      });
      ctx.emit(events.payoutReleased({ payoutId: payoutId(before), at: ctx.time }));
    }
    const after =
      payout.status === COMPLETED
        ? this.#releaseHoldback(ctx, payout, escrow)
        : this.#execute(ctx, payout, escrow);
    this.#write(ctx, before, after, escrow);
    return { paid: subCoins(left, unpaid(after)), payout: after };
  }

  /**
   * Gives what is held of a payout, or a part of it, back to the customer: of the holdback first.
   * Fees are not part of it (RULES 31 reverses them leg by leg).
   * @param amount empty for all
   * @throws ChainError settlement/1503 when it is not held, 1504 for more than is held, 1535 while
   * the escrow is disputed, 1537 when the customer cannot be paid.
   */
  refund(ctx: Context, before: PayoutState, asked: Coins, reason: string): Coins {
    if (before.status !== HELD && !before.holdbackHeld) {
      throw transition(before, "refunded: hold it first");
    }
    const escrow = this.#escrowOf(ctx, before);
    requireUndisputed(before, escrow);
    const left = unpaid(before);
    const amount = isZeroCoins(asked) ? left : asked;
    if (!coversCoins(left, amount)) {
      const detail = `${payoutId(before)} holds ${formatCoins(left) || "nothing"}, asked for ${formatCoins(amount)}`;
      throw new ChainError(errors.ErrInsufficientFunds, detail);
    }
    const customer = escrow.depositor;
    const journalSeq = this.#transfer(ctx, before, {
      ...{ kind: "payout_refund", recipient: customer, coins: amount },
    });
    const refunded = wireCoins(addCoins(coinsIn(before.refunded), amount));
    const isAll = equalCoins(amount, left);
    const status = isAll && before.status === HELD ? REFUNDED : before.status;
    const after = logPayout(ctx, settleHoldback({ ...before, refunded }), {
      ...{ kind: Kind.PAYOUT_LEDGER_KIND_REFUNDED, status, amount, reason, journalSeq },
    });
    this.#write(ctx, before, after, escrow);
    const facts = { payoutId: payoutId(before), customer, amount, reason, at: ctx.time };
    ctx.emit(events.payoutRefunded(facts));
    return amount;
  }

  /** One attempt to pay the net: completed, or failed and tried again later. */
  #execute(ctx: Context, before: PayoutState, escrow: EscrowState): PayoutState {
    const net = netToPay(before);
    const attempts = before.attempts + 1;
    const tried = {
      ...before,
      attempts,
      lastAttemptAtNs: ctx.time,
      processedAtNs: ctx.time,
      dueAtNs: 0n,
      nextAttemptHeight: 0n,
    };
    const processing = logPayout(ctx, tried, {
      ...{ kind: Kind.PAYOUT_LEDGER_KIND_PROCESSING, status: PROCESSING, amount: net },
    });
    const sent = this.#attempt(ctx, before, { recipient: escrow.recipient, coins: net });
    if (sent instanceof ChainError) return this.#fail(ctx, processing, sent, FAILED);
    const paid = { ...processing, completedAtNs: ctx.time, lastError: "", txHash: ctx.txHash };
    const completed = logPayout(ctx, settleHoldback(paid), {
      kind: Kind.PAYOUT_LEDGER_KIND_COMPLETED,
      status: COMPLETED,
      amount: net,
      journalSeq: sent,
    });
    this.#emitCompleted(ctx, completed, net, escrow.recipient);
    return completed;
  }

  #emitCompleted(ctx: Context, payout: PayoutState, net: Coins, provider: string): void {
    ctx.emit(
      payoutCompleted({
        payoutId: payoutId(payout),
        settlementId: settlementIdOf(payout),
        invoiceId: this.#invoiceId(ctx, payout),
        provider,
        net,
        platformFee: coinsIn(payout.platformFee),
        at: ctx.time,
      }),
    );
  }

  /** One attempt to give the holdback to the provider. */
  #releaseHoldback(ctx: Context, before: PayoutState, escrow: EscrowState): PayoutState {
    const { recipient } = escrow;
    const amount = holdbackLeft(before);
    const tried = { ...before, lastAttemptAtNs: ctx.time, nextAttemptHeight: 0n };
    const sent = this.#attempt(ctx, before, { recipient, coins: amount });
    if (sent instanceof ChainError) {
      return this.#fail(ctx, { ...tried, attempts: before.attempts + 1 }, sent, COMPLETED);
    }
    const holdbackReleased = wireCoins(addCoins(coinsIn(before.holdbackReleased), amount));
    const facts = { payoutId: payoutId(before), provider: recipient, amount, at: ctx.time };
    ctx.emit(events.holdbackReleased(facts));
    return logPayout(ctx, settleHoldback({ ...tried, holdbackReleased, lastError: "" }), {
      ...{ kind: Kind.PAYOUT_LEDGER_KIND_HOLDBACK_RELEASED, status: COMPLETED },
      ...{ amount, journalSeq: sent },
    });
  }

  /** A transfer on its own: when it fails, nothing of it happened. */
  #attempt(
    ctx: Context,
    payout: PayoutState,
    transfer: { recipient: string; coins: Coins },
  ): bigint | ChainError {
    let journalSeq = 0n;
    const failure = isolated(ctx, (inner) => {
      journalSeq = this.#transfer(inner, payout, { kind: "payout", ...transfer });
    });
    return failure ?? journalSeq;
  }

  /** @returns the number of the journal's entry @throws ChainError settlement/1537, or the bank's */
  #transfer(
    ctx: Context,
    payout: PayoutState,
    transfer: { kind: string; recipient: string; coins: Coins },
  ): bigint {
    const { kind, recipient: destination, coins } = transfer;
    if (this.#unpayable.includes(destination)) {
      const detail = `a module account cannot be paid: ${destination}`;
      throw new ChainError(errors.ErrPayoutExecutionFailed, detail);
    }
    const movements = [{ source: this.#accounts.settlement, destination, coins }];
    return this.#bank.post(ctx, { kind, reference: payoutId(payout), movements });
  }

  /** Says what went wrong and when the next attempt is: a net has a last one, a holdback has not. */
  #fail(ctx: Context, tried: PayoutState, failure: ChainError, status: PayoutStatus): PayoutState {
    const { maxPayoutRetries } = this.#records.params(ctx).wire;
    const retries = maxPayoutRetries === 0 ? RETRIES_DEFAULT : maxPayoutRetries;
    const lastError = failure.message.slice(0, ERROR_CHARS_MAX);
    const again = status === COMPLETED || tried.attempts <= retries;
    const nextAttemptHeight = again ? ctx.height + waitAfter(tried.attempts) : 0n;
    ctx.emit(
      events.payoutFailed({
        ...{ payoutId: payoutId(tried), error: lastError, attempts: tried.attempts },
        ...{ nextAttemptHeight, at: ctx.time },
      }),
    );
    return logPayout(
      ctx,
      { ...tried, lastError, nextAttemptHeight },
      {
        ...{ kind: Kind.PAYOUT_LEDGER_KIND_FAILED, status, amount: NO_COINS, reason: lastError },
      },
    );
  }

  /** Looks again later: a dispute has no end that is known. */
  #postpone(ctx: Context, payout: PayoutState, escrow: EscrowState): PayoutState {
    const lasted = ctx.time - escrow.disputedAtNs;
    const wait = minBigint(maxBigint(lasted, DISPUTE_WAIT_MIN), DISPUTE_WAIT_MAX);
    const until = (ctx.time + wait) as TimeNs;
    const facts = { payoutId: payoutId(payout), escrowId: escrowId(escrow.seq) };
    if (payout.nextAttemptHeight !== 0n) {
      const nextAttemptHeight = ctx.height + DISPUTE_WAIT_BLOCKS;
      ctx.emit(events.payoutPostponed({ ...facts, untilHeight: nextAttemptHeight }));
      return { ...payout, nextAttemptHeight };
    }
    ctx.emit(events.payoutPostponed({ ...facts, until }));
    return payout.status === COMPLETED
      ? { ...payout, holdbackDueAtNs: until }
      : { ...payout, dueAtNs: until };
  }

  #write(
    ctx: Context,
    before: PayoutState | undefined,
    after: PayoutState,
    escrow: EscrowState,
  ): PayoutState {
    this.#records.setPayout(ctx, before, after, escrow);
    return after;
  }

  #escrowOf(ctx: Context, { escrowSeq }: PayoutState): EscrowState {
    return must(this.#records.escrow(ctx, escrowSeq), "settlement: a payout has an escrow");
  }

  /** The invoice is of the payout's own block, unless the payout is of an amount that was due. */
  #invoiceId(ctx: Context, payout: PayoutState): string {
    const { invoiceSeq: seq, settlementSeq, createdAtNs } = payout;
    const invoice = settlementSeq === 0n ? this.#records.invoice(ctx, seq) : undefined;
    return timedId("invoice", invoice?.issuedAtNs ?? createdAtNs, seq);
  }
}

/** The settlement is of the payout's own block. */
function settlementIdOf({ createdAtNs, settlementSeq }: PayoutState): string {
  return settlementSeq === 0n ? "" : timedId("settle", createdAtNs, settlementSeq);
}

/** Blocks until the next attempt. */
function waitAfter(attempts: number): bigint {
  return 1n << BigInt(minSize(attempts, BACK_OFF_DOUBLINGS_MAX));
}

/** Whether nothing is left to pay. */
function isOver(payout: PayoutState): boolean {
  const { status } = payout;
  if (status === COMPLETED) return isZeroCoins(holdbackLeft(payout));
  return status === REFUNDED || status === CANCELLED;
}

function isDisputed({ status }: EscrowState): boolean {
  return status === EscrowStatus.ESCROW_STATUS_DISPUTED;
}

function requireUndisputed(payout: PayoutState, escrow: EscrowState): void {
  if (payout.openDisputes > 0) {
    const detail = `${payoutId(payout)}: ${payout.openDisputes} of its settlement's records are disputed: resolve dispute-${payout.disputeSeq} first`;
    throw new ChainError(errors.ErrDisputeActive, detail);
  }
  if (!isDisputed(escrow)) return;
  const detail = `${payoutId(payout)}: ${escrowId(escrow.seq)} is disputed: release or refund it first`;
  throw new ChainError(errors.ErrDisputeActive, detail);
}

function transition(payout: PayoutState, to: string): ChainError {
  const detail = `${payoutId(payout)}: ${payoutStatusName(payout.status)} to ${to}`;
  return new ChainError(errors.ErrInvalidStateTransition, detail);
}
