import type { Context } from "../../baseapp/context.ts";
import {
  type DisputeResolution,
  type DisputeState,
  DisputeStatus,
  type EscrowState,
  type UsageState,
  UsageStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { toHex } from "../../lib/bytes.ts";
import { ChainError } from "../../lib/errors.ts";
import { minBigint } from "../../lib/int.ts";
import { addCoins, amountOf, type Coins, coinsOf, wireCoins } from "../../types/coins.ts";
import { addSeconds, formatTime, type TimeNs } from "../../types/time.ts";
import { chargeOf } from "./bill.ts";
import { billingRules } from "./billing_terms.ts";
import { holdForDispute } from "./dispute_holds.ts";
import * as outcome from "./dispute_outcome.ts";
import {
  disputeId,
  disputeSeqOf,
  isUndecided,
  readDispute,
  writeDispute,
} from "./dispute_records.ts";
import * as errors from "./errors.ts";
import * as events from "./events_dispute.ts";
import { quote, requireTimeLeft, unauthorized } from "./keeper_escrow.ts";
import type { UsageKeeper } from "./keeper_usage.ts";
import { coinsIn, type Records } from "./records.ts";
import { spendable } from "./spendable.ts";
import { disputeStatusName } from "./status_names.ts";
import { costOf, invalidUsage, requireOpen, requireUndisputed, usageIdOf } from "./usage_facts.ts";

const {
  DISPUTE_STATUS_OPEN: OPEN,
  DISPUTE_STATUS_REVIEWING: REVIEWING,
  DISPUTE_STATUS_AMENDED: AMENDED,
  DISPUTE_STATUS_EXPIRED: EXPIRED,
} = DisputeStatus;

/** Disputes of single usage records: opened by the customer, decided or expired (RULES 21). */
export class DisputeKeeper {
  readonly #records: Records;
  readonly #usage: UsageKeeper;
  readonly #deciders: outcome.Deciders;

  constructor(records: Records, usage: UsageKeeper, deciders: outcome.Deciders) {
    this.#records = records;
    this.#usage = usage;
    this.#deciders = deciders;
  }

  /** @throws ChainError settlement/1550 */
  byId(ctx: Context, id: string): DisputeState {
    const seq = disputeSeqOf(id);
    const dispute = seq === undefined ? undefined : readDispute(ctx, seq);
    if (dispute !== undefined) return dispute;
    throw new ChainError(errors.ErrDisputeNotFound, `dispute ${quote(id)}`);
  }

  /**
   * Opens the one dispute of a record: an open record's cost stays in the escrow meanwhile, a
   * settled one's payout, or its holdback, is held.
   * @throws ChainError settlement/1513, 1505, 1535, 1503, 1515 or 1518
   */
  open(
    ctx: Context,
    request: { sender: string; usageId: string; reason: string; evidenceHash: Uint8Array },
  ): DisputeState {
    const { sender, usageId, reason } = request;
    const usage = this.#usage.byId(ctx, usageId);
    const escrow = this.#escrowOf(ctx, usage);
    if (sender !== escrow.depositor) throw unauthorized(sender, `customer ${escrow.depositor}`);
    requireNeverDisputed(ctx, usage);
    const afterSettlement = usage.status === UsageStatus.USAGE_STATUS_SETTLED;
    const window = afterSettlement
      ? this.#windowOfSettled(ctx, usage)
      : this.#windowOfOpen(ctx, usage, escrow);
    if (window === 0n) {
      const detail = "nothing can be disputed: the param dispute_window_duration is 0";
      throw new ChainError(errors.ErrInvalidStateTransition, detail);
    }
    const seq = this.#records.take(ctx, "dispute");
    const dispute: DisputeState = {
      ...{ seq, usageSeq: usage.seq, escrowSeq: escrow.seq, status: OPEN, reason },
      // A copy: that of the tx is a view.
      evidenceHash: new Uint8Array(request.evidenceHash),
      ...{ openedAtNs: ctx.time, expiresAtNs: addSeconds(ctx.time, window), height: ctx.height },
      ...{ afterSettlement, customerProposal: undefined, providerProposal: undefined },
      ...{ resolution: undefined, decidedBy: "", closedAtNs: 0n, amendedSeq: 0n, refundSeq: 0n },
      expiryAttempts: 0,
      reserved: afterSettlement ? "" : this.#reserve(ctx, escrow, usage).toString(),
    };
    writeDispute(ctx, undefined, dispute, escrow);
    this.#records.setUsage(ctx, usage, { ...usage, disputeSeq: seq, disputed: true });
    if (afterSettlement) {
      const payout = outcome.payoutOf(ctx, this.#records, usage);
      if (payout !== undefined) holdForDispute(ctx, this.#records, { payout, escrow, seq });
    }
    ctx.emit(
      events.usageDisputed({
        ...{ disputeId: disputeId(seq), usageId, orderId: escrow.orderId, customer: sender },
        ...{ reason, evidenceHash: toHex(dispute.evidenceHash) },
        ...{ expiresAt: dispute.expiresAtNs as TimeNs, at: ctx.time },
      }),
    );
    return dispute;
  }

  /**
   * Decides a dispute for the authority. For a party it is a proposal, in place of its former one,
   * which the other party's equal one makes a decision.
   * @throws ChainError settlement/1550, 1503, 1505 or 1512
   */
  resolve(
    ctx: Context,
    request: { sender: string; disputeId: string; resolution: outcome.Resolution },
  ): DisputeState {
    const { sender } = request;
    const before = this.byId(ctx, request.disputeId);
    const usage = this.#usageOf(ctx, before);
    const escrow = this.#escrowOf(ctx, usage);
    const { authority } = this.#records.params(ctx).extended;
    const isAuthority = authority !== "" && sender === authority;
    const isCustomer = sender === escrow.depositor;
    if (!isAuthority && !isCustomer && sender !== escrow.recipient) {
      throw unauthorized(sender, "customer, provider or authority");
    }
    requireInTime(ctx, before);
    const resolution = resolutionOf(ctx, usage, request.resolution);
    const parts = { dispute: before, usage, escrow, resolution, by: sender };
    if (isAuthority) return outcome.decide(ctx, this.#deciders, { ...parts, agreed: false });
    const other = isCustomer ? before.providerProposal : before.customerProposal;
    if (other !== undefined && isEqual(other, resolution)) {
      return outcome.decide(ctx, this.#deciders, { ...parts, agreed: true });
    }
    const proposal = isCustomer
      ? { customerProposal: resolution }
      : { providerProposal: resolution };
    const after: DisputeState = { ...before, ...proposal, status: REVIEWING };
    writeDispute(ctx, before, after, escrow);
    const facts = outcome.resolutionFacts(before, usage, resolution);
    ctx.emit(events.disputeProposed({ ...facts, sender, at: ctx.time }));
    return after;
  }

  /** Ends a dispute that nobody decided in time: the record is billed as it was recorded. */
  expire(ctx: Context, seq: bigint): void {
    const before = must(readDispute(ctx, seq), "settlement: a queued dispute exists");
    const usage = this.#usageOf(ctx, before);
    const escrow = this.#escrowOf(ctx, usage);
    const after: DisputeState = { ...before, status: EXPIRED, closedAtNs: ctx.time };
    writeDispute(ctx, before, after, escrow);
    outcome.letGo(ctx, this.#records, { dispute: before, usage, escrow });
    const facts = { disputeId: disputeId(seq), usageId: usageIdOf(usage), at: ctx.time };
    ctx.emit(events.disputeExpired(facts));
  }

  /**
   * Keeps what a record would be charged in its escrow, as far as nothing else is kept; returns how
   * much.
   */
  #reserve(ctx: Context, before: EscrowState, { denom, cost, units }: UsageState): bigint {
    const rules = billingRules(ctx, this.#records, before.orderId);
    const sum = BigInt(cost);
    const charge = rules === undefined ? sum : chargeOf(rules, { denom, sum, units });
    const amount = minBigint(charge, amountOf(spendable(before), denom));
    const reserved: Coins = addCoins(coinsIn(before.reserved), coinsOf(denom, amount));
    this.#records.setEscrow(ctx, before, {
      ...before,
      openDisputes: before.openDisputes + 1,
      reserved: wireCoins(reserved),
    });
    return amount;
  }

  /** Seconds for which a dispute of an open record stays undecided at most. */
  #windowOfOpen(ctx: Context, usage: UsageState, escrow: EscrowState): bigint {
    requireOpen(usage);
    requireTimeLeft(ctx, escrow);
    return this.#records.params(ctx).wire.disputeWindowDuration;
  }

  /** As `#windowOfOpen`, of a settled record: the window that it is disputed within. */
  #windowOfSettled(ctx: Context, usage: UsageState): bigint {
    if (usage.settlementSeq === 0n && usage.invoiceSeq === 0n) {
      // Closed while billing was off: no record says when, and nothing of it can go back.
      const detail = `usage ${usageIdOf(usage)} was closed without a payment and without an invoice: nothing is billed of it`;
      throw new ChainError(errors.ErrUsageAlreadySettled, detail);
    }
    const { settledAt, window } = outcome.settledWith(ctx, this.#records, usage);
    const until = addSeconds(settledAt, window);
    if (ctx.time <= until) return window;
    const detail = `usage ${usageIdOf(usage)} was settled at ${formatTime(settledAt)}: it could be disputed until ${formatTime(until)}, block time is ${formatTime(ctx.time)}`;
    throw new ChainError(errors.ErrUsageAlreadySettled, detail);
  }

  #usageOf(ctx: Context, { usageSeq }: DisputeState): UsageState {
    return must(this.#records.usage(ctx, usageSeq), "settlement: a dispute has a record");
  }

  #escrowOf(ctx: Context, { escrowSeq }: UsageState): EscrowState {
    return must(this.#records.escrow(ctx, escrowSeq), "settlement: usage has an escrow");
  }
}

function requireNeverDisputed(ctx: Context, usage: UsageState): void {
  requireUndisputed(usage);
  if (usage.disputeSeq === 0n) return;
  const known = must(readDispute(ctx, usage.disputeSeq), "settlement: a named dispute exists");
  const detail = `usage ${usageIdOf(usage)} was disputed once: ${disputeId(known.seq)} is ${disputeStatusName(known.status)}`;
  throw new ChainError(errors.ErrInvalidStateTransition, detail);
}

function requireInTime(ctx: Context, dispute: DisputeState): void {
  const { seq, status } = dispute;
  const end = formatTime(dispute.expiresAtNs as TimeNs);
  if (isUndecided(dispute) && ctx.time < dispute.expiresAtNs) return;
  const name = isUndecided(dispute) ? `over since ${end}` : disputeStatusName(status);
  const detail = `${disputeId(seq)} is ${name}: it cannot be resolved`;
  throw new ChainError(errors.ErrInvalidStateTransition, detail);
}

/** @throws ChainError settlement/1512 when an amendment is none, or costs as much as the record. */
function resolutionOf(
  ctx: Context,
  usage: UsageState,
  { status, units, unitPrice }: outcome.Resolution,
): DisputeResolution {
  if (status !== AMENDED) return { status, units: 0n, unitPrice: "", atNs: ctx.time };
  if (unitPrice !== undefined && unitPrice.denom !== usage.denom) {
    throw invalidUsage(`expected a price in ${usage.denom}, found ${unitPrice.denom}`);
  }
  const price = unitPrice?.price ?? outcome.priceOf(usage);
  const cost = costOf(price, units);
  if (cost >= BigInt(usage.cost)) {
    const detail = `an amended record costs less than ${usage.cost}${usage.denom}, found ${cost}${usage.denom}: reject the dispute instead`;
    throw invalidUsage(detail);
  }
  return { status, units, unitPrice: price.toString(), atNs: ctx.time };
}

function isEqual(a: DisputeResolution, b: DisputeResolution): boolean {
  return a.status === b.status && a.units === b.units && a.unitPrice === b.unitPrice;
}
