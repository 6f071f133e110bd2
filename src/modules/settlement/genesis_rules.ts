import * as state from "../../gen/settled/settlement/v1/state.ts";
import {
  addCoins,
  type Coins,
  coversCoins,
  equalCoins,
  formatCoins,
  NO_COINS,
  type WireCoin,
} from "../../types/coins.ts";
import { type Dec, mulFloor } from "../../types/dec.ts";
import type { Rule } from "./genesis_checks.ts";
import { isLive } from "./keeper_escrow.ts";
import { coinsIn } from "./records.ts";

// What the fields of one record of genesis must say together.

const { EscrowStatus, UsageStatus, SettlementType, InvoiceStatus, PayoutStatus } = state;
const { RewardSource, DisputeStatus } = state;

/** Says what a number, a text or a flag is and should be, unless it is that. */
function expected<T>(found: T, wanted: T, why: string): string | undefined {
  return found === wanted ? undefined : `expected ${wanted}, ${why}, found ${found}`;
}

function isSet(found: bigint | string, wanted: boolean, why: string): string | undefined {
  const set = found !== 0n && found !== "";
  if (set === wanted) return undefined;
  return wanted ? `is missing: ${why}` : `expected none, ${why}, found ${found}`;
}

/** It may be there only where it has a reason. */
function onlyIf(found: bigint | string, mayBe: boolean, why: string): string | undefined {
  return mayBe ? undefined : isSet(found, false, why);
}

function sumsTo(
  total: readonly WireCoin[],
  parts: readonly (readonly WireCoin[])[],
  what: string,
): string | undefined {
  const sum = parts.reduce<Coins>((before, part) => addCoins(before, coinsIn(part)), NO_COINS);
  const found = coinsIn(total);
  return equalCoins(found, sum) ? undefined : `${textOf(found)}, but ${what} sum to ${textOf(sum)}`;
}

export function textOf(coins: Coins): string {
  return formatCoins(coins) || "nothing";
}

export const ESCROW: readonly Rule<state.EscrowState>[] = [
  ["recipient", ({ recipient, depositor }) => sameParty(recipient, depositor)],
  ["recipient", (e) => (e.activatedAtNs === 0n ? undefined : isSet(e.recipient, true, ACTIVATED))],
  ["leaseId", (e) => isSet(e.leaseId, e.activatedAtNs !== 0n, ACTIVATED)],
  ["activatedAtNs", (e) => activated(e)],
  ["closedAtNs", (e) => isSet(e.closedAtNs, !isLive(e.status), `its status is ${e.status}`)],
  ["disputedAtNs", (e) => disputed(e)],
  ["disputeEvidence", (e) => onlyIf(e.disputeEvidence, e.disputedAtNs !== 0n, "never disputed")],
  [
    "closureReason",
    (e) => onlyIf(e.closureReason, !isLive(e.status) || e.disputedAtNs !== 0n, "not closed"),
  ],
  ["expiresAtNs", (e) => notBefore(e.expiresAtNs, e.createdAtNs, "created_at_ns")],
  [
    "amount",
    (e) =>
      sumsTo(
        e.amount,
        [e.balance, e.totalSettled, e.refunded, e.taxPaid],
        "balance, total_settled, refunded and tax_paid",
      ),
  ],
  [
    "balance",
    (e) => (isLive(e.status) || e.balance.length === 0 ? undefined : "a closed escrow has one"),
  ],
];

const ACTIVATED = "activated_at_ns says whether it was activated";

function sameParty(recipient: string, depositor: string): string | undefined {
  return recipient === depositor ? "it is the depositor" : undefined;
}

function activated({ status, activatedAtNs }: state.EscrowState): string | undefined {
  const isPending = status === EscrowStatus.ESCROW_STATUS_PENDING;
  // A pending one may have been refunded, or be over.
  if (!isPending && !isLive(status)) return undefined;
  return isSet(activatedAtNs, !isPending, `its status is ${status}`);
}

function disputed({ status, disputedAtNs }: state.EscrowState): string | undefined {
  if (!isLive(status)) return undefined;
  const isDisputed = status === EscrowStatus.ESCROW_STATUS_DISPUTED;
  return isSet(disputedAtNs, isDisputed, `its status is ${status}`);
}

function notBefore(time: bigint, first: bigint, name: string): string | undefined {
  return time >= first ? undefined : `expected ${name} ${first} or later, found ${time}`;
}

const isSettled = ({ status }: state.UsageState): boolean =>
  status === UsageStatus.USAGE_STATUS_SETTLED;

