import { describe, expect, test } from "vitest";
import { authority, customer, provider, stranger } from "../../testkit/accounts.ts";
import { moduleAccount, type TestChain } from "../../testkit/chain.ts";
import { msg } from "../../testkit/messages.ts";
import { payoutMsg } from "../../testkit/payout_messages.ts";
import { chainPaying, lastPayout, ledgerOf, settledChain } from "../../testkit/payouts.ts";
import { legsText, refunded, refundMsg, seeRefund } from "../../testkit/refunds.ts";
import { DAY, HOUR } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const START = 1_000_000_000_000n;
const params = { payout_holdback_rate: "0.1", usage_reward_rate_bps: 0 };
const HOLDBACK = { params };
const LATER = { params, extended: { payout_delay: "3600" } };

const held = (chain: TestChain): Promise<string> => chain.balances(moduleAccount("settlement"));
const earned = async (chain: TestChain): Promise<bigint> =>
  (await chain.balance(provider.address)) - START;
const given = async (chain: TestChain): Promise<bigint> =>
  (await chain.balance(customer.address)) - START + 100_000n;

/** One settlement of 1000: platform fee 50, validator fee 10, holdback 100, net 840. */
async function settledOnce(options: Parameters<typeof settledChain>[1]): Promise<{
  chain: TestChain;
  id: string;
  payoutId: string;
}> {
  const { chain, payout } = await settledChain([1000], options);
  return { chain, id: payout.settlementId, payoutId: payout.payoutId };
}

async function legsOf(chain: TestChain, refundId: string): Promise<string[]> {
  return legsText(await seeRefund.one(chain, refundId));
}

describe("RULES 31 parts that are not paid come from the account settlement", () => {
  test("a pending payout: a half, then the rest, which ends it", async () => {
    const { chain, id, payoutId } = await settledOnce(LATER);
    const half = await refunded(chain, id, "500uve");
    expect(await legsOf(chain, half.refundId)).toEqual(["25uve", "5uve", "50uve", "420uve", ""]);
    expect([await held(chain), await earned(chain)]).toEqual(["470uve", 0n]);
    expect((await see.payout(chain, payoutId)).state).toBe("pending");
    await chain.checkFullInvariants();
    await refunded(chain, id);
    expect((await see.payout(chain, payoutId)).state).toBe("refunded");
    expect(await ledgerOf(chain, payoutId)).toEqual([
      "1 created >pending 840uve",
      "2 refunded pending>pending 50uve",
      "3 refunded pending>pending 420uve",
      "4 held pending>held",
      "5 refunded held>held 50uve",
      "6 refunded held>refunded 420uve",
    ]);
    chain.skip(10n * DAY);
    await chain.block();
    expect([await held(chain), await earned(chain), await given(chain)]).toEqual(["", 0n, 1000n]);
    await chain.checkFullInvariants();
  });

  test("what a refund left of a pending payout is paid when its time comes", async () => {
    const { chain, id, payoutId } = await settledOnce(LATER);
    await refunded(chain, id, "250uve");
    chain.skip(HOUR);
    await chain.block();
    expect((await see.payout(chain, payoutId)).state).toBe("completed");
    expect([await held(chain), await earned(chain)]).toEqual(["75uve", 629n]);
    chain.skip(8n * DAY);
    await chain.block();
    expect([await held(chain), await earned(chain)]).toEqual(["", 704n]);
    await refunded(chain, id);
    expect([await earned(chain), await given(chain)]).toEqual([0n, 1000n]);
    await chain.checkFullInvariants();
  });

  test("a held payout stays held by the part; what is left can be released", async () => {
    const { chain, id, payoutId } = await settledOnce(LATER);
    await chain.ok(payoutMsg.hold(authority, payoutId));
    await refunded(chain, id, "500uve");
    expect((await see.payout(chain, payoutId)).state).toBe("held");
    await chain.ok(payoutMsg.release(authority, payoutId));
    expect([await held(chain), await earned(chain)]).toEqual(["50uve", 420n]);
    await chain.checkFullInvariants();
  });

  test("a held payout that goes back whole is refunded at once", async () => {
    const { chain, id, payoutId } = await settledOnce(LATER);
    await chain.ok(payoutMsg.hold(authority, payoutId));
    await refunded(chain, id);
    expect((await ledgerOf(chain, payoutId)).slice(-2)).toEqual([
      "3 refunded held>held 100uve",
      "4 refunded held>refunded 840uve",
    ]);
    await chain.refused(payoutMsg.release(authority, payoutId), 1503, "refunded to released");
  });

  test("a failed payout: its coins are still there; it is not tried again", async () => {
    const recipient = moduleAccount("fee_collector");
    const chain = await chainPaying(recipient, { params: { usage_reward_rate_bps: 0 } });
    await chain.ok(msg.settle(customer));
    const payout = await lastPayout(chain, recipient);
    expect(payout.state).toBe("failed");
    await refunded(chain, payout.settlementId, "400uve");
    expect((await see.payout(chain, payout.payoutId)).state).toBe("failed");
    await chain.checkFullInvariants();
    await refunded(chain, payout.settlementId);
    expect((await see.payout(chain, payout.payoutId)).state).toBe("refunded");
    await chain.checkFullInvariants();
    const ledger = await ledgerOf(chain, payout.payoutId);
    await chain.blocksTo(chain.height + 20n);
    expect(await ledgerOf(chain, payout.payoutId)).toEqual(ledger);
    expect([await held(chain), await given(chain)]).toEqual(["", 1000n]);
  });
});

