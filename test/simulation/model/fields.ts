import type { Coin } from "../../../src/gen/cosmos/base/v1beta1/coin.ts";
import type { Discount, TaxTerms } from "../../../src/gen/settled/settlement/v1/state.ts";
import type { ReleaseCondition } from "../../../src/gen/virtengine/settlement/v1/query.ts";
import { decimal, ONE } from "./coins.ts";
import { type Facts, refuse } from "./records.ts";
import { rounded } from "./terms.ts";

// What is wrong with a message or with params alone.

/** Fields in the order of their checks, with the code; "?" after one that may be empty. */
const ALONE: Readonly<Record<string, string>> = {
  MsgCreateEscrow: "orderId 2, amount 3, expiresIn 2",
  MsgActivateEscrow: "escrowId 2, leaseId 2, recipient 1",
  MsgReleaseEscrow: "escrowId 2, amount? 3, reason? 2",
  MsgRefundEscrow: "escrowId 2, reason 2",
  MsgDisputeEscrow: "escrowId 2, reason 2, evidence? 2",
  MsgSettleOrder: "orderId 4, usageRecordIds? 4",
  MsgRecordUsage:
    "orderId 5, leaseId 5, usageUnits 5, usageType 5, periodEnd 5, signature 6, unitPrice 5",
  MsgAcknowledgeUsage: "usageId 5, signature 6",
  MsgClaimRewards: "source? 1509",
  MsgSetReleaseConditions: "escrowId 2, conditions? 1516",
  MsgSignRelease: "escrowId 2",
  MsgAttestVerification: "escrowId 2, score 1516",
  MsgSetPriceCeiling: "orderId 5, usageType 5, maxUnitPrice? 5",
  MsgCorrectUsage: "usageId 5, reason? 5, signature 6, unitPrice 5",
  MsgClearAnomaly: "usageId 5",
  MsgPayInvoice: "invoiceId 4, amount? 3",
  MsgVoidInvoice: "invoiceId 4, reason 4",
  MsgCreditInvoice: "invoiceId 4, amount 3, reason 4",
  MsgHoldPayout: "payoutId 1530, reason 1530",
  MsgReleasePayout: "payoutId 1530",
  MsgRefundPayout: "payoutId 1530, amount? 3, reason 1530",
  MsgWithdrawFees: "recipient 1, amount 3",
  MsgDisputeUsage: "usageId 5, reason 5, evidenceHash? 5",
  MsgResolveDispute: "disputeId 5, resolution 5, unitPrice? 5",
  MsgRefundSettlement: "settlementId 4, amount? 3, reason 4",
  MsgPayReceivable: "receivableId 4, amount? 3",
  MsgDistributeProviderRewards: "reference 1509, usageIds 1509",
  MsgDistributeVerificationReward: "validator 1, reference 1509, score 1509",
  MsgSetDiscounts: "orderId 4, discounts? 4",
  MsgSetTax: "orderId 4, tax? 4",
};

export function checkAlone(type: string, message: Facts): void {
  const isNone = message["params"] === undefined && message["extendedParams"] === undefined;
  refuse([1525, type === "MsgUpdateParams" && isNone]);
  for (const [, name = "", mayBeEmpty, code] of (ALONE[type] ?? "").matchAll(/(\w+)(\??) (\d+)/g)) {
    const value = message[name] as undefined | unknown[];
    if (name === "unitPrice" && message["usageUnits"] === 0n && value === undefined) continue;
    const isEmpty = value === undefined || value.length === 0;
    refuse([Number(code), isEmpty ? mayBeEmpty === "" : !isRight(name, value as never, message)]);
  }
}

function isRight(name: string, value: never, message: Facts): boolean {
  if (name === "recipient" || name === "validator") return isAddress(value);
  if (name === "amount") return areCoins(value);
  if (name === "expiresIn" || name === "usageUnits") return value > 0n;
  if (name === "usageType") return isText(value, 64) && /[^ \t]/.test(value);
  if (name === "reason" || name === "evidence") return isText(value, 1024);
  if (name === "signature") return (value as Uint8Array).length <= 256;
  if (name === "evidenceHash") return (value as Uint8Array).length === 32;
  if (name === "periodEnd") return value > (message["periodStart"] as bigint);
  if (name === "unitPrice") return message["usageUnits"] === 0n || isPrice(value);
  if (name === "maxUnitPrice") return isPrice(value);
  if (name === "usageIds") return areIds(value) && (value as string[]).length <= 1000;
  if (name === "usageRecordIds") return areIds(value);
  if (name === "source") return /^(staking|usage|verification|provider)$/.test(value);
  if (name === "score") return value <= 100;
  if (name === "conditions") return areEach(value, 16, isCondition);
  if (name === "discounts") return areEach(value, 8, isDiscount);
  if (name === "tax") return isTax(value);
  if (name !== "resolution") return isText(value, 128);
  if (value === "amended") return message["usageUnits"] !== 0n;
  const isBare = message["usageUnits"] === 0n && message["unitPrice"] === undefined;
  return isBare && /^(accepted|rejected)$/.test(value);
}

