import { decimal, ONE } from "./coins.ts";
import { isAddress, isWhole } from "./fields.ts";
import { type Facts, type Params, refuse, snake } from "./records.ts";

// Params: their defaults, their bounds, and how events show changes of them.

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
const EXTENDED = {
  ...{ authority: "", billingEnabled: true, finalRemainder: "refund", releaseFees: true },
  ...{ rewardFunding: "mint", rewardEpochMintCap: "1000000000", maxRecordsPerSettlement: 1000 },
  ...{ maxClockDrift: 60n, maxUsagePeriod: 2_678_400n, autoSettleAfter: 0n },
  ...{ requireUsageSignature: false, rewardPoolAddress: "", stakingRewardPerEpoch: "1" },
  ...{ invoiceDueAfter: 604_800n, payoutDelay: 0n, autoSettleEnabled: true },
  taxRounding: "half_up",
};
/** Params of a genesis, named in snake case; what is left out has its default. */
export function paramsOf(...given: Facts[]): Params {
  const facts: Facts = Object.assign({}, ...given);
  const fields = Object.entries({ ...WIRE, ...EXTENDED }).map(([key, byDefault]) => {
    const value = facts[snake(key)] ?? byDefault;
    return [key, typeof byDefault === "bigint" ? BigInt(`${value}`) : value];
  });
  return Object.fromEntries(fields) as Params;
}

/** Params as a record of their version has them. */
export function versionOf(version: bigint, params: Params) {
  const half = (names: object) => {
    return Object.fromEntries(Object.entries(params).filter(([key]) => Object.hasOwn(names, key)));
  };
  return { version, params: half(WIRE), extendedParams: half(EXTENDED), all: params };
}

/** Refuses what is not as README, "Params", has it. */
export function checkParams(params: Params, isParty: (address: string) => boolean): void {
  const { platformFeeRate, validatorFeeRate, payoutHoldbackRate, rewardPoolAddress } = params;
  const { minEscrowDuration, maxEscrowDuration, maxRecordsPerSettlement: records } = params;
  const rates = [platformFeeRate || "0.05", validatorFeeRate || "0.01", payoutHoldbackRate || "0"];
  const sum = rates.map(decimal).reduce<bigint>((all, rate) => all + (rate ?? 2n * ONE), 0n);
  const isFit = Object.entries(params).every(([key, value]) => {
    if (key.endsWith("MultiplierBps")) return value >= 1 && value <= 20_000;
    if (/Amount$|Cap$|PerEpoch$/.test(key)) return isWhole(`${value}` || "0");
    if (/^(maxUsagePeriod|settlementPeriod)$/.test(key) && value === 0n) return false;
    if (key === "stakingRewardEpochLength") return value > 0n;
    return typeof value !== "bigint" || value <= 3_153_600_000n;
  });
  const isTimed = minEscrowDuration > 0n && maxEscrowDuration > minEscrowDuration;
  const isNamed =
    /^(refund|provider)$/.test(params.finalRemainder) &&
    /^(mint|pool)$/.test(params.rewardFunding) &&
    /^(half_up|half_even|down|up)$/.test(params.taxRounding);
  const isBounded = records > 0 && records <= 10_000 && params.usageRewardRateBps <= 10_000;
  const hasPool = rewardPoolAddress === "" || isAddress(rewardPoolAddress);
  const hasParties = hasPool && isAddress(params.authority) && isParty(params.authority);
  refuse([1525, sum > ONE || !isFit || !isTimed || !isNamed || !isBounded || !hasParties]);
}

/** Which params differ, as events show it: old and new as JSON by name. */
export function changesOf(before: Params, after: Params) {
  const names = Object.keys(after).filter((key) => {
    return before[key as keyof Params] !== after[key as keyof Params];
  }) as (keyof Params)[];
  const full = (key: string) => `${key in WIRE ? "params" : "extended_params"}.${snake(key)}`;
  const of = (params: Params) => {
    const values = names.map((key) => [full(key), `${params[key]}`]).sort();
    return JSON.stringify(Object.fromEntries(values));
  };
  return { changed: names.map(full).join(","), old: of(before), new: of(after) };
}
