import type { Context } from "../../baseapp/context.ts";
import { fieldError } from "../../baseapp/genesis_error.ts";
import type * as state from "../../gen/settled/settlement/v1/state.ts";
import { requireTax } from "./billing_checks.ts";
import {
  address,
  addressOrNone,
  amount,
  amountOrNone,
  anything,
  atMostBytes,
  bytes,
  type Check,
  coins,
  denom,
  each,
  factsOf,
  type FieldChecks,
  filled,
  fromOne,
  notNegative,
  oneOf,
  passes,
  past,
  record,
  someCoins,
  taken,
  textOf,
  version,
} from "./genesis_checks.ts";
import * as rules from "./genesis_rules.ts";
import { SIGNATURE_BYTES_MAX } from "./msg_validate.ts";

// The fields of every list of genesis, each with what is known of it alone. What records say of one
// another is checked in `genesis_links.ts` and `genesis_sums.ts`.

/**
 * Checks every field of every record, before anything is written.
 * @throws ChainError genesis/2 naming list, index and field
 */
export function checkFields(ctx: Context, genesis: state.GenesisState): void {
  const found = record(GENESIS)(genesis, factsOf(ctx, genesis));
  if (found !== undefined) throw fieldError(`settlement${found.at}`, found.text);
}

const CONDITION: FieldChecks<state.ReleaseConditionState> = {
  kind: oneOf(1, 5),
  unlockAfter: notNegative,
  requiredSigners: each(address),
  signatureThreshold: anything,
  minUsageUnits: anything,
  requiredVerificationScore: anything,
  satisfiedAtNs: past,
};

const RELEASE: FieldChecks<state.ReleaseTerms> = {
  conditions: each(record(CONDITION)),
  recordedUnits: anything,
  signatures: each(record<state.ReleaseSignature>({ signer: address, signedAtNs: past })),
  verificationScore: anything,
  verifiedAtNs: past,
};

const ESCROW: FieldChecks<state.EscrowState> = {
  seq: taken("escrow"),
  orderId: filled,
  leaseId: anything,
  depositor: address,
  recipient: addressOrNone,
  amount: someCoins,
  balance: coins,
  totalSettled: coins,
  refunded: coins,
  status: oneOf(1, 6),
  createdAtNs: past,
  expiresAtNs: notNegative,
  activatedAtNs: past,
  closedAtNs: past,
  closureReason: anything,
  settlementCount: anything,
  height: notNegative,
  disputedAtNs: past,
  disputeEvidence: anything,
  lastSettledAtNs: past,
  expiryAttempts: anything,
  autoSettleAtNs: notNegative,
  autoSettleAttempts: anything,
  release: record(RELEASE),
  openDisputes: anything,
  reserved: coins,
  taxPaid: coins,
  disputedBy: addressOrNone,
  disputeReason: anything,
  autoSettleFrom: anything,
  autoSettleSpent: each(denom),
};

const ANOMALY: FieldChecks<state.UsageAnomaly> = { kind: oneOf(1, 3), severity: oneOf(1, 3) };

const USAGE: FieldChecks<state.UsageState> = {
  seq: taken("usage"),
  escrowSeq: fromOne,
  units: anything,
  usageType: filled,
  periodStart: anything,
  periodEnd: anything,
  denom,
  unitPrice: amount,
  cost: amount,
  providerSignature: atMostBytes(SIGNATURE_BYTES_MAX),
  acknowledged: anything,
  customerSignature: atMostBytes(SIGNATURE_BYTES_MAX),
  status: oneOf(0, 4),
  submittedAtNs: past,
  height: notNegative,
  settlementSeq: anything,
  invoiceSeq: anything,
  settledAmount: amountOrNone,
  reward: amountOrNone,
  correctsSeq: anything,
  correctedBySeq: anything,
  anomalies: each(record(ANOMALY)),
  anomalyCleared: anything,
  correctedAtNs: past,
  meterPlace: fromOne,
  disputeSeq: anything,
  disputed: anything,
  discount: amountOrNone,
  rewardSource: oneOf(0, 4),
};

const LEGS: FieldChecks<state.RefundedLegs> = {
  platformFee: coins,
  validatorFee: coins,
  holdback: coins,
  net: coins,
  tax: coins,
};

