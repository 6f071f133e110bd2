import { beforeEach, describe, expect, test } from "vitest";
import { authority, customer, customer2, provider, stranger } from "../../testkit/accounts.ts";
import { moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { eventsOf } from "../../testkit/outcome.ts";
import {
  acknowledged,
  activeEscrow,
  recorded,
  recordedCosts,
  settled,
  settledOf,
} from "../../testkit/orders.ts";
import { DAY, GENESIS, slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const START = 1_000_000_000_000n;

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
});

test("R-003-01 metrics become records, a settlement, an invoice, a payout and a reward", async () => {
  await activeEscrow(chain);
  const ids = await recordedCosts(chain, [1000, 500]);
  await acknowledged(chain, ids);
  await settled(chain);
  const totals = await see.totals(chain);
  expect(totals).toMatchObject({
    ...{ escrows: 1n, usageRecords: 2n, settlements: 1n, invoices: 1n, payouts: 1n },
    distributions: 1n,
  });
  const { totalClaimable } = await see.claimable(chain, provider.address);
  expect(text(totalClaimable)).toBe("150uve");
  await chain.checkFullInvariants();
});

describe("R-003-20 the settlement record", () => {
  test("R-003-20 says ids, parties, shares, units, period, type, final and height", async () => {
    await activeEscrow(chain, "10000uve");
    const first = await recorded(chain, { ...slot(7), units: 3n, price: "200uve" });
    const second = await recorded(chain, { ...slot(2), units: 4n, price: "100uve", type: "gpu" });
    const answer = await settled(chain);
    const now = GENESIS + 5n;
    expect(answer).toEqual({
      settlementId: `settle-${now}-1`,
      totalAmount: "1000uve",
      providerShare: "940uve",
      platformFee: "50uve",
      settledAt: now,
    });
    expect(await see.settlement(chain, answer.settlementId)).toEqual({
      settlementId: `settle-${now}-1`,
      escrowId: "escrow-1",
      orderId: ORDER,
      leaseId: "lease-1",
      provider: provider.address,
      customer: customer.address,
      totalAmount: [{ denom: "uve", amount: "1000" }],
      providerShare: [{ denom: "uve", amount: "940" }],
      platformFee: [{ denom: "uve", amount: "50" }],
      validatorFee: [{ denom: "uve", amount: "10" }],
      settledAt: now,
      usageRecordIds: [first, second],
      totalUsageUnits: 7n,
      periodStart: slot(2).start,
      periodEnd: slot(7).end,
      blockHeight: 5n,
      settlementType: "usage_based",
      isFinal: false,
    });
    expect(await see.usage(chain, second)).toMatchObject({
      ...{ settled: true, settlementId: answer.settlementId },
    });
  });

  test("the escrow's books go along: balance, total settled, count", async () => {
    await activeEscrow(chain, "10000uve");
    await recordedCosts(chain, [1000]);
    await settled(chain);
    await recordedCosts(chain, [2000], { from: 5 });
    await settled(chain);
    const escrow = await see.escrow(chain, "escrow-1");
    expect([text(escrow.balance), text(escrow.totalSettled), escrow.settlementCount]).toEqual([
      ...["7000uve", "3000uve", 2],
    ]);
    expect(await chain.balances(moduleAccount("settlement_escrow"))).toBe("7000uve");
  });
});

describe("fees", () => {
  test("RULES 28 fees are floored once on the total of each denom, not per record", async () => {
    chain = await openChain({ params: { min_settlement_amount: "0" } });
    await activeEscrow(chain, "1000uve,1000uusd");
    await recordedCosts(chain, [19, 19, 19]);
    await recordedCosts(chain, [99, 1], { denom: "uusd", from: 10 });
    const { settlementId } = await settled(chain);
    const settlement = await see.settlement(chain, settlementId);
    // floor(57 × 5 %) = 2, where three floors of 0.95 would be 0.
    expect(text(settlement.platformFee)).toBe("5uusd,2uve");
    expect(text(settlement.validatorFee)).toBe("1uusd");
    expect(text(settlement.providerShare)).toBe("94uusd,55uve");
  });

  test("RULES 28 an empty rate means the default, as deployed", async () => {
    chain = await openChain({ params: { platform_fee_rate: "", validator_fee_rate: "" } });
    await activeEscrow(chain);
    await recordedCosts(chain, [1000]);
    expect(await settled(chain)).toMatchObject({ platformFee: "50uve", providerShare: "940uve" });
  });

  test("RULES 28 rates that sum to 1 leave the provider nothing but dust, and a payout of it", async () => {
    chain = await openChain({ params: { platform_fee_rate: "0.7", validator_fee_rate: "0.3" } });
    await activeEscrow(chain);
    await recordedCosts(chain, [1001]);
    expect(await settled(chain)).toMatchObject({ platformFee: "700uve", providerShare: "1uve" });
    await recordedCosts(chain, [1000], { from: 5 });
    expect(await settled(chain)).toMatchObject({ platformFee: "700uve", providerShare: "" });
    await chain.checkFullInvariants();
  });
});