export const USAGE: readonly Rule<state.UsageState>[] = [
  [
    "cost",
    ({ cost, unitPrice, units }) =>
      expected(cost, `${mulFloor(BigInt(unitPrice) as Dec, units)}`, "unit_price × units"),
  ],
  ["periodEnd", (u) => (u.periodEnd > u.periodStart ? undefined : "is not after period_start")],
  ["acknowledged", (u) => acknowledged(u)],
  ["settledAmount", (u) => isSet(u.settledAmount, isSettled(u), `its status is ${u.status}`)],
  ["settledAmount", (u) => paidOf(u)],
  ["settlementSeq", (u) => onlyIf(u.settlementSeq, isSettled(u), "it is not settled")],
  ["invoiceSeq", (u) => onlyIf(u.invoiceSeq, isSettled(u), "it is not settled")],
  ["reward", (u) => onlyIf(u.reward, isSettled(u), "it is not settled")],
  ["discount", (u) => onlyIf(u.discount, isSettled(u), "it is not settled")],
  ["correctedAtNs", (u) => isSet(u.correctedAtNs, u.correctsSeq !== 0n, "see corrects_seq")],
  [
    "anomalyCleared",
    (u) => (u.anomalyCleared && u.anomalies.length === 0 ? "it has no anomalies" : undefined),
  ],
  [
    "rewardSource",
    (u) =>
      u.reward !== "" || u.rewardSource === RewardSource.REWARD_SOURCE_UNSPECIFIED
        ? undefined
        : "it has no reward",
  ],
];

/** Who acknowledged has signed; an amended record is as its parties agreed (RULES 21). */
function acknowledged(usage: state.UsageState): string | undefined {
  const isSigned = usage.customerSignature.length > 0;
  const isAmended = usage.disputeSeq !== 0n && usage.correctsSeq !== 0n;
  if (usage.acknowledged === isSigned || (usage.acknowledged && isAmended)) return undefined;
  return `is ${usage.acknowledged}, customer_signature has ${usage.customerSignature.length} bytes`;
}

function paidOf({ settledAmount, discount, cost }: state.UsageState): string | undefined {
  const sum = BigInt(settledAmount || "0") + BigInt(discount || "0");
  return sum <= BigInt(cost) ? undefined : `with the discount it is ${sum}, the cost is ${cost}`;
}

const isRefundRecord = ({ type }: state.SettlementState): boolean =>
  type === SettlementType.SETTLEMENT_TYPE_REFUND;

export const SETTLEMENT: readonly Rule<state.SettlementState>[] = [
  [
    "total",
    (s) =>
      sumsTo(
        s.total,
        [s.providerShare, s.platformFee, s.validatorFee],
        "provider_share, platform_fee and validator_fee",
      ),
  ],
  [
    "isFinal",
    (s) =>
      isRefundRecord(s)
        ? undefined
        : expected(
            s.isFinal,
            s.type === SettlementType.SETTLEMENT_TYPE_FINAL,
            `its type is ${s.type}`,
          ),
  ],
  ["journalSeq", (s) => isSet(s.journalSeq, !isRefundRecord(s), `its type is ${s.type}`)],
  ["recordCount", (s) => (isRefundRecord(s) ? expected(s.recordCount, 0, REFUND) : undefined)],
  ["invoiceSeq", (s) => onlyIf(s.invoiceSeq, s.recordCount > 0, "it has no records")],
  ["payoutSeq", (s) => onlyIf(s.payoutSeq, s.invoiceSeq !== 0n, "it has no invoice")],
  ["distributionSeq", (s) => onlyIf(s.distributionSeq, s.recordCount > 0, "it has no records")],
];

const REFUND = "it is a refund of an escrow";

export const INVOICE: readonly Rule<state.InvoiceState>[] = [
  ["total", (i) => invoiceTotal(i)],
  ["amountDue", (i) => invoicePaid(i)],
  ["credited", (i) => notMore(i.credited, i.amountPaid, "amount_paid")],
  ["taxPaid", (i) => notMore(i.taxPaid, i.tax, "tax")],
  ["paidAtNs", (i) => isSet(i.paidAtNs, isPaid(i), `its status is ${i.status}`)],
  ["overdueAtNs", (i) => overdue(i)],
  ["voidReason", (i) => onlyIf(i.voidReason, isVoid(i), "it is not void")],
  ["dueAtNs", (i) => notBefore(i.dueAtNs, i.issuedAtNs, "issued_at_ns")],
];

const isVoid = ({ status }: state.InvoiceState): boolean =>
  status === InvoiceStatus.INVOICE_STATUS_CANCELLED;

const isPaid = ({ status }: state.InvoiceState): boolean =>
  status === InvoiceStatus.INVOICE_STATUS_PAID || status === InvoiceStatus.INVOICE_STATUS_REFUNDED;

