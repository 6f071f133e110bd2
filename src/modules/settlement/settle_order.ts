import type { Context } from "../../baseapp/context.ts";
import {
  type EscrowState,
  EscrowStatus,
  SettlementType,
  type UsageState,
} from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { ChainError } from "../../lib/errors.ts";
import { minSize, UINT64_MAX } from "../../lib/int.ts";
import { formatCoins, isZeroCoins, NO_COINS } from "../../types/coins.ts";
import { formatTime } from "../../types/time.ts";
import { type Allocation, dropBelowMinimum } from "./allocate.ts";
import { allocateUnder } from "./allocate_billed.ts";
import type { BillingRules } from "./bill.ts";
import { billingRules } from "./billing_terms.ts";
import * as errors from "./errors.ts";
import { escrowId, timedId } from "./ids.ts";
import { type EscrowKeeper, quote, requireActive } from "./keeper_escrow.ts";
import type { SettlementKeeper, SettlementOutcome } from "./keeper_settlement.ts";
import type { UsageKeeper } from "./keeper_usage.ts";
import { coinsIn, type Records } from "./records.ts";
import { selectOpen } from "./select_open.ts";
import { spendable } from "./spendable.ts";
import { requireOpen, requireUndisputed, settleableFrom } from "./usage_facts.ts";

/** Gas of a record that a settlement reads and does not take. */
const LOOKED_AT_GAS = 100n;

export interface SettleRequest {
  readonly sender: string;
  readonly orderId: string;
  /** Empty: all open records. */
  readonly usageIds: readonly string[];
  readonly isFinal: boolean;
}

export interface SettleKeepers {
  readonly records: Records;
  readonly escrows: EscrowKeeper;
  readonly usage: UsageKeeper;
  readonly settlements: SettlementKeeper;
}

const NOTHING = {
  settlementId: "",
  total: NO_COINS,
  shares: { platformFee: NO_COINS, validatorFee: NO_COINS, providerShare: NO_COINS },
} as const;

/**
 * Settles an order's records, or a part of them (RULES 22 to 27).
 * @throws ChainError with the rule that refuses it; nothing changes then.
 */
export function settleOrder(
  ctx: Context,
  keepers: SettleKeepers,
  asked: SettleRequest,
): SettlementOutcome {
  const { records, escrows, settlements } = keepers;
  const { orderId } = asked;
  const order = records.order(ctx, orderId);
  const escrow = escrows.ofOrder(ctx, orderId, order);
  escrows.requireParty(ctx, asked.sender, escrow);
  requireActive(ctx, escrow);
  const request = { ...asked, isFinal: mayEnd(escrow, asked) };
  const billing = billingRules(ctx, records, orderId, order);
  const open = records.openUsageCount(ctx, escrow.seq);
  const selected = select(ctx, keepers, escrow, { ...request, billing });
  if (selected.length === 0) {
    if (request.isFinal && open === 0n) return finishEmpty(ctx, keepers, escrow);
    throw nothingToSettle(escrow, open);
  }
  // Named records that leave others open end nothing: they have no final settlement's privileges.
  const endsOrder = request.usageIds.length === 0 || BigInt(selected.length) === open;
  const isFinal = request.isFinal && endsOrder;
  const allocation = allocateFor(ctx, records, escrow, { selected, isFinal, billing });
  const remaining = open - BigInt(allocation.taken.length);
  const last = request.isFinal && remaining === 0n;
  const type = last
    ? SettlementType.SETTLEMENT_TYPE_FINAL
    : SettlementType.SETTLEMENT_TYPE_USAGE_BASED;
  const plan = { escrow, allocation, type, isFinal: last, remaining, initiator: request.sender };
  const outcome = settlements.settle(ctx, plan);
  if (!last) return outcome;
  const status = EscrowStatus.ESCROW_STATUS_RELEASED;
  const end = { status, reason: "final settlement" };
  return { ...outcome, escrow: settlements.finish(ctx, outcome.escrow, end) };
}

/**
 * Whether a request has a final settlement's privileges. While a record is disputed nothing ends: a
 * customer could leave the others unpaid by it, and win the dispute after.
 */
export function mayEnd({ openDisputes }: EscrowState, { isFinal }: SettleRequest): boolean {
  return isFinal && openDisputes === 0;
}

