import type { Coin } from "../../gen/cosmos/base/v1beta1/coin.ts";
import type * as q from "../../gen/settled/settlement/v1/query.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import type * as wire from "../../gen/virtengine/settlement/v1/query.ts";
import { toHex } from "../../lib/bytes.ts";
import { coinsOf, wireCoins } from "../../types/coins.ts";
import { secondsOf, type TimeNs } from "../../types/time.ts";
import { anomalyText } from "./anomaly.ts";
import { disputeId } from "./dispute_records.ts";
import { escrowId, payoutIdempotencyKey, timedId } from "./ids.ts";
import { isSatisfied } from "./keeper_release.ts";
import { distributionId } from "./keeper_reward.ts";
import * as names from "./status_names.ts";
import { normaliseUsageType, unitOf } from "../../types/usage_type.ts";

/** Stored records as the deployed messages: ids as text, times in unix seconds, 0 for never. */

const seconds = (ns: bigint): bigint => secondsOf(ns as TimeNs);

function amountCoins(denom: string, amount: string): Coin[] {
  return amount === "" ? [] : wireCoins(coinsOf(denom, BigInt(amount)));
}

/** @param time for what a time lock says */
export function escrowView(escrow: state.EscrowState, time: TimeNs): wire.EscrowAccount {
  return {
    escrowId: escrowId(escrow.seq),
    orderId: escrow.orderId,
    leaseId: escrow.leaseId,
    depositor: escrow.depositor,
    recipient: escrow.recipient,
    amount: escrow.amount,
    balance: escrow.balance,
    state: names.statusName(escrow.status),
    conditions: (escrow.release?.conditions ?? []).map((each) => conditionView(each, time)),
    createdAt: seconds(escrow.createdAtNs),
    expiresAt: seconds(escrow.expiresAtNs),
    activatedAt: seconds(escrow.activatedAtNs),
    closedAt: seconds(escrow.closedAtNs),
    closureReason: escrow.closureReason,
    totalSettled: escrow.totalSettled,
    settlementCount: escrow.settlementCount,
    blockHeight: escrow.height,
  };
}

/** What was said when an escrow was disputed as a whole. */
export function escrowDisputeView(escrow: state.EscrowState): q.EscrowDispute {
  return {
    escrowId: escrowId(escrow.seq),
    disputedBy: escrow.disputedBy,
    reason: escrow.disputeReason,
    evidence: escrow.disputeEvidence,
    disputedAtNs: escrow.disputedAtNs,
  };
}

function conditionView(
  condition: state.ReleaseConditionState,
  time: TimeNs,
): wire.ReleaseCondition {
  const satisfied = isSatisfied(time, condition);
  const locked = condition.kind === state.ReleaseConditionKind.RELEASE_CONDITION_KIND_TIMELOCK;
  const at = locked ? condition.unlockAfter : seconds(condition.satisfiedAtNs);
  return {
    type: names.conditionName(condition.kind),
    unlockAfter: condition.unlockAfter,
    requiredSigners: condition.requiredSigners,
    signatureThreshold: condition.signatureThreshold,
    minUsageUnits: condition.minUsageUnits,
    requiredVerificationScore: condition.requiredVerificationScore,
    satisfied,
    satisfiedAt: satisfied ? at : 0n,
  };
}

/** Ids of the settlement and invoice are looked up by the caller: they carry their own times. */
export function usageView(
  usage: state.UsageState,
  escrow: state.EscrowState,
  settlementId: string,
): wire.UsageRecord {
  return {
    usageId: timedId("usage", usage.submittedAtNs, usage.seq),
    orderId: escrow.orderId,
    leaseId: escrow.leaseId,
    provider: escrow.recipient,
    customer: escrow.depositor,
    usageUnits: usage.units,
    usageType: usage.usageType,
    periodStart: usage.periodStart,
    periodEnd: usage.periodEnd,
    unitPrice: { denom: usage.denom, amount: usage.unitPrice },
    totalCost: amountCoins(usage.denom, usage.cost),
    providerSignature: usage.providerSignature,
    customerAcknowledged: usage.acknowledged,
    customerSignature: usage.customerSignature,
    settled: names.usageStatusName(usage.status) === "settled",
    settlementId,
    submittedAt: seconds(usage.submittedAtNs),
    blockHeight: usage.height,
    metadata: usageMetadata(usage),
  };
}

