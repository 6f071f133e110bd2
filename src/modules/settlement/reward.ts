import { RewardSource, type UsageState } from "../../gen/settled/settlement/v1/state.ts";
import { divFloor, parseInteger } from "../../lib/int.ts";
import { addSeconds, timeOfSeconds } from "../../types/time.ts";
import type { RuleParams } from "./params.ts";
import { normaliseUsageType, resourceOf } from "../../types/usage_type.ts";

/** 10_000^4: one division for the four factors in basis points. */
const SCALE = 10n ** 16n;

/** Where the param is no integer, as deployed. */
const VERIFICATION_BASE = 100n;

export interface RewardFactors {
  readonly rateBps: bigint;
  readonly resourceBps: bigint;
  readonly slaBps: bigint;
  readonly ackBps: bigint;
}

/** Whether the reward of a record, if it has one, came with its settlement. */
export function isUsageReward({ rewardSource }: UsageState): boolean {
  return rewardSource !== RewardSource.REWARD_SOURCE_PROVIDER;
}

/** Late means strictly after the end of the grace; a grace of 0 makes every report on time. */
export function isLate(usage: UsageState, graceSeconds: bigint): boolean {
  if (graceSeconds === 0n) return false;
  return usage.submittedAtNs > addSeconds(timeOfSeconds(usage.periodEnd), graceSeconds);
}

/** The factors of records by params that are read once. */
export function rewardFactorsBy({ wire }: RuleParams): (usage: UsageState) => RewardFactors {
  const multipliers = {
    cpu: BigInt(wire.usageRewardCpuMultiplierBps),
    memory: BigInt(wire.usageRewardMemoryMultiplierBps),
    storage: BigInt(wire.usageRewardStorageMultiplierBps),
    gpu: BigInt(wire.usageRewardGpuMultiplierBps),
    network: BigInt(wire.usageRewardNetworkMultiplierBps),
  };
  const rateBps = BigInt(wire.usageRewardRateBps);
  const late = BigInt(wire.usageRewardSlaLateMultiplierBps);
  const ontime = BigInt(wire.usageRewardSlaOntimeMultiplierBps);
  const ack = BigInt(wire.usageRewardAckMultiplierBps);
  const unack = BigInt(wire.usageRewardUnackMultiplierBps);
  return (usage) => ({
    rateBps,
    resourceBps: multipliers[resourceOf(normaliseUsageType(usage.usageType))],
    slaBps: isLate(usage, wire.usageGracePeriod) ? late : ontime,
    ackBps: usage.acknowledged ? ack : unack,
  });
}

/** floor(amount × rate × resource × sla × ack / 10^16): exact, rounded once (RULES 33). */
export function usageReward(amount: bigint, factors: RewardFactors): bigint {
  const { rateBps, resourceBps, slaBps, ackBps } = factors;
  return divFloor(amount * rateBps * resourceBps * slaBps * ackBps, SCALE);
}

/**
 * trunc(base × score/100 + base), exact.
 * @param score 0 to 100
 * @returns base units of the bond denom
 */
export function verificationReward({ wire }: RuleParams, score: number): bigint {
  const base = parseInteger(wire.verificationRewardAmount) ?? VERIFICATION_BASE;
  return divFloor(base * (100n + BigInt(score)), 100n);
}