const SETTLEMENT: FieldChecks<state.SettlementState> = {
  seq: taken("settlement"),
  escrowSeq: fromOne,
  provider: address,
  total: coins,
  providerShare: coins,
  platformFee: coins,
  validatorFee: coins,
  settledAtNs: past,
  units: anything,
  periodStart: anything,
  periodEnd: anything,
  height: notNegative,
  type: oneOf(1, 4),
  isFinal: anything,
  recordCount: anything,
  invoiceSeq: anything,
  payoutSeq: anything,
  distributionSeq: anything,
  paramsVersion: version,
  tax: coins,
  discount: coins,
  journalSeq: anything,
  refunded: record(LEGS),
};

const INVOICE_DISCOUNT: FieldChecks<state.InvoiceDiscount> = {
  kind: textOf("percentage", "fixed", "volume"),
  description: anything,
  amount: coins,
};

const INVOICE: FieldChecks<state.InvoiceState> = {
  seq: taken("invoice"),
  number: fromOne,
  settlementSeq: anything,
  escrowSeq: fromOne,
  status: oneOf(1, 7),
  total: coins,
  amountPaid: coins,
  amountDue: coins,
  issuedAtNs: past,
  dueAtNs: notNegative,
  paidAtNs: past,
  lineCount: anything,
  periodStart: anything,
  periodEnd: anything,
  height: notNegative,
  credited: coins,
  voidReason: anything,
  ledgerCount: anything,
  ledgerHash: bytes(0, 32),
  overdueAtNs: past,
  subtotal: coins,
  discounts: each(record(INVOICE_DISCOUNT)),
  tax: coins,
  taxPaid: coins,
  taxTerms: passes(requireTax),
  waived: coins,
  paramsVersion: version,
  overdueAttempts: anything,
};

const PAYOUT: FieldChecks<state.PayoutState> = {
  seq: taken("payout"),
  invoiceSeq: fromOne,
  settlementSeq: anything,
  escrowSeq: fromOne,
  gross: someCoins,
  platformFee: coins,
  validatorFee: coins,
  holdback: coins,
  net: coins,
  status: oneOf(1, 7),
  attempts: anything,
  createdAtNs: past,
  lastAttemptAtNs: past,
  processedAtNs: past,
  completedAtNs: past,
  height: notNegative,
  holdbackReleased: coins,
  refunded: coins,
  holdReason: anything,
  lastError: anything,
  dueAtNs: notNegative,
  nextAttemptHeight: notNegative,
  holdbackDueAtNs: notNegative,
  holdbackHeld: anything,
  txHash: bytes(0, 32),
  ledgerCount: anything,
  reversedNet: coins,
  reversedHoldback: coins,
  openDisputes: anything,
  disputeSeq: anything,
  heldByDispute: anything,
  paramsVersion: version,
};

const ROW: FieldChecks<state.RewardRow> = {
  address,
  amount: someCoins,
  reason: anything,
  referenceId: anything,
  usageUnits: anything,
  verificationScore: anything,
};

const DISTRIBUTION: FieldChecks<state.DistributionState> = {
  seq: taken("distribution"),
  source: oneOf(1, 4),
  epoch: anything,
  total: someCoins,
  distributedAtNs: past,
  height: notNegative,
  settlementSeq: anything,
  rows: each(record(ROW)),
  rowCount: fromOne,
  paramsVersion: version,
  firstEntrySeq: fromOne,
  entryCount: fromOne,
  reference: anything,
  usageSeqs: anything,
};

const CLAIMABLE: FieldChecks<state.ClaimableState> = {
  address,
  claimable: coins,
  claimed: coins,
  expired: coins,
  updatedAtNs: past,
  cancelled: coins,
};

const REWARD_ENTRY: FieldChecks<state.RewardEntryState> = {
  seq: taken("rewardEntry"),
  address,
  distributionSeq: fromOne,
  source: oneOf(1, 4),
  amount: someCoins,
  createdAtNs: past,
  expiresAtNs: notNegative,
  reason: anything,
  minted: anything,
  cancelled: coins,
  expiryAttempts: anything,
};

const PAYOUT_LEDGER: FieldChecks<state.PayoutLedgerEntry> = {
  payoutSeq: fromOne,
  number: fromOne,
  kind: oneOf(0, 8),
  previousStatus: oneOf(0, 7),
  status: oneOf(1, 7),
  amount: coins,
  reason: anything,
  height: notNegative,
  timeNs: past,
  journalSeq: anything,
};

