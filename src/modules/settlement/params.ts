import { Params as ExtendedParams } from "../../gen/settled/settlement/v1/params.ts";
import { Params as WireParams } from "../../gen/virtengine/settlement/v1/query.ts";
import { ChainError } from "../../lib/errors.ts";
import { parseInteger } from "../../lib/int.ts";
import { parseAddress } from "../../types/address.ts";
import { AMOUNT_MAX } from "../../types/coins.ts";
import { DEC_ONE, type Dec, formatDec, parseDec } from "../../types/dec.ts";
import { ErrInvalidParams } from "./errors.ts";

/** Defaults of the deployed module. */
export const DEFAULT_WIRE_PARAMS: WireParams = WireParams.fromPartial({
  platformFeeRate: "0.05",
  validatorFeeRate: "0.01",
  minEscrowDuration: 3600n,
  maxEscrowDuration: 31_536_000n,
  settlementPeriod: 86_400n,
  rewardClaimExpiry: 2_592_000n,
  minSettlementAmount: "1000",
  usageGracePeriod: 86_400n,
  stakingRewardEpochLength: 100n,
  verificationRewardAmount: "100",
  payoutHoldbackRate: "0.0",
  maxPayoutRetries: 3,
  disputeWindowDuration: 604_800n,
  usageRewardRateBps: 1000,
  usageRewardCpuMultiplierBps: 10_000,
  usageRewardMemoryMultiplierBps: 10_000,
  usageRewardStorageMultiplierBps: 10_000,
  usageRewardGpuMultiplierBps: 12_000,
  usageRewardNetworkMultiplierBps: 9000,
  usageRewardSlaOntimeMultiplierBps: 10_000,
  usageRewardSlaLateMultiplierBps: 8000,
  usageRewardAckMultiplierBps: 10_000,
  usageRewardUnackMultiplierBps: 9000,
  fiatConversionEnabled: false,
  fiatConversionMinAmount: "1000",
  fiatConversionMaxAmount: "100000000",
  fiatConversionDailyLimit: "1000000000",
  fiatConversionStableDenom: "uusdc",
  fiatConversionStableSymbol: "USDC",
  fiatConversionStableDecimals: 6,
  fiatConversionDefaultFiat: "USD",
  fiatConversionDefaultMethod: "bank_transfer",
  fiatConversionMaxSlippage: "0.02",
  fiatConversionRiskScoreThreshold: 75,
  fiatConversionMinComplianceStatus: "CLEARED",
});

/** Defaults of what Settled adds. */
export const DEFAULT_EXTENDED_PARAMS: ExtendedParams = ExtendedParams.fromPartial({
  billingEnabled: true,
  finalRemainder: "refund",
  releaseFees: true,
  rewardFunding: "mint",
  rewardEpochMintCap: "1000000000",
  maxRecordsPerSettlement: 1000,
  maxClockDrift: 60n,
  maxUsagePeriod: 2_678_400n,
  stakingRewardPerEpoch: "1",
  invoiceDueAfter: 604_800n,
  autoSettleEnabled: true,
  taxRounding: "half_up",
});

/** Params as the rules use them: rates as 18-decimal integers, amounts as bigint. */
export interface RuleParams {
  readonly wire: WireParams;
  readonly extended: ExtendedParams;
  readonly platformFeeRate: Dec;
  readonly validatorFeeRate: Dec;
  readonly payoutHoldbackRate: Dec;
  readonly minSettlementAmount: bigint;
  readonly rewardEpochMintCap: bigint;
  readonly stakingRewardPerEpoch: bigint;
  /** Seconds. */
  readonly autoSettleAfter: bigint;
}

const DEFAULT_PLATFORM_RATE = parseDec("0.05") as Dec;
const DEFAULT_VALIDATOR_RATE = parseDec("0.01") as Dec;

