import type { Coin } from "../../../src/gen/cosmos/base/v1beta1/coin.ts";
import type { Params as ExtendedParams } from "../../../src/gen/settled/settlement/v1/params.ts";
import type { Discount, TaxTerms } from "../../../src/gen/settled/settlement/v1/state.ts";
import type {
  ReleaseCondition,
  Params as WireParams,
} from "../../../src/gen/virtengine/settlement/v1/query.ts";

// The settlement module's rules that need no state: coins, params, checks of a message alone,
// discounts and tax. Sections in comments are those of src/modules/settlement/README.md.

export const SECOND = 1_000_000_000n;
/** Prices and rates are in 10^-18. */
export const ONE = 10n ** 18n;
const LIMIT = 2n ** 256n;

export class Refusal extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`refused with ${code}`);
    this.code = code;
  }
}

/** Throws the code of the first check that refuses. */
export function refuse(...checks: (readonly [code: number, isRefused: boolean])[]): void {
  for (const [code, isRefused] of checks) if (isRefused) throw new Refusal(code);
}

// Coins: sorted, each denom once, none of 0.

export function amountOf(coins: readonly Coin[], denom: string): bigint {
  return coins.reduce((sum, each) => sum + (each.denom === denom ? BigInt(each.amount) : 0n), 0n);
}

/** A rule for each denom that one of the lists has. */
export function perDenom(
  rule: (...amounts: bigint[]) => bigint,
  ...lists: (readonly Coin[])[]
): Coin[] {
  const denoms = [...new Set(lists.flat().map(({ denom }) => denom))].sort();
  const ruled = denoms.map((denom) => {
    return { denom, amount: `${rule(...lists.map((coins) => amountOf(coins, denom)))}` };
  });
  return ruled.filter(({ amount }) => amount !== "0");
}

export const plus = (...lists: (readonly Coin[])[]) =>
  perDenom((...amounts) => amounts.reduce((sum, each) => sum + each, 0n), ...lists);
export const minus = (from: readonly Coin[], ...lists: (readonly Coin[])[]) =>
  perDenom((all = 0n, taken = 0n) => all - taken, from, plus(...lists));
export const least = (...lists: (readonly Coin[])[]) =>
  perDenom((...amounts) => amounts.reduce(lower), ...lists);
export const coin = (denom: string, amount: bigint): Coin[] =>
  plus([{ denom, amount: `${amount}` }]);
export const lower = (a: bigint, b: bigint): bigint => (a < b ? a : b);
export const covers = (has: readonly Coin[], wanted: readonly Coin[]): boolean =>
  minus(has, wanted).every(({ amount }) => BigInt(amount) > 0n);
export const text = (coins: readonly Coin[]): string =>
  coins.map(({ denom, amount }) => `${amount}${denom}`).join(",");

/** A price in 10^-18 as events show it: "0.050000000000000000uve". */
export const priceText = (price: Coin | undefined): string => {
  if (price === undefined) return "";
  const digits = `${price.amount}`.padStart(19, "0");
  return `${digits.slice(0, -18)}.${digits.slice(-18)}${price.denom}`;
};

/** "0.05" in 10^-18; undefined for what is no decimal. */
export function decimal(value: string): bigint | undefined {
  const [, whole, part = ""] = /^([0-9]+)(?:\.([0-9]{1,18}))?$/.exec(value) ?? [];
  return whole === undefined ? undefined : BigInt(whole + part.padEnd(18, "0"));
}

/** A rate of params; empty stands for its default (RULES 28). */
export const rateOf = (rate: string, whenEmpty: string): bigint => decimal(rate || whenEmpty) ?? 0n;
/** floor(amount × rate) of each denom. */
export const share = (coins: readonly Coin[], rate: bigint): Coin[] =>
  perDenom((amount = 0n) => (amount * rate) / ONE, coins);