describe("RULES 22", () => {
  test("RULES 22 the provider settles only what is acknowledged", async () => {
    await activeEscrow(chain);
    const [first = "", second = ""] = await recordedCosts(chain, [2000, 3000]);
    await chain.refused(msg.settle(provider), 1506, "2 records", "wait for acknowledgement");
    await acknowledged(chain, [second]);
    await chain.refused(msg.settle(provider, { ids: [first, second] }), 1506, first);
    expect(await settled(chain, { signer: provider })).toMatchObject({ totalAmount: "3000uve" });
    expect((await see.usage(chain, first)).settled).toBe(false);
  });

  test("RULES 22 the provider settles what the customer had auto_settle_after to look at", async () => {
    chain = await openChain({ extended: { auto_settle_enabled: false } });
    await activeEscrow(chain);
    const submitted = chain.time;
    const [id = ""] = await recordedCosts(chain, [2000]);
    chain.time = (submitted + DAY * 1_000_000_000n - 1n) as typeof chain.time;
    await chain.refused(msg.settle(provider, { ids: [id] }), 1506, id, "2026-01-02T00:00:03Z");
    chain.time = (submitted + DAY * 1_000_000_000n) as typeof chain.time;
    await settled(chain, { signer: provider });
  });

  test("RULES 22 auto_settle_after has a value of its own", async () => {
    chain = await openChain({ extended: { auto_settle_after: "10" } });
    await activeEscrow(chain);
    await recordedCosts(chain, [2000]);
    chain.skip(10n);
    await settled(chain, { signer: provider });
  });

  test.each([
    { name: "depositor", signer: customer },
    { name: "authority", signer: authority },
  ])("RULES 22 the $name settles any record", async ({ signer }) => {
    await activeEscrow(chain);
    await recordedCosts(chain, [2000]);
    await settled(chain, { signer });
  });

  test("RULES 22 the provider's final settlement waits for every record", async () => {
    await activeEscrow(chain);
    const [first = "", second = ""] = await recordedCosts(chain, [2000, 3000]);
    await acknowledged(chain, [first]);
    await chain.refused(msg.settle(provider, { final: true }), 1506, second);
    await acknowledged(chain, [second]);
    await settled(chain, { signer: provider, final: true });
  });

  test("nobody else settles", async () => {
    await activeEscrow(chain);
    await recordedCosts(chain, [2000]);
    for (const signer of [stranger, customer2]) {
      await chain.refused(msg.settle(signer), 1505, "depositor, recipient or authority");
    }
  });
});

