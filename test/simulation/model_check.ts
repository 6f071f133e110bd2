import type { DecCoin } from "../../src/gen/cosmos/base/v1beta1/coin.ts";
import type { Discount, TaxTerms } from "../../src/gen/settled/settlement/v1/state.ts";
import type * as own from "../../src/gen/settled/settlement/v1/tx.ts";
import type { ReleaseCondition } from "../../src/gen/virtengine/settlement/v1/query.ts";
import type * as wire from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { decimal, isAddress, isDenom, kindOf, ONE, parsed, type WireCoin } from "./model_sums.ts";

/** Conditions, each with the code of a message without it, in the order in which they are asked. */
type Checks = readonly (boolean | number)[];

/** What a message must say by itself (settlement.md 1.2; README, "Messages"). */
const CHECKS: Readonly<Record<string, (message: never) => Checks>> = {
  MsgCreateEscrow: (m: wire.MsgCreateEscrow) => [
    ...[isText(m.orderId), 2, hasCoins(m), 3, m.expiresIn !== 0n, 2],
  ],
  MsgActivateEscrow: (m: wire.MsgActivateEscrow) => [
    ...[isText(m.escrowId) && isText(m.leaseId), 2, isAddress(m.recipient), 1],
  ],
  MsgReleaseEscrow: (m: wire.MsgReleaseEscrow) => [
    ...[isText(m.escrowId), 2, areCoins(m), 3, isShort(m.reason), 2],
  ],
  MsgRefundEscrow: (m: wire.MsgRefundEscrow) => [isText(m.escrowId) && isReason(m.reason), 2],
  MsgDisputeEscrow: (m: wire.MsgDisputeEscrow) => [
    ...[isText(m.escrowId) && isReason(m.reason) && isShort(m.evidence), 2],
  ],
  MsgSettleOrder: (m: wire.MsgSettleOrder) => [
    ...[isText(m.orderId) && areIds(m.usageRecordIds), 4],
  ],
  MsgRecordUsage: (m: wire.MsgRecordUsage) => [
    ...[isText(m.orderId) && isText(m.leaseId) && m.usageUnits !== 0n && isKind(m.usageType), 5],
    ...[m.periodEnd > m.periodStart, 5, isSigned(m), 6, isPrice(m.unitPrice), 5],
  ],
  MsgAcknowledgeUsage: (m: wire.MsgAcknowledgeUsage) => [isText(m.usageId), 5, isSigned(m), 6],
  // README gives checks of a message alone the codes 1 to 7; this one and others below have more.
  MsgClaimRewards: (m: wire.MsgClaimRewards) => [
    ...[["", "staking", "usage", "verification", "provider"].includes(m.source), 1509],
  ],
  MsgUpdateParams: (m: own.MsgUpdateParams) => [(m.params ?? m.extendedParams) !== undefined, 1525],
  MsgSetReleaseConditions: (m: own.MsgSetReleaseConditions) => [
    ...[isText(m.escrowId), 2, m.conditions.length <= 16, 1516],
    ...m.conditions.flatMap(conditionChecks),
  ],
  MsgSignRelease: (m: own.MsgSignRelease) => [isText(m.escrowId), 2],
  MsgAttestVerification: (m: own.MsgAttestVerification) => [
    ...[isText(m.escrowId), 2, m.score <= 100, 1516],
  ],
  MsgSetPriceCeiling: (m: own.MsgSetPriceCeiling) => [
    ...[isText(m.orderId) && isKind(m.usageType), 5],
    ...[m.maxUnitPrice === undefined || isPrice(m.maxUnitPrice), 5],
  ],
  MsgCorrectUsage: (m: own.MsgCorrectUsage) => [
    ...[isText(m.usageId) && isShort(m.reason), 5, isSigned(m), 6],
    ...[m.usageUnits === 0n || isPrice(m.unitPrice), 5],
  ],
  MsgClearAnomaly: (m: own.MsgClearAnomaly) => [isText(m.usageId), 5],
  MsgPayInvoice: (m: own.MsgPayInvoice) => [isText(m.invoiceId), 4, areCoins(m), 3],
  MsgVoidInvoice: (m: own.MsgVoidInvoice) => [isText(m.invoiceId) && isReason(m.reason), 4],
  MsgCreditInvoice: (m: own.MsgCreditInvoice) => [
    ...[isText(m.invoiceId), 4, hasCoins(m), 3, isReason(m.reason), 4],
  ],
  MsgHoldPayout: (m: own.MsgHoldPayout) => [isText(m.payoutId) && isReason(m.reason), 1530],
  MsgReleasePayout: (m: own.MsgReleasePayout) => [isText(m.payoutId), 1530],
  MsgRefundPayout: (m: own.MsgRefundPayout) => [
    ...[isText(m.payoutId), 1530, areCoins(m), 3, isReason(m.reason), 1530],
  ],
  MsgDisputeUsage: (m: own.MsgDisputeUsage) => [
    ...[isText(m.usageId) && isReason(m.reason) && [0, 32].includes(m.evidenceHash.length), 5],
  ],
  MsgResolveDispute: (m: own.MsgResolveDispute) => [
    ...[isText(m.disputeId) && ["accepted", "rejected", "amended"].includes(m.resolution), 5],
    ...[(m.resolution === "amended") === m.usageUnits > 0n, 5],
    ...[m.unitPrice === undefined || (m.resolution === "amended" && isPrice(m.unitPrice)), 5],
  ],
  MsgRefundSettlement: (m: own.MsgRefundSettlement) => [
    ...[isText(m.settlementId), 4, areCoins(m), 3, isReason(m.reason), 4],
  ],
  MsgPayReceivable: (m: own.MsgPayReceivable) => [isText(m.receivableId), 4, areCoins(m), 3],
  MsgDistributeProviderRewards: (m: own.MsgDistributeProviderRewards) => [
    ...[isText(m.reference) && m.usageIds.length > 0 && m.usageIds.length <= 1000, 1509],
    ...[areIds(m.usageIds), 1509],
  ],
  MsgDistributeVerificationReward: (m: own.MsgDistributeVerificationReward) => [
    ...[isAddress(m.validator), 1, isText(m.reference) && m.score <= 100, 1509],
  ],
  MsgSetDiscounts: (m: own.MsgSetDiscounts) => [
    ...[isText(m.orderId) && m.discounts.length <= 8, 4],
    ...m.discounts.flatMap(discountChecks),
  ],
  MsgSetTax: (m: own.MsgSetTax) => [isText(m.orderId) && isTax(m.tax), 4],
  MsgWithdrawFees: (m: own.MsgWithdrawFees) => [isAddress(m.recipient), 1, hasCoins(m), 3],
};