const WIRE = {
  ...{ platformFeeRate: "0.05", validatorFeeRate: "0.01", minEscrowDuration: 3600n },
  ...{ maxEscrowDuration: 31_536_000n, settlementPeriod: 86_400n, rewardClaimExpiry: 2_592_000n },
  ...{ minSettlementAmount: "1000", usageGracePeriod: 86_400n, stakingRewardEpochLength: 100n },
  ...{ verificationRewardAmount: "100", payoutHoldbackRate: "0.0", maxPayoutRetries: 3 },
  ...{ disputeWindowDuration: 604_800n, usageRewardRateBps: 1000 },
  ...{ usageRewardCpuMultiplierBps: 10_000, usageRewardMemoryMultiplierBps: 10_000 },
  ...{ usageRewardStorageMultiplierBps: 10_000, usageRewardGpuMultiplierBps: 12_000 },
  ...{ usageRewardNetworkMultiplierBps: 9000, usageRewardSlaOntimeMultiplierBps: 10_000 },
  ...{ usageRewardSlaLateMultiplierBps: 8000, usageRewardAckMultiplierBps: 10_000 },
  ...{ usageRewardUnackMultiplierBps: 9000, fiatConversionEnabled: false },
  ...{ fiatConversionMinAmount: "1000", fiatConversionMaxAmount: "100000000" },
  ...{ fiatConversionDailyLimit: "1000000000", fiatConversionStableDenom: "uusdc" },
  ...{ fiatConversionStableSymbol: "USDC", fiatConversionStableDecimals: 6 },
  ...{ fiatConversionDefaultFiat: "USD", fiatConversionDefaultMethod: "bank_transfer" },
  ...{ fiatConversionMaxSlippage: "0.02", fiatConversionRiskScoreThreshold: 75 },
  fiatConversionMinComplianceStatus: "CLEARED",
};
const EXTENDED: ExtendedParams = {
  ...{ authority: "", billingEnabled: true, finalRemainder: "refund", releaseFees: true },
  ...{ rewardFunding: "mint", rewardEpochMintCap: "1000000000", maxRecordsPerSettlement: 1000 },
  ...{ maxClockDrift: 60n, maxUsagePeriod: 2_678_400n, autoSettleAfter: 0n },
  ...{ requireUsageSignature: false, rewardPoolAddress: "", stakingRewardPerEpoch: "1" },
  ...{ invoiceDueAfter: 604_800n, payoutDelay: 0n, autoSettleEnabled: true },
  taxRounding: "half_up",
};
/** What the module reads of both halves. */
export type Params = Pick<WireParams, keyof typeof WIRE> & ExtendedParams;

/** Params of a genesis, named in snake case; what is left out has its default. */
export function paramsOf(...given: Readonly<Record<string, unknown>>[]): Params {
  const facts = Object.assign({}, ...given) as Record<string, unknown>;
  const fields = Object.entries({ ...WIRE, ...EXTENDED }).map(([key, byDefault]) => {
    const value = facts[key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)];
    return [
      key,
      typeof byDefault === "bigint" ? BigInt(`${value ?? byDefault}`) : (value ?? byDefault),
    ];
  });
  return Object.fromEntries(fields) as Params;
}

/** Which params differ, as events show it: old and new as JSON by name. */
export function changesOf(before: Params, after: Params) {
  const named = Object.keys(after).map((key) => {
    const half = key in WIRE ? "params" : "extended_params";
    const name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return { key: key as keyof Params, name: `${half}.${name}` };
  });
  const changed = named.filter(({ key }) => before[key] !== after[key]);
  const of = (params: Params) => {
    const values = changed.map(({ key, name }) => [name, `${params[key]}`]).sort();
    return JSON.stringify(Object.fromEntries(values));
  };
  const names = changed.map(({ name }) => name).join(",");
  return { changed: names, old: of(before), new: of(after) };
}