describe("RULES 24", () => {
  test("RULES 24 records settle in recording order, whatever the order of ids", async () => {
    await activeEscrow(chain, "10000uve");
    const ids = await recordedCosts(chain, [1000, 1001, 1002]);
    const { settlementId } = await settled(chain, { ids: [...ids].reverse() });
    expect((await see.settlement(chain, settlementId)).usageRecordIds).toEqual(ids);
  });

  test("D-2 / RULES 24 repeated ids are refused", async () => {
    await activeEscrow(chain);
    const [id = ""] = await recordedCosts(chain, [1000]);
    await chain.refused(msg.settle(customer, { ids: [id, id] }), 4, id, "twice");
  });

  test("D-2 a record that costs 500, acknowledged, is settled for 500 and rewarded once", async () => {
    await activeEscrow(chain);
    const ids = await recordedCosts(chain, [500, 600]);
    await acknowledged(chain, ids);
    const { settlementId, totalAmount } = await settled(chain);
    expect(totalAmount).toBe("1100uve");
    expect((await see.settlement(chain, settlementId)).usageRecordIds).toEqual(ids);
    const rows = await see.history(chain, provider.address);
    expect(rows.map(({ amount }) => text(amount))).toEqual(["50uve", "60uve"]);
  });

  test("RULES 24 settling stops at the first record that does not fit; the event names it", async () => {
    await activeEscrow(chain, "5000uve");
    const ids = await recordedCosts(chain, [2000, 4000, 1000]);
    const result = await chain.ok(msg.settle(customer));
    expect(settledOf(result).totalAmount).toBe("2000uve");
    const [event] = eventsOf(result, "OrderSettled");
    expect(event).toMatchObject({ stopped_at: ids[1], records: "1", records_remaining: "2" });
    for (const id of ids.slice(1)) expect((await see.usage(chain, id)).settled).toBe(false);
    await chain.refused(msg.settle(customer), 1506, "3000uve", ids[1] ?? "", "4000uve");
    await settled(chain, { ids: ids.slice(2) });
    await chain.checkFullInvariants();
  });

  test("D-5 / RULES 24 one denom that runs out does not stop another", async () => {
    await activeEscrow(chain, "1500uve,5000uusd");
    const [a = ""] = await recordedCosts(chain, [1000]);
    const [b = ""] = await recordedCosts(chain, [1000], { from: 1 });
    const [c = ""] = await recordedCosts(chain, [2000], { denom: "uusd", from: 2 });
    const { totalAmount } = await settled(chain);
    expect(totalAmount).toBe("2000uusd,1000uve");
    const states = await Promise.all(
      [a, b, c].map(async (id) => (await see.usage(chain, id)).settled),
    );
    expect(states).toEqual([true, false, true]);
    const { balance } = await see.escrow(chain, "escrow-1");
    expect(text(balance)).toBe("3000uusd,500uve");
  });
});

describe("RULES 26", () => {
  test("RULES 26 a settlement takes at most max_records and says how many remain", async () => {
    chain = await openChain({ extended: { max_records_per_settlement: 3 } });
    await activeEscrow(chain, "100000uve");
    const ids = await recordedCosts(chain, [1000, 1001, 1002, 1003, 1004]);
    const result = await chain.ok(msg.settle(customer));
    const [event] = eventsOf(result, "OrderSettled");
    expect(event).toMatchObject({ records: "3", records_remaining: "2", is_final: "false" });
    expect(settledOf(result).totalAmount).toBe("3003uve");
    await chain.refused(
      msg.settle(customer, { ids: [...ids.slice(3), "x", "y"] }),
      1506,
      "at most 3",
    );
    expect((await settled(chain)).totalAmount).toBe("2007uve");
  });

  test("RULES 26 a final settlement of more goes in parts and is final with the last", async () => {
    chain = await openChain({ extended: { max_records_per_settlement: 2 } });
    await activeEscrow(chain, "100000uve");
    await recordedCosts(chain, [10, 20, 30, 40, 50]);
    const found: [string, string, boolean, string][] = [];
    for (let part = 0; part < 3; part += 1) {
      const { settlementId, totalAmount } = await settled(chain, { final: true });
      const { settlementType, isFinal } = await see.settlement(chain, settlementId);
      found.push([
        ...([totalAmount, settlementType, isFinal] as const),
        (await see.escrow(chain, "escrow-1")).state,
      ]);
    }
    expect(found).toEqual([
      ["30uve", "usage_based", false, "active"],
      ["70uve", "usage_based", false, "active"],
      ["50uve", "final", true, "released"],
    ]);
    await chain.checkFullInvariants();
  });

  test("D-21 units that sum beyond 64 bits are settled in parts, never wrapped", async () => {
    const most = 18_446_744_073_709_551_615n;
    chain = await openChain({ funds: { [customer.address]: `${2n ** 80n}uve` } });
    await activeEscrow(chain, `${2n ** 70n}uve`);
    const ids: string[] = [];
    for (let n = 0; n < 3; n += 1) ids.push(await recorded(chain, { ...slot(n), units: most }));
    await chain.refused(msg.settle(customer, { ids }), 1506, `${3n * most}`, "in parts");
    for (let part = 0; part < 3; part += 1) {
      const { settlementId } = await settled(chain, { final: true });
      expect((await see.settlement(chain, settlementId)).totalUsageUnits).toBe(most);
    }
    expect((await see.escrow(chain, "escrow-1")).state).toBe("released");
  });
});

