import { beforeEach, describe, expect, test } from "vitest";
import { customer, provider, stranger } from "../../testkit/accounts.ts";
import { moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { msg } from "../../testkit/messages.ts";
import { eventsOf, responseOf } from "../../testkit/outcome.ts";
import { acknowledged, activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { DAY } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const START = 1_000_000_000_000n;

async function rewarded(chain: TestChain, costs: readonly number[], from = 0): Promise<void> {
  await acknowledged(chain, await recordedCosts(chain, costs, { from }));
  await settled(chain);
}

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
  await activeEscrow(chain, "1000000uve");
});

describe("claiming", () => {
  test("R-003-40 rewards are claimable, not transferred at once; a claim moves the coins", async () => {
    await rewarded(chain, [1000]);
    expect(await chain.balance(provider.address)).toBe(START + 940n);
    const claimed = await chain.ok(msg.claim(provider));
    expect(responseOf(claimed)).toMatchObject({ claimedAmount: "100uve" });
    expect(await chain.balance(provider.address)).toBe(START + 1040n);
    expect(await see.claimable(chain, provider.address)).toMatchObject({
      totalClaimable: [],
      rewardEntries: [],
      totalClaimed: [{ denom: "uve", amount: "100" }],
    });
    await chain.refused(msg.claim(provider), 1511, provider.address);
    await chain.checkFullInvariants();
  });

  test("R-003-40 nobody else can claim them", async () => {
    await rewarded(chain, [1000]);
    await chain.refused(msg.claim(stranger), 1511, stranger.address);
    await chain.refused(msg.claim(customer), 1511, customer.address);
  });

  test("R-003-53 a claim of one source leaves the others", async () => {
    chain = await openChain({
      params: { staking_reward_epoch_length: "5" },
      extended: { reward_pool_address: provider.address, staking_reward_per_epoch: "50" },
    });
    await activeEscrow(chain, "1000000uve");
    await rewarded(chain, [1000]);
    await chain.blocksTo(5n);
    const entries = (await see.claimable(chain, provider.address)).rewardEntries;
    expect(entries.map(({ source, amount }) => [source, text(amount)])).toEqual([
      ["usage", "100uve"],
      ["staking", "50uve"],
    ]);
    const claimed = await chain.ok(msg.claim(provider, "usage"));
    expect(responseOf(claimed)).toMatchObject({ claimedAmount: "100uve" });
    expect(text((await see.claimable(chain, provider.address)).totalClaimable)).toBe("50uve");
    await chain.refused(msg.claim(provider, "usage"), 1511, "of source usage");
    await chain.refused(msg.claim(provider, "verification"), 1511, "of source verification");
    await chain.ok(msg.claim(provider, "staking"));
  });

  test("an unknown source is refused with 1509, naming the known ones", async () => {
    await rewarded(chain, [1000]);
    await chain.refused(msg.claim(provider, "mining"), 1509, "staking, usage", '"mining"');
  });

  test("a claim costs 200 gas for every entry", async () => {
    for (let n = 0; n < 5; n += 1) await rewarded(chain, [1000], n);
    const tx = await chain.tx([msg.claim(provider)], { fee: { amount: [], gasLimit: 16_000n } });
    const { txResults } = await chain.block(tx);
    expect(txResults[0]).toMatchObject({ code: 0 });
  });
});

describe("R-003-52 / D-11 expiry of rewards", () => {
  test("RULES 34 an entry expires at created_at + reward_claim_expiry; minted coins are burned", async () => {
    const created = chain.time + 2_000_000_000n;
    await rewarded(chain, [1000]);
    const [entry] = (await see.claimable(chain, provider.address)).rewardEntries;
    expect((entry?.expiresAt ?? 0n) - (entry?.createdAt ?? 0n)).toBe(30n * DAY);
    const supply = async () => {
      const path = "cosmos.bank.v1beta1.Query/SupplyOf";
      const answer = await chain.query<{ amount: { amount: string } }>(path, { denom: "uve" });
      return BigInt(answer.amount.amount);
    };
    const before = await supply();
    chain.time = (created + 30n * DAY * 1_000_000_000n - 1n) as typeof chain.time;
    await chain.block();
    expect(text((await see.claimable(chain, provider.address)).totalClaimable)).toBe("100uve");
    chain.time = (created + 30n * DAY * 1_000_000_000n) as typeof chain.time;
    const block = await chain.block();
    expect(eventsOf(block, "RewardsExpired")).toMatchObject([
      { address: provider.address, amount: "100uve" },
    ]);
    expect(text((await see.claimable(chain, provider.address)).totalClaimable)).toBe("");
    expect(await supply()).toBe(before - 100n);
    await chain.checkFullInvariants();
  });

  test("RULES 34 a claim in the very block of expiry comes too late", async () => {
    const created = chain.time + 2_000_000_000n;
    await rewarded(chain, [1000]);
    chain.time = (created + 30n * DAY * 1_000_000_000n) as typeof chain.time;
    expect(await chain.deliver(msg.claim(provider))).toMatchObject({ code: 1511 });
    expect(await chain.balance(provider.address)).toBe(START + 940n);
  });

  test("RULES 34 coins of a pool go back to the pool", async () => {
    const pool = moduleAccount("reward_pool");
    chain = await openChain({
      funds: { [pool]: "500uve" },
      extended: { reward_funding: "pool" },
      params: { reward_claim_expiry: "100" },
    });
    await activeEscrow(chain, "1000000uve");
    await rewarded(chain, [1000]);
    expect(await chain.balances(pool)).toBe("400uve");
    chain.skip(100n);
    await chain.block();
    expect(await chain.balances(pool)).toBe("500uve");
    await chain.checkFullInvariants();
  });

  test("an expiry of 0 means never", async () => {
    chain = await openChain({ params: { reward_claim_expiry: "0" } });
    await activeEscrow(chain, "1000000uve");
    await rewarded(chain, [1000]);
    chain.skip(4000n * DAY);
    await chain.block();
    await chain.ok(msg.claim(provider));
  });
});