/** The first param that is not as README, "Params", has it is refused with 1525. */
export function checkParams(params: Params, isParty: (address: string) => boolean): void {
  const { platformFeeRate, validatorFeeRate, payoutHoldbackRate } = params;
  const rates = [platformFeeRate || "0.05", validatorFeeRate || "0.01", payoutHoldbackRate || "0"];
  const parts = rates.map(decimal);
  const sum = parts.reduce<bigint>((all, part) => all + (part ?? 2n * ONE), 0n);
  const { rewardPoolAddress, finalRemainder, rewardFunding, taxRounding } = params;
  const isWrong = Object.entries(params).some(([key, value]) => {
    if (key.endsWith("MultiplierBps")) return Number(value) < 1 || Number(value) > 20_000;
    if (/Amount$|Cap$|PerEpoch$/.test(key)) return !isWhole(`${value}` || "0");
    return (
      typeof value === "bigint" && key !== "stakingRewardEpochLength" && value > 3_153_600_000n
    );
  });
  refuse(
    [1525, isWrong || sum > ONE || params.usageRewardRateBps > 10_000],
    [1525, params.minEscrowDuration === 0n || params.maxEscrowDuration <= params.minEscrowDuration],
    [1525, params.settlementPeriod === 0n || params.stakingRewardEpochLength === 0n],
    [
      1525,
      !isParty(params.authority) || !(rewardPoolAddress === "" || isAddress(rewardPoolAddress)),
    ],
    [1525, !["refund", "provider"].includes(finalRemainder)],
    [
      1525,
      !["mint", "pool"].includes(rewardFunding) ||
        params.maxRecordsPerSettlement === 0 ||
        params.maxRecordsPerSettlement > 10_000 ||
        params.maxUsagePeriod === 0n,
    ],
    [1525, !["half_up", "half_even", "down", "up"].includes(taxRounding)],
  );
}

export const isAddress = (value: string): boolean => /^ve1[02-9ac-hj-np-z]{38}$/.test(value);
const isWhole = (value: string): boolean => /^[0-9]+$/.test(value) && BigInt(value) < LIMIT;
const isDenom = (value: string): boolean => /^[a-zA-Z][a-zA-Z0-9/:._-]{2,127}$/.test(value);
const isText = (value: unknown, most: number): boolean => Buffer.byteLength(`${value}`) <= most;

/** Checks of a message alone: its fields in order with the code; "?" for one that may be empty. */
const ALONE: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  MsgCreateEscrow: { orderId: 2, amount: 3, expiresIn: 2 },
  MsgActivateEscrow: { escrowId: 2, leaseId: 2, recipient: 1 },
  MsgReleaseEscrow: { escrowId: 2, "amount?": 3, "reason?": 2 },
  MsgRefundEscrow: { escrowId: 2, reason: 2 },
  MsgDisputeEscrow: { escrowId: 2, reason: 2, "evidence?": 2 },
  MsgSettleOrder: { orderId: 4, usageRecordIds: 4 },
  MsgRecordUsage: {
    ...{ orderId: 5, leaseId: 5, usageUnits: 5, usageType: 5, periodEnd: 5, signature: 6 },
    unitPrice: 5,
  },
  MsgAcknowledgeUsage: { usageId: 5, signature: 6 },
  MsgClaimRewards: { source: 1509 },
  MsgSetReleaseConditions: { escrowId: 2, conditions: 1516 },
  MsgSignRelease: { escrowId: 2 },
  MsgAttestVerification: { escrowId: 2, score: 1516 },
  MsgSetPriceCeiling: { orderId: 5, usageType: 5, "maxUnitPrice?": 5 },
  MsgCorrectUsage: { usageId: 5, "reason?": 5, signature: 6, unitPrice: 5 },
  MsgClearAnomaly: { usageId: 5 },
  MsgPayInvoice: { invoiceId: 4, "amount?": 3 },
  MsgVoidInvoice: { invoiceId: 4, reason: 4 },
  MsgCreditInvoice: { invoiceId: 4, amount: 3, reason: 4 },
  MsgHoldPayout: { payoutId: 1530, reason: 1530 },
  MsgReleasePayout: { payoutId: 1530 },
  MsgRefundPayout: { payoutId: 1530, "amount?": 3, reason: 1530 },
  MsgWithdrawFees: { recipient: 1, amount: 3 },
  MsgDisputeUsage: { usageId: 5, reason: 5, evidenceHash: 5 },
  MsgResolveDispute: { disputeId: 5, resolution: 5, "unitPrice?": 5 },
  MsgRefundSettlement: { settlementId: 4, "amount?": 3, reason: 4 },
  MsgPayReceivable: { receivableId: 4, "amount?": 3 },
  MsgDistributeProviderRewards: { reference: 1509, usageIds: 1509 },
  MsgDistributeVerificationReward: { validator: 1, reference: 1509, score: 1509 },
  MsgSetDiscounts: { orderId: 4, discounts: 4 },
  MsgSetTax: { orderId: 4, tax: 4 },
};

