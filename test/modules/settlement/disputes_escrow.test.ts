import { beforeEach, describe, expect, test } from "vitest";
import { authority, customer, provider } from "../../testkit/accounts.ts";
import {
  type ChainOptions,
  moduleAccount,
  openChain,
  type TestChain,
} from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { correct, corrected, withdraw } from "../../testkit/corrections.ts";
import { disputed, disputeUsage, resolved } from "../../testkit/disputes.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { eventsOf, expectCode, expectOk } from "../../testkit/outcome.ts";
import { acknowledged, activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { lastPayout } from "../../testkit/payouts.ts";
import { DAY, slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const START = 1_000_000_000_000n;

let chain: TestChain;
let ids: string[];
beforeEach(async () => {
  chain = await openChain({
    ...{ params: { min_settlement_amount: "0" }, extended: { auto_settle_enabled: false } },
  });
  await activeEscrow(chain, "10000uve", { expiresIn: 3n * DAY });
  ids = await recordedCosts(chain, [1000, 2000, 4000]);
});

async function escrow(): Promise<{ state: string; balance: string }> {
  const { state, balance } = await see.escrow(chain, "escrow-1");
  return { state, balance: text(balance) };
}

const id = (index: number): string => ids[index] as string;

describe("RULES 21 the cost of a disputed record stays in the escrow", () => {
  test("a settlement passes over it and does not spend what it costs", async () => {
    await disputed(chain, id(0));
    expect((await settled(chain)).totalAmount).toBe("6000uve");
    // 4000 left, 1000 kept: 3500 does not fit.
    const [big] = await recordedCosts(chain, [3500], { from: 3 });
    await chain.refused(msg.settle(customer), 1506, "does not cover", big as string);
    await resolved(chain, "dispute-1", "accepted", authority);
    expect((await settled(chain)).totalAmount).toBe("3500uve");
  });

  test("a final settlement settles the others and ends nothing until it is decided", async () => {
    await disputed(chain, id(1));
    const first = await settled(chain, { final: true });
    expect(first.totalAmount).toBe("5000uve");
    expect(await escrow()).toEqual({ state: "active", balance: "5000uve" });
    await chain.refused(msg.settle(customer, { final: true }), 1535, "all 1 open records");
    await resolved(chain, "dispute-1", { units: 1n, price: "500uve" }, authority);
    expect((await settled(chain, { final: true })).totalAmount).toBe("500uve");
    expect(await escrow()).toEqual({ state: "released", balance: "" });
    expect(await chain.balance(customer.address)).toBe(START - 5500n);
  });

  test("a final settlement pays nothing in part while a record is disputed", async () => {
    const more = await recordedCosts(chain, [9000], { from: 3 });
    await disputed(chain, id(1));
    // 10000 − 2000 kept: 1000 and 4000. 9000 waits: if the dispute is won, more is left for it.
    expect((await settled(chain, { final: true })).totalAmount).toBe("5000uve");
    expect(await see.usage(chain, more[0] as string)).toMatchObject({ settled: false });
    await resolved(chain, "dispute-1", "accepted", authority);
    expect((await settled(chain, { final: true })).totalAmount).toBe("5000uve");
  });

  test("the provider's own final settlement takes what may be taken of the others", async () => {
    await acknowledged(chain, [id(0), id(2)]);
    await disputed(chain, id(1));
    const { totalAmount } = await settled(chain, { final: true, signer: provider });
    expect(totalAmount).toBe("5000uve");
  });

  test("the depositor's refund is refused, 1517; the provider's leaves what is disputed", async () => {
    await disputed(chain, id(1));
    await chain.refused(msg.refund(customer, "escrow-1"), 1517, id(0));
    const result = await chain.ok(msg.refund(provider, "escrow-1"));
    expect(eventsOf(result, "EscrowRefunded")).toMatchObject([{ amount: "8000uve" }]);
    expect(eventsOf(result, "UsageWrittenOff").map(({ usage_id }) => usage_id)).toEqual([
      ...[id(0), id(2)],
    ]);
    expect(await escrow()).toEqual({ state: "active", balance: "2000uve" });
    await chain.refused(msg.refund(provider, "escrow-1"), 1535, "1 disputed records");
    await resolved(chain, "dispute-1", "rejected", authority);
    expect((await settled(chain, { final: true })).totalAmount).toBe("2000uve");
    expect(await escrow()).toEqual({ state: "released", balance: "" });
    expect(await chain.balance(customer.address)).toBe(START - 2000n);
    await chain.checkFullInvariants();
  });

  test("a release is refused while a record is open, disputed or not: 1517", async () => {
    await settled(chain, { ids: [id(0), id(2)] });
    await disputed(chain, id(1));
    await chain.refused(msg.release(customer, "escrow-1"), 1517, id(1));
  });

  test("with less in the escrow than it costs, all there is is kept", async () => {
    const [huge] = await recordedCosts(chain, [50_000], { from: 3 });
    await disputed(chain, huge as string);
    await chain.refused(msg.settle(customer, { ids: [id(0)] }), 1506, "does not cover");
    await resolved(chain, "dispute-1", "accepted", authority);
    expect((await settled(chain)).totalAmount).toBe("7000uve");
  });
});

describe("RULES 21 an escrow with a disputed record does not expire", () => {
  test("it ends with the block after the decision, and settles what is open", async () => {
    await disputed(chain, id(1));
    chain.skip(4n * DAY);
    await chain.block();
    expect((await escrow()).state).toBe("active");
    // Nothing new begins in it; what is there goes on.
    await chain.refused(disputeUsage(id(0)), 1518);
    await chain.refused(msg.record(provider, slot(9)), 1518);
    await chain.refused(correct(id(0), { units: 1n, price: "1uve" }), 1518);
    expect((await settled(chain, { ids: [id(0)] })).totalAmount).toBe("1000uve");
    await resolved(chain, "dispute-1", "rejected", authority);
    expect((await escrow()).state).toBe("active");
    const output = await chain.block();
    expect(eventsOf(output, "OrderSettled")).toMatchObject([{ total_amount: "6000uve" }]);
    expect(eventsOf(output, "EscrowExpired")).toMatchObject([{ balance: "3000uve" }]);
    expect((await escrow()).state).toBe("expired");
  });

  test("the window's end lets it expire: the record is settled as recorded", async () => {
    await disputed(chain, id(1));
    chain.skip(7n * DAY);
    expect(eventsOf(await chain.block(), "DisputeExpired").length).toBe(1);
    const output = await chain.block();
    expect(eventsOf(output, "OrderSettled")).toMatchObject([{ total_amount: "7000uve" }]);
  });

  test("what the provider refunded before counts once", async () => {
    await disputed(chain, id(1));
    await chain.ok(msg.refund(provider, "escrow-1"));
    chain.skip(7n * DAY);
    await chain.block();
    const output = await chain.block();
    // 2000 kept, settled as recorded: nothing comes back with the expiry.
    expect(eventsOf(output, "EscrowExpired")).toMatchObject([{ balance: "" }]);
    expect(await chain.balance(customer.address)).toBe(START - 2000n);
    await chain.checkFullInvariants();
  });

  test("two disputed records: it waits for both", async () => {
    await disputed(chain, id(0));
    await disputed(chain, id(1));
    chain.skip(4n * DAY);
    await resolved(chain, "dispute-1", "rejected", authority);
    await chain.block();
    expect((await escrow()).state).toBe("active");
    await resolved(chain, "dispute-2", "rejected", authority);
    await chain.block();
    expect((await escrow()).state).toBe("expired");
  });
});

describe("RULES 21 nobody gains by a dispute alone", () => {
  test("a customer does not leave other records unpaid by ending the order meanwhile", async () => {
    chain = await openChain({ extended: { auto_settle_enabled: false } });
    await activeEscrow(chain, "1000uve", { expiresIn: 3n * DAY });
    const [wrong = "", right = ""] = await recordedCosts(chain, [1000, 900]);
    await disputed(chain, wrong);
    await chain.refused(msg.settle(customer, { final: true }), 1506, "does not cover", right);
    await resolved(chain, "dispute-1", "accepted", authority);
    expect((await settled(chain, { final: true })).totalAmount).toBe("900uve");
  });

  test("a provider does not undo what a dispute came to", async () => {
    await disputed(chain, id(0));
    const wish = { units: 1n, price: "10uve" } as const;
    const { usageId } = await resolved(chain, "dispute-1", wish, authority);
    const dearer = correct(usageId, { units: 1n, price: "11uve" });
    await chain.refused(dearer, 1512, "at most 10uve", "dispute-1");
    await chain.refused(withdraw(usageId), 1512, "dispute-1");
    const less = await corrected(chain, usageId, { units: 1n, price: "9uve" });
    await chain.refused(correct(less, { units: 1n, price: "10uve" }), 1512, "at most 9uve");
    await chain.refused(disputeUsage(less), 1503, "was disputed once");
  });

  test("with a window of 0 nothing can be disputed", async () => {
    chain = await openChain({ params: { dispute_window_duration: "0" } });
    await activeEscrow(chain, "1000uve");
    const [only = ""] = await recordedCosts(chain, [1000]);
    await chain.refused(disputeUsage(only), 1503, "dispute_window_duration is 0");
  });
});

describe("RULES 21 dispute and settlement in one block follow the order of txs", () => {
  test("the dispute first: the settlement takes the others", async () => {
    await acknowledged(chain, ids);
    const dispute = await chain.tx([disputeUsage(id(1))]);
    const settle = await chain.tx([msg.settle(provider)]);
    const { txResults } = await chain.block(dispute, settle);
    expectOk(txResults[0] as never);
    expect(eventsOf(txResults[1] as never, "OrderSettled")).toMatchObject([
      // 5000: platform 250, validator 50, provider 4700.
      { total_amount: "5000uve", platform_fee: "250uve", provider_share: "4700uve" },
    ]);
    expect(await escrow()).toEqual({ state: "active", balance: "5000uve" });
  });

  /** A settlement of the provider, then the customer's dispute of one of its records. */
  async function settledThenDisputed(): Promise<{ held: Record<string, string>[]; at: bigint }> {
    await acknowledged(chain, ids);
    const settle = await chain.tx([msg.settle(provider)]);
    const dispute = await chain.tx([disputeUsage(id(1))]);
    const { txResults } = await chain.block(settle, dispute);
    expect(eventsOf(txResults[0] as never, "OrderSettled")).toMatchObject([
      // 7000: platform 350, validator 70, provider 6580.
      { total_amount: "7000uve", platform_fee: "350uve", provider_share: "6580uve" },
    ]);
    expectOk(txResults[1] as never);
    expect(await see.usage(chain, id(1))).toMatchObject({ settled: true });
    expect(await escrow()).toEqual({ state: "active", balance: "3000uve" });
    const { createdAt: at } = await lastPayout(chain);
    return { held: eventsOf(txResults[1] as never, "PayoutHeld"), at };
  }

  /** What the provider got, and what the account `settlement` keeps. */
  async function paidAndKept(): Promise<[bigint, bigint]> {
    const paid = (await chain.balance(provider.address)) - START;
    return [paid, await chain.balance(moduleAccount("settlement"))];
  }

  async function openWith(options: ChainOptions): Promise<void> {
    chain = await openChain({
      params: { min_settlement_amount: "0", ...options.params },
      extended: { auto_settle_enabled: false, ...options.extended },
    });
    await activeEscrow(chain, "10000uve", { expiresIn: 30n * DAY });
    ids = await recordedCosts(chain, [1000, 2000, 4000]);
  }

  test("the settlement first: what it paid is paid, and there is nothing to hold", async () => {
    expect((await settledThenDisputed()).held).toEqual([]);
    expect((await lastPayout(chain)).state).toBe("completed");
    expect(await paidAndKept()).toEqual([6580n, 0n]);
  });

  test.each<[what: string, ChainOptions, state: string, then: [bigint, bigint]]>([
    ["payout, which waits", { extended: { payout_delay: "3600" } }, "held", [0n, 6580n]],
    // 700 of the 6580 are kept back, 5880 are paid.
    ["holdback", { params: { payout_holdback_rate: "0.1" } }, "completed", [5880n, 700n]],
  ])("the settlement first: the dispute holds its %s", async (_, options, state, then) => {
    await openWith(options);
    const { held, at } = await settledThenDisputed();
    const { payoutId } = await lastPayout(chain);
    expect(held).toEqual([
      {
        ...{ payout_id: payoutId, dispute_id: "dispute-1", reason: "dispute-1" },
        held_at: `${at}`,
      },
    ]);
    expect(await see.payout(chain, payoutId)).toMatchObject({ state, holdReason: "dispute-1" });
    expect(await paidAndKept()).toEqual(then);
    // Past its time it stays where it is, until somebody decides.
    chain.skip(DAY);
    await chain.block();
    expect(await paidAndKept()).toEqual(then);
    await resolved(chain, "dispute-1", "rejected", authority);
    chain.skip(7n * DAY);
    await chain.block();
    expect(await paidAndKept()).toEqual([6580n, 0n]);
    await chain.checkFullInvariants();
  });

  test("a settlement that names it, after the dispute: refused, and nothing of it is settled", async () => {
    const dispute = await chain.tx([disputeUsage(id(1))]);
    const settle = await chain.tx([msg.settle(authority, { ids: ids })]);
    const { txResults } = await chain.block(dispute, settle);
    expectCode(txResults[1] as never, 1535, "dispute-1");
    expect(await escrow()).toEqual({ state: "active", balance: "10000uve" });
  });

  test("a dispute of the escrow first: the settlement is refused, and nothing moves", async () => {
    await acknowledged(chain, ids);
    const dispute = await chain.tx([msg.dispute(customer, "escrow-1")]);
    const settle = await chain.tx([msg.settle(provider)]);
    const { txResults } = await chain.block(dispute, settle);
    expectOk(txResults[0] as never);
    expectCode(txResults[1] as never, 1523, "escrow-1");
    expect(await escrow()).toEqual({ state: "disputed", balance: "10000uve" });
    expect(await paidAndKept()).toEqual([0n, 0n]);
    expect(await see.settlementsOf(chain, ORDER)).toEqual([]);
    await chain.checkFullInvariants();
  });

  test("a dispute of the escrow second: what is settled is, and its payout waits with the rest", async () => {
    await openWith({ extended: { payout_delay: "600" } });
    await acknowledged(chain, ids);
    const settle = await chain.tx([msg.settle(provider)]);
    const dispute = await chain.tx([msg.dispute(customer, "escrow-1")]);
    const { txResults } = await chain.block(settle, dispute);
    expectOk(txResults[1] as never);
    expect(eventsOf(txResults[0] as never, "OrderSettled")).toMatchObject([
      { total_amount: "7000uve", validator_fee: "70uve", provider_share: "6580uve" },
    ]);
    expect(await escrow()).toEqual({ state: "disputed", balance: "3000uve" });
    expect(await paidAndKept()).toEqual([0n, 6580n]);
    chain.skip(600n);
    expect(eventsOf(await chain.block(), "PayoutPostponed")).toHaveLength(1);
    expect(await paidAndKept()).toEqual([0n, 6580n]);
    // The 3000 go back, and what was settled before is paid at its next time.
    await chain.ok(msg.refund(provider, "escrow-1"));
    chain.skip(DAY);
    await chain.block();
    expect(await paidAndKept()).toEqual([6580n, 0n]);
    expect(await chain.balance(customer.address)).toBe(START - 7000n);
    const fees = ["settlement_platform_fee", "settlement_validator_fee"].map(moduleAccount);
    expect(await Promise.all(fees.map((fee) => chain.balance(fee)))).toEqual([350n, 70n]);
    await chain.checkFullInvariants();
  });
});