function overdue({ status, overdueAtNs }: state.InvoiceState): string | undefined {
  const isOverdue = status === InvoiceStatus.INVOICE_STATUS_OVERDUE;
  // One that was overdue may have been paid since.
  if (!isOverdue && status !== InvoiceStatus.INVOICE_STATUS_PENDING) return undefined;
  return isSet(overdueAtNs, isOverdue, `its status is ${status}`);
}

/** I-12: lines less discounts, and tax that is on top. */
function invoiceTotal(invoice: state.InvoiceState): string | undefined {
  const { total, tax, subtotal, taxTerms } = invoice;
  const isOnTop = taxTerms?.mode !== "inclusive";
  const sum = isOnTop ? addCoins(coinsIn(subtotal), coinsIn(tax)) : coinsIn(subtotal);
  const parts = [total, ...invoice.discounts.map(({ amount }) => amount)];
  const found = parts.map(coinsIn).reduce(addCoins, NO_COINS);
  if (equalCoins(found, sum)) return undefined;
  return `with discounts it is ${textOf(found)}, subtotal and tax on top are ${textOf(sum)}`;
}

/** I-12: what is not paid is due or waived; nothing is due of a void one. */
function invoicePaid(invoice: state.InvoiceState): string | undefined {
  const { total, amountPaid, amountDue, waived } = invoice;
  if (!isVoid(invoice)) {
    const text = sumsTo(total, [amountPaid, amountDue, waived], "amount_paid, it and waived");
    return text && `the total is ${text}`;
  }
  const isNothing = amountPaid.length === 0 && amountDue.length === 0;
  return isNothing ? undefined : "a void invoice has an amount_paid or an amount_due";
}

function notMore(
  some: readonly WireCoin[],
  most: readonly WireCoin[],
  name: string,
): string | undefined {
  const [found, limit] = [coinsIn(some), coinsIn(most)];
  if (coversCoins(limit, found)) return undefined;
  return `expected at most the ${name} ${textOf(limit)}, found ${textOf(found)}`;
}

const isCompleted = ({ status }: state.PayoutState): boolean =>
  status === PayoutStatus.PAYOUT_STATUS_COMPLETED;

export const PAYOUT: readonly Rule<state.PayoutState>[] = [
  [
    "gross",
    (p) =>
      sumsTo(
        p.gross,
        [p.platformFee, p.validatorFee, p.holdback, p.net],
        "platform_fee, validator_fee, holdback and net",
      ),
  ],
  ["lastAttemptAtNs", (p) => isSet(p.lastAttemptAtNs, p.attempts > 0, TRIED)],
  ["processedAtNs", (p) => isSet(p.processedAtNs, p.attempts > 0, TRIED)],
  ["completedAtNs", (p) => isSet(p.completedAtNs, isCompleted(p), `its status is ${p.status}`)],
  ["txHash", (p) => (p.txHash.length === 0 || isCompleted(p) ? undefined : "it is not completed")],
  [
    "nextAttemptHeight",
    (p) =>
      onlyIf(
        p.nextAttemptHeight,
        isCompleted(p) || p.status === PayoutStatus.PAYOUT_STATUS_FAILED,
        "nothing of it failed",
      ),
  ],
  ["holdbackDueAtNs", (p) => onlyIf(p.holdbackDueAtNs, p.holdback.length > 0, "see holdback")],
  [
    "holdbackHeld",
    (p) =>
      p.holdbackHeld && (!isCompleted(p) || p.holdback.length === 0)
        ? "it is not completed, or has no holdback"
        : undefined,
  ],
  ["disputeSeq", (p) => (p.openDisputes > 0 ? isSet(p.disputeSeq, true, DISPUTED) : undefined)],
  ["heldByDispute", (p) => (p.heldByDispute && p.openDisputes === 0 ? DISPUTED : undefined)],
];

const TRIED = "see attempts";
const DISPUTED = "open_disputes counts its disputes";

const isOfUsage = ({ source }: state.DistributionState): boolean =>
  source === RewardSource.REWARD_SOURCE_USAGE;