export function checkAlone(type: string, message: Readonly<Record<string, unknown>>): void {
  const isEmpty = message["params"] === undefined && message["extendedParams"] === undefined;
  refuse([1525, type === "MsgUpdateParams" && isEmpty]);
  for (const [field, code] of Object.entries(ALONE[type] ?? {})) {
    const name = field.replace("?", "");
    const value = message[name];
    const isEmpty = value === undefined || (value as unknown[]).length === 0;
    if (name === "unitPrice" && message["usageUnits"] === 0n && value === undefined) continue;
    refuse([
      code,
      isEmpty ? !MAY_BE_EMPTY.has(field) && !field.endsWith("?") : !isRight(name, message),
    ]);
  }
}

const MAY_BE_EMPTY = new Set([
  "source",
  "conditions",
  "usageRecordIds",
  "evidenceHash",
  "discounts",
  "tax",
]);

function isRight(name: string, message: Readonly<Record<string, unknown>>): boolean {
  const value = message[name] as never;
  switch (name) {
    case "recipient":
    case "validator":
      return isAddress(value);
    case "amount":
      return areCoins(value);
    case "expiresIn":
    case "usageUnits":
      return value > 0n;
    case "usageType":
      return isText(value, 64) && /[^ \t]/.test(value);
    case "reason":
    case "evidence":
      return isText(value, 1024);
    case "signature":
      return (value as Uint8Array).length <= 256;
    case "evidenceHash":
      return (value as Uint8Array).length === 32;
    case "periodEnd":
      return value > (message["periodStart"] as bigint);
    case "unitPrice":
    case "maxUnitPrice":
      return message["usageUnits"] === 0n || isPrice(value);
    case "usageRecordIds":
    case "usageIds":
      return (
        new Set(value as string[]).size === (value as string[]).length &&
        (value as string[]).every((id) => id !== "" && isText(id, 128))
      );
    case "source":
      return ["staking", "usage", "verification", "provider"].includes(value);
    case "resolution": {
      const isBare = message["usageUnits"] === 0n && message["unitPrice"] === undefined;
      return value === "amended"
        ? message["usageUnits"] !== 0n
        : isBare && ["accepted", "rejected"].includes(value);
    }
    case "score":
      return value <= 100;
    case "conditions":
      return (
        (value as ReleaseCondition[]).length <= 16 &&
        (value as ReleaseCondition[]).every(isCondition)
      );
    case "discounts":
      return (value as Discount[]).length <= 8 && (value as Discount[]).every(isDiscount);
    case "tax":
      return isTax(value);
    default:
      return isText(value, 128);
  }
}

const isPrice = ({ denom, amount }: Coin): boolean =>
  isDenom(denom) && /^[0-9]{1,78}$/.test(amount);