/** One part of ending an expired escrow: the records that it settles, none for the end alone. */
export interface ExpiryPart {
  readonly escrow: EscrowState;
  readonly billing: BillingRules | undefined;
  readonly selected: readonly UsageState[];
}

/** Selects what one part settles: at most `budget` records, and no more than any settlement. */
export function expiryPart(
  ctx: Context,
  { records }: SettleKeepers,
  escrow: EscrowState,
  budget: number,
): ExpiryPart {
  const limit = minSize(budget, records.params(ctx).extended.maxRecordsPerSettlement);
  const billing = billingRules(ctx, records, escrow.orderId);
  const all = { limit, eligible: () => true, isFinal: true, billing };
  return { escrow, billing, selected: firstOpen(ctx, records, escrow, all) };
}

/**
 * Settles a part of an expired escrow as a final settlement without minimum, and ends the escrow
 * when nothing is left open.
 */
export function settleExpired(
  ctx: Context,
  { records, settlements, escrows }: SettleKeepers,
  { escrow, billing, selected }: ExpiryPart,
): void {
  const open = records.openUsageCount(ctx, escrow.seq);
  const status = EscrowStatus.ESCROW_STATUS_EXPIRED;
  const end = { status, reason: "expired", kind: "escrow_expiry" };
  if (selected.length === 0) {
    escrows.close(ctx, escrow, end);
    return;
  }
  const allocation = allocateUnder(billing, selected, coinsIn(escrow.balance), true);
  const remaining = open - BigInt(selected.length);
  const isFinal = remaining === 0n;
  const type = isFinal
    ? SettlementType.SETTLEMENT_TYPE_FINAL
    : SettlementType.SETTLEMENT_TYPE_USAGE_BASED;
  const plan = { escrow, allocation, type, isFinal, remaining, initiator: "" };
  const outcome = settlements.settle(ctx, plan);
  if (isFinal) escrows.close(ctx, outcome.escrow, end);
}

function finishEmpty(ctx: Context, keepers: SettleKeepers, escrow: EscrowState): SettlementOutcome {
  const end = { status: EscrowStatus.ESCROW_STATUS_RELEASED, reason: "final settlement" };
  return { ...NOTHING, escrow: keepers.settlements.finish(ctx, escrow, end) };
}

function nothingToSettle(escrow: EscrowState, open: bigint): ChainError {
  const order = quote(escrow.orderId);
  if (open > 0n && open === BigInt(escrow.openDisputes)) {
    const detail = `no usage to settle: all ${open} open records of order ${order} are disputed`;
    return new ChainError(errors.ErrDisputeActive, detail);
  }
  const detail =
    open === 0n
      ? `no usage to settle: order ${order} has no open records`
      : `no usage to settle: ${open} records of order ${order} wait for acknowledgement`;
  return new ChainError(errors.ErrInvalidSettlement, detail);
}

/** Records of the request in recording order, at most a settlement's limit. */
function select(
  ctx: Context,
  keepers: SettleKeepers,
  escrow: EscrowState,
  request: SettleRequest & { readonly billing: BillingRules | undefined },
): readonly UsageState[] {
  const { records } = keepers;
  const { extended, autoSettleAfter } = records.params(ctx);
  const limit = extended.maxRecordsPerSettlement;
  const eligible = eligibleFor(ctx, escrow, { sender: request.sender, autoSettleAfter });
  if (request.usageIds.length === 0) {
    const waiting = request.isFinal && request.sender === escrow.recipient;
    if (waiting) requireAllEligible(ctx, records, escrow, { limit, eligible });
    const { isFinal, billing } = request;
    return firstOpen(ctx, records, escrow, { limit, eligible, isFinal, billing });
  }
  if (request.usageIds.length > limit) {
    const detail = `at most ${limit} records in one settlement, found ${request.usageIds.length}`;
    throw new ChainError(errors.ErrInvalidSettlement, detail);
  }
  const named = request.usageIds.map((id) => {
    const usage = requireOpenOfOrder(ctx, keepers.usage, escrow, id);
    if (!eligible(usage)) throw waits(ctx, usage, autoSettleAfter);
    return usage;
  });
  const units = named.reduce((sum, usage) => sum + usage.units, 0n);
  if (units > UINT64_MAX) {
    const detail = `units sum to ${units}, above 2^64 - 1: settle the records in parts`;
    throw new ChainError(errors.ErrInvalidSettlement, detail);
  }
  return named.sort((a, b) => (a.seq < b.seq ? -1 : 1));
}

