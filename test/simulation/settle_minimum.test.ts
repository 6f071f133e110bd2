import fc from "fast-check";
import { expect, test } from "vitest";
import { runs, TIMEOUT } from "../property/runs.ts";
import { slot } from "../testkit/times.ts";
import { ONE } from "./model/coins.ts";
import type { ModelMessage } from "./parties.ts";
import { runBlocks } from "./runs.ts";
import { after, authority, delayed, message, recipient, setTax, settle } from "./steps.ts";

// RULES 27: module and model leave the same records out of parts that are full.

const EXTENDED = { max_records_per_settlement: 3, billing_enabled: true };
const PERIOD = 600n;

interface Reported {
  readonly cost: bigint;
  readonly denom: string;
  readonly isMany: boolean;
}

function reports(list: readonly Reported[]) {
  return list.map(({ cost, denom, isMany }, at) => {
    const { start, end } = slot(at);
    const usage = { orderId: "o", leaseId: "l", usageType: `${at}`, periodStart: start };
    // Two records of so many units are more than one settlement can count.
    const usageUnits = isMany ? 2n ** 63n : 1n;
    const unitPrice = { denom, amount: `${isMany ? cost : cost * ONE}` };
    const facts = { ...usage, periodEnd: end, usageUnits, unitPrice };
    const signature = Uint8Array.of(1);
    return message("MsgRecordUsage", { sender: recipient, ...facts, signature });
  });
}

function inTxs(messages: readonly ModelMessage[]) {
  return messages.map((each) => [each]);
}

function discounts(rateBps: number, minUnits: bigint) {
  const none = { amount: [], minTotal: [], maxDiscount: [], rateBps: 0 };
  const terms = { kind: "volume", description: "", validFrom: 0n, validUntil: 0n };
  const discount = { ...none, ...terms, tiers: [{ minUnits, rateBps }] };
  const value = { sender: authority, orderId: "o", discounts: [discount] };
  return message("MsgSetDiscounts", value);
}

const order = fc.record({
  list: fc.array(
    fc.record({
      cost: fc.constantFrom(0n, 0n, 300n, 400n, 900n, 1000n, 4000n),
      denom: fc.constantFrom("uve", "uusd"),
      isMany: fc.constantFrom(false, false, false, true),
    }),
    { minLength: 1, maxLength: 14 },
  ),
  terms: fc.constantFrom(
    [],
    [discounts(5000, 2n)],
    [discounts(9000, 3n)],
    [discounts(4000, 1n), setTax(authority, "inclusive", ["0.19"])],
  ),
  isUnasked: fc.boolean(),
});

test(
  "RULES 27 parts that are full of what is below the minimum: module and model agree",
  async () => {
    let settled = 0;
    const property = fc.asyncProperty(order, async ({ list, terms, isUnasked }) => {
      const params = { settlement_period: `${PERIOD}` };
      const setting = { ...{ params, pool: 0n }, extended: { ...EXTENDED } };
      const extended = { ...setting.extended, auto_settle_enabled: isUnasked };
      const again = Array.from({ length: 5 }, () => (isUnasked ? [] : [[settle(false)]]));
      const blocks = after(inTxs(terms), [reports(list)], ...again);
      const due = isUnasked ? delayed(blocks, 5, PERIOD) : blocks;
      const tally = { accepted: 0, refused: new Map<number, number>() };
      expect(await runBlocks({ ...setting, extended }, due, tally)).toBeUndefined();
      // Besides the escrow's two, terms and reports.
      settled += tally.accepted > 3 + terms.length ? 1 : 0;
    });
    await fc.assert(property, runs(20));
    expect(settled).toBeGreaterThan(5);
  },
  TIMEOUT,
);
