import type { Context } from "../../baseapp/context.ts";
import {
  type EscrowState,
  EscrowStatus,
  type UsageState,
  UsageStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { ChainError } from "../../lib/errors.ts";
import {
  addCoins,
  type Coins,
  formatCoins,
  isZeroCoins,
  subCoins,
  wireCoins,
} from "../../types/coins.ts";
import { ErrInsufficientFunds as ErrBankFunds } from "../../types/sdk_errors.ts";
import { addSeconds, formatTime, type TimeNs } from "../../types/time.ts";
import type { Accounts } from "./accounts.ts";
import { writeTerms } from "./billing_terms.ts";
import * as errors from "./errors.ts";
import * as events from "./events.ts";
import type { BankKeeper } from "./expected_keepers.ts";
import { escrowId, escrowSeqOf, timedId } from "./ids.ts";
import { coinsIn, type Records } from "./records.ts";
import { spendable } from "./spendable.ts";
import { statusName } from "./status_names.ts";

/** Gas of each usage record that a refund writes off. */
const WRITE_OFF_GAS = 1000n;

/** Escrows: made, activated, refunded, disputed. Settling and releasing are the settlement keeper's. */
export class EscrowKeeper {
  readonly #records: Records;
  readonly #bank: BankKeeper;
  readonly #accounts: Accounts;

  constructor(records: Records, bank: BankKeeper, accounts: Accounts) {
    this.#records = records;
    this.#bank = bank;
    this.#accounts = accounts;
  }

  /** @throws ChainError settlement/1501 */
  byId(ctx: Context, id: string): EscrowState {
    const seq = escrowSeqOf(id);
    const escrow = seq === undefined ? undefined : this.#records.escrow(ctx, seq);
    if (escrow === undefined) throw new ChainError(errors.ErrEscrowNotFound, `escrow ${quote(id)}`);
    return escrow;
  }

  /** The newest escrow of an order. @throws ChainError settlement/1501 */
  ofOrder(ctx: Context, orderId: string, order = this.#records.order(ctx, orderId)): EscrowState {
    const escrow = order === undefined ? undefined : this.#records.escrow(ctx, order.escrowSeq);
    if (escrow === undefined) {
      throw new ChainError(errors.ErrEscrowNotFound, `order ${quote(orderId)} has no escrow`);
    }
    return escrow;
  }

  create(
    ctx: Context,
    request: { depositor: string; orderId: string; amount: Coins; expiresIn: bigint },
  ): EscrowState {
    const { depositor, orderId, amount } = request;
    this.#requireFreeOrder(ctx, orderId);
    const expiresAt = this.#expiry(ctx, request.expiresIn);
    this.#forgetTermsOfOthers(ctx, orderId, depositor);
    const seq = this.#records.take(ctx, "escrow");
    const escrow = newEscrow(ctx, { seq, orderId, depositor, amount, expiresAt });
    this.#move(ctx, {
      kind: "escrow_deposit",
      reference: escrowId(seq),
      source: depositor,
      destination: this.#accounts.escrow,
      coins: amount,
    });
    this.#records.setEscrow(ctx, undefined, escrow);
    const known = this.#records.order(ctx, orderId);
    this.#records.setOrder(ctx, orderId, {
      escrowSeq: seq,
      escrowCount: (known?.escrowCount ?? 0) + 1,
      priceCeilings: known?.priceCeilings ?? 0,
      hasBillingTerms: known?.hasBillingTerms ?? false,
    });
    const { height } = ctx;
    ctx.emit(
      events.escrowCreated({
        escrowId: escrowId(seq),
        orderId,
        depositor,
        amount,
        expiresAt,
        height,
      }),
    );
    return escrow;
  }

  activate(
    ctx: Context,
    request: { sender: string; escrowId: string; leaseId: string; recipient: string },
  ): EscrowState {
    const { recipient, leaseId } = request;
    const before = this.byId(ctx, request.escrowId);
    this.requireParty(ctx, request.sender, { depositor: before.depositor });
    requireUnexpired(ctx, before);
    if (before.status !== EscrowStatus.ESCROW_STATUS_PENDING) throw transition(before, "active");
    if (Object.values(this.#accounts).includes(recipient)) {
      // The books of these accounts are compared after every block: nobody may be paid into them.
      const detail = `the recipient must not be a module account: ${recipient}`;
      throw new ChainError(errors.ErrInvalidAddress, detail, { recipient });
    }
    if (recipient === before.depositor) {
      const detail = "the recipient must not be the depositor";
      throw new ChainError(errors.ErrInvalidStateTransition, detail, { recipient });
    }
    const status = EscrowStatus.ESCROW_STATUS_ACTIVE;
    const autoSettleAtNs = this.#records.nextAutoSettle(ctx);
    const activatedAtNs = ctx.time;
    const escrow = { ...before, status, recipient, leaseId, activatedAtNs, autoSettleAtNs };
    this.#records.setEscrow(ctx, before, escrow);
    const { orderId } = escrow;
    const id = request.escrowId;
    ctx.emit(events.escrowActivated({ escrowId: id, orderId, leaseId, recipient, at: ctx.time }));
    return escrow;
  }

  /**
   * Returns the whole balance to the depositor; open usage is written off where that is allowed. Of
   * one with disputed records it leaves what they cost, and the escrow goes on (RULES 21).
   */
  refund(ctx: Context, request: { sender: string; escrowId: string; reason: string }): Coins {
    const before = this.byId(ctx, request.escrowId);
    const { depositor, recipient } = before;
    this.requireParty(ctx, request.sender, { depositor, recipient });
    if (!isLive(before.status)) throw transition(before, "refunded");
    requireUnexpired(ctx, before);
    if (request.sender === depositor) this.requireNoOpenUsage(ctx, before);
    else this.#writeOff(ctx, before);
    if (before.openDisputes > 0) return this.#refundUnreserved(ctx, before, request.reason);
    const amount = coinsIn(before.balance);
    const escrow = this.close(ctx, before, {
      status: EscrowStatus.ESCROW_STATUS_REFUNDED,
      reason: request.reason,
      kind: "escrow_refund",
    });
    const { orderId } = escrow;
    const { escrowId: id, reason } = request;
    ctx.emit(
      events.escrowRefunded({
        escrowId: id,
        orderId,
        party: depositor,
        amount,
        reason,
        at: ctx.time,
      }),
    );
    return amount;
  }

  #refundUnreserved(ctx: Context, before: EscrowState, reason: string): Coins {
    const { depositor, orderId, openDisputes } = before;
    const id = escrowId(before.seq);
    const amount = spendable(before);
    if (isZeroCoins(amount)) {
      const detail = `all that ${id} holds is reserved for its ${openDisputes} disputed records: resolve these first`;
      throw new ChainError(errors.ErrDisputeActive, detail);
    }
    this.#move(ctx, {
      ...{ kind: "escrow_refund", reference: id },
      ...{ source: this.#accounts.escrow, destination: depositor, coins: amount },
    });
    this.#records.setEscrow(ctx, before, {
      ...before,
      balance: wireCoins(subCoins(coinsIn(before.balance), amount)),
      refunded: wireCoins(addCoins(coinsIn(before.refunded), amount)),
    });
    const facts = { escrowId: id, orderId, party: depositor, amount, reason, at: ctx.time };
    ctx.emit(events.escrowRefunded(facts));
    return amount;
  }

  dispute(
    ctx: Context,
    request: { sender: string; escrowId: string; reason: string; evidence: string },
  ): void {
    const before = this.byId(ctx, request.escrowId);
    const { depositor, recipient } = before;
    if (request.sender !== depositor && request.sender !== recipient) {
      throw unauthorized(request.sender, "depositor or recipient");
    }
    requireUnexpired(ctx, before);
    if (before.status !== EscrowStatus.ESCROW_STATUS_ACTIVE) throw transition(before, "disputed");
    this.#records.setEscrow(ctx, before, {
      ...before,
      status: EscrowStatus.ESCROW_STATUS_DISPUTED,
      closureReason: request.reason,
      disputedAtNs: ctx.time,
      disputedBy: request.sender,
      disputeReason: request.reason,
      disputeEvidence: request.evidence,
    });
    const { orderId } = before;
    const { escrowId: id, reason } = request;
    ctx.emit(events.escrowDisputed({ escrowId: id, orderId, reason, at: ctx.time }));
  }

  /** Ends an escrow and returns what is left of it to the depositor. */
  close(
    ctx: Context,
    before: EscrowState,
    end: { status: EscrowStatus; reason: string; kind: string },
  ): EscrowState {
    const rest = coinsIn(before.balance);
    if (!isZeroCoins(rest)) {
      this.#move(ctx, {
        kind: end.kind,
        reference: escrowId(before.seq),
        source: this.#accounts.escrow,
        destination: before.depositor,
        coins: rest,
      });
    }
    const escrow: EscrowState = {
      ...before,
      status: end.status,
      balance: [],
      refunded: wireCoins(addCoins(coinsIn(before.refunded), rest)),
      closedAtNs: ctx.time,
      closureReason: end.reason,
    };
    this.#records.setEscrow(ctx, before, escrow);
    return escrow;
  }

  /** @throws ChainError settlement/1517 naming the first open record. */
  requireNoOpenUsage(ctx: Context, escrow: EscrowState): void {
    for (const seq of this.#records.openUsage(ctx, escrow.seq)) {
      const usage = this.#records.usage(ctx, seq);
      const id = timedId("usage", usage?.submittedAtNs ?? 0n, seq);
      const detail = `usage ${id} of order ${quote(escrow.orderId)} is not settled: settle the order first`;
      throw new ChainError(errors.ErrConditionsNotMet, detail, { usage_id: id });
    }
  }

  /** @throws ChainError settlement/1505 unless the sender is one of the parties or the authority. */
  requireParty(
    ctx: Context,
    sender: string,
    parties: { depositor: string; recipient?: string },
  ): void {
    const { authority } = this.#records.params(ctx).extended;
    const allowed = [parties.depositor, parties.recipient ?? "", authority];
    if (sender !== "" && allowed.includes(sender)) return;
    const names = parties.recipient === undefined ? "depositor" : "depositor, recipient";
    throw unauthorized(sender, `${names} or authority`);
  }

  #requireFreeOrder(ctx: Context, orderId: string): void {
    const order = this.#records.order(ctx, orderId);
    const latest = order === undefined ? undefined : this.#records.escrow(ctx, order.escrowSeq);
    if (latest === undefined) return;
    const id = escrowId(latest.seq);
    if (isLive(latest.status)) {
      const detail = `order ${quote(orderId)} has ${id} in state ${statusName(latest.status)}`;
      throw new ChainError(errors.ErrEscrowExists, detail, { escrow_id: id });
    }
    if (this.#records.openUsageCount(ctx, latest.seq) > 0n) {
      const detail = `${id} of order ${quote(orderId)} still has open usage`;
      throw new ChainError(errors.ErrEscrowExists, detail, { escrow_id: id });
    }
  }

  /** Discounts and tax were agreed on with the customer that the order had. */
  #forgetTermsOfOthers(ctx: Context, orderId: string, depositor: string): void {
    const order = this.#records.order(ctx, orderId);
    if (order?.hasBillingTerms !== true) return;
    if (this.#records.escrow(ctx, order.escrowSeq)?.depositor === depositor) return;
    writeTerms(ctx, this.#records, { orderId, discounts: [], tax: undefined });
  }

  #expiry(ctx: Context, expiresIn: bigint): TimeNs {
    const { minEscrowDuration: min, maxEscrowDuration: max } = this.#records.params(ctx).wire;
    if (expiresIn < min || expiresIn > max) {
      const detail = `expires_in must be ${min} to ${max} seconds, found ${expiresIn}`;
      throw new ChainError(errors.ErrInvalidEscrow, detail);
    }
    return addSeconds(ctx.time, expiresIn);
  }

  #writeOff(ctx: Context, escrow: EscrowState): void {
    const closed: UsageState[] = [];
    for (const seq of this.#records.openUsage(ctx, escrow.seq)) {
      ctx.gas.consume(WRITE_OFF_GAS, "write off usage");
      const usage = must(this.#records.usage(ctx, seq), "settlement: open usage has a record");
      if (usage.disputed) continue;
      closed.push({ ...usage, status: UsageStatus.USAGE_STATUS_WRITTEN_OFF });
      const cost = usage.cost === "0" ? [] : [{ denom: usage.denom, amount: BigInt(usage.cost) }];
      const usageId = timedId("usage", usage.submittedAtNs, seq);
      ctx.emit(events.usageWrittenOff({ usageId, cost, at: ctx.time }));
    }
    this.#records.closeUsage(ctx, escrow.seq, closed);
  }

  #move(
    ctx: Context,
    move: { kind: string; reference: string; source: string; destination: string; coins: Coins },
  ): void {
    const { kind, reference, ...movement } = move;
    try {
      this.#bank.post(ctx, { kind, reference, movements: [movement] });
    } catch (error) {
      if (!(error instanceof ChainError) || !error.is(ErrBankFunds)) throw error;
      const detail = `${movement.source} needs ${formatCoins(movement.coins)}: ${error.message}`;
      throw new ChainError(errors.ErrInsufficientFunds, detail, error.details);
    }
  }
}

