import type { FullInvariant } from "../../baseapp/module.ts";
import {
  DistributionState,
  RewardEntryState,
  UsageState,
} from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { KeyMap } from "../../lib/key_map.ts";
import type { Reader } from "../../store/read_view.ts";
import {
  addCoins,
  type Coins,
  coinsOf,
  coversCoins,
  equalCoins,
  formatCoins,
  NO_COINS,
} from "../../types/coins.ts";
import * as keys from "./keys.ts";
import { coinsIn } from "./records.ts";
import { isUsageReward } from "./reward.ts";

/** Invariants of distributions: their records, and what of them is to be claimed, on demand. */
export const entryFullInvariants: readonly FullInvariant[] = [
  { name: "I-13 a settlement's distribution is the rewards of its records", check: totalsFollow },
  { name: "I-13 what is to be claimed is what its distribution gave", check: entriesFollow },
];

/** Whatever params a settlement was computed with. */
async function totalsFollow(reader: Reader): Promise<void> {
  const sums = new KeyMap<Coins>();
  for await (const [, value] of reader.range(keys.USAGE_PREFIX)) {
    const usage = UsageState.decode(value);
    if (usage.reward === "" || usage.settlementSeq === 0n || !isUsageReward(usage)) continue;
    const key = `${usage.settlementSeq}`;
    const coins = coinsOf(usage.denom, BigInt(usage.reward));
    sums.set(key, addCoins(sums.get(key) ?? NO_COINS, coins));
  }
  for await (const [, value] of reader.range(keys.DISTRIBUTION_PREFIX)) {
    const { seq, settlementSeq, total } = DistributionState.decode(value);
    if (settlementSeq === 0n) continue;
    const [found, expected] = [sums.get(`${settlementSeq}`) ?? NO_COINS, coinsIn(total)];
    const facts = { distribution: seq, left: formatCoins(found), right: formatCoins(expected) };
    assert(equalCoins(found, expected), "I-13 settlement: rewards of records differ", facts);
  }
}

/**
 * Entries go when they are claimed, expire or are cancelled whole: those of a distribution that are
 * left are at most its total, and all of them are it.
 */
async function entriesFollow(reader: Reader): Promise<void> {
  const left = new KeyMap<{ count: number; coins: Coins }>();
  for await (const [, value] of reader.range(keys.REWARD_ENTRY_PREFIX)) {
    const { distributionSeq, amount, cancelled } = RewardEntryState.decode(value);
    const before = left.get(`${distributionSeq}`) ?? { count: 0, coins: NO_COINS };
    const given = addCoins(coinsIn(amount), coinsIn(cancelled));
    const coins = addCoins(before.coins, given);
    left.set(`${distributionSeq}`, { count: before.count + 1, coins });
  }
  for await (const [, value] of reader.range(keys.DISTRIBUTION_PREFIX)) {
    const { seq, total, entryCount } = DistributionState.decode(value);
    const { count, coins } = left.get(`${seq}`) ?? { count: 0, coins: NO_COINS };
    const [found, most] = [coins, coinsIn(total)];
    const follows = count === entryCount ? equalCoins(found, most) : coversCoins(most, found);
    const facts = { distribution: seq, left: formatCoins(found), right: formatCoins(most) };
    assert(follows, "I-13 settlement: what is to be claimed differs", facts);
  }
}
