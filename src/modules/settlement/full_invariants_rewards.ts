import type { FullInvariant } from "../../baseapp/module.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { minBigint, UINT64_MAX } from "../../lib/int.ts";
import { u64OfBytes } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import type { Reader } from "../../store/read_view.ts";
import {
  addCoins,
  type Coins,
  coinsOf,
  equalCoins,
  formatCoins,
  NO_COINS,
} from "../../types/coins.ts";
import * as keys from "./keys.ts";
import type { RuleParams } from "./params.ts";
import { rulesByVersion } from "./query_params.ts";
import { escrowBySeq, usageBySeq } from "./query_records.ts";
import { coinsIn } from "./records.ts";
import { verificationReward } from "./reward.ts";
import { assertReward } from "./reward_check.ts";

/** What the authority distributed, against the records that it is for, on demand. */
export const rewardFullInvariants: readonly FullInvariant[] = [
  { name: "I-14 rewards by the authority are those of their records", check: authorityRewards },
  { name: "references are those of the distributions", check: referencesFollow },
];

async function* distributions(reader: Reader): AsyncGenerator<state.DistributionState> {
  for await (const [, value] of reader.range(keys.DISTRIBUTION_PREFIX)) {
    yield state.DistributionState.decode(value);
  }
}

/**
 * Lines sum to the total; those of providers are the rewards of the records that are named, each
 * once. Amounts are computed again by the params that the distribution names.
 */
async function authorityRewards(reader: Reader): Promise<void> {
  const rulesOf = await rulesByVersion(reader);
  const rewarded = new KeyMap<true>();
  for await (const distribution of distributions(reader)) {
    const { seq, source, settlementSeq, rows, total } = distribution;
    if (settlementSeq !== 0n) continue;
    same(seq, sumOf(rows), coinsIn(total));
    const rules = rulesOf(distribution.paramsVersion);
    if (source === state.RewardSource.REWARD_SOURCE_VERIFICATION) {
      verificationFollows(distribution, rules);
    }
    if (source !== state.RewardSource.REWARD_SOURCE_PROVIDER) continue;
    for (const usage of distribution.usageSeqs) {
      const isFirst = !rewarded.has(usage.toString());
      assert(isFirst, "I-14 settlement: a record is rewarded twice", { distribution: seq, usage });
      rewarded.set(usage.toString(), true);
    }
    await providerRowsFollow(reader, distribution, rules);
  }
  for await (const [, value] of reader.range(keys.USAGE_PREFIX)) {
    const { seq: usage, rewardSource, reward } = state.UsageState.decode(value);
    if (rewardSource !== state.RewardSource.REWARD_SOURCE_PROVIDER) continue;
    const isNamed = reward !== "" && rewarded.has(usage.toString());
    assert(isNamed, "I-14 settlement: no distribution has the reward", { usage, reward });
  }
}

function sumOf(rows: readonly state.RewardRow[]): Coins {
  return rows.reduce<Coins>((sum, { amount }) => addCoins(sum, coinsIn(amount)), NO_COINS);
}

function same(distribution: bigint, found: Coins, expected: Coins): void {
  assert(equalCoins(found, expected), "I-14 settlement: a distribution does not add up", {
    ...{ distribution, found: formatCoins(found), expected: formatCoins(expected) },
  });
}

function verificationFollows(
  { seq, rows, total }: state.DistributionState,
  rules: RuleParams | undefined,
): void {
  const score = rows[0]?.verificationScore ?? 0;
  const denom = total[0]?.denom ?? "";
  const expected = rules === undefined ? undefined : verificationReward(rules, score);
  if (expected !== undefined) same(seq, coinsIn(total), coinsOf(denom, expected));
}

async function providerRowsFollow(
  reader: Reader,
  { seq, rows, usageSeqs }: state.DistributionState,
  rules: RuleParams | undefined,
): Promise<void> {
  const providers = new KeyMap<{ coins: Coins; units: bigint }>();
  for (const usageSeq of usageSeqs) {
    const usage = await usageBySeq(reader, usageSeq);
    const isOfSource = usage.rewardSource === state.RewardSource.REWARD_SOURCE_PROVIDER;
    const found = BigInt(usage.reward);
    const facts = { distribution: seq, usage: usageSeq, found };
    assert(isOfSource && found > 0n, "I-14 settlement: a record lacks its reward", facts);
    if (rules !== undefined) {
      assertReward(usage, { amount: BigInt(usage.settledAmount), reward: found }, rules);
    }
    const { recipient } = await escrowBySeq(reader, usage.escrowSeq);
    const sum = providers.get(recipient) ?? { coins: NO_COINS, units: 0n };
    const coins = addCoins(sum.coins, coinsOf(usage.denom, found));
    providers.set(recipient, { coins, units: sum.units + usage.units });
  }
  const addresses = rows.map(({ address }) => address).join();
  const expected = providers.sortedKeys().join();
  const isOrdered = addresses === expected;
  assert(isOrdered, "I-14 settlement: lines are not of the providers", { distribution: seq });
  for (const { address, amount, usageUnits } of rows) {
    const sum = providers.get(address) ?? { coins: NO_COINS, units: 0n };
    same(seq, coinsIn(amount), sum.coins);
    const isCounted = usageUnits === minBigint(sum.units, UINT64_MAX);
    assert(isCounted, "I-14 settlement: units of a line differ", { distribution: seq, address });
  }
}

/** Each reference of the authority leads to the distribution that it was used for. */
async function referencesFollow(reader: Reader): Promise<void> {
  let expected = 0;
  for await (const { seq, source, reference } of distributions(reader)) {
    if (reference === "") continue;
    expected += 1;
    const bytes = await reader.get(keys.distributionReferenceKey(source, reference));
    const found = bytes === undefined ? 0n : u64OfBytes(bytes);
    assert(found === seq, "settlement: a reference is not its distribution's", { seq, found });
  }
  let found = 0;
  for await (const _entry of reader.range(keys.DISTRIBUTION_REFERENCE_PREFIX)) found += 1;
  assert(found === expected, "settlement: a reference has no distribution", { found, expected });
}