/** A bech32 address of 20 bytes, with the checksum of BIP-173; capitals are the same address. */
export function isAddress(value: string): boolean {
  const [, letters] = /^ve1([02-9ac-hj-np-z]{38})$/.exec(lowered(value)) ?? [];
  const ofPrefix = [3, 3, 0, 22, 5];
  const digits = [...(letters ?? "")].map((each) =>
    "qpzry9x8gf2tvdw0s3jn54khce6mua7l".indexOf(each),
  );
  const sum = [...ofPrefix, ...digits].reduce((before, digit) => {
    const next = ((before & 0x1ffffff) << 5) ^ digit;
    return GENERATORS.reduce(
      (now, each, bit) => ((before >>> (25 + bit)) & 1 ? now ^ each : now),
      next,
    );
  }, 1);
  return letters !== undefined && sum === 1;
}
/** What is in capitals whole, in small letters. */
export const lowered = (value: string): string =>
  value === value.toUpperCase() ? value.toLowerCase() : value;
const GENERATORS = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];

export const isWhole = (value: string): boolean =>
  /^[0-9]+$/.test(value) && BigInt(value) < 2n ** 256n;
const isDenom = (value: string): boolean => /^[a-zA-Z][a-zA-Z0-9/:._-]{2,127}$/.test(value);
const isText = (value: string, most: number): boolean => Buffer.byteLength(value) <= most;
const isPrice = (price: Coin): boolean =>
  isDenom(price.denom) && /^[0-9]{1,78}$/.test(price.amount);
const areEach = <T>(list: readonly T[], most: number, isFit: (each: T) => boolean): boolean =>
  list.length <= most && list.every(isFit);
const areSet = (list: readonly string[]): boolean => new Set(list).size === list.length;
const areIds = (ids: readonly string[]): boolean =>
  areSet(ids) && ids.every((id) => id !== "" && isText(id, 128));
const areCoins = (coins: readonly Coin[]): boolean =>
  areSet(coins.map(({ denom }) => denom)) &&
  coins.every(({ denom, amount }) => isDenom(denom) && isWhole(amount) && BigInt(amount) > 0n);
/** Whether of several fields the one that belongs to the kind is set, and no other. */
const hasOnly = (kind: string, has: Readonly<Record<string, boolean>>): boolean =>
  Object.entries(has).every(([name, is]) => is === (name === kind));

function isCondition(condition: ReleaseCondition): boolean {
  const { type, unlockAfter, requiredSigners: signers, signatureThreshold: threshold } = condition;
  const { minUsageUnits, requiredVerificationScore: score, satisfied, satisfiedAt } = condition;
  refuse([1, !signers.every(isAddress)]);
  const isSigned = type === "signature" || type === "multisig";
  const has = { timelock: unlockAfter !== 0n, multisig: threshold !== 0 };
  const more = { usage_threshold: minUsageUnits !== 0n, verification: score !== 0 };
  const isKnown = isSigned || /^(timelock|usage_threshold|verification)$/.test(type);
  const isOwn = isKnown && hasOnly(type, { ...has, ...more }) && isSigned === signers.length > 0;
  const isWithin = unlockAfter >= 0n && unlockAfter < 9_223_372_037n && score <= 100;
  const isOpen = !satisfied && satisfiedAt === 0n;
  return isOwn && isWithin && isOpen && threshold <= signers.length && areSet(signers);
}

function isDiscount(discount: Discount): boolean {
  const { kind, rateBps, amount, tiers, validFrom, validUntil } = discount;
  const sums = [amount, discount.minTotal, discount.maxDiscount];
  refuse([3, !sums.every(areCoins)]);
  const isSpan = validFrom >= 0n && (validUntil === 0n || validUntil >= validFrom);
  const isAscending = tiers.every(({ minUnits, rateBps: rate }, at) => {
    return rate > 0 && rate <= 10_000 && minUnits > (tiers[at - 1]?.minUnits ?? -1n);
  });
  const has = { percentage: rateBps > 0, fixed: amount.length > 0, volume: tiers.length > 0 };
  const isBounded = rateBps <= 10_000 && [...sums, tiers].every(({ length }) => length <= 8);
  const isOwn = kind in has && hasOnly(kind, has) && isText(discount.description, 128);
  return isSpan && isAscending && isBounded && isOwn;
}

function isTax({ mode, rates, jurisdiction, customerTaxId }: TaxTerms): boolean {
  const names = [jurisdiction, customerTaxId, ...rates.map(({ name }) => name)];
  const together = rates.reduce((sum, { rate, compound }) => {
    return sum + rounded((compound ? ONE + sum : ONE) * (decimal(rate) || 2n * ONE), "half_even");
  }, 0n);
  const isNamed = names.every((name) => isText(name, 64)) && rates.every(({ name }) => name !== "");
  const hasRates = mode === "reverse_charge" || (/^(ex|in)clusive$/.test(mode) && rates.length > 0);
  return isNamed && hasRates && rates.length <= 4 && together <= ONE;
}