/** @returns the code of the first check that a message fails by itself, or undefined */
export function failsAlone(type: string, message: object): number | undefined {
  const checks = CHECKS[type]?.(message as never) ?? [];
  const failed = checks.indexOf(false);
  return failed === -1 ? undefined : (checks[failed + 1] as number);
}

function areIds(ids: readonly string[]): boolean {
  return ids.every((id) => isText(id)) && new Set(ids).size === ids.length;
}

/** RULES 9: order and lease ids; no document says so of other ids. */
function isText(text: string, bytesMax = 128): boolean {
  return text !== "" && Buffer.byteLength(text) <= bytesMax;
}

/** No document says how long a reason may be. */
function isReason(reason: string): boolean {
  return isText(reason, 1024);
}

function isShort(reason: string): boolean {
  return reason === "" || isReason(reason);
}

function isKind(usageType: string): boolean {
  return isText(usageType, 64) && kindOf(usageType) !== "";
}

function areCoins({ amount }: { amount: readonly WireCoin[] }): boolean {
  return parsed(amount) !== undefined;
}

function hasCoins(m: { amount: readonly WireCoin[] }): boolean {
  return m.amount.length > 0 && areCoins(m);
}

function isSigned({ signature }: { signature: Uint8Array }): boolean {
  return signature.length > 0 && signature.length <= 256;
}

