import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { TestChain } from "../../testkit/chain.ts";

// A machine whose own arithmetic is wrong: what is asserted in a block stops it. Everything is loaded
// anew for it, and again after it, as files share what is loaded.

const REWARD = "../../../src/modules/settlement/reward.ts";
const ALLOCATE = "../../../src/modules/settlement/allocate.ts";

/** What it is off by: units of a reward, basis points, units of a share. */
const off = { reward: 0n, rateBps: 0n, share: 0n };

async function loadKit() {
  const { openChain } = await import("../../testkit/chain.ts");
  const orders = await import("../../testkit/orders.ts");
  const { rewardMsg } = await import("../../testkit/reward_messages.ts");
  return { openChain, rewardMsg, ...orders, ...(await import("../../testkit/rewards.ts")) };
}

let kit: Awaited<ReturnType<typeof loadKit>>;

beforeAll(async () => {
  vi.resetModules();
  vi.doMock(REWARD, async (original) => {
    const real = await original<typeof import("../../../src/modules/settlement/reward.ts")>();
    const usageReward: typeof real.usageReward = (amount, factors) =>
      real.usageReward(amount, { ...factors, rateBps: factors.rateBps + off.rateBps }) + off.reward;
    return { ...real, usageReward };
  });
  vi.doMock(ALLOCATE, async (original) => {
    const real = await original<typeof import("../../../src/modules/settlement/allocate.ts")>();
    const splitFees: typeof real.splitFees = (total, rates) => {
      const shares = real.splitFees(total, rates);
      const changed = ({ denom, amount }: { denom: string; amount: bigint }) => {
        return { denom, amount: amount + off.share };
      };
      return { ...shares, providerShare: shares.providerShare.map(changed) };
    };
    return { ...real, splitFees };
  });
  kit = await loadKit();
});

afterAll(() => {
  vi.doUnmock(REWARD);
  vi.doUnmock(ALLOCATE);
  vi.resetModules();
});

beforeEach(() => {
  Object.assign(off, { reward: 0n, rateBps: 0n, share: 0n });
});

describe("a block with arithmetic that is one unit off halts the machine", () => {
  async function chainWithUsage(): Promise<TestChain> {
    const chain = await kit.openChain({ params: { min_settlement_amount: "0" } });
    await kit.activeEscrow(chain, "1000000uve");
    await kit.acknowledged(chain, await kit.recordedCosts(chain, [100_000]));
    return chain;
  }

  test.each<[title: string, wrong: Partial<typeof off>]>([
    ["I-14 fires incrementally: a settlement's reward of one unit more", { reward: 1n }],
    ["I-14 fires incrementally: a settlement's reward of one unit less", { reward: -1n }],
    ["I-14 fires incrementally: a settlement's reward by another rate", { rateBps: 1n }],
    ["I-10 fires incrementally: a provider's share of one unit more", { share: 1n }],
    ["I-10 fires incrementally: a provider's share of one unit less", { share: -1n }],
  ])("%s", async (title, wrong) => {
    const chain = await chainWithUsage();
    Object.assign(off, wrong);
    const error = await kit.settled(chain).catch((e: unknown) => e);
    expect(error).toMatchObject({ name: "InvariantError" });
    expect(String(error)).toContain(`${title.slice(0, 4)} settlement`);
  });

  test.each([1n, -1n])(
    "I-14 fires incrementally: a reward by the authority, off by %s",
    async (by) => {
      const chain = await kit.chainOfPool();
      const ids = await kit.settledRecords(chain, ["1000uve"]);
      await kit.fillPool(chain, "1000uve");
      off.reward = by;
      await expect(chain.ok(kit.rewardMsg.providers(ids))).rejects.toThrow(/^I-14 settlement/);
    },
  );

  test("as it is, it goes on", async () => {
    const chain = await chainWithUsage();
    await kit.settled(chain);
    await chain.checkFullInvariants();
  });
});
