import type { Context } from "../../baseapp/context.ts";
import {
  type DisputeResolution,
  type DisputeState,
  DisputeStatus,
  type EscrowState,
  type PayoutState,
  type RefundState,
  type UsageState,
  UsageStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { assert, must } from "../../lib/assert.ts";
import { minBigint } from "../../lib/int.ts";
import {
  amountOf,
  type Coins,
  coinsOf,
  formatCoins,
  NO_COINS,
  subCoins,
  wireCoins,
} from "../../types/coins.ts";
import { type Dec, formatDec } from "../../types/dec.ts";
import type { TimeNs } from "../../types/time.ts";
import { releaseFromDispute } from "./dispute_holds.ts";
import { disputedAmounts } from "./dispute_amounts.ts";
import { disputeId, writeDispute } from "./dispute_records.ts";
import { usageWrittenOff } from "./events.ts";
import { disputeResolved, type ResolutionFacts } from "./events_dispute.ts";
import { timedId } from "./ids.ts";
import { waiveDue } from "./invoice_waiver.ts";
import type { UnitPrice } from "./keeper_ceiling.ts";
import type { CorrectionKeeper } from "./keeper_correction.ts";
import type { RefundKeeper } from "./keeper_refund.ts";
import { paramsOfVersion } from "./params_versions.ts";
import { coinsIn, type Records } from "./records.ts";
import { disputeStatusName } from "./status_names.ts";
import { usageIdOf } from "./usage_facts.ts";

/** What a decision does to the record, its escrow, its payout and its invoice (RULES 21). */

const { DISPUTE_STATUS_ACCEPTED: ACCEPTED, DISPUTE_STATUS_AMENDED: AMENDED } = DisputeStatus;

export interface Deciders {
  readonly records: Records;
  readonly corrections: CorrectionKeeper;
  readonly refunds: RefundKeeper;
}

/** How somebody wants a dispute to be resolved. */
export interface Resolution {
  /** Accepted, rejected or amended. */
  readonly status: DisputeStatus;
  readonly units: bigint;
  /** undefined: the price that the record has. */
  readonly unitPrice: UnitPrice | undefined;
}

interface Decision {
  readonly dispute: DisputeState;
  readonly usage: UsageState;
  readonly escrow: EscrowState;
  readonly resolution: DisputeResolution;
  readonly by: string;
  /** Whether the parties agreed, and not the authority decided. */
  readonly agreed: boolean;
}

/** What came of a decision. */
interface Effect {
  readonly amended: UsageState | undefined;
  readonly refundSeq: bigint;
  readonly refunded: Coins;
  readonly waived: Coins;
}

const NO_EFFECT: Effect = {
  amended: undefined,
  refundSeq: 0n,
  refunded: NO_COINS,
  waived: NO_COINS,
};

export function decide(ctx: Context, deciders: Deciders, decision: Decision): DisputeState {
  const { dispute, usage, escrow, resolution, by } = decision;
  const effect = dispute.afterSettlement
    ? decideSettled(ctx, deciders, decision)
    : decideOpen(ctx, deciders, decision);
  const { amended, refundSeq } = effect;
  const after: DisputeState = {
    ...dispute,
    ...{ status: resolution.status, resolution, decidedBy: by, closedAtNs: ctx.time },
    ...{ amendedSeq: amended?.seq ?? 0n, refundSeq },
  };
  writeDispute(ctx, dispute, after, escrow);
  ctx.emit(
    disputeResolved({
      ...resolutionFacts(dispute, usage, resolution),
      amendedId: amended === undefined ? "" : usageIdOf(amended),
      refundId: refundSeq === 0n ? "" : timedId("refund", ctx.time, refundSeq),
      refunded: formatCoins(effect.refunded),
      waived: formatCoins(effect.waived),
      ...{ sender: by, at: ctx.time },
    }),
  );
  return after;
}

/** Ends what a dispute kept back, and leaves the record as it is. */
export function letGo(
  ctx: Context,
  records: Records,
  { dispute, usage, escrow }: { dispute: DisputeState; usage: UsageState; escrow: EscrowState },
): void {
  records.setUsage(ctx, usage, { ...usage, disputed: false });
  if (dispute.afterSettlement) releasePayout(ctx, records, usage, escrow);
  else unreserve(ctx, records, dispute, { usage, escrow });
}

function decideOpen(ctx: Context, deciders: Deciders, decision: Decision): Effect {
  const { records, corrections } = deciders;
  const { dispute, usage, escrow, resolution, agreed } = decision;
  if (resolution.status === AMENDED) {
    const free = unreserve(ctx, records, dispute, { usage, escrow });
    const { units } = resolution;
    const price = BigInt(resolution.unitPrice) as Dec;
    const reason = disputeId(dispute.seq);
    const to = { units, price, acknowledged: agreed, reason };
    return { ...NO_EFFECT, amended: corrections.amend(ctx, free, usage, to) };
  }
  if (resolution.status !== ACCEPTED) {
    letGo(ctx, records, decision);
    return NO_EFFECT;
  }
  const status = UsageStatus.USAGE_STATUS_WRITTEN_OFF;
  records.setUsage(ctx, usage, { ...usage, status, disputed: false });
  unreserve(ctx, records, dispute, { usage, escrow });
  const cost = coinsOf(usage.denom, BigInt(usage.cost));
  ctx.emit(usageWrittenOff({ usageId: usageIdOf(usage), cost, at: ctx.time }));
  return NO_EFFECT;
}

function decideSettled(ctx: Context, deciders: Deciders, decision: Decision): Effect {
  const { records, refunds } = deciders;
  const { dispute, usage, escrow, resolution } = decision;
  const { denom } = usage;
  const invoice = usage.invoiceSeq === 0n ? undefined : records.invoice(ctx, usage.invoiceSeq);
  const amounts = disputedAmounts(usage, resolution, invoice);
  const waived = waiveDue(ctx, records, {
    ...{ invoice, escrow, initiator: decision.by, reference: disputeId(dispute.seq) },
    amount: coinsOf(denom, amounts.waived),
  });
  let refund: RefundState | undefined;
  const amount = amounts.back === 0n ? 0n : refundable(ctx, deciders, usage);
  const request = {
    settlementSeq: usage.settlementSeq,
    amount: coinsOf(denom, minBigint(amounts.back, amount)),
    ...{ reason: disputeId(dispute.seq), initiator: decision.by, disputeSeq: dispute.seq },
    feesStand: decision.agreed,
  };
  if (amount > 0n && refunds.givesBack(ctx, request)) refund = refunds.refund(ctx, request);
  letGo(ctx, records, decision);
  const refunded = coinsIn(refund?.amount ?? []);
  return { amended: undefined, refundSeq: refund?.seq ?? 0n, refunded, waived };
}

function refundable(ctx: Context, { refunds }: Deciders, usage: UsageState): bigint {
  if (usage.settlementSeq === 0n) return 0n;
  return amountOf(refunds.refundable(ctx, usage.settlementSeq), usage.denom);
}

function unreserve(
  ctx: Context,
  records: Records,
  { reserved }: DisputeState,
  { usage, escrow }: { usage: UsageState; escrow: EscrowState },
): EscrowState {
  assert(escrow.openDisputes > 0, "settlement: an escrow counts its disputes", { seq: escrow.seq });
  const kept = coinsOf(usage.denom, BigInt(reserved));
  const after: EscrowState = {
    ...escrow,
    openDisputes: escrow.openDisputes - 1,
    reserved: wireCoins(subCoins(coinsIn(escrow.reserved), kept)),
  };
  records.setEscrow(ctx, escrow, after);
  return after;
}

function releasePayout(
  ctx: Context,
  records: Records,
  usage: UsageState,
  escrow: EscrowState,
): void {
  const payout = payoutOf(ctx, records, usage);
  if (payout !== undefined) releaseFromDispute(ctx, records, { payout, escrow });
}

/** The payout of a settled record's settlement; undefined when that has none. */
export function payoutOf(
  ctx: Context,
  records: Records,
  { settlementSeq }: UsageState,
): PayoutState | undefined {
  if (settlementSeq === 0n) return undefined;
  const settlement = must(records.settlement(ctx, settlementSeq), "settlement: a settled record");
  return settlement.payoutSeq === 0n ? undefined : records.payout(ctx, settlement.payoutSeq);
}

/**
 * When a record was settled, or put on an invoice without being paid, and the dispute window of
 * then, in seconds: the holdback waits as long, whatever the param is now.
 */
export function settledWith(
  ctx: Context,
  records: Records,
  { settlementSeq, invoiceSeq }: UsageState,
): { settledAt: TimeNs; window: bigint } {
  const settlement = settlementSeq === 0n ? undefined : records.settlement(ctx, settlementSeq);
  const invoice = settlement === undefined ? records.invoice(ctx, invoiceSeq) : undefined;
  const at = settlement?.settledAtNs ?? invoice?.issuedAtNs;
  const settledAt = must(at, "settlement: a settled record was settled") as TimeNs;
  const version = settlement?.paramsVersion ?? invoice?.paramsVersion ?? 0n;
  const { wire } = paramsOfVersion(ctx, version) ?? records.params(ctx);
  return { settledAt, window: wire.disputeWindowDuration };
}

export function priceOf({ unitPrice }: UsageState): Dec {
  return BigInt(unitPrice) as Dec;
}

export function resolutionFacts(
  { seq }: DisputeState,
  usage: UsageState,
  { status, units, unitPrice }: DisputeResolution,
): Omit<ResolutionFacts, "sender" | "at"> {
  const isAmended = status === AMENDED;
  return {
    disputeId: disputeId(seq),
    usageId: usageIdOf(usage),
    resolution: disputeStatusName(status),
    units: isAmended ? units.toString() : "",
    unitPrice: isAmended ? `${formatDec(BigInt(unitPrice) as Dec)}${usage.denom}` : "",
  };
}
