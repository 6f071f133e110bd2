import type {
  DisputeStatus,
  EscrowStatus,
  InvoiceLedgerKind,
  InvoiceStatus,
  PayoutLedgerKind,
  PayoutStatus,
  ReleaseConditionKind,
  RewardSource,
  SettlementLeg,
  SettlementType,
  UsageStatus,
} from "../../gen/settled/settlement/v1/state.ts";

/** The words of the deployed module for the numbers that the state keeps. */

const ESCROW: readonly string[] = [
  "",
  "pending",
  "active",
  "released",
  "refunded",
  "disputed",
  "expired",
];
const SETTLEMENT: readonly string[] = ["", "periodic", "usage_based", "final", "refund"];
const INVOICE: readonly string[] = [
  ...["draft", "pending", "paid", "partially_paid", "overdue", "disputed", "cancelled"],
  "refunded",
];
const PAYOUT: readonly string[] = [
  ...["", "pending", "processing", "completed", "failed", "held", "refunded", "cancelled"],
];
const SOURCE: readonly string[] = ["", "staking", "usage", "verification", "provider"];
const USAGE: readonly string[] = ["open", "settled", "written_off", "superseded", "withdrawn"];

const CONDITION: readonly string[] = [
  ...["", "timelock", "signature", "multisig", "usage_threshold", "verification"],
];

export function conditionName(kind: ReleaseConditionKind): string {
  return CONDITION[kind] ?? "";
}

/** undefined for a word that is no kind of condition. */
export function conditionKindOf(name: string): ReleaseConditionKind | undefined {
  const index = CONDITION.indexOf(name);
  return index > 0 ? (index as ReleaseConditionKind) : undefined;
}

export function statusName(status: EscrowStatus): string {
  return ESCROW[status] ?? "";
}

/** undefined for a word that is no state. */
export function escrowStatusOf(name: string): EscrowStatus | undefined {
  const index = ESCROW.indexOf(name);
  return index > 0 ? (index as EscrowStatus) : undefined;
}

export function settlementTypeName(type: SettlementType): string {
  return SETTLEMENT[type] ?? "";
}

/** undefined for a word that is no type. */
export function settlementTypeOf(name: string): SettlementType | undefined {
  const index = SETTLEMENT.indexOf(name);
  return index > 0 ? (index as SettlementType) : undefined;
}

export function invoiceStatusName(status: InvoiceStatus): string {
  return INVOICE[status] ?? "";
}

/** undefined for a word that is no state. */
export function invoiceStatusOf(name: string): InvoiceStatus | undefined {
  const index = INVOICE.indexOf(name);
  return index >= 0 ? (index as InvoiceStatus) : undefined;
}

const INVOICE_LEDGER: readonly string[] = [
  ...["created", "issued", "payment", "disputed", "resolved", "cancelled", "refunded", "overdue"],
  "credited",
];

export function invoiceLedgerKindName(kind: InvoiceLedgerKind): string {
  return INVOICE_LEDGER[kind] ?? "";
}

const PAYOUT_LEDGER: readonly string[] = [
  ...["created", "processing", "completed", "failed", "held", "released", "refunded"],
  ...["cancelled", "holdback_released"],
];

export function payoutLedgerKindName(kind: PayoutLedgerKind): string {
  return PAYOUT_LEDGER[kind] ?? "";
}

/** undefined for a word that is no state. */
export function payoutStatusOf(name: string): PayoutStatus | undefined {
  const index = PAYOUT.indexOf(name);
  return index > 0 ? (index as PayoutStatus) : undefined;
}

export function payoutStatusName(status: PayoutStatus): string {
  return PAYOUT[status] ?? "";
}

export function sourceName(source: RewardSource): string {
  return SOURCE[source] ?? "";
}

/** undefined for a word that is no source. */
export function sourceOf(name: string): RewardSource | undefined {
  const index = SOURCE.indexOf(name);
  return index > 0 ? (index as RewardSource) : undefined;
}

/** undefined for a word that is no state. */
export function usageStatusOf(name: string): UsageStatus | undefined {
  const index = USAGE.indexOf(name);
  return index >= 0 ? (index as UsageStatus) : undefined;
}

const LEG: readonly string[] = [...["", "platform_fee", "validator_fee", "holdback", "net", "tax"]];

export function legName(leg: SettlementLeg): string {
  return LEG[leg] ?? "";
}

export function usageStatusName(status: UsageStatus): string {
  return USAGE[status] ?? "";
}

const DISPUTE: readonly string[] = [
  ...["", "open", "reviewing", "accepted", "rejected", "amended", "expired"],
];

export function disputeStatusName(status: DisputeStatus): string {
  return DISPUTE[status] ?? "";
}

/** undefined for a word that is no state. */
export function disputeStatusOf(name: string): DisputeStatus | undefined {
  const index = DISPUTE.indexOf(name);
  return index > 0 ? (index as DisputeStatus) : undefined;
}

/** Of what somebody can resolve a dispute to; undefined for another word. */
export function resolutionStatusOf(name: string): DisputeStatus | undefined {
  return ["accepted", "rejected", "amended"].includes(name) ? disputeStatusOf(name) : undefined;
}
