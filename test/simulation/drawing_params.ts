import { Params as Extended } from "../../src/gen/settled/settlement/v1/params.ts";
import { Params as Wire } from "../../src/gen/virtengine/settlement/v1/query.ts";
import type { Facts, Params } from "./model/records.ts";

// Params as MsgUpdateParams has them, and changes of them.

export function halvesOf(params: Params): { params: Wire; extendedParams: Extended } {
  return { params: Wire.fromPartial(params), extendedParams: Extended.fromPartial(params) };
}

/** Changes of params that are good. */
export const CHANGES: readonly Facts[] = [
  { platformFeeRate: "0.02" },
  { platformFeeRate: "" },
  { validatorFeeRate: "0.033333333333333333" },
  { payoutHoldbackRate: "0.25" },
  { payoutHoldbackRate: "" },
  { minSettlementAmount: "" },
  { minSettlementAmount: "7" },
  { minEscrowDuration: 60n },
  { settlementPeriod: 61n },
  { settlementPeriod: 3_153_600_000n },
  { rewardClaimExpiry: 0n },
  { rewardClaimExpiry: 60n },
  { usageGracePeriod: 0n },
  { stakingRewardEpochLength: 3n },
  { stakingRewardEpochLength: 4n },
  { stakingRewardEpochLength: 2n ** 64n - 1n },
  { maxPayoutRetries: 2 },
  { disputeWindowDuration: 0n },
  { disputeWindowDuration: 61n },
  { disputeWindowDuration: 604_800n },
  { usageRewardGpuMultiplierBps: 20_000 },
  { usageRewardRateBps: 10_000 },
  { verificationRewardAmount: "5" },
  { billingEnabled: false },
  { billingEnabled: true },
  { finalRemainder: "provider" },
  { releaseFees: true },
  { rewardFunding: "pool" },
  { rewardFunding: "mint" },
  { rewardEpochMintCap: `${2n ** 200n}` },
  { maxRecordsPerSettlement: 3 },
  { maxRecordsPerSettlement: 10_000 },
  { maxClockDrift: 0n },
  { maxUsagePeriod: 60n },
  { maxUsagePeriod: 2_678_400n },
  { autoSettleAfter: 1n },
  { rewardPoolAddress: "" },
  { stakingRewardPerEpoch: "1000" },
  { invoiceDueAfter: 0n },
  { payoutDelay: 0n },
  { payoutDelay: 30n },
  { autoSettleEnabled: true },
  { autoSettleEnabled: false },
  { taxRounding: "half_even" },
  { fiatConversionStableDenom: "uany" },
  { verificationRewardAmount: "" },
  { validatorFeeRate: "" },
  { rewardEpochMintCap: "" },
  { stakingRewardPerEpoch: "" },
];

export const BAD_CHANGES: readonly Facts[] = [
  ...[{}, { platformFeeRate: "1.1" }, { validatorFeeRate: "-0.1" }, { payoutHoldbackRate: "x" }],
  ...[{ platformFeeRate: "0.9", validatorFeeRate: "0.09", payoutHoldbackRate: "0.02" }],
  ...[{ minEscrowDuration: 0n }, { maxEscrowDuration: 1n }, { maxEscrowDuration: 2n ** 63n }],
  ...[{ settlementPeriod: 0n }, { settlementPeriod: 3_153_600_001n }],
  ...[{ stakingRewardEpochLength: 0n }, { minSettlementAmount: "-1" }],
  ...[{ minSettlementAmount: `${2n ** 256n}` }, { rewardEpochMintCap: "1.5" }],
  ...[{ usageRewardRateBps: 10_001 }, { usageRewardCpuMultiplierBps: 0 }],
  ...[{ usageRewardAckMultiplierBps: 20_001 }, { fiatConversionEnabled: true }],
  ...[{ finalRemainder: "" }, { rewardFunding: "burn" }, { maxRecordsPerSettlement: 0 }],
  ...[{ maxRecordsPerSettlement: 10_001 }, { maxUsagePeriod: 0n }, { authority: "" }],
  ...[{ authority: "ve1bad" }, { rewardPoolAddress: "me" }, { taxRounding: "" }],
  ...[{ payoutDelay: 3_153_600_001n }, { invoiceDueAfter: 2n ** 64n - 1n }],
];