export const DISTRIBUTION: readonly Rule<state.DistributionState>[] = [
  ["settlementSeq", (d) => isSet(d.settlementSeq, isOfUsage(d), `its source is ${d.source}`)],
  [
    "total",
    (d) =>
      isOfUsage(d)
        ? undefined
        : sumsTo(
            d.total,
            d.rows.map((row) => row.amount),
            "rows",
          ),
  ],
  [
    "rowCount",
    (d) => (isOfUsage(d) ? undefined : expected(d.rowCount, d.rows.length, "as its rows are")),
  ],
  [
    "entryCount",
    (d) => (isOfUsage(d) ? undefined : expected(d.entryCount, d.rows.length, "as its rows are")),
  ],
  ["rows", (d) => rowsFollow(d)],
  ["rows", (d) => (isOfUsage(d) && d.rows.length > 0 ? "one of usage has none" : undefined)],
  [
    "reference",
    (d) =>
      onlyIf(
        d.reference,
        d.source === RewardSource.REWARD_SOURCE_PROVIDER ||
          d.source === RewardSource.REWARD_SOURCE_VERIFICATION,
        `its source is ${d.source}`,
      ),
  ],
  [
    "usageSeqs",
    ({ source, usageSeqs }) =>
      usageSeqs.length > 0 === (source === RewardSource.REWARD_SOURCE_PROVIDER)
        ? undefined
        : `has ${usageSeqs.length}, its source is ${source}`,
  ],
];

/** The epoch, or the reference, that the lines of a distribution repeat. */
function rowsFollow({ source, epoch, reference, rows }: state.DistributionState) {
  const isOfEpoch = source === RewardSource.REWARD_SOURCE_STAKING;
  const isVerified = source === RewardSource.REWARD_SOURCE_VERIFICATION;
  const isProviders = source === RewardSource.REWARD_SOURCE_PROVIDER;
  for (const { referenceId, usageUnits, verificationScore } of rows) {
    const wanted = isOfEpoch ? `epoch-${epoch}` : isVerified ? reference : referenceId;
    if (referenceId !== wanted) {
      return `expected the reference_id ${wanted}, of its epoch or reference, found ${referenceId}`;
    }
    if (usageUnits > 0n && !isProviders) return `usage_units: its source is ${source}`;
    if (verificationScore > 0 && !isVerified) return `verification_score: its source is ${source}`;
  }
  return undefined;
}

export const REWARD_ENTRY: readonly Rule<state.RewardEntryState>[] = [
  [
    "expiresAtNs",
    (e) =>
      e.expiresAtNs === 0n ? undefined : notBefore(e.expiresAtNs, e.createdAtNs, "created_at_ns"),
  ],
];

const MOVES: readonly state.PayoutLedgerKind[] = [
  state.PayoutLedgerKind.PAYOUT_LEDGER_KIND_COMPLETED,
  state.PayoutLedgerKind.PAYOUT_LEDGER_KIND_REFUNDED,
  state.PayoutLedgerKind.PAYOUT_LEDGER_KIND_HOLDBACK_RELEASED,
];

export const PAYOUT_LEDGER: readonly Rule<state.PayoutLedgerEntry>[] = [
  [
    "kind",
    ({ kind, number }) =>
      (kind === state.PayoutLedgerKind.PAYOUT_LEDGER_KIND_CREATED) === (number === 1)
        ? undefined
        : `is ${kind}, its number is ${number}`,
  ],
  [
    "journalSeq",
    (e) => (e.journalSeq === 0n || MOVES.includes(e.kind) ? undefined : "it moved no coins"),
  ],
];

const isUndecided = ({ status }: state.DisputeState): boolean =>
  status === DisputeStatus.DISPUTE_STATUS_OPEN || status === DisputeStatus.DISPUTE_STATUS_REVIEWING;

const isAmended = ({ status, afterSettlement }: state.DisputeState): boolean =>
  status === DisputeStatus.DISPUTE_STATUS_AMENDED && !afterSettlement;

const isResolved = ({ status }: state.DisputeState): boolean =>
  status >= DisputeStatus.DISPUTE_STATUS_ACCEPTED && status <= DisputeStatus.DISPUTE_STATUS_AMENDED;

export const DISPUTE: readonly Rule<state.DisputeState>[] = [
  [
    "afterSettlement",
    (d) => expected(d.afterSettlement, d.reserved === "", "as reserved is there or not"),
  ],
  ["resolution", (d) => expected(d.resolution !== undefined, isResolved(d), "by its status")],
  ["expiresAtNs", (d) => notBefore(d.expiresAtNs, d.openedAtNs, "opened_at_ns")],
  ["closedAtNs", (d) => isSet(d.closedAtNs, !isUndecided(d), `its status is ${d.status}`)],
  ["decidedBy", (d) => isSet(d.decidedBy, d.resolution !== undefined, "see resolution")],
  ["amendedSeq", (d) => isSet(d.amendedSeq, isAmended(d), `its status is ${d.status}`)],
  ["refundSeq", (d) => onlyIf(d.refundSeq, d.afterSettlement && !isUndecided(d), "nothing back")],
];

export const RECEIVABLE: readonly Rule<state.ReceivableState>[] = [
  ["paid", (r) => notMore(r.paid, r.amount, "amount")],
  ["debtor", (r) => (r.debtor === r.creditor ? "it is the creditor" : undefined)],
];
