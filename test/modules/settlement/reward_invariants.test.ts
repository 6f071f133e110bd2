import { beforeEach, describe, expect, test } from "vitest";
import {
  DistributionState,
  type RewardRow,
  RewardSource,
  UsageState,
} from "../../../src/gen/settled/settlement/v1/state.ts";
import { u64Bytes, type Key } from "../../../src/lib/key.ts";
import * as keys from "../../../src/modules/settlement/keys.ts";
import { stranger } from "../../testkit/accounts.ts";
import type { TestChain } from "../../testkit/chain.ts";
import { type Machine, machineOf } from "../../testkit/machine.ts";
import { updateParams } from "../../testkit/params.ts";
import { rewardMsg } from "../../testkit/reward_messages.ts";
import { chainOfPool, fillPool, settledRecords } from "../../testkit/rewards.ts";

/**
 * Distribution 1 is of the records 1 and 2, 2 of a verification with score 50, 3 of record 3; record 4
 * has no reward.
 */
async function lived(): Promise<TestChain> {
  const chain = await chainOfPool();
  const ids = await settledRecords(chain, ["1000uve", "2000uve", "3000uve", "9uve"]);
  await fillPool(chain, "1000uve");
  await chain.ok(rewardMsg.providers(ids.slice(0, 2)));
  await chain.ok(rewardMsg.verification(stranger.address, 50));
  await chain.ok(rewardMsg.providers(ids.slice(2), "q2"));
  return chain;
}

let chain: TestChain;
let machine: Machine;
beforeEach(async () => {
  chain = await lived();
  machine = await machineOf(chain);
});

function putUsage(seq: bigint, change: Partial<UsageState>): void {
  const key = keys.recordKey(keys.USAGE_PREFIX, seq);
  const before = UsageState.decode(machine.overlay.get(key) as Uint8Array);
  machine.overlay.set(key, UsageState.encode({ ...before, ...change }).finish());
}

function putDistribution(
  seq: bigint,
  change: (before: DistributionState) => Partial<DistributionState>,
): void {
  const key = keys.recordKey(keys.DISTRIBUTION_PREFIX, seq);
  const before = DistributionState.decode(machine.overlay.get(key) as Uint8Array);
  const after = { ...before, ...change(before) };
  machine.overlay.set(key, DistributionState.encode(after).finish());
}

/** Gives the one line of a distribution other facts. */
function putLine(seq: bigint, change: Partial<RewardRow>): void {
  putDistribution(seq, ({ rows }) => ({ rows: rows.map((row) => ({ ...row, ...change })) }));
}

/** Gives the one line of a distribution, and its total, another amount. */
function putAmount(seq: bigint, amount: string): void {
  putLine(seq, { amount: uve(amount) });
  putDistribution(seq, () => ({ total: uve(amount) }));
}

const uve = (amount: string) => [{ denom: "uve", amount }];
const { REWARD_SOURCE_PROVIDER: PROVIDER, REWARD_SOURCE_UNSPECIFIED: NONE } = RewardSource;

describe("I-14 fires in full where a reward by the authority is one unit off", () => {
  test("unchanged, none is broken", async () => {
    expect(await chain.checkFullInvariants()).toContain(
      "I-14 rewards by the authority are those of their records",
    );
  });

  // Sums over all records or distributions stay as they are, so that no other invariant says it.
  test.each<[what: string, change: () => void, text: string]>([
    ["a record's reward", () => putUsage(1n, { reward: "101" }), "reward differs"],
    ["a record's reward, less", () => putUsage(2n, { reward: "199" }), "reward differs"],
    ["a record's reward that is 0", () => putUsage(3n, { reward: "0" }), "lacks its reward"],
    ["its source", () => putUsage(2n, { rewardSource: NONE }), "lacks its reward"],
    ["its units", () => putUsage(1n, { units: 2n }), "units of a line"],
    [
      "what was paid of records",
      () => {
        putUsage(1n, { settledAmount: "1010" });
        putUsage(2n, { settledAmount: "1990" });
      },
      "reward differs",
    ],
    [
      "a reward that no distribution has",
      () => putUsage(4n, { reward: "5", rewardSource: PROVIDER }),
      "no distribution has",
    ],
    ["a line", () => putLine(1n, { amount: uve("301") }), "does not add up"],
    [
      "lines and totals",
      () => {
        putAmount(1n, "301");
        putAmount(3n, "299");
      },
      "does not add up",
    ],
    ["the address of a line", () => putLine(1n, { address: "x" }), "not of the providers"],
    ["a record too few", () => putDistribution(1n, () => ({ usageSeqs: [1n] })), "add up"],
    ["a record too many", () => putDistribution(3n, () => ({ usageSeqs: [2n, 3n] })), "twice"],
    ["no records", () => putDistribution(3n, () => ({ usageSeqs: [] })), "not of the providers"],
    [
      "the reward of a verification",
      () => {
        putAmount(2n, "151");
        putAmount(3n, "299");
      },
      "does not add up",
    ],
    ["the score of it", () => putLine(2n, { verificationScore: 51 }), "does not add up"],
  ])("%s", async (_, change, text) => {
    change();
    await machine.commit();
    await expect(chain.checkFullInvariants()).rejects.toThrow(new RegExp(`^I-14 .*${text}`));
  });

  test("rewards are computed again even where the params are others by now", async () => {
    await chain.ok(await updateParams(chain, { params: { usage_reward_rate_bps: 1 } }));
    await chain.block();
    await chain.checkFullInvariants();
    machine = await machineOf(chain);
    putUsage(1n, { reward: "101" });
    await machine.commit();
    await expect(chain.checkFullInvariants()).rejects.toThrow(/^I-14 .*reward differs/);
  });
});

describe("references follow from the distributions", () => {
  const referenceKey = (reference: string): Key =>
    keys.distributionReferenceKey(RewardSource.REWARD_SOURCE_PROVIDER, reference);

  test.each<[what: string, change: () => void]>([
    ["one that is missing", () => machine.overlay.delete(referenceKey("q2"))],
    ["one of another distribution", () => machine.overlay.set(referenceKey("q2"), u64Bytes(1n))],
    ["one of no distribution", () => machine.overlay.set(referenceKey("q3"), u64Bytes(3n))],
  ])("%s is noticed", async (_, change) => {
    change();
    await machine.commit();
    await expect(chain.checkFullInvariants()).rejects.toThrow("reference");
  });
});