describe("RULES 31 the holdback of a payout that is paid", () => {
  test("unreleased, it comes from the account settlement; it is not released any more", async () => {
    const { chain, id, payoutId } = await settledOnce(HOLDBACK);
    const part = await refunded(chain, id, "100uve");
    expect(await legsOf(chain, part.refundId)).toEqual(["5uve", "1uve", "10uve", "84uve", ""]);
    expect([await held(chain), await earned(chain)]).toEqual(["90uve", 756n]);
    await chain.checkFullInvariants();
    await refunded(chain, id);
    expect([await held(chain), await earned(chain)]).toEqual(["", 0n]);
    const payout = await see.payout(chain, payoutId);
    expect(payout.state).toBe("completed");
    expect((await ledgerOf(chain, payoutId)).slice(3)).toEqual([
      "4 refunded completed>completed 10uve",
      "5 refunded completed>completed 84uve",
      "6 refunded completed>completed 90uve",
      "7 refunded completed>completed 756uve",
    ]);
    // The queue of holdbacks has no entry of it any more.
    await chain.checkFullInvariants();
    chain.skip(8n * DAY);
    await chain.block();
    expect(await earned(chain)).toBe(0n);
  });

  test("held, it goes back as well, and nothing of it is held then", async () => {
    const { chain, id, payoutId } = await settledOnce(HOLDBACK);
    await chain.ok(payoutMsg.hold(authority, payoutId));
    await refunded(chain, id);
    await chain.refused(payoutMsg.release(authority, payoutId), 1503, "completed to released");
    await chain.checkFullInvariants();
  });

  test("released, it comes from the provider, by a reversal of the release", async () => {
    const { chain, id } = await settledOnce(HOLDBACK);
    chain.skip(8n * DAY);
    await chain.block();
    expect([await held(chain), await earned(chain)]).toEqual(["", 940n]);
    await refunded(chain, id, "500uve");
    expect(await earned(chain)).toBe(470n);
    await refunded(chain, id);
    expect([await earned(chain), await given(chain)]).toEqual([0n, 1000n]);
    await chain.checkFullInvariants();
  });

  test("released and spent, holdback and net are owed, each by a receivable", async () => {
    const { chain, id } = await settledOnce(HOLDBACK);
    chain.skip(8n * DAY);
    await chain.block();
    await chain.ok(msg.send(provider, stranger.address, `${START + 940n}uve`));
    expect(await refunded(chain, id)).toMatchObject({
      ...{ refundedAmount: "60uve", owedAmount: "940uve" },
    });
    const receivables = await seeRefund.receivables(chain, { debtor: provider.address });
    expect(receivables.map(({ leg }) => leg)).toEqual(["holdback", "net"]);
    await chain.checkFullInvariants();
    for (const { receivableId } of receivables) {
      await chain.ok(refundMsg.pay(stranger, receivableId));
    }
    expect(await given(chain)).toBe(1000n);
    await chain.checkFullInvariants();
  });
});

describe("RULES 31 what a refund of the payout gave back counts as done", () => {
  test.each<[first: string, left: string, legs: string[]]>([
    ["940uve", "60uve", ["50uve", "10uve", "", "", ""]],
    ["100uve", "900uve", ["50uve", "10uve", "", "840uve", ""]],
    ["300uve", "700uve", ["50uve", "10uve", "", "640uve", ""]],
  ])("after %s, %s is left: %s", async (first, left, legs) => {
    const { chain, id, payoutId } = await settledOnce(LATER);
    await chain.ok(payoutMsg.hold(authority, payoutId));
    await chain.ok(payoutMsg.refund(authority, payoutId, first));
    await chain.refused(refundMsg.refund(id, "901uve"), 1522, left, "901uve");
    const { refundId, refundedAmount } = await refunded(chain, id);
    expect([refundedAmount, await legsOf(chain, refundId)]).toEqual([left, legs]);
    expect((await see.payout(chain, payoutId)).state).toBe("refunded");
    expect([await held(chain), await given(chain)]).toEqual(["", 1000n]);
    await chain.checkFullInvariants();
  });

  test("and the other way round: a refund of the payout gives what the settlement's left", async () => {
    const { chain, id, payoutId } = await settledOnce(LATER);
    await refunded(chain, id, "500uve");
    await chain.ok(payoutMsg.hold(authority, payoutId));
    await chain.refused(payoutMsg.refund(authority, payoutId, "471uve"), 1504, "470uve");
    await chain.ok(payoutMsg.refund(authority, payoutId, "60uve"));
    await chain.checkFullInvariants();
    const { refundId } = await refunded(chain, id);
    expect(await legsOf(chain, refundId)).toEqual(["25uve", "5uve", "", "410uve", ""]);
    expect([await held(chain), await given(chain)]).toEqual(["", 1000n]);
    await chain.checkFullInvariants();
  });
});