function newEscrow(
  ctx: Context,
  facts: { seq: bigint; orderId: string; depositor: string; amount: Coins; expiresAt: TimeNs },
): EscrowState {
  return {
    seq: facts.seq,
    orderId: facts.orderId,
    leaseId: "",
    depositor: facts.depositor,
    recipient: "",
    amount: wireCoins(facts.amount),
    balance: wireCoins(facts.amount),
    totalSettled: [],
    refunded: [],
    status: EscrowStatus.ESCROW_STATUS_PENDING,
    createdAtNs: ctx.time,
    expiresAtNs: facts.expiresAt,
    activatedAtNs: 0n,
    closedAtNs: 0n,
    closureReason: "",
    settlementCount: 0,
    height: ctx.height,
    disputedAtNs: 0n,
    disputedBy: "",
    disputeReason: "",
    disputeEvidence: "",
    lastSettledAtNs: 0n,
    expiryAttempts: 0,
    autoSettleAtNs: 0n,
    autoSettleAttempts: 0,
    autoSettleFrom: 0n,
    autoSettleSpent: [],
    release: undefined,
    openDisputes: 0,
    reserved: [],
    taxPaid: [],
  };
}

export function isLive(status: EscrowStatus): boolean {
  return (
    status === EscrowStatus.ESCROW_STATUS_PENDING ||
    status === EscrowStatus.ESCROW_STATUS_ACTIVE ||
    status === EscrowStatus.ESCROW_STATUS_DISPUTED
  );
}

