import { describe, expect, test } from "vitest";
import { customer, provider } from "../../testkit/accounts.ts";
import {
  type ChainOptions,
  moduleAccount,
  openChain,
  type TestChain,
} from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { msg } from "../../testkit/messages.ts";
import { eventsOf } from "../../testkit/outcome.ts";
import { acknowledged, activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { refunded, refundMsg, seeRefund } from "../../testkit/refunds.ts";
import { DAY, GENESIS } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const POOL = { extended: { reward_funding: "pool" } };

/** One settlement of 1000 cpu and 100 memory: rewards of 100 and 10, one entry each. */
async function rewarded(options: ChainOptions = {}): Promise<{ chain: TestChain; id: string }> {
  const params = { min_settlement_amount: "0", ...options.params };
  const chain = await openChain({ ...options, params });
  const isPool = options.extended?.["reward_funding"] === "pool";
  if (isPool) await chain.ok(msg.send(customer, moduleAccount("reward_pool"), "500uve,500uusd"));
  await activeEscrow(chain, "10000uusd,10000uve", { expiresIn: 30n * DAY });
  const ids = [
    ...(await recordedCosts(chain, [1000])),
    ...(await recordedCosts(chain, [100], { type: "memory", from: 1 })),
  ];
  await acknowledged(chain, ids);
  return { chain, id: (await settled(chain)).settlementId };
}

const claimable = async (chain: TestChain): Promise<string[]> => {
  const { rewardEntries } = await see.claimable(chain, provider.address);
  return rewardEntries.map(({ amount }) => text(amount));
};
const inRewards = (chain: TestChain): Promise<string> => chain.balances(moduleAccount("rewards"));
const inPool = (chain: TestChain): Promise<string> => chain.balances(moduleAccount("reward_pool"));
const supply = async (chain: TestChain): Promise<bigint> => {
  const path = "cosmos.bank.v1beta1.Query/SupplyOf";
  const { amount } = await chain.query<{ amount: { amount: string } }>(path, { denom: "uve" });
  return BigInt(amount.amount);
};

describe("RULES 31 unclaimed rewards of the records are cancelled in the share that went back", () => {
  test("minted ones are burned; parts add up to all of it", async () => {
    const { chain, id } = await rewarded();
    expect(await claimable(chain)).toEqual(["100uve", "10uve"]);
    const before = await supply(chain);
    const result = await chain.ok(refundMsg.refund(id, "367uve"));
    // floor(100 × 367 / 1100) and floor(10 × 367 / 1100).
    expect(await claimable(chain)).toEqual(["67uve", "7uve"]);
    expect(await inRewards(chain)).toBe("74uve");
    expect(before - (await supply(chain))).toBe(36n);
    const [refund] = await seeRefund.of(chain, id);
    expect(eventsOf(result, "RewardsCancelled")).toEqual([
      {
        ...{ refund_id: refund?.refundId, address: provider.address, amount: "36uve" },
        cancelled_at: `${GENESIS + 7n}`,
      },
    ]);
    expect(text(refund?.rewardsCancelled)).toBe("36uve");
    await chain.checkFullInvariants();
    await refunded(chain, id, "367uve");
    // floor(100 × 734 / 1100) and floor(10 × 734 / 1100) in all.
    expect(await claimable(chain)).toEqual(["34uve", "4uve"]);
    await refunded(chain, id);
    expect(await claimable(chain)).toEqual([]);
    expect([await inRewards(chain), before - (await supply(chain))]).toEqual(["", 110n]);
    await chain.refused(msg.claim(provider), 1511);
    await chain.checkFullInvariants();
    expect((await chain.imported()).appHash).toBe(chain.appHash);
  });

  test("those of the pool return to it", async () => {
    const { chain, id } = await rewarded(POOL);
    const before = await supply(chain);
    expect(await inPool(chain)).toBe("500uusd,390uve");
    await refunded(chain, id, "550uve");
    expect([await inPool(chain), await inRewards(chain)]).toEqual(["500uusd,445uve", "55uve"]);
    await refunded(chain, id);
    expect([await inPool(chain), await inRewards(chain)]).toEqual(["500uusd,500uve", ""]);
    expect(await supply(chain)).toBe(before);
    await chain.checkFullInvariants();
  });

  test("claimed ones stand, later ones of others too", async () => {
    const { chain, id } = await rewarded();
    await chain.ok(msg.claim(provider));
    await acknowledged(chain, await recordedCosts(chain, [500], { from: 2 }));
    await settled(chain);
    const result = await chain.ok(refundMsg.refund(id));
    expect(eventsOf(result, "RewardsCancelled")).toEqual([]);
    const [refund] = await seeRefund.of(chain, id);
    expect([text(refund?.rewardsCancelled), await claimable(chain)]).toEqual(["", ["50uve"]]);
    const claims = await see.claimable(chain, provider.address);
    expect(text(claims.totalClaimed)).toBe("110uve");
    await chain.checkFullInvariants();
  });

  test("what a part left is claimed, and stands when the rest is refunded", async () => {
    const { chain, id } = await rewarded();
    await refunded(chain, id, "550uve");
    const result = await chain.ok(msg.claim(provider));
    expect(eventsOf(result, "RewardsClaimed")).toMatchObject([{ claimed_amount: "55uve" }]);
    await refunded(chain, id);
    const [first, second] = await seeRefund.of(chain, id);
    expect([text(first?.rewardsCancelled), text(second?.rewardsCancelled)]).toEqual(["55uve", ""]);
    await chain.checkFullInvariants();
  });

  test("expired ones stand, in the block of their expiry already", async () => {
    const { chain, id } = await rewarded({ params: { reward_claim_expiry: "3600" } });
    await refunded(chain, id, "550uve");
    // The refund comes before the end of the block that takes them back.
    chain.skip(3600n);
    const result = await chain.ok(refundMsg.refund(id));
    expect(eventsOf(result, "RewardsCancelled")).toEqual([]);
    expect([await inRewards(chain), await claimable(chain)]).toEqual(["", []]);
    await chain.checkFullInvariants();
  });

  test("each denom by its own share", async () => {
    const { chain } = await rewarded(POOL);
    const uve = await recordedCosts(chain, [1000], { from: 2 });
    const uusd = await recordedCosts(chain, [500], { from: 3, denom: "uusd" });
    await acknowledged(chain, [...uve, ...uusd]);
    const { settlementId } = await settled(chain);
    expect(await claimable(chain)).toEqual(["100uve", "10uve", "50uusd,100uve"]);
    await refunded(chain, settlementId, "250uusd,100uve");
    expect(await claimable(chain)).toEqual(["100uve", "10uve", "25uusd,90uve"]);
    await refunded(chain, settlementId, "900uve");
    expect(await claimable(chain)).toEqual(["100uve", "10uve", "25uusd"]);
    await chain.checkFullInvariants();
  });

  test("a settlement without rewards cancels none", async () => {
    const { chain, id } = await rewarded({ params: { usage_reward_rate_bps: 0 } });
    const result = await chain.ok(refundMsg.refund(id));
    expect(eventsOf(result, "SettlementRefunded")).toMatchObject([{ rewards_cancelled: "" }]);
    await chain.checkFullInvariants();
  });
});
