import { beforeEach, describe, expect, test } from "vitest";
import type { Discount } from "../../../src/gen/settled/settlement/v1/state.ts";
import { authority, customer, provider, stranger } from "../../testkit/accounts.ts";
import {
  fixed,
  lastInvoice,
  linesOf,
  percentage,
  setDiscounts,
  setTax,
  taxTerms,
  termsOf,
  volume,
} from "../../testkit/billing.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { text, wire } from "../../testkit/coins.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { eventsOf } from "../../testkit/outcome.ts";
import {
  activeEscrow,
  pendingEscrow,
  recorded,
  recordedCosts,
  settled,
} from "../../testkit/orders.ts";
import { DAY, GENESIS, slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const params = { min_settlement_amount: "0" };
let chain: TestChain;
beforeEach(async () => {
  chain = await openChain({ params });
  await activeEscrow(chain, "100000uve,100000uusd", { expiresIn: 30n * DAY });
});

/** Settles what is recorded and returns the total. */
async function total(o: { final?: boolean } = {}): Promise<string> {
  return (await settled(chain, o)).totalAmount;
}

describe("RULES 30 a discount lowers the total before the split", () => {
  test("RULES 30 10 % of 1500: fees, payout and rewards are of 1350", async () => {
    await chain.ok(setDiscounts([percentage(1000, { description: "launch" })]));
    await recordedCosts(chain, [1000, 500]);
    const result = await chain.ok(msg.settle(customer));
    expect(eventsOf(result, "OrderSettled")).toMatchObject([
      {
        ...{ total_amount: "1350uve", provider_share: "1270uve", platform_fee: "67uve" },
        ...{ validator_fee: "13uve", discount: "150uve", tax: "" },
      },
    ]);
    const { id, sums } = await lastInvoice(chain);
    expect(sums).toEqual([
      "1500uve",
      "percentage 150uve",
      "",
      "1350uve",
      "1350uve",
      "",
      "",
      "paid",
    ]);
    expect((await see.invoice(chain, id)).discounts[0]?.description).toBe("launch");
    expect(await linesOf(chain, id)).toEqual([
      "1000uve - 100uve = 900uve, 900uve",
      "500uve - 50uve = 450uve, 450uve",
    ]);
    // 900 × 10 % × 0.9 and 450 × 10 % × 0.9, unacknowledged: 81 and 40.5.
    expect(text((await see.claimable(chain, provider.address)).totalClaimable)).toBe("121uve");
    expect(text((await see.escrow(chain, "escrow-1")).balance)).toBe("100000uusd,98650uve");
    await chain.checkFullInvariants();
  });

  test.each<[what: string, costs: number[], bps: number, off: number[]]>([
    // 301 × 3.33 % = 10.02: 3.32, 3.32 and 3.35 are 3 each, the last one takes the one that is left.
    ["the remainder is on the last line", [100, 100, 101], 333, [3, 3, 4]],
    // 101 × 50 % = 50.5: 24.75 and 25.24; a line of 0 cannot take the remainder, the one before does.
    ["a line that cannot take it leaves it to the one before", [50, 51, 0], 5000, [24, 26, 0]],
    ["nothing is left over", [10, 20, 30], 1000, [1, 2, 3]],
    ["all of two units", [1, 1], 10_000, [1, 1]],
  ])("RULES 30 %s", async (_, costs, bps, off) => {
    await chain.ok(setDiscounts([percentage(bps)]));
    const ids = await recordedCosts(chain, costs);
    await settled(chain, { final: true });
    for (const [index, id] of ids.entries()) {
      const detail = await see.usageDetail(chain, id);
      const [cost, discount] = [costs[index] ?? 0, off[index] ?? 0];
      expect(text(detail.discount) || "0uve").toBe(`${discount}uve`);
      expect(text(detail.settledAmount) || "0uve").toBe(`${cost - discount}uve`);
    }
    await chain.checkFullInvariants();
  });

  test("each denom has its own sum, its own minimum and its own most", async () => {
    const most = { maxDiscount: wire("30uve") };
    await chain.ok(setDiscounts([percentage(1000, { minTotal: wire("501uusd"), ...most })]));
    await recordedCosts(chain, [1000]);
    await recordedCosts(chain, [500], { denom: "uusd", from: 5 });
    expect(await total()).toBe("500uusd,970uve");
    await recordedCosts(chain, [501], { denom: "uusd", from: 10 });
    // 50.1
    expect(await total()).toBe("451uusd");
    await chain.checkFullInvariants();
  });

  test("the minimum of a settlement is compared with what is left after the discount", async () => {
    chain = await openChain({ params: { min_settlement_amount: "1000" } });
    await activeEscrow(chain, "100000uve");
    await chain.ok(setDiscounts([percentage(1000)]));
    await recordedCosts(chain, [1110]);
    const refusal = [1506, "below minimum", "999uve"] as const;
    await chain.refused(msg.settle(customer), ...refusal);
    await recordedCosts(chain, [2], { from: 1 });
    // 1112 - 111
    expect(await total()).toBe("1001uve");
  });

  test("nothing is left after discounts: it waits, and a final settlement closes it", async () => {
    await chain.ok(setDiscounts([percentage(10_000)]));
    await recordedCosts(chain, [700]);
    await chain.refused(msg.settle(customer), 1506, "all records cost 0 after discounts");
    expect(await settled(chain, { final: true })).toMatchObject({
      ...{ settlementId: "", totalAmount: "" },
    });
    expect((await lastInvoice(chain)).sums).toEqual([
      "700uve",
      "percentage 700uve",
      "",
      "",
      "",
      "",
      "",
      "paid",
    ]);
    await chain.checkFullInvariants();
  });

  test("a release has neither discount nor tax", async () => {
    await chain.ok(setDiscounts([percentage(5000)]));
    await chain.ok(setTax(taxTerms("exclusive", "0.19")));
    await chain.ok(msg.release(customer, "escrow-1", "1000uve"));
    const [settlement] = await see.settlementsOf(chain, ORDER);
    expect(text(settlement?.totalAmount)).toBe("1000uve");
    await chain.checkFullInvariants();
  });
});

describe("kinds of discounts", () => {
  test("a fixed one is given once per order: two settlements use it up", async () => {
    await chain.ok(setDiscounts([fixed("1000uve", { maxDiscount: wire("600uve") })]));
    const left = async () => text((await termsOf(chain)).discounts[0]?.amount);
    const totals: string[] = [];
    const rest: string[] = [];
    for (const from of [0, 1, 2]) {
      await recordedCosts(chain, [700], { from });
      totals.push(await total());
      rest.push(await left());
    }
    expect(totals).toEqual(["100uve", "300uve", "700uve"]);
    expect(rest).toEqual(["400uve", "", ""]);
    await chain.checkFullInvariants();
    expect(await (await chain.imported()).exported()).toBe(await chain.exported());
  });

  test("a refused settlement uses nothing up", async () => {
    await chain.ok(setDiscounts([fixed("700uve")]));
    await recordedCosts(chain, [700]);
    await chain.refused(msg.settle(customer), 1506);
    expect(text((await termsOf(chain)).discounts[0]?.amount)).toBe("700uve");
  });

  test.each([
    [9n, "9000uve"],
    [10n, "9500uve"],
    [19n, "18050uve"],
    [20n, "18000uve"],
    [21n, "18900uve"],
  ])("volume: %s units at 1000", async (units, expected) => {
    await chain.ok(
      setDiscounts([
        volume([
          [10n, 500],
          [20n, 1000],
        ]),
      ]),
    );
    await recorded(chain, { ...slot(0), units: units - 1n, price: "1000uve" });
    await recorded(chain, { ...slot(1), units: 1n, price: "1000uve" });
    expect(await total()).toBe(expected);
  });

  test("all are of the original sum, and together at most the sum: later ones get less", async () => {
    const tiers = [[1n, 1000]] as const;
    await chain.ok(setDiscounts([percentage(6000), fixed("600uve"), volume(tiers)]));
    await recordedCosts(chain, [1000]);
    await settled(chain, { final: true });
    expect((await lastInvoice(chain)).sums[1]).toBe("percentage 600uve fixed 400uve");
    expect(text((await termsOf(chain)).discounts[1]?.amount)).toBe("200uve");
    await chain.checkFullInvariants();
  });

  test.each([
    [-1n, "1000uve"],
    [0n, "900uve"],
    [100n, "900uve"],
    [101n, "1000uve"],
  ])("valid for both its seconds: %s s after the first", async (after, expected) => {
    const validFrom = GENESIS + 1000n;
    const times = { validFrom, validUntil: validFrom + 100n };
    await chain.ok(setDiscounts([percentage(1000, times)]));
    await recordedCosts(chain, [1000]);
    chain.time = ((validFrom + after) * 1_000_000_000n + 999_999_999n) as typeof chain.time;
    expect(await total()).toBe(expected);
  });

  test("what is taken is what the escrow covers after the discount", async () => {
    chain = await openChain({ params });
    await activeEscrow(chain, "900uve");
    await chain.ok(setDiscounts([percentage(1000)]));
    const ids = await recordedCosts(chain, [500, 500, 1]);
    const result = await chain.ok(msg.settle(customer));
    const event = { total_amount: "900uve", records: "2", stopped_at: ids[2] };
    expect(eventsOf(result, "OrderSettled")).toMatchObject([event]);
    await chain.checkFullInvariants();
  });

  test("a final settlement pays the lines in their order, each less its discount", async () => {
    chain = await openChain({ params });
    await activeEscrow(chain, "1000uve");
    await chain.ok(setDiscounts([percentage(1000)]));
    await recordedCosts(chain, [800, 800, 800]);
    await settled(chain, { final: true });
    const { id, sums } = await lastInvoice(chain);
    expect(sums).toEqual([
      "2400uve",
      "percentage 240uve",
      "",
      "2160uve",
      "1000uve",
      "1160uve",
      "",
      "partially_paid",
    ]);
    expect(await linesOf(chain, id)).toEqual([
      "800uve - 80uve = 720uve, 720uve",
      "800uve - 80uve = 720uve, 280uve",
      "800uve - 80uve = 720uve, 0",
    ]);
    await chain.checkFullInvariants();
  });
});

describe("MsgSetDiscounts", () => {
  test("is told by one event with old and new, and shown by the query", async () => {
    await chain.ok(setDiscounts([percentage(500)]));
    const times = { validFrom: 5n, validUntil: 9n };
    const bounds = { minTotal: wire("10uve"), maxDiscount: wire("20uve"), ...times };
    const next = [fixed("9uve,5uusd", bounds), volume([[3n, 7]])];
    const result = await chain.ok(setDiscounts(next, authority));
    expect(eventsOf(result, "DiscountsSet")).toMatchObject([
      {
        ...{ order_id: ORDER, set_by: authority.address, old: "percentage 500bps" },
        new: "fixed 5uusd,9uve from 5 until 9 above 10uve at most 20uve;volume 3:7bps",
      },
    ]);
    expect((await termsOf(chain)).discounts.map(({ amount }) => text(amount))).toEqual([
      "5uusd,9uve",
      "",
    ]);
    await chain.refused(setDiscounts(next), 1506, "nothing changes");
    await chain.ok(setDiscounts([]));
    expect(await termsOf(chain)).toEqual({ orderId: ORDER, discounts: [], tax: undefined });
    await chain.checkFullInvariants();
    await recordedCosts(chain, [100]);
    expect(await total()).toBe("100uve");
  });

  test("the query: none are empty terms, an order that is not there is not found", async () => {
    const path = "settled.settlement.v1.Query/BillingTerms";
    expect(await termsOf(chain)).toEqual({ orderId: ORDER, discounts: [], tax: undefined });
    const none = await chain.ask(path, { orderId: "none" });
    expect(none.log).toContain("order none has no escrow");
    expect((await chain.ask(path)).log).toContain("order_id is empty");
  });

  test("only the provider of a live order, or the authority", async () => {
    const message = setDiscounts([percentage(1)], customer);
    await chain.refused(message, 1505, `recipient ${provider.address}`);
    await chain.refused(setDiscounts([percentage(1)], stranger), 1505);
    await chain.refused(setDiscounts([percentage(1)], provider, "none"), 1501, "none");
    await pendingEscrow(chain, "1000uve", { order: "b" });
    const early = setDiscounts([percentage(1)], provider, "b");
    await chain.refused(early, 1505, "escrow-2 is pending");
    await chain.ok(setDiscounts([percentage(1)], authority, "b"));
    await chain.ok(msg.dispute(customer, "escrow-1"));
    await chain.ok(setDiscounts([percentage(1)]));
    await chain.ok(msg.release(customer, "escrow-1"));
    await chain.refused(setDiscounts([percentage(2)]), 1505, "escrow-1 is released");
  });

  test("belongs to the order and outlives its escrow", async () => {
    await chain.ok(setDiscounts([percentage(1000)]));
    await chain.ok(msg.release(customer, "escrow-1"));
    await activeEscrow(chain, "5000uve");
    await recordedCosts(chain, [1000]);
    expect(await total()).toBe("900uve");
  });

  const nineCoins = Array.from("abcdefghi", (letter) => ({ denom: `u${letter}x`, amount: "1" }));
  const nine = Array.from({ length: 9 }, () => percentage(1));
  const tiers = (count: number) =>
    Array.from({ length: count }, (_, index) => [BigInt(index), 1] as const);
  test.each<[what: string, discounts: readonly Discount[], ...parts: string[]]>([
    ["nine", nine, "at most 8, found 9"],
    [
      "an unknown kind",
      [percentage(1, { kind: "coupon" })],
      'kind: expected percentage, fixed, volume, found "coupon"',
    ],
    ["a rate of 0", [percentage(0)], "discounts[0].rate_bps", "1 to 10000, found 0"],
    ["a rate above all", [percentage(1), percentage(10_001)], "discounts[1].rate_bps"],
    ["a rate of a fixed one", [fixed("1uve", { rateBps: 1 })], "rate_bps: expected none for fixed"],
    ["a fixed one of nothing", [fixed("")], "discounts[0].amount"],
    [
      "an amount of a percentage",
      [percentage(1, { amount: wire("1uve") })],
      "amount: expected none",
    ],
    ["tiers of a percentage", [percentage(1, { tiers: [{ minUnits: 1n, rateBps: 1 }] })], "tiers"],
    ["no tiers", [volume([])], "tiers: expected 1 to 8"],
    ["nine tiers", [volume(tiers(9))], "tiers: expected 1 to 8", "found 9"],
    [
      "tiers that do not rise",
      [
        volume([
          [2n, 1],
          [2n, 2],
        ]),
      ],
      "tiers[1].min_units: expected more than 2",
    ],
    ["a tier's rate", [volume([[2n, 0]])], "tiers[0].rate_bps"],
    ["an end before the start", [percentage(1, { validFrom: 5n, validUntil: 4n })], "valid_until"],
    ["a negative start", [percentage(1, { validFrom: -1n })], "valid_from"],
    ["nine coins", [percentage(1, { minTotal: nineCoins })], "min_total: expected at most 8 coins"],
    [
      "a long description",
      [percentage(1, { description: "x".repeat(129) })],
      "description has 129",
    ],
  ])("refuses %s", async (_, discounts, ...parts) => {
    await chain.refused(setDiscounts(discounts), 4, ...parts);
  });

  test("a customer who comes later does not have the terms of the one before", async () => {
    await chain.ok(setDiscounts([percentage(1)]));
    await chain.ok(setTax(taxTerms("exclusive", "0.19")));
    await chain.ok(msg.refund(customer, "escrow-1"));
    await activeEscrow(chain, "10uve", { depositor: stranger });
    expect(await termsOf(chain)).toEqual({ orderId: ORDER, discounts: [], tax: undefined });
    await chain.checkFullInvariants();
  });

  test("takes as much as there may be, and refuses coins that are none", async () => {
    const most = [...nine.slice(1, 8), volume(tiers(8), { description: "x".repeat(128) })];
    await chain.ok(setDiscounts(most));
    await chain.refused(setDiscounts([fixed("1uve,1uve")]), 3, "twice");
    await chain.refused(setDiscounts([percentage(1, { minTotal: wire("0uve") })]), 3);
  });
});