/** Expired means strictly after; one with a dispute, whole or of a record, waits for it instead. */
export function isExpired(ctx: Context, escrow: EscrowState): boolean {
  return escrow.openDisputes === 0 && isPastTime(ctx, escrow);
}

function isPastTime(ctx: Context, { status, expiresAtNs }: EscrowState): boolean {
  const disputed = status === EscrowStatus.ESCROW_STATUS_DISPUTED;
  return isLive(status) && !disputed && ctx.time > expiresAtNs;
}

/** @throws ChainError settlement/1518 */
export function requireUnexpired(ctx: Context, escrow: EscrowState): void {
  if (isExpired(ctx, escrow)) throw expired(ctx, escrow);
}

/**
 * For what begins something new: a dispute keeps an escrow for what is there already.
 * @throws ChainError settlement/1518
 */
export function requireTimeLeft(ctx: Context, escrow: EscrowState): void {
  if (isPastTime(ctx, escrow)) throw expired(ctx, escrow);
}

function expired(ctx: Context, escrow: EscrowState): ChainError {
  const at = formatTime(escrow.expiresAtNs as TimeNs);
  const detail = `${escrowId(escrow.seq)} expired at ${at}, block time is ${formatTime(ctx.time)}`;
  return new ChainError(errors.ErrEscrowExpired, detail);
}

/** Active, and not expired. @throws ChainError settlement/1523, 1519 or 1518 */
export function requireActive(ctx: Context, escrow: EscrowState): void {
  if (escrow.status === EscrowStatus.ESCROW_STATUS_DISPUTED) {
    const detail = `${escrowId(escrow.seq)}: resolve the dispute first`;
    throw new ChainError(errors.ErrEscrowDisputed, detail);
  }
  if (escrow.status !== EscrowStatus.ESCROW_STATUS_ACTIVE) {
    const found = statusName(escrow.status);
    const detail = `${escrowId(escrow.seq)}: expected active, found ${found}`;
    throw new ChainError(errors.ErrEscrowNotActive, detail);
  }
  requireUnexpired(ctx, escrow);
}

function transition(escrow: EscrowState, to: string): ChainError {
  const detail = `${escrowId(escrow.seq)}: ${statusName(escrow.status)} to ${to}`;
  return new ChainError(errors.ErrInvalidStateTransition, detail);
}

export function unauthorized(sender: string, expected: string): ChainError {
  return new ChainError(errors.ErrUnauthorized, `expected ${expected}, found ${sender}`);
}

export function quote(text: string): string {
  return `"${text.length > 130 ? `${text.slice(0, 130)}…` : text}"`;
}