describe("RULES 27", () => {
  test("R-003-56 / RULES 27 a total of 999 is below the minimum of 1000", async () => {
    await activeEscrow(chain);
    await recordedCosts(chain, [999]);
    await chain.refused(msg.settle(customer), 1506, "below minimum", "999uve", "1000");
    await recordedCosts(chain, [1], { from: 3 });
    expect(await settled(chain)).toMatchObject({ totalAmount: "1000uve" });
  });

  test("RULES 27 a denom below the minimum is left out of a settlement of others", async () => {
    await activeEscrow(chain, "5000uve,5000uusd");
    const [small = ""] = await recordedCosts(chain, [999], { denom: "uusd" });
    await recordedCosts(chain, [1500], { from: 1 });
    expect((await settled(chain)).totalAmount).toBe("1500uve");
    expect((await see.usage(chain, small)).settled).toBe(false);
  });

  test("R-003-56 / RULES 27 a final settlement ignores the minimum", async () => {
    await activeEscrow(chain);
    await recordedCosts(chain, [5]);
    expect((await settled(chain, { final: true })).totalAmount).toBe("5uve");
  });
});

describe("the same settlement again", () => {
  test("without ids answers 1506, with ids 1515, and moves nothing", async () => {
    await activeEscrow(chain);
    const ids = await recordedCosts(chain, [1000, 1500]);
    await settled(chain);
    await chain.refused(msg.settle(customer), 1506, "no open records");
    await chain.refused(msg.settle(customer, { ids: ids.slice(0, 1) }), 1515, ids[0] ?? "");
    expect(await chain.balance(provider.address)).toBe(START + 2350n);
  });

  test("R-003-23 a retry makes no second distribution", async () => {
    await activeEscrow(chain);
    await recordedCosts(chain, [1000]);
    const { settlementId } = await settled(chain);
    await chain.deliver(msg.settle(customer));
    const rows = await see.history(chain, provider.address);
    expect(rows).toHaveLength(1);
    const distribution = await see.distribution(chain, rows[0]?.distributionId ?? "");
    expect(distribution.metadata).toEqual({ settlement_id: settlementId });
  });
});

describe("billing", () => {
  test("R-003-19 / R-003-22 records become an invoice and a payout: 1000 pays 940", async () => {
    await activeEscrow(chain);
    await recordedCosts(chain, [1000]);
    const { settlementId } = await settled(chain);
    const [invoice] = await see.invoicesOf(chain, ORDER);
    expect([text(invoice?.total), invoice?.status]).toEqual(["1000uve", "paid"]);
    const [payout] = await see.payoutsOf(chain, provider.address);
    expect(payout).toMatchObject({ state: "completed", settlementId });
    expect(text(payout?.netAmount)).toBe("940uve");
    expect(await chain.balance(provider.address)).toBe(START + 940n);
    expect(await chain.balances(moduleAccount("settlement"))).toBe("");
  });

  test("R-003-21 without billing there is no invoice and no payout: the share goes directly", async () => {
    chain = await openChain({ extended: { billing_enabled: false } });
    await activeEscrow(chain);
    await recordedCosts(chain, [1000]);
    await settled(chain);
    expect(await see.invoicesOf(chain, ORDER)).toEqual([]);
    expect(await see.payoutsOf(chain, provider.address)).toEqual([]);
    expect(await chain.balance(provider.address)).toBe(START + 940n);
    expect(text((await see.claimable(chain, provider.address)).totalClaimable)).toBe("90uve");
    await chain.checkFullInvariants();
  });

  test("without billing, a record that is closed with nothing paid has an event of its own", async () => {
    const min = { min_settlement_amount: "0" };
    chain = await openChain({ params: min, extended: { billing_enabled: false } });
    await activeEscrow(chain, "1000uve");
    const [, second] = await recordedCosts(chain, [1000, 500]);
    const first = await chain.ok(msg.settle(customer));
    expect(eventsOf(first, "UsageUnpaid")).toEqual([]);
    const last = await chain.ok(msg.settle(customer, { final: true }));
    expect(eventsOf(last, "OrderSettled")).toEqual([]);
    expect(eventsOf(last, "UsageUnpaid")).toEqual([
      {
        ...{ usage_id: second, order_id: ORDER, total_cost: "500uve" },
        closed_at: expect.stringMatching(/^[0-9]+$/) as string,
      },
    ]);
    expect((await see.usage(chain, second as string)).settled).toBe(true);
  });
});
