import { describe, expect, test } from "vitest";
import type * as ext from "../../../src/gen/settled/settlement/v1/query.ts";
import { customer, provider } from "../../testkit/accounts.ts";
import { percentage, setDiscounts } from "../../testkit/billing.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
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
import { DAY, slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const OWN = "settled.settlement.v1.Query";

/** Amounts of the settlements of a block. */
function totals(block: Parameters<typeof eventsOf>[0]): (string | undefined)[] {
  return eventsOf(block, "OrderSettled").map(({ total_amount: total }) => total);
}

/** An order whose settlements take three records, with coins of two denoms. */
async function inThrees(deposit = "100000uve,100000uusd"): Promise<TestChain> {
  const chain = await openChain({ extended: { max_records_per_settlement: 3 } });
  await activeEscrow(chain, deposit);
  return chain;
}

function next(chain: TestChain): Promise<ext.QueryNextSettlementResponse> {
  return chain.query(`${OWN}/NextSettlement`, { orderId: ORDER });
}

function estimate(chain: TestChain): Promise<ext.QueryEstimateSettlementResponse> {
  return chain.query(`${OWN}/EstimateSettlement`, { orderId: ORDER, sender: customer.address });
}

async function statusesOf(chain: TestChain, ids: readonly string[]): Promise<string[]> {
  const details = await Promise.all(ids.map((id) => see.usageDetail(chain, id)));
  return details.map(({ status }) => status);
}

describe("RULES 27 records that a part leaves out do not fill it", () => {
  test("a part full of a denom below the minimum: the other denom is settled, asked for", async () => {
    const chain = await inThrees();
    const small = await recordedCosts(chain, [300, 300, 300], { denom: "uusd" });
    const large = await recordedCosts(chain, [5000, 6000], { from: 3 });
    const result = await chain.ok(msg.settle(customer));
    expect(eventsOf(result, "OrderSettled")).toMatchObject([
      { total_amount: "11000uve", records: "2", records_remaining: "3" },
    ]);
    expect(await statusesOf(chain, [...small, ...large])).toEqual([
      ...["open", "open", "open", "settled", "settled"],
    ]);
    await chain.refused(msg.settle(customer), 1506, "below minimum: 900uusd");
    await chain.checkFullInvariants();
  });

  test("a part full of a denom below the minimum: the other denom is settled unasked", async () => {
    const chain = await inThrees();
    await recordedCosts(chain, [300, 300, 300], { denom: "uusd" });
    await recordedCosts(chain, [5000, 6000, 7000, 8000], { from: 3 });
    chain.skip(DAY);
    expect(totals(await chain.block())).toEqual(["18000uve"]);
    expect(totals(await chain.block())).toEqual(["8000uve"]);
    expect(totals(await chain.block())).toEqual([]);
    expect((await next(chain)).openUsage).toBe(3n);
    await chain.app.checkDerivedKeys();
  });

  test("1,000 records that cost nothing ahead of one that costs: it is settled, asked for and unasked", async () => {
    for (const isAsked of [true, false]) {
      const chain = await openChain();
      await activeEscrow(chain, "100000uve");
      for (let from = 0; from < 1000; from += 250) {
        const messages = Array.from({ length: 250 }, (_, n) => {
          const type = from < 500 ? "cpu" : "gpu";
          return msg.record(provider, { ...slot((from % 500) + n), type, price: "0.5uve" });
        });
        await chain.ok(...messages);
      }
      await recorded(chain, { ...slot(600), price: "50000uve" });
      if (isAsked) expect((await settled(chain)).totalAmount).toBe("50000uve");
      else {
        chain.skip(DAY);
        expect(totals(await chain.block())).toEqual(["50000uve"]);
      }
      expect((await next(chain)).openUsage).toBe(1000n);
    }
  });

  test("the same denom: a part below the minimum waits for a final settlement, later parts do not", async () => {
    const chain = await inThrees();
    const ids = await recordedCosts(chain, [300, 300, 300, 600, 700]);
    expect((await settled(chain)).totalAmount).toBe("1300uve");
    expect(await statusesOf(chain, ids)).toEqual(["open", "open", "open", "settled", "settled"]);
    await chain.refused(msg.settle(customer), 1506, "below minimum: 900uve");
    expect((await settled(chain, { final: true })).totalAmount).toBe("900uve");
    expect((await see.escrow(chain, "escrow-1")).state).toBe("released");
  });

  test("what a denom leaves out gives its places up to one that is settled anyway", async () => {
    const chain = await inThrees();
    await recordedCosts(chain, [300, 300], { denom: "uusd" });
    await recordedCosts(chain, [5000, 6000], { from: 2 });
    expect((await settled(chain)).totalAmount).toBe("11000uve");
  });

  test("a denom that its later records carry above the minimum is settled with the next part", async () => {
    const chain = await inThrees();
    await recordedCosts(chain, [300, 300], { denom: "uusd" });
    await recordedCosts(chain, [5000], { from: 2 });
    await recordedCosts(chain, [900], { denom: "uusd", from: 3 });
    chain.skip(DAY);
    expect(totals(await chain.block())).toEqual(["5000uve"]);
    expect(totals(await chain.block())).toEqual(["1500uusd"]);
  });

  test("when nothing is above it, the error is of the first part", async () => {
    const chain = await inThrees();
    await recordedCosts(chain, [300, 300, 300, 0, 0], { denom: "uusd" });
    await chain.refused(msg.settle(customer), 1506, "below minimum: 900uusd, at least 1000");
    expect((await estimate(chain)).records.map(({ left }) => left)).toEqual([
      ...Array<string>(5).fill("below_minimum"),
    ]);
    await acknowledged(chain, await recordedCosts(chain, [100], { denom: "uusd", from: 5 }));
    expect((await next(chain)).lacks).toEqual(["below_minimum"]);
  });

  test("discounts count: what they take below the minimum gives up its places", async () => {
    const chain = await inThrees();
    await chain.ok(setDiscounts([percentage(2000)]));
    await recordedCosts(chain, [400, 400, 400], { denom: "uusd" });
    await recordedCosts(chain, [5000], { from: 3 });
    expect((await settled(chain)).totalAmount).toBe("4000uve");
    await chain.refused(msg.settle(customer), 1506, "below minimum: 960uusd");
    await chain.checkFullInvariants();
  });

  test("units beyond 64 bits: those that are left out make room", async () => {
    const chain = await openChain();
    await activeEscrow(chain, "100000uve,100000uusd");
    const units = 2n ** 64n - 1n;
    await recorded(chain, { ...slot(0), units, price: "0uusd" });
    await recorded(chain, { ...slot(1), units: 5n, price: "1000uve" });
    expect((await settled(chain)).totalAmount).toBe("5000uve");
  });

  test("a denom that the balance did not cover stays stopped when its part is passed over", async () => {
    const chain = await inThrees("500uusd,100000uve");
    const [, , stopped = ""] = await recordedCosts(chain, [100, 100, 400], { denom: "uusd" });
    await recordedCosts(chain, [2000, 3000, 4000], { from: 3 });
    await recordedCosts(chain, [50], { denom: "uusd", from: 6 });
    const before = await estimate(chain);
    expect(before.records.map(({ left }) => left)).toEqual([
      ...["below_minimum", "below_minimum", "not_covered", "", "", "", "not_covered"],
    ]);
    expect((await settled(chain)).totalAmount).toBe("9000uve");
    expect((await see.usageDetail(chain, stopped)).status).toBe("open");
  });

  test("the queries say what is settled, and what is passed over", async () => {
    const chain = await inThrees();
    await recordedCosts(chain, [300, 300, 300], { denom: "uusd" });
    const large = await recordedCosts(chain, [5000, 6000], { from: 3 });
    await acknowledged(chain, large);
    const lacking = await next(chain);
    expect([lacking.lacks, text(lacking.amount)]).toEqual([[], "11000uve"]);
    const answer = await estimate(chain);
    expect([answer.code, text(answer.total), answer.remaining]).toEqual([0, "11000uve", 3n]);
    expect(answer.records.map(({ left }) => left)).toEqual([
      ...Array<string>(3).fill("below_minimum"),
      ...["", ""],
    ]);
  });

  test("a record that is read and passed over costs gas", async () => {
    const used: bigint[] = [];
    for (const count of [3, 30]) {
      const chain = await inThrees();
      await recordedCosts(chain, Array<number>(count).fill(1), { denom: "uusd" });
      await recordedCosts(chain, [5000], { from: count });
      used.push((await chain.ok(msg.settle(customer))).gasUsed);
    }
    expect((used[1] ?? 0n) - (used[0] ?? 0n)).toBeGreaterThanOrEqual(27n * 100n);
  });
});
