import { beforeEach, describe, expect, test } from "vitest";
import type { QueryParamsResponse } from "../../../src/gen/virtengine/settlement/v1/query.ts";
import { usageReward } from "../../../src/modules/settlement/reward.ts";
import { type TimeNs, timeOfSeconds } from "../../../src/types/time.ts";
import { customer, provider } from "../../testkit/accounts.ts";
import {
  type ChainOptions,
  moduleAccount,
  openChain,
  type TestChain,
} from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { eventsOf } from "../../testkit/outcome.ts";
import {
  acknowledged,
  activeEscrow,
  recorded,
  recordedCosts,
  settled,
} from "../../testkit/orders.ts";
import { DAY, GENESIS, slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const START = 1_000_000_000_000n;
const SUPPLY = 2n ** 255n + 2n ** 250n;

/** A chain that settles and rewards any amount. */
function openEndless(o: ChainOptions = {}): Promise<TestChain> {
  return openChain({
    ...o,
    funds: { [customer.address]: `${SUPPLY}uve`, ...o.funds },
    params: { min_settlement_amount: "0", ...o.params },
    extended: { reward_epoch_mint_cap: `${2n ** 255n}`, ...o.extended },
  });
}

// The worked vectors are in test/vectors/settlement.json.
test("R-003-25 no amount is too large: rates are multiplied before the one division", () => {
  const of = (resourceBps: bigint, amount: bigint) =>
    usageReward(amount, { rateBps: 1000n, resourceBps, slaBps: 10_000n, ackBps: 10_000n });
  expect(of(10_000n, 2n ** 256n - 1n)).toBe((2n ** 256n - 1n) / 10n);
  expect(of(20_000n, 2n ** 256n - 1n)).toBe((2n ** 256n - 1n) / 5n);
});

describe("per record", () => {
  let chain: TestChain;
  beforeEach(async () => {
    chain = await openEndless();
    await activeEscrow(chain, "100000000uve");
  });

  test("R-003-24 every record is floored by itself: 5 and 5 give nothing, not 1", async () => {
    const ids = await recordedCosts(chain, [5, 5]);
    await acknowledged(chain, ids);
    await settled(chain);
    expect((await see.totals(chain)).distributions).toBe(0n);
  });

  test("R-003-24 vector 31: three records of 9 give nothing", async () => {
    await acknowledged(chain, await recordedCosts(chain, [9, 9, 9]));
    await settled(chain);
    expect(text((await see.claimable(chain, provider.address)).totalClaimable)).toBe("");
  });

  test("R-003-24 two records have two recipient rows that name them", async () => {
    const cpu = await recorded(chain, { units: 2n, price: "500uve" });
    const gpu = await recorded(chain, { ...slot(1), units: 3n, price: "500uve", type: "GPU" });
    await acknowledged(chain, [cpu, gpu]);
    const { settlementId } = await settled(chain);
    const [row] = await see.history(chain, provider.address);
    const distribution = await see.distribution(chain, row?.distributionId ?? "");
    expect(distribution).toMatchObject({
      source: "usage",
      epochNumber: 0n,
      totalRewards: [{ denom: "uve", amount: "280" }],
      metadata: { settlement_id: settlementId },
    });
    const rows = distribution.recipients.map((each) => {
      return [each.address, text(each.amount), each.reason, each.usageUnits, each.referenceId];
    });
    expect(rows).toEqual([
      [provider.address, "100uve", "usage_cpu_reward", 2n, cpu],
      [provider.address, "180uve", "usage_gpu_reward", 3n, gpu],
    ]);
  });

  test("R-003-23 the distribution names its settlement", async () => {
    await recordedCosts(chain, [1000]);
    const result = await chain.ok(msg.settle(customer));
    const [settledEvent] = eventsOf(result, "OrderSettled");
    const [distributed] = eventsOf(result, "RewardsDistributed");
    const found = await see.distribution(chain, distributed?.["distribution_id"] ?? "");
    expect(found.metadata).toEqual({ settlement_id: settledEvent?.["settlement_id"] });
  });

  test("R-003-26 a hundred shuffles of the same reports give the same distribution", async () => {
    const types = ["cpu", "gpu", "memory", "network", "storage", "foo", "Bar", "tape"];
    const shapes = new Set<string>();
    for (let shuffle = 0; shuffle < 100; shuffle += 1) {
      const fresh = await openEndless();
      await activeEscrow(fresh, "100000000uve");
      // Rows go by (type, id), and ids are equal when records of a type come in the same order.
      const order = types
        .map((type, index) => ({ type, key: (index * 7919 + shuffle * 104_729) % 1009 }))
        .sort((a, b) => a.key - b.key);
      const messages = order.map(({ type }) => {
        return msg.record(provider, { type, price: `${1000 + types.indexOf(type)}uve` });
      });
      await fresh.ok(...messages);
      await settled(fresh);
      const [row] = await see.history(fresh, provider.address);
      const { recipients } = await see.distribution(fresh, row?.distributionId ?? "");
      const shape = recipients.map(({ reason, amount }) => `${reason}=${text(amount)}`);
      shapes.add(shape.join(" "));
    }
    expect(shapes.size).toBe(1);
  });

  test("R-003-26 the order of ids in a message changes no byte of the state", async () => {
    const run = async (turn: (ids: string[]) => string[]): Promise<string> => {
      const fresh = await openEndless();
      await activeEscrow(fresh, "100000000uve");
      const ids = await recordedCosts(fresh, [1000, 2000, 3000, 4000]);
      await settled(fresh, { ids: turn(ids) });
      return fresh.books();
    };
    // The journal holds the tx's hash, which the order of ids changes.
    const plain = (books: string) => books.replace(/"(tx_)?hash":"[^"]*"/g, "");
    const straight = plain(await run((ids) => ids));
    expect(plain(await run((ids) => [...ids].reverse()))).toBe(straight);
  });
});

describe("RULES 33 the border of the grace", () => {
  /** A report of [end − 60, end) at the end's block time plus `after` nanoseconds. */
  async function rewardAt(after: bigint, params: Record<string, unknown> = {}): Promise<string> {
    const chain = await openEndless({ params });
    await activeEscrow(chain, "1000uve");
    const end = GENESIS + 100n;
    chain.time = (timeOfSeconds(end) + after) as TimeNs;
    const id = await recorded(chain, { start: end - 60n, end, price: "1000uve" });
    await acknowledged(chain, [id]);
    await settled(chain);
    return text((await see.usageDetail(chain, id)).reward);
  }
  const GRACE = DAY * 1_000_000_000n;

  test("R-003-27 a report exactly at the end of the grace is on time", async () => {
    expect(await rewardAt(GRACE)).toBe("100uve");
  });

  test("R-003-28 a nanosecond later it is late, although the wire shows the same second", async () => {
    expect(await rewardAt(GRACE + 1n)).toBe("80uve");
    expect(await rewardAt(GRACE + 1_000_000_000n)).toBe("80uve");
  });

  test("R-003-27 / RULES 33 a grace of 0 makes every report on time", async () => {
    expect(await rewardAt(GRACE * 6n, { usage_grace_period: "0" })).toBe("100uve");
  });
});

describe("RULES 33 the multipliers", () => {
  async function rewardOf(type: string, o: { ack?: boolean; chain?: TestChain } = {}) {
    const chain = o.chain ?? (await openEndless());
    await activeEscrow(chain, "1000uve");
    const id = await recorded(chain, { type, price: "1000uve" });
    if (o.ack !== false) await acknowledged(chain, [id]);
    await settled(chain);
    return text((await see.usageDetail(chain, id)).reward);
  }

  test("R-003-29 acknowledged 10000, unacknowledged 9000", async () => {
    expect(await rewardOf("cpu")).toBe("100uve");
    expect(await rewardOf("cpu", { ack: false })).toBe("90uve");
  });

  test.each([
    ["R-003-31 cpu is 10000", "cpu", "100uve"],
    ["R-003-32 gpu is 12000", "gpu", "120uve"],
    ["R-003-33 network is 9000", "network", "90uve"],
    ["R-003-34 memory is 10000", "memory", "100uve"],
    ["R-003-34 storage is 10000", "storage", "100uve"],
    ["R-003-36 an unknown type counts as cpu", "foo", "100uve"],
    ['R-003-36 " GPU-hour " is gpu', " GPU-hour ", "120uve"],
    ["R-003-36 gpu_hours is gpu", "gpu_hours", "120uve"],
    ["R-003-36 Bandwidth is network", "Bandwidth", "90uve"],
    ["R-003-36 network_gb is network", "network_gb", "90uve"],
  ])("%s", async (_, type, reward) => {
    expect(await rewardOf(type)).toBe(reward);
  });

  test("R-003-36 the reason has the normalised type, unknown ones as they are", async () => {
    const chain = await openEndless();
    await rewardOf("  FooBar\t", { chain });
    await activeEscrow(chain, "1000uve", { order: "order-2" });
    await recorded(chain, { order: "order-2", type: "RAM", price: "1000uve" });
    await settled(chain, { order: "order-2" });
    const rows = await see.history(chain, provider.address);
    expect(rows.map(({ reason }) => reason)).toEqual([
      ...["usage_memory_reward", "usage_foobar_reward"],
    ]);
  });

  test.each([
    ["memory", "mem"],
    ["storage", "storage_gb_hours"],
    ["gpu", "gpu-hour"],
    ["network", "bandwidth"],
    ["cpu", "anything"],
  ])("every resource has a multiplier of its own: %s", async (resource, type) => {
    const params = { [`usage_reward_${resource}_multiplier_bps`]: 5000 };
    expect(await rewardOf(type, { chain: await openEndless({ params }) })).toBe("50uve");
  });

  test("R-003-30 the rate is 1000 by default; 0 gives no distribution and the settlement stands", async () => {
    const chain = await openEndless();
    const path = "virtengine.settlement.v1.Query/Params";
    const { params } = await chain.query<QueryParamsResponse>(path);
    expect(params?.usageRewardRateBps).toBe(1000);
    const none = await openEndless({ params: { usage_reward_rate_bps: 0 } });
    expect(await rewardOf("cpu", { chain: none })).toBe("");
    expect(await see.totals(none)).toMatchObject({ settlements: 1n, distributions: 0n });
    expect(await none.balance(provider.address)).toBe(START + 940n);
  });
});

describe("RULES 34 funding", () => {
  test("R-003-41 / D-18 an empty pool skips the reward with an event, and the settlement stands", async () => {
    const chain = await openChain({ extended: { reward_funding: "pool" } });
    await activeEscrow(chain);
    const id = await recorded(chain, { price: "2000uve" });
    const result = await chain.ok(msg.settle(customer));
    expect(eventsOf(result, "RewardSkipped")).toEqual([
      { reference_id: id, amount: "180uve", reason: expect.stringContaining("the reward pool") },
    ]);
    expect(eventsOf(result, "RewardsDistributed")).toEqual([]);
    expect(await chain.balance(provider.address)).toBe(START + 1880n);
    expect(text((await see.usageDetail(chain, id)).reward)).toBe("");
  });

  test("RULES 34 anyone may fill the pool, and rewards come out of it", async () => {
    const chain = await openChain({ extended: { reward_funding: "pool" } });
    await chain.ok(msg.send(customer, moduleAccount("reward_pool"), "100uve"));
    await activeEscrow(chain);
    await acknowledged(chain, await recordedCosts(chain, [1000]));
    await settled(chain);
    expect(await chain.balances(moduleAccount("reward_pool"))).toBe("");
    expect(await chain.balances(moduleAccount("rewards"))).toBe("100uve");
  });

  test("RULES 34 rows in order: the first that does not fit and all later ones are skipped", async () => {
    const chain = await openChain({ extended: { reward_epoch_mint_cap: "250" } });
    await activeEscrow(chain, "10000uve");
    // By type and id: cpu 100, then gpu 240 that does not fit, then memory 10 that would.
    const memory = await recorded(chain, { type: "memory", price: "100uve" });
    const gpu = await recorded(chain, { type: "gpu", price: "2000uve" });
    const cpu = await recorded(chain, { type: "cpu", price: "1000uve" });
    await acknowledged(chain, [memory, gpu, cpu]);
    const result = await chain.ok(msg.settle(customer));
    const skipped = eventsOf(result, "RewardSkipped");
    expect(skipped.map((each) => [each["reference_id"], each["amount"]])).toEqual([
      [gpu, "240uve"],
      [memory, "10uve"],
    ]);
    expect(text((await see.claimable(chain, provider.address)).totalClaimable)).toBe("100uve");
    await chain.checkFullInvariants();
  });

  test("RULES 34 the mint cap is per epoch and nothing is carried over", async () => {
    const chain = await openChain({
      params: { staking_reward_epoch_length: "10" },
      extended: { reward_epoch_mint_cap: "150", staking_reward_per_epoch: "0" },
    });
    await activeEscrow(chain, "100000uve");
    const ids = await recordedCosts(chain, [1000, 1001, 1002, 1003]);
    await acknowledged(chain, ids);
    const rewardOf = async (id = "") => {
      await settled(chain, { ids: [id] });
      return text((await see.usageDetail(chain, id)).reward);
    };
    expect(await rewardOf(ids[0])).toBe("100uve");
    expect(await rewardOf(ids[1])).toBe("");
    await chain.blocksTo(9n);
    // Block 10 is the first of epoch 1: 150 again, not 50 more.
    expect(await rewardOf(ids[2])).toBe("100uve");
    expect(await rewardOf(ids[3])).toBe("");
    await chain.checkFullInvariants();
  });

  test("RULES 34 other denoms are not minted", async () => {
    const chain = await openChain();
    await activeEscrow(chain, "5000uusd");
    const [id = ""] = await recordedCosts(chain, [5000], { denom: "uusd" });
    const result = await chain.ok(msg.settle(customer));
    expect(eventsOf(result, "RewardSkipped")).toEqual([
      { reference_id: id, amount: "450uusd", reason: "uusd is not minted" },
    ]);
  });

  test("D-18 funded when it accrues: the coins are there before the claim", async () => {
    const chain = await openChain();
    await activeEscrow(chain);
    await acknowledged(chain, await recordedCosts(chain, [1000]));
    await settled(chain);
    expect(await chain.balances(moduleAccount("rewards"))).toBe("100uve");
    expect(await chain.balance(provider.address)).toBe(START + 940n);
  });
});

describe("staking", () => {
  test("RULES 35 one uve to the fee collector at the end of every epoch, for the epoch before", async () => {
    const chain = await openChain({ params: { staking_reward_epoch_length: "5" } });
    await chain.blocksTo(11n);
    expect(
      (await see.epoch(chain, 0n)).map(({ source, epochNumber }) => [source, epochNumber]),
    ).toEqual([["staking", 0n]]);
    const [second] = await see.epoch(chain, 1n);
    expect(second).toMatchObject({ metadata: { epoch: "1", source: "staking" }, blockHeight: 10n });
    const { totalClaimable } = await see.claimable(chain, moduleAccount("fee_collector"));
    expect(text(totalClaimable)).toBe("2uve");
    await chain.checkFullInvariants();
  });

  test("the epoch is floor(height / length): heights 99 and 100", async () => {
    const chain = await openChain({ extended: { reward_pool_address: provider.address } });
    await activeEscrow(chain);
    await recordedCosts(chain, [1000, 1000]);
    await chain.blocksTo(98n);
    const [first = "", second = ""] = (await see.usageOf(chain, ORDER)).map(
      ({ usageId }) => usageId,
    );
    await settled(chain, { ids: [first] });
    await settled(chain, { ids: [second] });
    const rows = await see.history(chain, provider.address);
    expect(rows.map(({ source, epochNumber }) => `${source} ${epochNumber}`).sort()).toEqual([
      ...["staking 0", "usage 0", "usage 1"],
    ]);
  });

  test("no staking reward where the param is 0, and none at height 0", async () => {
    const chain = await openChain({
      params: { staking_reward_epoch_length: "2" },
      extended: { staking_reward_per_epoch: "0" },
    });
    await chain.blocksTo(8n);
    expect((await see.totals(chain)).distributions).toBe(0n);
  });

  test("a staking reward beyond the mint cap is skipped with an event", async () => {
    const chain = await openChain({
      params: { staking_reward_epoch_length: "2" },
      extended: { staking_reward_per_epoch: "7", reward_epoch_mint_cap: "6" },
    });
    await chain.block();
    const block = await chain.block();
    expect(eventsOf(block, "RewardSkipped")).toMatchObject([{ reference_id: "epoch-0" }]);
  });
});

test("R-003-42 history = claimed + claimable + expired", async () => {
  const chain = await openChain({ params: { reward_claim_expiry: "1000" } });
  await activeEscrow(chain, "100000uve");
  await recordedCosts(chain, [1000, 2000, 3000]);
  const ids = (await see.usageOf(chain, ORDER)).map(({ usageId }) => usageId);
  await settled(chain, { ids: ids.slice(0, 1) });
  await chain.ok(msg.claim(provider));
  await settled(chain, { ids: ids.slice(1, 2) });
  chain.skip(1000n);
  await chain.block();
  await settled(chain, { ids: ids.slice(2) });
  const rows = await see.history(chain, provider.address);
  expect(rows.map(({ amount }) => text(amount))).toEqual(["270uve", "180uve", "90uve"]);
  const { totalClaimable, totalClaimed } = await see.claimable(chain, provider.address);
  expect([text(totalClaimable), text(totalClaimed)]).toEqual(["270uve", "90uve"]);
  await chain.checkFullInvariants();
  // The index of recipients is no part of an export: it is made again from the distributions.
  const again = await chain.imported();
  expect(await see.history(again, provider.address)).toEqual(rows);
});
