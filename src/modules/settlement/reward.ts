import type { UsageState } from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { divFloor } from "../../lib/int.ts";
import { addSeconds, timeOfSeconds } from "../../types/time.ts";
import type { RuleParams } from "./params.ts";
import { normaliseUsageType, resourceOf } from "./usage_type.ts";

/** 10_000^4: one division for the four factors in basis points. */
const SCALE = 10n ** 16n;

export interface RewardFactors {
  readonly rateBps: bigint;
  readonly resourceBps: bigint;
  readonly slaBps: bigint;
  readonly ackBps: bigint;
}

/** Late means strictly after the end of the grace; a grace of 0 makes every report on time. */
export function isLate(usage: UsageState, graceSeconds: bigint): boolean {
  if (graceSeconds === 0n) return false;
  return usage.submittedAtNs > addSeconds(timeOfSeconds(usage.periodEnd), graceSeconds);
}

export function rewardFactors(usage: UsageState, rules: RuleParams): RewardFactors {
  return rewardFactorsBy(rules)(usage);
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
  const product = amount * rateBps * resourceBps * slaBps * ackBps;
  const reward = divFloor(product, SCALE);
  // I-14, by multiplication instead of division.
  const floored = reward * SCALE <= product && product < (reward + 1n) * SCALE;
  if (!floored) assert(false, "I-14 settlement: reward is not the floor", { amount, reward });
  return reward;
}