/** Checked params in the form of the rules. An empty rate means the default, as deployed. */
export function ruleParams(wire: WireParams, extended: ExtendedParams): RuleParams {
  const after = extended.autoSettleAfter;
  return {
    wire,
    extended,
    platformFeeRate: rateOr(wire.platformFeeRate, DEFAULT_PLATFORM_RATE),
    validatorFeeRate: rateOr(wire.validatorFeeRate, DEFAULT_VALIDATOR_RATE),
    payoutHoldbackRate: rateOr(wire.payoutHoldbackRate, 0n as Dec),
    minSettlementAmount: parseInteger(wire.minSettlementAmount) ?? 0n,
    rewardEpochMintCap: parseInteger(extended.rewardEpochMintCap) ?? 0n,
    stakingRewardPerEpoch: parseInteger(extended.stakingRewardPerEpoch) ?? 0n,
    autoSettleAfter: after === 0n ? wire.settlementPeriod : after,
  };
}

function rateOr(text: string, fallback: Dec): Dec {
  return text === "" ? fallback : (parseDec(text) ?? fallback);
}

/** Runs a check of the params field of this JSON path and says in its error where that is. */
export type ParamCheck = (path: string, check: () => void) => void;

/**
 * Checks both params, each alone and together.
 * @param at gets "params.platform_fee_rate", "extended_params.authority" …
 * @throws what `at` makes of ChainError settlement/1525 and sdk/7 (an address)
 */
export function validateParams(
  input: { wire: WireParams; extended: ExtendedParams; bech32Prefix: string },
  at: ParamCheck,
): void {
  validateRates(input.wire, at);
  validateDurations(input.wire, at);
  validateMultipliers(input.wire, at);
  validateExtended(input.extended, input.bech32Prefix, at);
}

function refuse(expected: string, found: unknown): never {
  throw new ChainError(ErrInvalidParams, `expected ${expected}, found ${String(found)}`);
}

function rate(text: string): Dec {
  const value = parseDec(text);
  if (value === undefined || value < 0n || value > DEC_ONE) refuse("a rate from 0 to 1", text);
  return value;
}

function validateRates(wire: WireParams, at: ParamCheck): void {
  let sum = 0n;
  const rates = [
    ["params.platform_fee_rate", wire.platformFeeRate, DEFAULT_PLATFORM_RATE],
    ["params.validator_fee_rate", wire.validatorFeeRate, DEFAULT_VALIDATOR_RATE],
    ["params.payout_holdback_rate", wire.payoutHoldbackRate, 0n],
  ] as const;
  for (const [name, text, fallback] of rates) {
    at(name, () => {
      sum += text === "" ? fallback : rate(text);
    });
  }
  at("params", () => {
    if (sum <= DEC_ONE) return;
    const found = formatDec(sum as Dec);
    refuse("platform, validator and holdback rates that sum to at most 1", found);
  });
}

function validateDurations(wire: WireParams, at: ParamCheck): void {
  at("params.min_escrow_duration", () => {
    if (wire.minEscrowDuration === 0n) refuse("more than 0 seconds", 0);
  });
  at("params.max_escrow_duration", () => {
    const { maxEscrowDuration: max, minEscrowDuration: min } = wire;
    if (max <= min) refuse(`more than min_escrow_duration (${min})`, max);
    seconds(max);
  });
  at("params.reward_claim_expiry", () => seconds(wire.rewardClaimExpiry));
  at("params.settlement_period", () => {
    if (wire.settlementPeriod === 0n) refuse("more than 0 seconds", 0);
    seconds(wire.settlementPeriod);
  });
  at("params.usage_grace_period", () => seconds(wire.usageGracePeriod));
  at("params.dispute_window_duration", () => seconds(wire.disputeWindowDuration));
  at("params.staking_reward_epoch_length", () => {
    if (wire.stakingRewardEpochLength === 0n) refuse("more than 0 blocks", 0);
  });
  at("params.min_settlement_amount", () => integer(wire.minSettlementAmount));
  at("params.verification_reward_amount", () => integer(wire.verificationRewardAmount));
  at("params.fiat_conversion_enabled", () => {
    if (wire.fiatConversionEnabled) refuse("false: fiat conversion is not part of Settled", true);
  });
}