function areCoins(coins: readonly Coin[]): boolean {
  const isEach = coins.every(
    ({ denom, amount }) => isDenom(denom) && isWhole(amount) && BigInt(amount) > 0n,
  );
  return isEach && new Set(coins.map(({ denom }) => denom)).size === coins.length;
}

function isCondition(condition: ReleaseCondition): boolean {
  const { type, requiredSigners: signers, signatureThreshold: threshold } = condition;
  refuse([1, !signers.every(isAddress)]);
  const hasSigners =
    signers.length > 0 && signers.every(isAddress) && new Set(signers).size === signers.length;
  const has = {
    ...{ timelock: condition.unlockAfter !== 0n, multisig: threshold !== 0 },
    ...{ usage_threshold: condition.minUsageUnits !== 0n },
    verification: condition.requiredVerificationScore !== 0,
  };
  if (condition.satisfied || condition.satisfiedAt !== 0n) return false;
  if (Object.entries(has).some(([kind, is]) => is !== (kind === type))) return false;
  if (signers.length > 0 && type !== "signature" && type !== "multisig") return false;
  if (type === "timelock")
    return condition.unlockAfter > 0n && condition.unlockAfter < 9_223_372_037n;
  if (type === "signature") return hasSigners;
  if (type === "multisig") return hasSigners && threshold > 0 && threshold <= signers.length;
  if (type === "usage_threshold") return condition.minUsageUnits > 0n;
  const { requiredVerificationScore: score } = condition;
  return type === "verification" && score > 0 && score <= 100;
}

function isDiscount(discount: Discount): boolean {
  const { kind, rateBps, amount, tiers, validFrom, validUntil } = discount;
  const isSpan = validFrom >= 0n && (validUntil === 0n || validUntil >= validFrom);
  const sums = [amount, discount.minTotal, discount.maxDiscount];
  refuse([3, !sums.every(areCoins)]);
  if (sums.some(({ length }) => length > 8)) return false;
  if (!isSpan || !isText(discount.description, 128)) return false;
  const isAscending = tiers.every(({ minUnits, rateBps: rate }, at) => {
    return rate > 0 && rate <= 10_000 && minUnits > (tiers[at - 1]?.minUnits ?? -1n);
  });
  const has = { percentage: rateBps > 0, fixed: amount.length > 0, volume: tiers.length > 0 };
  if (Object.entries(has).some(([name, is]) => is !== (name === kind))) return false;
  if (kind === "percentage") return rateBps > 0 && rateBps <= 10_000;
  if (kind === "fixed") return amount.length > 0 && areCoins(amount);
  return kind === "volume" && tiers.length > 0 && tiers.length <= 8 && isAscending;
}

function isTax({ mode, rates, jurisdiction, customerTaxId }: TaxTerms): boolean {
  const names = [jurisdiction, customerTaxId, ...rates.map(({ name }) => name)];
  if (!names.every((name) => isText(name, 64)) || rates.some(({ name }) => name === ""))
    return false;
  const together = rates.reduce((sum, { rate, compound }) => {
    return sum + rounded((compound ? ONE + sum : ONE) * (decimal(rate) || 2n * ONE), "half_even");
  }, 0n);
  const isWithin = together <= ONE;
  if (mode === "reverse_charge") return isWithin && rates.length <= 4;
  return (
    ["exclusive", "inclusive"].includes(mode) && isWithin && rates.length > 0 && rates.length <= 4
  );
}

/** README, "Tax": each rate rounded, a compound one on the rates before it too. */
export function taxOf(terms: TaxTerms | undefined, net: bigint, rounding: string): bigint {
  if (terms === undefined || terms.mode === "reverse_charge") return 0n;
  return terms.rates.reduce((sum, { rate, compound }) => {
    return sum + rounded((compound ? net + sum : net) * (decimal(rate) ?? 0n), rounding);
  }, 0n);
}

