import { describe, expect, test } from "vitest";
import { customer, provider, stranger } from "../../testkit/accounts.ts";
import { moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { msg } from "../../testkit/messages.ts";
import { acknowledged, activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { eventsOf, responseOf } from "../../testkit/outcome.ts";
import { rewardMsg } from "../../testkit/reward_messages.ts";
import { chainOfPool, fillPool, settledRecords } from "../../testkit/rewards.ts";
import { see } from "../../testkit/views.ts";

const validator = stranger.address;
const START = 1_000_000_000_000n;

const claimableOf = async (chain: TestChain, address: string): Promise<string> =>
  text((await see.claimable(chain, address)).totalClaimable);

/** What a verification of this score is rewarded with. */
async function rewardOf(base: string | undefined, score: number): Promise<string> {
  const params = base === undefined ? {} : { verification_reward_amount: base };
  const chain = await openChain({ params });
  const result = await chain.ok(rewardMsg.verification(validator, score));
  await chain.checkFullInvariants();
  return responseOf<{ totalRewards: string }>(result).totalRewards;
}

describe("R-003-55 verification reward = base × (1 + score/100), cut off", () => {
  test.each([
    [undefined, 0, "100uve"],
    [undefined, 1, "101uve"],
    [undefined, 50, "150uve"],
    [undefined, 100, "200uve"],
    ["1", 99, "1uve"],
    ["1", 100, "2uve"],
    ["33", 50, "49uve"],
    ["7", 43, "10uve"],
    ["999999999", 1, "1009999998uve"],
    // No integer: as deployed.
    ["", 50, "150uve"],
  ])("R-003-55 base %s and score %s: %s", async (base, score, expected) => {
    const extended = { reward_epoch_mint_cap: "2000000000" };
    if (base !== "999999999") return expect(await rewardOf(base, score)).toBe(expected);
    const chain = await openChain({ params: { verification_reward_amount: base }, extended });
    const result = await chain.ok(rewardMsg.verification(validator, score));
    expect(responseOf(result)).toMatchObject({ totalRewards: expected });
  });

  test("R-003-55 its row says who, for what, and the score", async () => {
    const chain = await openChain();
    const message = rewardMsg.verification(validator, 50, { reference: "account-7" });
    const result = await chain.ok(message);
    const { distributionId } = responseOf<{ distributionId: string }>(result);
    expect(distributionId).toMatch(/^verify-[0-9]+-1$/);
    expect(await see.distribution(chain, distributionId)).toMatchObject({
      source: "verification",
      totalRewards: [{ denom: "uve", amount: "150" }],
      metadata: { epoch: "0", source: "verification", reference: "account-7" },
      recipients: [
        {
          address: validator,
          amount: [{ denom: "uve", amount: "150" }],
          reason: "verification reward",
          verificationScore: 50,
          referenceId: "account-7",
        },
      ],
    });
    expect(eventsOf(result, "RewardsDistributed")).toMatchObject([
      { distribution_id: distributionId, source: "verification", total_rewards: "150uve" },
    ]);
    const [row] = await see.history(chain, validator, { source: "verification" });
    expect(row).toMatchObject({ distributionId, referenceId: "account-7" });
    expect(await chain.balances(moduleAccount("rewards"))).toBe("150uve");
  });
});

describe("verification rewards that are refused", () => {
  test("1505, 1521, 1527 and 1509", async () => {
    const chain = await openChain();
    const by = { signer: provider };
    await chain.refused(rewardMsg.verification(validator, 1, by), 1505, provider.address);
    for (const name of ["settlement_escrow", "reward_pool", "fee_collector"]) {
      const address = moduleAccount(name);
      await chain.refused(rewardMsg.verification(address, 1), 1521, address);
    }
    const first = responseOf<{ distributionId: string }>(
      await chain.ok(rewardMsg.verification(validator, 1)),
    );
    // Of anybody, and with any score.
    await chain.refused(rewardMsg.verification(customer.address, 2), 1527, first.distributionId);
    await chain.refused(rewardMsg.verification(validator, 101), 1509, "0 to 100, found 101");
    const unnamed = rewardMsg.verification(validator, 1, { reference: "" });
    await chain.refused(unnamed, 1509, "reference is empty");
    await chain.refused(rewardMsg.verification("ve1nobody", 1), 1, "validator");
    const nothing = await openChain({ params: { verification_reward_amount: "0" } });
    await nothing.refused(
      rewardMsg.verification(validator, 100),
      1509,
      "verification_reward_amount",
    );
  });

  test("RULES 34 1528: what the pool does not have; later it is given", async () => {
    const chain = await chainOfPool();
    await fillPool(chain, "149uve,500uusd");
    await chain.refused(rewardMsg.verification(validator, 50), 1528, "150uve", "149uve");
    await fillPool(chain, "1uve");
    await chain.ok(rewardMsg.verification(validator, 50));
    expect(await chain.balances(moduleAccount("reward_pool"))).toBe("500uusd");
    await chain.checkFullInvariants();
  });

  test("RULES 34 minted ones count under the epoch's cap", async () => {
    const chain = await openChain({ extended: { reward_epoch_mint_cap: "250" } });
    await chain.ok(rewardMsg.verification(validator, 0));
    const second = rewardMsg.verification(validator, 51, { reference: "account-2" });
    await chain.refused(second, 1528, "151uve", "the epoch's mint cap, 150uve");
    await chain.ok(rewardMsg.verification(validator, 50, { reference: "account-2" }));
  });
});

/** A chain where `provider` has 100uve each of usage, provider and verification rewards. */
async function chainOfThree(o: { params?: Record<string, unknown> } = {}): Promise<TestChain> {
  const chain = await chainOfPool(o);
  const ids = await settledRecords(chain, ["1000uve"]);
  await fillPool(chain, "300uve");
  await chain.ok(rewardMsg.providers(ids));
  await chain.ok(rewardMsg.verification(provider.address, 0));
  await activeEscrow(chain, "1000uve", { order: "order-2", lease: "lease-2" });
  const usage = await recordedCosts(chain, [1000], { order: "order-2", lease: "lease-2" });
  await acknowledged(chain, usage);
  await settled(chain, { order: "order-2" });
  return chain;
}

describe("claims and expiry", () => {
  test("R-003-53 one source after the other; each claim pays that one alone", async () => {
    const chain = await chainOfThree();
    const before = await chain.balance(provider.address);
    let left = 300n;
    for (const source of ["provider", "verification", "usage"]) {
      const claimed = await chain.ok(msg.claim(provider, source));
      expect(responseOf(claimed)).toMatchObject({ claimedAmount: "100uve" });
      left -= 100n;
      expect(await claimableOf(chain, provider.address)).toBe(left === 0n ? "" : `${left}uve`);
      expect(await chain.balance(provider.address)).toBe(before + 300n - left);
      await chain.refused(msg.claim(provider, source), 1511, source);
    }
    await chain.checkFullInvariants();
  });

  test("R-003-53 a claim of all sources pays them together", async () => {
    const chain = await chainOfThree();
    const claimed = await chain.ok(msg.claim(provider));
    expect(responseOf(claimed)).toMatchObject({ claimedAmount: "300uve" });
  });

  test("RULES 34 they expire like others: back to the pool, or burned when minted", async () => {
    const params = { reward_claim_expiry: "1000" };
    const chain = await chainOfThree({ params });
    chain.skip(1000n);
    await chain.block();
    expect(await claimableOf(chain, provider.address)).toBe("");
    expect(await chain.balances(moduleAccount("reward_pool"))).toBe("300uve");
    await chain.checkFullInvariants();
    const minting = await openChain({ params });
    await minting.ok(rewardMsg.verification(validator, 0));
    minting.skip(1000n);
    const { events } = await minting.block();
    expect(eventsOf({ events }, "RewardsExpired")).toMatchObject([
      { address: validator, amount: "100uve" },
    ]);
    expect(await minting.balance(validator)).toBe(START);
    await minting.checkFullInvariants();
  });
});

describe("export and import", () => {
  test("an import is what was exported, and goes on in step", async () => {
    const chain = await chainOfThree();
    await chain.ok(msg.claim(provider, "verification"));
    const again = await chain.imported();
    expect(await again.exported()).toBe(await chain.exported());
    expect(await see.history(again, provider.address)).toEqual(
      await see.history(chain, provider.address),
    );
    await again.checkFullInvariants();
    const repeated = rewardMsg.verification(provider.address, 0);
    await again.refused(repeated, 1527, "verify-");
    await again.refused(rewardMsg.providers(["usage-1-1"]), 1527, "provider-");
    await fillPool(again, "150uve");
    await again.ok(rewardMsg.verification(provider.address, 50, { reference: "account-2" }));
    await again.checkFullInvariants();
  });

  test("a reference that stands twice is refused by its path", async () => {
    const chain = await openChain();
    await chain.ok(rewardMsg.verification(validator, 0));
    await chain.ok(rewardMsg.verification(validator, 0, { reference: "account-2" }));
    const genesis = await chain.app.exportGenesis();
    const settlement = genesis.appState["settlement"] as {
      distributions: { reference: string; rows: { reference_id: string }[] }[];
    };
    for (const each of settlement.distributions) {
      each.reference = "account-1";
      for (const row of each.rows) row.reference_id = "account-1";
    }
    await expect(openChain({ genesis })).rejects.toThrow(
      /settlement\.distributions\[1\]\.reference.*"account-1" is that of distribution 1/,
    );
  });
});