/** A hundred years: block time plus this stays far inside 64 bits of nanoseconds. */
const SECONDS_MAX = 3_153_600_000n;

function seconds(value: bigint): void {
  if (value > SECONDS_MAX) refuse(`at most ${SECONDS_MAX} seconds`, value);
}

/** An amount of base units; empty stands for 0. */
function integer(text: string): void {
  const value = text === "" ? 0n : parseInteger(text);
  if (value === undefined || value < 0n || value > AMOUNT_MAX)
    refuse("an integer from 0 to 2^256 - 1", `"${text}"`);
}

function validateMultipliers(wire: WireParams, at: ParamCheck): void {
  at("params.usage_reward_rate_bps", () => {
    const bps = wire.usageRewardRateBps;
    if (bps > 10_000) refuse("0 to 10000", bps);
  });
  const multipliers = {
    cpu: wire.usageRewardCpuMultiplierBps,
    memory: wire.usageRewardMemoryMultiplierBps,
    storage: wire.usageRewardStorageMultiplierBps,
    gpu: wire.usageRewardGpuMultiplierBps,
    network: wire.usageRewardNetworkMultiplierBps,
    sla_ontime: wire.usageRewardSlaOntimeMultiplierBps,
    sla_late: wire.usageRewardSlaLateMultiplierBps,
    ack: wire.usageRewardAckMultiplierBps,
    unack: wire.usageRewardUnackMultiplierBps,
  };
  for (const [name, bps] of Object.entries(multipliers)) {
    at(`params.usage_reward_${name}_multiplier_bps`, () => {
      if (bps < 1 || bps > 20_000) refuse("1 to 20000", bps);
    });
  }
}

const RECORDS_PER_SETTLEMENT_MAX = 10_000;

function validateExtended(params: ExtendedParams, bech32Prefix: string, at: ParamCheck): void {
  at("extended_params.authority", () => {
    if (params.authority !== "") parseAddress(params.authority, bech32Prefix);
  });
  at("extended_params.reward_pool_address", () => {
    if (params.rewardPoolAddress !== "") parseAddress(params.rewardPoolAddress, bech32Prefix);
  });
  at("extended_params.final_remainder", () => {
    const { finalRemainder } = params;
    if (finalRemainder !== "refund" && finalRemainder !== "provider") {
      refuse('"refund" or "provider"', finalRemainder);
    }
  });
  at("extended_params.reward_funding", () => {
    const { rewardFunding } = params;
    if (rewardFunding !== "mint" && rewardFunding !== "pool")
      refuse('"mint" or "pool"', rewardFunding);
  });
  at("extended_params.reward_epoch_mint_cap", () => integer(params.rewardEpochMintCap));
  at("extended_params.staking_reward_per_epoch", () => integer(params.stakingRewardPerEpoch));
  at("extended_params.max_records_per_settlement", () => {
    const max = params.maxRecordsPerSettlement;
    if (max < 1 || max > RECORDS_PER_SETTLEMENT_MAX)
      refuse(`1 to ${RECORDS_PER_SETTLEMENT_MAX}`, max);
  });
  at("extended_params.max_clock_drift", () => seconds(params.maxClockDrift));
  at("extended_params.max_usage_period", () => {
    if (params.maxUsagePeriod === 0n) refuse("more than 0 seconds", 0);
    seconds(params.maxUsagePeriod);
  });
  at("extended_params.auto_settle_after", () => seconds(params.autoSettleAfter));
  at("extended_params.invoice_due_after", () => seconds(params.invoiceDueAfter));
  at("extended_params.payout_delay", () => seconds(params.payoutDelay));
  at("extended_params.tax_rounding", () => {
    const modes = ["half_up", "half_even", "down", "up"];
    if (!modes.includes(params.taxRounding)) refuse(modes.join(" or "), params.taxRounding);
  });
}
