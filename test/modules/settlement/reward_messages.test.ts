import { beforeEach, describe, expect, test } from "vitest";
import { authority, customer, provider, provider2, stranger } from "../../testkit/accounts.ts";
import { moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { msg } from "../../testkit/messages.ts";
import { activeEscrow, recorded, recordedCosts, settled } from "../../testkit/orders.ts";
import { eventsOf, responseOf } from "../../testkit/outcome.ts";
import { updateParams } from "../../testkit/params.ts";
import { rewardMsg } from "../../testkit/reward_messages.ts";
import { chainOfPool, fillPool, settledRecords } from "../../testkit/rewards.ts";
import { see } from "../../testkit/views.ts";

interface Answer {
  readonly distributionId: string;
  readonly totalRewards: string;
}

/** Recipient rows of a distribution as "address amount reason units reference". */
async function rowsOf(chain: TestChain, id: string): Promise<unknown[][]> {
  const { recipients } = await see.distribution(chain, id);
  return recipients.map((each) => {
    return [each.address, text(each.amount), each.reason, each.usageUnits, each.referenceId];
  });
}

const claimableOf = async (chain: TestChain, address: string): Promise<string> =>
  text((await see.claimable(chain, address)).totalClaimable);

describe("RULES 35 provider rewards by the authority", () => {
  let chain: TestChain;
  beforeEach(async () => {
    chain = await chainOfPool();
  });

  test("RULES 33 settled records without a reward get that of the formula, by provider", async () => {
    const ids = await settledRecords(chain, ["1000uve", "2005uve"]);
    await fillPool(chain, "1000uve");
    const result = await chain.ok(rewardMsg.providers(ids));
    const { distributionId, totalRewards } = responseOf<Answer>(result);
    expect(distributionId).toMatch(/^provider-[0-9]+-1$/);
    expect(totalRewards).toBe("300uve");
    expect(await rowsOf(chain, distributionId)).toEqual([
      [provider.address, "300uve", "provider usage reward", 2n, "order-1"],
    ]);
    expect(await see.distribution(chain, distributionId)).toMatchObject({
      source: "provider",
      totalRewards: [{ denom: "uve", amount: "300" }],
      metadata: { epoch: "0", source: "provider", reference: "q1" },
    });
    expect(eventsOf(result, "RewardsDistributed")).toMatchObject([
      { distribution_id: distributionId, source: "provider", recipient_count: "1" },
    ]);
    const rewards = await Promise.all(ids.map((id) => see.usageDetail(chain, id)));
    expect(rewards.map(({ reward }) => text(reward))).toEqual(["100uve", "200uve"]);
    await chain.checkFullInvariants();
  });

  test("RULES 33 the factors are those of the record, the rates those of today", async () => {
    await activeEscrow(chain);
    const id = await recorded(chain, { type: "gpu", price: "1000uve" });
    await settled(chain);
    await fillPool(chain, "1000uve");
    await chain.ok(await updateParams(chain, { params: { usage_reward_rate_bps: 2000 } }));
    const result = await chain.ok(rewardMsg.providers([id]));
    // 1000 × 0.2 × 1.2 (gpu) × 1 × 0.9 (not acknowledged)
    expect(responseOf<Answer>(result).totalRewards).toBe("216uve");
    await chain.checkFullInvariants();
    // Later params change no reward that was given.
    await chain.ok(await updateParams(chain, { params: { usage_reward_rate_bps: 1 } }));
    await chain.block();
    await chain.checkFullInvariants();
  });

  test("RULES 33 of a record that was paid in part, the base is what was paid", async () => {
    await activeEscrow(chain, "1500uve");
    const ids = await recordedCosts(chain, [1000, 2000]);
    await settled(chain, { final: true });
    await fillPool(chain, "1000uve");
    const result = await chain.ok(rewardMsg.providers(ids));
    expect(responseOf<Answer>(result).totalRewards).toBe("135uve");
    expect(text((await see.usageDetail(chain, ids[1] ?? "")).reward)).toBe("45uve");
  });

  test("D-4 providers in byte order, each once, whatever the order of the ids", async () => {
    const second = await settledRecords(chain, ["1000uve"], {
      ...{ order: "order-b", recipient: provider2 },
    });
    const first = await settledRecords(chain, ["2000uve"], { order: "order-z" });
    const third = await settledRecords(chain, ["3000uve"], { order: "order-c" });
    // The first row is by type, not by time.
    const mine = await settledRecords(chain, ["100uve", "900uve"], { order: "order-d", type: "a" });
    await fillPool(chain, "5000uve");
    const ids = [...third, ...second, ...mine, ...first];
    const rowsBy = async (order: readonly string[]): Promise<unknown[][]> => {
      const copy = await chain.imported();
      const { distributionId } = responseOf<Answer>(await copy.ok(rewardMsg.providers(order)));
      await copy.checkFullInvariants();
      return rowsOf(copy, distributionId);
    };
    const rows = [
      [provider.address, "600uve", "provider usage reward", 4n, "order-d"],
      [provider2.address, "100uve", "provider usage reward", 1n, "order-b"],
    ].sort((a, b) => ((a[0] as string) < (b[0] as string) ? -1 : 1));
    expect(await rowsBy(ids)).toEqual(rows);
    expect(await rowsBy([...ids].reverse())).toEqual(rows);
    expect(await rowsBy([...ids].sort())).toEqual(rows);
  });

  test("denoms of a provider are one row, which every history shows", async () => {
    const ids = await settledRecords(chain, ["1000uve", "2000uusd"]);
    await fillPool(chain, "1000uusd,1000uve");
    const { distributionId } = responseOf<Answer>(await chain.ok(rewardMsg.providers(ids)));
    const [row] = await see.history(chain, provider.address, { source: "provider" });
    expect(row).toMatchObject({ distributionId, source: "provider", referenceId: "order-1" });
    expect(text(row?.amount)).toBe("200uusd,100uve");
    expect(row?.usageUnits).toBe(2n);
    expect(await see.history(chain, provider.address, { source: "usage" })).toEqual([]);
    const inEpoch = await see.epoch(chain, 0n);
    expect(inEpoch.map((each) => each.distributionId)).toEqual([distributionId]);
    await chain.checkFullInvariants();
  });

  test("RULES 33 a usage distribution does not show what the authority rewarded", async () => {
    await fillPool(chain, "100uve");
    // The pool has enough for the first of the two alone.
    const ids = await settledRecords(chain, ["1000uve", "1001uve"]);
    const [usage] = await see.history(chain, provider.address);
    await fillPool(chain, "100uve");
    await chain.ok(rewardMsg.providers(ids.slice(1)));
    const shown = await see.distribution(chain, usage?.distributionId ?? "");
    expect(shown.recipients.map(({ referenceId }) => referenceId)).toEqual(ids.slice(0, 1));
    expect(text(shown.totalRewards)).toBe("100uve");
    const rows = await see.history(chain, provider.address);
    expect(rows.map(({ source, amount }) => [source, text(amount)])).toEqual([
      ["provider", "100uve"],
      ["usage", "100uve"],
    ]);
    await chain.checkFullInvariants();
  });

  test("rewards of 0 are left as they are, and the record can be rewarded later", async () => {
    const ids = await settledRecords(chain, ["1000uve", "9uve"]);
    await fillPool(chain, "1000uve");
    await chain.ok(rewardMsg.providers(ids));
    const small = ids.slice(1);
    expect(text((await see.usageDetail(chain, small[0] ?? "")).reward)).toBe("");
    await chain.refused(rewardMsg.providers(small, "q2"), 1509, "a reward above 0", "found 1");
    await chain.ok(await updateParams(chain, { params: { usage_reward_rate_bps: 10_000 } }));
    await chain.ok(rewardMsg.providers(small, "q2"));
    expect(await claimableOf(chain, provider.address)).toBe("109uve");
    await chain.checkFullInvariants();
  });
});

describe("RULES 34 funding of provider rewards", () => {
  test("the first row that does not fit and all later ones of its denom are skipped", async () => {
    const chain = await chainOfPool();
    const sorted = [provider, provider2].sort((a, b) => (a.address < b.address ? -1 : 1));
    const [first = provider, last = provider2] = sorted;
    const prices = ["1000uve", "3000uve", "1000uve", "1000uusd"];
    const [a = "", b = "", c = "", d = ""] = await settledRecords(chain, prices, {
      recipient: first,
    });
    const [e = ""] = await settledRecords(chain, ["1000uve"], {
      order: "order-2",
      recipient: last,
    });
    await fillPool(chain, "500uusd,250uve");
    const result = await chain.ok(rewardMsg.providers([e, d, c, b, a]));
    // Of 250uve the first row takes 100, the second does not fit, and the others would.
    const skipped = eventsOf(result, "RewardSkipped");
    expect(skipped.map((each) => [each["reference_id"], each["amount"]])).toEqual([
      [b, "300uve"],
      [c, "100uve"],
      [e, "100uve"],
    ]);
    expect(responseOf<Answer>(result).totalRewards).toBe("100uusd,100uve");
    // What was skipped is as it was, and can be named again.
    expect(text((await see.usageDetail(chain, b)).reward)).toBe("");
    await chain.refused(rewardMsg.providers([a, b], "q2"), 1509, a, "of source provider");
    await fillPool(chain, "1000uve");
    await chain.ok(rewardMsg.providers([b, c, e], "q2"));
    expect(await claimableOf(chain, first.address)).toBe("100uusd,500uve");
    expect(await claimableOf(chain, last.address)).toBe("100uve");
    await chain.checkFullInvariants();
  });

  test("D-18 the coins leave the pool when the reward accrues", async () => {
    const chain = await chainOfPool();
    const ids = await settledRecords(chain, ["1000uve"]);
    await fillPool(chain, "130uve");
    await chain.ok(rewardMsg.providers(ids));
    expect(await chain.balances(moduleAccount("reward_pool"))).toBe("30uve");
    expect(await chain.balances(moduleAccount("rewards"))).toBe("100uve");
  });

  test("RULES 34 minted ones count under the epoch's cap; a new epoch has it whole", async () => {
    const chain = await openChain({
      params: { staking_reward_epoch_length: "40", usage_reward_rate_bps: 0 },
      extended: { reward_epoch_mint_cap: "150", staking_reward_per_epoch: "0" },
    });
    const ids = await settledRecords(chain, ["1000uve", "1000uve", "1000uusd"]);
    await chain.ok(await updateParams(chain, { params: { usage_reward_rate_bps: 1000 } }));
    const [first = "", second = "", foreign = ""] = ids;
    const result = await chain.ok(rewardMsg.providers(ids));
    expect(responseOf<Answer>(result).totalRewards).toBe("100uve");
    expect(eventsOf(result, "RewardSkipped")).toMatchObject([
      { reference_id: second, reason: expect.stringContaining("mint cap") },
      { reference_id: foreign, reason: "uusd is not minted" },
    ]);
    await chain.refused(rewardMsg.providers([second], "q2"), 1528, second, "mint cap, 50uve");
    await chain.refused(rewardMsg.providers([foreign], "q2"), 1528, "uusd is not minted");
    await chain.refused(rewardMsg.verification(stranger.address, 0), 1528, "100uve", "50uve");
    await chain.blocksTo(39n);
    await chain.ok(rewardMsg.providers([second], "q2"));
    await chain.refused(rewardMsg.providers([first], "q3"), 1509, first, "100uve");
    await chain.checkFullInvariants();
  });

  test("nothing funded is refused with 1528 and can be tried again", async () => {
    const chain = await chainOfPool();
    const ids = await settledRecords(chain, ["1000uve", "1000uve"]);
    await fillPool(chain, "99uve");
    const refused = await chain.refused(rewardMsg.providers(ids), 1528, "the reward pool, 99uve");
    expect(eventsOf(refused, "RewardSkipped")).toEqual([]);
    await fillPool(chain, "1uve");
    await chain.ok(rewardMsg.providers(ids));
    expect(await claimableOf(chain, provider.address)).toBe("100uve");
  });
});

describe("provider rewards that are refused", () => {
  let chain: TestChain;
  let ids: string[];
  beforeEach(async () => {
    chain = await chainOfPool();
    ids = await settledRecords(chain, ["1000uve"]);
    await fillPool(chain, "1000uve");
  });

  test("1505: only the authority gives them", async () => {
    for (const signer of [provider, customer, stranger]) {
      await chain.refused(rewardMsg.providers(ids, "q1", signer), 1505, authority.address);
    }
    const without = await openChain({ extended: { authority: "" } });
    await without.refused(rewardMsg.providers(["usage-1-1"]), 1505, "this chain has none");
  });

  test("1527: a reference is used once, and the text names the first distribution", async () => {
    const { distributionId } = responseOf<Answer>(await chain.ok(rewardMsg.providers(ids)));
    await chain.refused(rewardMsg.providers(ids), 1527, distributionId, '"q1"');
    await chain.refused(rewardMsg.providers(["usage-1-99"]), 1527, distributionId);
    // References of another source are others.
    await chain.ok(rewardMsg.verification(stranger.address, 0, { reference: "q1" }));
  });

  test("1513: every record exists, by its whole id", async () => {
    await chain.refused(rewardMsg.providers([...ids, "usage-1767225600-77"]), 1513, "-77");
    await chain.refused(rewardMsg.providers(["usage-1-1"]), 1513, "usage-1-1");
    await chain.refused(rewardMsg.providers(["order-1"]), 1513, "order-1");
  });

  test("1509: records that are not settled, by their state", async () => {
    const escrowId = await activeEscrow(chain, "5000uve", { order: "order-2", lease: "lease-2" });
    const [open = ""] = await recordedCosts(chain, [1000], { order: "order-2", lease: "lease-2" });
    await chain.refused(rewardMsg.providers([...ids, open]), 1509, open, "is open");
    await chain.ok(msg.refund(provider, escrowId));
    await chain.refused(rewardMsg.providers([open]), 1509, open, "is written_off");
  });

  test("RULES 33 1509: a record that usage or the authority rewarded", async () => {
    const [usage = ""] = await settledRecords(chain, ["1000uve"], { order: "order-2" });
    await chain.refused(
      rewardMsg.providers([...ids, usage]),
      1509,
      usage,
      "100uve of source usage",
    );
    await chain.ok(rewardMsg.providers(ids));
    const again = rewardMsg.providers(ids, "q2");
    await chain.refused(again, 1509, ids[0] ?? "", "100uve of source provider");
  });

  test("1509 and 1: what the message alone has wrong", async () => {
    await chain.refused(rewardMsg.providers([]), 1509, "1 to 1000, found 0");
    const many = Array.from({ length: 1001 }, (_, index) => `usage-1-${index + 1}`);
    await chain.refused(rewardMsg.providers(many), 1509, "1 to 1000, found 1001");
    await chain.refused(rewardMsg.providers(many.slice(1)), 1513);
    await chain.refused(rewardMsg.providers([...ids, ...ids]), 1509, ids[0] ?? "", "twice");
    await chain.refused(rewardMsg.providers([""]), 1509, "usage_ids is empty");
    await chain.refused(rewardMsg.providers(ids, ""), 1509, "reference is empty");
    await chain.refused(rewardMsg.providers(ids, "x".repeat(129)), 1509, "129 bytes");
    await chain.ok(rewardMsg.providers(ids, "é".repeat(64)));
  });

  test("each record that is named costs 1,000 gas", async () => {
    const more = await settledRecords(chain, ["90000uve"], { order: "order-2" });
    // Refused after all of them were looked at: the last one has its reward.
    const gasOf = async (named: readonly string[]): Promise<bigint> =>
      (await chain.refused(rewardMsg.providers(named, "q2"), 1509)).gasUsed;
    await fillPool(chain, "100uve");
    await chain.ok(rewardMsg.providers(ids));
    const [one, two] = [await gasOf(ids), await gasOf([more[0] ?? "", ...ids])];
    expect(two - one).toBeGreaterThanOrEqual(1000n);
    expect(one).toBeGreaterThanOrEqual(21_000n);
  });
});