function isPrice(price: DecCoin | undefined): boolean {
  return isDenom(price?.denom ?? "") && /^(0|[1-9][0-9]{0,77})$/.test(price?.amount ?? "");
}

function isBps(bps: number): boolean {
  return bps >= 1 && bps <= 10_000;
}

/** Numbers of tiers and the length of texts: README, "Terms", else no document says so. */
function discountChecks(d: Discount): Checks {
  const { kind, tiers, validFrom: from, validUntil: until } = d;
  const rise = tiers.every(({ minUnits }, at) => (tiers[at - 1]?.minUnits ?? -1n) < minUnits);
  const areTiers = tiers.length >= 1 && tiers.length <= 8 && rise;
  return [
    ...[["percentage", "fixed", "volume"].includes(kind), 4],
    ...[kind === "percentage" ? isBps(d.rateBps) : d.rateBps === 0, 4],
    ...[kind === "volume" ? areTiers : tiers.length === 0, 4],
    ...[tiers.every(({ rateBps }) => isBps(rateBps)), 4],
    ...[(kind === "fixed") === d.amount.length > 0, 4],
    ...[from >= 0n && until >= 0n && (until === 0n || until >= from), 4],
    ...[[d.amount, d.minTotal, d.maxDiscount].every(({ length }) => length <= 8), 4],
    ...[[d.amount, d.minTotal, d.maxDiscount].every((amount) => areCoins({ amount })), 3],
    ...[Buffer.byteLength(d.description) <= 128, 4],
  ];
}

function isTax(tax: TaxTerms | undefined): boolean {
  if (tax === undefined) return true;
  const { mode, rates, jurisdiction, customerTaxId } = tax;
  const isRate = (text: string): boolean => {
    const rate = decimal(text, "x") ?? 0n;
    return rate > 0n && rate <= ONE && text.length <= 20;
  };
  const isReverse = mode === "reverse_charge";
  return (
    ["exclusive", "inclusive", "reverse_charge"].includes(mode) &&
    (isReverse ? rates.length === 0 : rates.length >= 1 && rates.length <= 4) &&
    rates.every(({ name, rate }) => isText(name, 64) && isRate(rate)) &&
    isWithinPrice(rates) &&
    [jurisdiction, customerTaxId].every((text) => Buffer.byteLength(text) <= 64)
  );
}

/** Whether rates come to at most all of the price, exactly and not rounded. */
function isWithinPrice(rates: TaxTerms["rates"]): boolean {
  // In ever smaller parts: each rate adds 18 digits.
  const { tax, one } = rates.reduce(
    ({ tax, one }, { rate, compound }) => {
      const base = compound ? one + tax : one;
      return { tax: tax * ONE + base * (decimal(rate, "0") as bigint), one: one * ONE };
    },
    { tax: 0n, one: 1n },
  );
  return tax <= one;
}

/** Fields of a condition's type are from 1 to a most, those of other types 0 (proto, README). */
function conditionChecks(c: ReleaseCondition): Checks {
  const { type, requiredSigners: signers } = c;
  const isMultisig = type === "multisig";
  const within = (value: bigint | number, isUsed: boolean, most: number | bigint): boolean =>
    isUsed ? value >= 1 && value <= most : BigInt(value) === 0n;
  const kinds = ["timelock", "signature", "multisig", "usage_threshold", "verification"];
  return [
    ...[kinds.includes(type) && !c.satisfied && c.satisfiedAt === 0n, 1516],
    ...[signers.every(isAddress), 1],
    ...[within(c.unlockAfter, type === "timelock", 9_223_372_036n), 1516],
    ...[within(signers.length, isMultisig || type === "signature", 16), 1516],
    ...[new Set(signers).size === signers.length, 1516],
    ...[within(c.signatureThreshold, isMultisig, signers.length), 1516],
    ...[within(c.minUsageUnits, type === "usage_threshold", 2n ** 64n - 1n), 1516],
    ...[within(c.requiredVerificationScore, type === "verification", 100), 1516],
  ];
}
