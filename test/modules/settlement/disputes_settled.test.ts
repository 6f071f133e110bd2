import { describe, expect, test } from "vitest";
import type { PayoutRecord } from "../../../src/gen/virtengine/settlement/v1/query.ts";
import { authority, customer, provider } from "../../testkit/accounts.ts";
import {
  type ChainOptions,
  moduleAccount,
  openChain,
  type TestChain,
} from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { disputed, disputeUsage, resolve, resolved } from "../../testkit/disputes.ts";
import { msg } from "../../testkit/messages.ts";
import { eventsOf } from "../../testkit/outcome.ts";
import { activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { payoutMsg } from "../../testkit/payout_messages.ts";
import { chainPaying, lastPayout, ledgerOf } from "../../testkit/payouts.ts";
import { refunded } from "../../testkit/refunds.ts";
import { rewardMsg } from "../../testkit/reward_messages.ts";
import { DAY } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const WINDOW = 7n * DAY;
const START = 1_000_000_000_000n;

/** A chain with one settlement of 1000 and 3000: 4000, fees 200 and 40. */
async function settledPair(options: ChainOptions = {}): Promise<{
  chain: TestChain;
  ids: string[];
  settledAt: bigint;
}> {
  const chain = await openChain({
    ...options,
    params: { min_settlement_amount: "0", ...options.params },
    extended: { auto_settle_enabled: false, ...options.extended },
  });
  await activeEscrow(chain, "100000uve", { expiresIn: 90n * DAY });
  const ids = await recordedCosts(chain, [1000, 3000]);
  const settledAt = chain.time;
  await settled(chain);
  return { chain, ids, settledAt };
}

const HOLDBACK: ChainOptions = { params: { payout_holdback_rate: "0.1" } };
const DELAY: ChainOptions = { extended: { payout_delay: "86400" } };

function brief({ state, holdReason, disputeId }: PayoutRecord): object {
  return { state, holdReason, disputeId };
}

describe("RULES 21 a settled record is disputed until settled_at + dispute_window", () => {
  test("to the nanosecond; later it is told until when: 1515", async () => {
    const { chain, ids, settledAt } = await settledPair();
    const end = settledAt + WINDOW * 10n ** 9n;
    chain.time = end as typeof chain.time;
    await disputed(chain, ids[0] as string);
    chain.time = (end + 1n) as typeof chain.time;
    await chain.refused(disputeUsage(ids[1] as string), 1515, "it could be disputed until");
  });

  test("R-003-49 what is still to be paid is held, once, and waits for the last dispute", async () => {
    const { chain, ids } = await settledPair(DELAY);
    const { payoutId } = await lastPayout(chain);
    const first = await chain.ok(disputeUsage(ids[0] as string));
    expect(eventsOf(first, "PayoutHeld")).toMatchObject([
      { payout_id: payoutId, dispute_id: "dispute-1" },
    ]);
    expect(eventsOf(await chain.ok(disputeUsage(ids[1] as string)), "PayoutHeld")).toEqual([]);
    expect(brief(await lastPayout(chain))).toEqual({
      ...{ state: "held", holdReason: "dispute-1", disputeId: "dispute-2" },
    });
    chain.skip(2n * DAY);
    await chain.block();
    expect(await chain.balance(provider.address)).toBe(START);
    await resolved(chain, "dispute-1", "rejected", authority);
    expect((await lastPayout(chain)).state).toBe("held");
    const last = await chain.block(await chain.tx([resolve("dispute-2", "rejected", authority)]));
    // Its day has passed: the block of the decision pays it.
    expect(eventsOf(last, "PayoutCompleted")).toMatchObject([{ payout_id: payoutId }]);
    expect(await chain.balance(provider.address)).toBe(START + 3760n);
    expect(await ledgerOf(chain, payoutId)).toEqual([
      ...["1 created >pending 3760uve", "2 held pending>held 3760uve"],
      ...["3 released held>pending 3760uve", "4 processing pending>processing 3760uve"],
      "5 completed processing>completed 3760uve",
    ]);
    await chain.checkFullInvariants();
  });

  test("decided before its day, a payout waits for its day", async () => {
    const { chain, ids } = await settledPair(DELAY);
    await resolved(chain, await disputed(chain, ids[0] as string), "rejected", authority);
    expect((await lastPayout(chain)).state).toBe("pending");
    chain.skip(DAY);
    await chain.block();
    expect((await lastPayout(chain)).state).toBe("completed");
  });

  test("of a payout that is paid, the holdback is held", async () => {
    const { chain, ids } = await settledPair(HOLDBACK);
    const { payoutId } = await lastPayout(chain);
    chain.skip(DAY);
    const dispute = await disputed(chain, ids[1] as string);
    chain.skip(WINDOW - 2n * DAY);
    await chain.block();
    chain.skip(DAY);
    await chain.block();
    // Its time has come, and it stays.
    expect(await chain.balance(provider.address)).toBe(START + 3360n);
    await chain.refused(payoutMsg.release(authority, payoutId), 1535, dispute);
    await chain.refused(payoutMsg.refund(authority, payoutId), 1535, dispute);
    await resolved(chain, dispute, "rejected", authority);
    expect(await chain.balance(provider.address)).toBe(START + 3760n);
    await chain.checkFullInvariants();
  });

  test("undecided at the end it expires, and what was held is paid", async () => {
    const { chain, ids } = await settledPair(HOLDBACK);
    chain.skip(3n * DAY);
    const openedAt = chain.time;
    await disputed(chain, ids[1] as string);
    chain.time = (openedAt + WINDOW * 10n ** 9n) as typeof chain.time;
    const output = await chain.block();
    expect(eventsOf(output, "DisputeExpired")).toHaveLength(1);
    expect(eventsOf(output, "HoldbackReleased")).toMatchObject([{ amount: "400uve" }]);
    expect(await chain.balance(provider.address)).toBe(START + 3760n);
  });

  test("what the authority holds stays held when the dispute is over, and the other way round", async () => {
    const { chain, ids } = await settledPair(DELAY);
    const { payoutId } = await lastPayout(chain);
    await chain.ok(payoutMsg.hold(authority, payoutId, "audit"));
    await resolved(chain, await disputed(chain, ids[0] as string), "rejected", authority);
    expect((await lastPayout(chain)).state).toBe("held");
    await chain.ok(payoutMsg.release(authority, payoutId));
    expect((await lastPayout(chain)).state).toBe("completed");
  });

  test("a hold by a dispute becomes the authority's own", async () => {
    const { chain, ids } = await settledPair(DELAY);
    const { payoutId } = await lastPayout(chain);
    const dispute = await disputed(chain, ids[0] as string);
    await chain.ok(payoutMsg.hold(authority, payoutId, "audit"));
    await chain.refused(payoutMsg.hold(authority, payoutId, "again"), 1534, "audit");
    await resolved(chain, dispute, "rejected", authority);
    expect(brief(await lastPayout(chain))).toMatchObject({ state: "held", holdReason: "audit" });
  });

  test("a failed payout is not tried again meanwhile, and is afterwards", async () => {
    const unpayable = moduleAccount("fee_collector");
    const chain = await chainPaying(unpayable);
    const [usage] = await see.usageOf(chain, "order-1");
    await chain.ok(msg.settle(customer));
    expect((await lastPayout(chain, unpayable)).state).toBe("failed");
    const dispute = await disputed(chain, usage?.usageId ?? "");
    for (let n = 0; n < 10; n += 1) {
      expect(eventsOf(await chain.block(), "PayoutFailed")).toEqual([]);
    }
    const tx = await chain.tx([resolve(dispute, "rejected", authority)]);
    expect(eventsOf(await chain.block(tx), "PayoutFailed")).toMatchObject([{ attempts: "2" }]);
  });

  test("nobody rewards it meanwhile: 1535", async () => {
    const { chain, ids } = await settledPair({ params: { usage_reward_rate_bps: 0 } });
    const dispute = await disputed(chain, ids[0] as string);
    const reward = rewardMsg.providers([ids[0] as string]);
    await chain.refused(reward, 1535, dispute);
  });

  test("without billing there is no payout: the dispute stands all the same", async () => {
    const { chain, ids } = await settledPair({ extended: { billing_enabled: false } });
    await resolved(chain, await disputed(chain, ids[0] as string), "rejected", authority);
    expect(await see.payoutsOf(chain, provider.address)).toEqual([]);
  });
});

describe("RULES 21, 31 a decision about a settled record gives back what was too much", () => {
  test("accepted: its share of every leg, out of what was held", async () => {
    const { chain, ids } = await settledPair(DELAY);
    const result = await chain.ok(
      resolve(await disputed(chain, ids[0] as string), "accepted", authority),
    );
    // 1000 of 4000: 50 of the platform fee, 10 of the validator fee, 940 of the net.
    expect(eventsOf(result, "DisputeResolved")).toMatchObject([
      { resolution: "accepted", refunded_amount: "1000uve", waived_amount: "" },
    ]);
    expect(await chain.balance(customer.address)).toBe(START - 100_000n + 1000n);
    chain.skip(DAY);
    await chain.block();
    expect(await chain.balance(provider.address)).toBe(START + 2820n);
    // The record is as it was: settled records never change.
    expect(await see.usage(chain, ids[0] as string)).toMatchObject({ settled: true });
    await chain.checkFullInvariants();
  });

  test("amended: the difference, when both agree", async () => {
    const { chain, ids } = await settledPair();
    const dispute = await disputed(chain, ids[1] as string);
    await resolved(chain, dispute, { units: 1n, price: "2000uve" }, provider);
    const { state, refundId } = await resolved(
      ...([chain, dispute, { units: 1n, price: "2000uve" }, customer] as const),
    );
    expect([state, refundId.startsWith("refund-")]).toEqual(["amended", true]);
    // 1000 of 4000: the provider's share of it, 940; the fees are not theirs to give.
    expect(await chain.balance(customer.address)).toBe(START - 100_000n + 940n);
    expect(await chain.balance(provider.address)).toBe(START + 3760n - 940n);
    await chain.checkFullInvariants();
  });

  test("D-18 two parties who agree do not get rewards for nothing: the fees stand", async () => {
    // 3 % of rewards, 6 % of fees.
    const { chain, ids } = await settledPair({ params: { usage_reward_rate_bps: 300 } });
    const own = async () =>
      (await chain.balance(customer.address)) + (await chain.balance(provider.address));
    await chain.ok(msg.claim(provider));
    for (const id of ids) {
      const dispute = await disputed(chain, id);
      await resolved(chain, dispute, "accepted", provider);
      await resolved(chain, dispute, "accepted", customer);
    }
    // 120 of rewards (3 %, unacknowledged: 108), 240 of fees.
    expect((await own()) - 2n * START).toBe(-100_000n + 96_000n + 4000n - 240n + 108n - 96_000n);
    await chain.checkFullInvariants();
    expect(await (await chain.imported()).exported()).toBe(await chain.exported());
  });

  test("RULES 31 the authority does not reward what was given back", async () => {
    const { chain, ids } = await settledPair({ params: { usage_reward_rate_bps: 0 } });
    await resolved(chain, await disputed(chain, ids[0] as string), "accepted", authority);
    const reward = rewardMsg.providers([ids[1] as string]);
    await chain.refused(reward, 1509, "refunded, whole or in part");
  });

  test("a payout that a refund ended is not held again", async () => {
    const { chain, ids } = await settledPair(DELAY);
    const { payoutId, settlementId } = await lastPayout(chain);
    await disputed(chain, ids[0] as string);
    await refunded(chain, settlementId);
    await chain.refused(payoutMsg.hold(authority, payoutId), 1503);
  });

  test("the whole payout back: it is refunded, and nothing is paid later", async () => {
    const { chain, ids } = await settledPair(DELAY);
    for (const id of ids) {
      await resolved(chain, await disputed(chain, id), "accepted", authority);
    }
    expect((await lastPayout(chain)).state).toBe("refunded");
    chain.skip(2n * DAY);
    await chain.block();
    expect(await chain.balance(provider.address)).toBe(START);
    expect(await chain.balance(customer.address)).toBe(START - 100_000n + 4000n);
    await chain.checkFullInvariants();
  });

  test("what was never paid of it is no longer due on its invoice", async () => {
    const chain = await openChain({ params: { min_settlement_amount: "0" } });
    await activeEscrow(chain, "3000uve", { expiresIn: 90n * DAY });
    const [first, second] = await recordedCosts(chain, [2000, 5000]);
    await settled(chain, { final: true });
    const invoice = async () => (await see.invoicesOf(chain, "order-1"))[0];
    expect(text((await invoice())?.amountDue)).toBe("4000uve");
    // 1000 of 5000 was paid: 4000 less is due, and 1000 comes back.
    const result = await chain.ok(
      resolve(await disputed(chain, second as string), "accepted", authority),
    );
    expect(eventsOf(result, "DisputeResolved")).toMatchObject([
      { refunded_amount: "1000uve", waived_amount: "4000uve" },
    ]);
    expect(await invoice()).toMatchObject({ amountDue: [], status: "paid" });
    expect(first).toBeDefined();
    await chain.checkFullInvariants();
    expect(await (await chain.imported()).exported()).toBe(await chain.exported());
  });

  test("what was paid of the invoice since is not given back twice", async () => {
    const chain = await openChain({ params: { min_settlement_amount: "0" } });
    await activeEscrow(chain, "3000uve", { expiresIn: 90n * DAY });
    const [, second] = await recordedCosts(chain, [2000, 5000]);
    await settled(chain, { final: true });
    const dispute = await disputed(chain, second as string);
    await resolved(chain, dispute, { units: 1n, price: "3000uve" }, authority);
    // 5000 became 3000, of which 1000 was paid: 2000 is due, nothing comes back.
    const [invoice] = await see.invoicesOf(chain, "order-1");
    expect(text(invoice?.amountDue)).toBe("2000uve");
    expect(await chain.balance(customer.address)).toBe(START - 3000n);
    await chain.refused(msg.settle(customer), 1519);
  });
});