/** Whole units of what is in 10^-18. */
function rounded(value: bigint, rounding: string): bigint {
  const [down, rest] = [value / ONE, value % ONE];
  const isUp = {
    ...{ down: false, up: rest > 0n, half_up: rest * 2n >= ONE },
    half_even: rest * 2n > ONE || (rest * 2n === ONE && down % 2n === 1n),
  }[rounding];
  return isUp ? down + 1n : down;
}

/** The largest amount up to `most` that fits within a limit with the tax on it. */
export function fitting(
  terms: TaxTerms | undefined,
  limit: bigint,
  most: bigint,
  rounding: string,
) {
  return largest(most, (net) => net + taxOf(terms, net, rounding) <= limit);
}

/** The largest number from 0 to `most` that fits, when smaller ones fit too. */
export function largest(most: bigint, isFit: (value: bigint) => boolean): bigint {
  let [fits, fails] = [0n, most + 1n];
  while (fails - fits > 1n) {
    const middle = (fits + fails) / 2n;
    if (isFit(middle)) fits = middle;
    else fails = middle;
  }
  return fits;
}

/** floor(whole × part / sum) each, of the part's denom; the remainder goes to the last that can take it. */
export function spread(whole: readonly Coin[], parts: readonly Coin[]): bigint[] {
  const shares = parts.map(({ denom, amount }) => {
    const sum = amountOf(parts, denom);
    return sum === 0n ? 0n : (amountOf(whole, denom) * BigInt(amount)) / sum;
  });
  let rest = minus(whole, ...parts.map(({ denom }, at) => coin(denom, shares[at] ?? 0n)));
  for (const [at, { denom, amount }] of [...parts.entries()].reverse()) {
    const more = lower(amountOf(rest, denom), BigInt(amount) - (shares[at] ?? 0n));
    shares[at] = (shares[at] ?? 0n) + more;
    rest = minus(rest, coin(denom, more));
  }
  return shares;
}

/** README, "Discounts": what each gives of a settlement's costs, in the order of the terms. */
export function discountsOf(
  discounts: readonly Discount[],
  {
    costs,
    unitsOf,
    second,
  }: { costs: readonly Coin[]; unitsOf: (denom: string) => bigint; second: bigint },
): Coin[][] {
  let left = costs;
  return discounts.map((discount) => {
    const { kind, amount, validFrom, validUntil, minTotal, maxDiscount } = discount;
    const isValid = second >= validFrom && (validUntil === 0n || second <= validUntil);
    const given = costs.flatMap(({ denom, amount: cost }) => {
      if (!isValid || BigInt(cost) < amountOf(minTotal, denom)) return [];
      const tier =
        discount.tiers.findLast(({ minUnits }) => unitsOf(denom) >= minUnits)?.rateBps ?? 0;
      const bps = BigInt(kind === "percentage" ? discount.rateBps : tier);
      const asked = kind === "fixed" ? amountOf(amount, denom) : (BigInt(cost) * bps) / 10_000n;
      const isCapped = maxDiscount.some((cap) => cap.denom === denom);
      return coin(denom, isCapped ? lower(asked, amountOf(maxDiscount, denom)) : asked);
    });
    const gives = least(given, left);
    left = minus(left, gives);
    return gives;
  });
}

/** README, "Usage types". */
export function normalised(usageType: string): string {
  const type = usageType.replace(/^[ \t]+|[ \t]+$/g, "").replace(/[A-Z]/g, (a) => a.toLowerCase());
  return Object.entries(ALIASES).find(([, names]) => names.split(" ").includes(type))?.[0] ?? type;
}
const ALIASES = {
  cpu: "compute cpu cpu_core_hours core-hour core_hours corehours cpu_hours",
  memory: "memory ram mem memory_gb_hours gb-hour gb_hours",
  storage: "storage disk storage_gb_hours",
  gpu: "gpu gpu_hours gpu-hour",
  network: "network bandwidth network_gb",
};