/** Which records a party may settle now: a provider leaves its customer the time to look. */
export function eligibleFor(
  ctx: Context,
  { recipient }: EscrowState,
  { sender, autoSettleAfter }: { sender: string; autoSettleAfter: bigint },
): (usage: UsageState) => boolean {
  return (usage) =>
    sender !== recipient ||
    usage.acknowledged ||
    ctx.time >= settleableFrom(usage, autoSettleAfter);
}

function requireOpenOfOrder(
  ctx: Context,
  keeper: UsageKeeper,
  escrow: EscrowState,
  id: string,
): UsageState {
  const usage = keeper.byId(ctx, id);
  if (usage.escrowSeq !== escrow.seq) {
    const detail = `usage ${id} was recorded under escrow-${usage.escrowSeq}, not under ${escrowId(escrow.seq)}`;
    throw new ChainError(errors.ErrInvalidUsageRecord, detail);
  }
  requireOpen(usage);
  requireUndisputed(usage);
  return usage;
}

function waits(ctx: Context, usage: UsageState, after: bigint): ChainError {
  const id = timedId("usage", usage.submittedAtNs, usage.seq);
  const from = formatTime(settleableFrom(usage, after));
  const detail = `usage ${id} is not acknowledged: the provider may settle it from ${from}, block time is ${formatTime(ctx.time)}`;
  return new ChainError(errors.ErrInvalidSettlement, detail);
}

function firstOpen(
  ctx: Context,
  records: Records,
  escrow: EscrowState,
  rules: Omit<Parameters<typeof selectOpen>[3], "onLeft">,
): readonly UsageState[] {
  const onLeft = (): void => ctx.gas.consume(LOOKED_AT_GAS, "look at record");
  return selectOpen(ctx, records, escrow, { ...rules, onLeft }).selected;
}

/** A provider's final settlement may not take what the customer still has time to look at. */
function requireAllEligible(
  ctx: Context,
  records: Records,
  escrow: EscrowState,
  { limit, eligible }: { limit: number; eligible: (usage: UsageState) => boolean },
): void {
  let count = 0;
  for (const seq of records.openUsage(ctx, escrow.seq)) {
    ctx.gas.consume(LOOKED_AT_GAS, "look at record");
    const usage = must(records.usage(ctx, seq), "settlement: open usage has a record");
    if (usage.disputed) continue;
    if (!eligible(usage)) throw waits(ctx, usage, records.params(ctx).autoSettleAfter);
    count += 1;
    // Those that it does not take are its next part's.
    if (count === limit) return;
  }
}

function allocateFor(
  ctx: Context,
  records: Records,
  escrow: EscrowState,
  {
    selected,
    isFinal,
    billing,
  }: {
    selected: readonly UsageState[];
    isFinal: boolean;
    billing: BillingRules | undefined;
  },
): Allocation {
  const balance = spendable(escrow);
  const allocation = allocateUnder(billing, selected, balance, isFinal);
  if (isFinal) return allocation;
  const minimum = records.params(ctx).minSettlementAmount;
  const kept = dropBelowMinimum(allocation, minimum);
  if (kept.taken.length > 0) return kept;
  const { stoppedAt } = allocation;
  if (stoppedAt !== undefined && allocation.taken.length === 0) {
    const id = timedId("usage", stoppedAt.submittedAtNs, stoppedAt.seq);
    const detail = `no usage to settle: the balance ${formatCoins(balance) || "0"} does not cover ${id}, which costs ${stoppedAt.cost}${stoppedAt.denom}${billing === undefined ? "" : " before discounts and tax"}; a final settlement bills the rest`;
    throw new ChainError(errors.ErrInvalidSettlement, detail);
  }
  if (isZeroCoins(allocation.total)) {
    const why = allocation.bill === undefined ? "" : " after discounts";
    const detail = `no usage to settle: all records cost 0${why}`;
    throw new ChainError(errors.ErrInvalidSettlement, detail);
  }
  const detail = `below minimum: ${formatCoins(allocation.total)}, at least ${minimum} of a denom`;
  throw new ChainError(errors.ErrInvalidSettlement, detail);
}