/** What the deployed record has no field for; keys only where they apply. */
function usageMetadata(usage: state.UsageState): Record<string, string> {
  const { submittedAtNs, correctsSeq, correctedBySeq, anomalies } = usage;
  const metadata: Record<string, string> = {};
  // Corrections keep the time that is part of the id.
  if (correctsSeq !== 0n) metadata["corrects"] = timedId("usage", submittedAtNs, correctsSeq);
  if (correctedBySeq !== 0n) {
    metadata["corrected_by"] = timedId("usage", submittedAtNs, correctedBySeq);
  }
  const status = names.usageStatusName(usage.status);
  if (status !== "open" && status !== "settled") metadata["status"] = status;
  if (anomalies.length > 0) metadata["anomalies"] = anomalyText(anomalies);
  if (usage.anomalyCleared) metadata["anomaly_cleared"] = "true";
  return metadata;
}

export function usageRewardView(usage: state.UsageState): Coin[] {
  return amountCoins(usage.denom, usage.reward);
}

export function usageSettledView(usage: state.UsageState): Coin[] {
  return amountCoins(usage.denom, usage.settledAmount);
}

export function usageDiscountView(usage: state.UsageState): Coin[] {
  return amountCoins(usage.denom, usage.discount);
}

function discountOf({ discount }: state.UsageState): bigint {
  return discount === "" ? 0n : BigInt(discount);
}

export function settlementIdOf(settlement: state.SettlementState): string {
  return timedId("settle", settlement.settledAtNs, settlement.seq);
}

export function invoiceIdOf(invoice: state.InvoiceState): string {
  return timedId("invoice", invoice.issuedAtNs, invoice.seq);
}

export function settlementView(
  settlement: state.SettlementState,
  escrow: state.EscrowState,
  usageRecordIds: string[],
): wire.SettlementRecord {
  return {
    settlementId: settlementIdOf(settlement),
    escrowId: escrowId(settlement.escrowSeq),
    orderId: escrow.orderId,
    leaseId: escrow.leaseId,
    provider: settlement.provider,
    customer: escrow.depositor,
    totalAmount: settlement.total,
    providerShare: settlement.providerShare,
    platformFee: settlement.platformFee,
    validatorFee: settlement.validatorFee,
    settledAt: seconds(settlement.settledAtNs),
    usageRecordIds,
    totalUsageUnits: settlement.units,
    periodStart: settlement.periodStart,
    periodEnd: settlement.periodEnd,
    blockHeight: settlement.height,
    settlementType: names.settlementTypeName(settlement.type),
    isFinal: settlement.isFinal,
  };
}

export function invoiceView(
  invoice: state.InvoiceState,
  escrow: state.EscrowState,
  parts: { settlementId: string; lines: q.InvoiceLine[] },
): q.Invoice {
  return {
    invoiceId: invoiceIdOf(invoice),
    invoiceNumber: `INV-${invoice.number.toString().padStart(6, "0")}`,
    settlementId: parts.settlementId,
    escrowId: escrowId(invoice.escrowSeq),
    orderId: escrow.orderId,
    leaseId: escrow.leaseId,
    provider: escrow.recipient,
    customer: escrow.depositor,
    status: names.invoiceStatusName(invoice.status),
    total: invoice.total,
    amountPaid: invoice.amountPaid,
    amountDue: invoice.amountDue,
    issuedAtNs: invoice.issuedAtNs,
    dueAtNs: invoice.dueAtNs,
    paidAtNs: invoice.paidAtNs,
    periodStart: invoice.periodStart,
    periodEnd: invoice.periodEnd,
    lineCount: invoice.lineCount,
    lines: parts.lines,
    blockHeight: invoice.height,
    credited: invoice.credited,
    voidReason: invoice.voidReason,
    overdueAtNs: invoice.overdueAtNs,
    ledgerCount: invoice.ledgerCount,
    ledgerHash: invoice.ledgerHash,
    subtotal: invoice.subtotal,
    discounts: invoice.discounts,
    tax: invoice.tax,
    taxPaid: invoice.taxPaid,
    taxTerms: invoice.taxTerms,
    taxNote: invoice.taxTerms?.mode === "reverse_charge" ? REVERSE_CHARGE : "",
    paramsVersion: invoice.paramsVersion,
  };
}

