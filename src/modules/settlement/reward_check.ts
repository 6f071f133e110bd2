import type { UsageState } from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { divFloor } from "../../lib/int.ts";
import { NS_PER_SECOND } from "../../types/time.ts";
import { normaliseUsageType } from "../../types/usage_type.ts";
import type { RuleParams } from "./params.ts";

/**
 * I-14: the reward of a record again, by another route than the one that made it. It takes
 * the factors from the params itself and divides by one after the other, so that a mistake here or
 * in `reward.ts` is a difference.
 */

const BPS = 10_000n;

type WireParams = RuleParams["wire"];

/** What of the record the reward depends on. */
type Rewarded = Pick<
  UsageState,
  "seq" | "usageType" | "submittedAtNs" | "periodEnd" | "acknowledged"
>;

/**
 * Floor of the amount times all factors, one factor after the other: what a division leaves over is
 * carried to the next, so that nothing is rounded before the end.
 * @param amount that the record was settled for, base units of its denom
 */
export function recomputedReward(usage: Rewarded, amount: bigint, { wire }: RuleParams): bigint {
  let [whole, rest, parts] = [amount, 0n, 1n];
  for (const factor of factorsOf(usage, wire)) {
    const times = (whole * parts + rest) * BigInt(factor);
    parts *= BPS;
    whole = divFloor(times, parts);
    rest = times - whole * parts;
  }
  return whole;
}

/** Basis points of the rate, the resource, punctuality and acknowledgement. */
function factorsOf(usage: Rewarded, wire: WireParams): number[] {
  const grace = wire.usageGracePeriod * NS_PER_SECOND;
  const delay = usage.submittedAtNs - usage.periodEnd * NS_PER_SECOND;
  return [
    wire.usageRewardRateBps,
    multiplierOf(normaliseUsageType(usage.usageType), wire),
    grace > 0n && delay > grace
      ? wire.usageRewardSlaLateMultiplierBps
      : wire.usageRewardSlaOntimeMultiplierBps,
    usage.acknowledged ? wire.usageRewardAckMultiplierBps : wire.usageRewardUnackMultiplierBps,
  ];
}

function multiplierOf(type: string, wire: WireParams): number {
  if (type === "memory") return wire.usageRewardMemoryMultiplierBps;
  if (type === "storage") return wire.usageRewardStorageMultiplierBps;
  if (type === "gpu") return wire.usageRewardGpuMultiplierBps;
  if (type === "network") return wire.usageRewardNetworkMultiplierBps;
  return wire.usageRewardCpuMultiplierBps;
}

/**
 * I-14: what a record is rewarded with is its reward by the params of now.
 * @param found.amount that it was settled for, base units of its denom; so is `found.reward`
 * @throws InvariantError with both rewards
 */
export function assertReward(
  usage: Rewarded,
  { amount, reward }: { amount: bigint; reward: bigint },
  rules: RuleParams,
): void {
  const expected = recomputedReward(usage, amount, rules);
  if (reward === expected) return;
  const facts = { usage: usage.seq, found: reward, expected };
  assert(false, "I-14 settlement: reward differs", facts);
}