const INVOICE_LEDGER: FieldChecks<state.InvoiceLedgerEntry> = {
  invoiceSeq: fromOne,
  number: fromOne,
  kind: oneOf(0, 8),
  previousStatus: oneOf(0, 7),
  status: oneOf(1, 7),
  amount: coins,
  initiator: addressOrNone,
  reference: anything,
  height: notNegative,
  timeNs: past,
  previousHash: bytes(32),
  hash: bytes(32),
};

const CREDIT_NOTE: FieldChecks<state.CreditNoteState> = {
  seq: taken("creditNote"),
  number: fromOne,
  invoiceSeq: fromOne,
  amount: someCoins,
  reason: anything,
  issuedAtNs: past,
  height: notNegative,
};

const RESOLUTION: FieldChecks<state.DisputeResolution> = {
  status: oneOf(3, 5),
  units: anything,
  unitPrice: amountOrNone,
  atNs: past,
};

const DISPUTE: FieldChecks<state.DisputeState> = {
  seq: taken("dispute"),
  usageSeq: fromOne,
  escrowSeq: fromOne,
  status: oneOf(1, 6),
  reason: anything,
  evidenceHash: bytes(0, 32),
  openedAtNs: past,
  expiresAtNs: notNegative,
  height: notNegative,
  afterSettlement: anything,
  customerProposal: record(RESOLUTION),
  providerProposal: record(RESOLUTION),
  resolution: record(RESOLUTION),
  decidedBy: addressOrNone,
  closedAtNs: past,
  amendedSeq: anything,
  refundSeq: anything,
  reserved: amountOrNone,
  expiryAttempts: anything,
};

const REFUND: FieldChecks<state.RefundState> = {
  seq: taken("refund"),
  settlementSeq: fromOne,
  escrowSeq: fromOne,
  amount: someCoins,
  legs: record(LEGS),
  owed: coins,
  rewardsCancelled: coins,
  reason: anything,
  initiator: address,
  disputeSeq: anything,
  creditNoteSeq: anything,
  refundedAtNs: past,
  height: notNegative,
  paramsVersion: version,
};

const RECEIVABLE: FieldChecks<state.ReceivableState> = {
  seq: taken("receivable"),
  refundSeq: fromOne,
  escrowSeq: fromOne,
  leg: oneOf(1, 5),
  debtor: address,
  creditor: address,
  amount: someCoins,
  paid: coins,
  createdAtNs: past,
  height: notNegative,
};

const SERIES: FieldChecks<state.InvoiceSeries> = {
  provider: address,
  next: fromOne,
  nextCreditNote: anything,
};

const MINT: FieldChecks<state.EpochMint> = { epoch: anything, minted: amount };

/** Params and their versions, price ceilings and billing terms have checks of their own, as messages have them too. */
const GENESIS: FieldChecks<state.GenesisState> = {
  params: anything,
  extendedParams: anything,
  paramsVersion: anything,
  sequences: anything,
  escrows: listOf(ESCROW, rules.ESCROW),
  usage: listOf(USAGE, rules.USAGE),
  settlements: listOf(SETTLEMENT, rules.SETTLEMENT),
  invoices: listOf(INVOICE, rules.INVOICE),
  payouts: listOf(PAYOUT, rules.PAYOUT),
  distributions: listOf(DISTRIBUTION, rules.DISTRIBUTION),
  claimable: listOf(CLAIMABLE, []),
  rewardEntries: listOf(REWARD_ENTRY, rules.REWARD_ENTRY),
  invoiceSeries: listOf(SERIES, []),
  epochMint: record(MINT),
  pendingParams: anything,
  priceCeilings: anything,
  payoutLedger: listOf(PAYOUT_LEDGER, rules.PAYOUT_LEDGER),
  invoiceLedger: listOf(INVOICE_LEDGER, []),
  creditNotes: listOf(CREDIT_NOTE, []),
  platformFeesWithdrawn: coins,
  validatorFeesWithdrawn: coins,
  epochBase: anything,
  disputes: listOf(DISPUTE, rules.DISPUTE),
  billingTerms: anything,
  refunds: listOf(REFUND, []),
  receivables: listOf(RECEIVABLE, rules.RECEIVABLE),
  taxesWithdrawn: coins,
  paramsVersions: anything,
};

function listOf<T extends object>(
  checks: FieldChecks<T>,
  ofRecord: Parameters<typeof record<T>>[1],
): Check<readonly T[]> {
  return each(record(checks, ofRecord));
}