const REVERSE_CHARGE = "Reverse charge: the customer owes the tax.";

export function invoiceLine(usage: state.UsageState): q.InvoiceLine {
  const usageType = normaliseUsageType(usage.usageType);
  return {
    usageId: timedId("usage", usage.submittedAtNs, usage.seq),
    usageType,
    quantity: usage.units,
    unit: unitOf(usageType),
    unitPrice: { denom: usage.denom, amount: usage.unitPrice },
    amount: amountCoins(usage.denom, (BigInt(usage.cost) - discountOf(usage)).toString()),
    settledAmount: usageSettledView(usage),
    periodStart: usage.periodStart,
    periodEnd: usage.periodEnd,
    cost: amountCoins(usage.denom, usage.cost),
    discount: usageDiscountView(usage),
  };
}

export function payoutView(
  payout: state.PayoutState,
  escrow: state.EscrowState,
  ids: { settlementId: string; invoiceId: string },
): wire.PayoutRecord {
  const payoutId = timedId("payout", payout.createdAtNs, payout.seq);
  return {
    payoutId,
    fiatConversionId: "",
    ...ids,
    escrowId: escrowId(payout.escrowSeq),
    orderId: escrow.orderId,
    leaseId: escrow.leaseId,
    provider: escrow.recipient,
    customer: escrow.depositor,
    grossAmount: payout.gross,
    platformFee: payout.platformFee,
    validatorFee: payout.validatorFee,
    holdbackAmount: payout.holdback,
    netAmount: payout.net,
    state: names.payoutStatusName(payout.status),
    disputeId: payout.disputeSeq === 0n ? "" : disputeId(payout.disputeSeq),
    holdReason: payout.holdReason,
    // A settlement has one payout; an amount due may be paid in parts, each of its own.
    idempotencyKey: payoutIdempotencyKey(ids.invoiceId, ids.settlementId || payoutId),
    executionAttempts: payout.attempts,
    lastAttemptAt: seconds(payout.lastAttemptAtNs),
    lastError: payout.lastError,
    txHash: toHex(payout.txHash).toUpperCase(),
    createdAt: seconds(payout.createdAtNs),
    processedAt: seconds(payout.processedAtNs),
    completedAt: seconds(payout.completedAtNs),
    blockHeight: payout.height,
  };
}

export function distributionView(
  distribution: state.DistributionState,
  recipients: wire.RewardRecipient[],
  settlementId: string,
): wire.RewardDistribution {
  return {
    distributionId: distributionId(distribution),
    epochNumber: distribution.epoch,
    totalRewards: distribution.total,
    recipients,
    source: names.sourceName(distribution.source),
    distributedAt: seconds(distribution.distributedAtNs),
    blockHeight: distribution.height,
    referenceTxHashes: [],
    metadata: distributionMetadata(distribution, settlementId),
  };
}

function distributionMetadata(
  { epoch, source, reference }: state.DistributionState,
  settlementId: string,
): Record<string, string> {
  if (settlementId !== "") return { settlement_id: settlementId };
  const facts = { epoch: epoch.toString(), source: names.sourceName(source) };
  return reference === "" ? facts : { ...facts, reference };
}

/** Recipient rows of a usage distribution: one per rewarded record, in the order of RULES 34. */
export function usageRecipient(usage: state.UsageState, provider: string): wire.RewardRecipient {
  return {
    address: provider,
    amount: usageRewardView(usage),
    reason: `usage_${normaliseUsageType(usage.usageType)}_reward`,
    usageUnits: usage.units,
    verificationScore: 0,
    stakingWeight: "",
    referenceId: timedId("usage", usage.submittedAtNs, usage.seq),
  };
}

export function rowRecipient(row: state.RewardRow): wire.RewardRecipient {
  return {
    address: row.address,
    amount: row.amount,
    reason: row.reason,
    usageUnits: row.usageUnits,
    verificationScore: row.verificationScore,
    stakingWeight: "",
    referenceId: row.referenceId,
  };
}
