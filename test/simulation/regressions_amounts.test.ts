import { test } from "vitest";
import { expectAgreed } from "./agreed.ts";
import { ONE } from "./model/coins.ts";
import { after, authority, delayed, depositor, dispute, idAt, message } from "./steps.ts";
import { recipient, report, resolve, SETTING, setTax, settle } from "./steps.ts";

// Amounts, and who may settle what: blocks that module and model once disagreed about.

const REWARD = { usage_reward_rate_bps: 10_000, usage_reward_unack_multiplier_bps: 20_000 };
const FULL = { ...REWARD, min_settlement_amount: "1" };

function discount(rateBps: number) {
  const none = { amount: [], tiers: [], minTotal: [], maxDiscount: [] };
  const terms = { kind: "percentage", description: "", validFrom: 0n, validUntil: 0n };
  const value = { sender: recipient, orderId: "o", discounts: [{ ...terms, ...none, rateBps }] };
  return message("MsgSetDiscounts", value);
}

function refund(amount: number) {
  const coins = amount === 0 ? [] : [{ denom: "uve", amount: `${amount}` }];
  const facts = { settlementId: idAt("settle", 4), amount: coins, reason: "why" };
  return message("MsgRefundSettlement", { sender: authority, ...facts });
}

function hold() {
  const facts = { payoutId: idAt("payout", 4), reason: "why" };
  return message("MsgHoldPayout", { sender: authority, ...facts });
}

test.each([
  ["a discount", [discount(1234)], false],
  ["a tax within prices", [setTax(recipient, "inclusive", ["0.19"])], false],
  ["both, paid in part", [setTax(recipient, "inclusive", ["0.19"]), discount(1000)], true],
  ["a tax on top, paid in part", [setTax(depositor, "exclusive", ["0.333"])], true],
] as const)(
  "RULES 21 an amended record with %s is charged in proportion",
  async (_, terms, isMore) => {
    for (const units of [1n, 5n, 33n]) {
      const reports = [
        report("l", 0, 42n, (isMore ? 333n : 23n) * ONE),
        report("l", 1, 7n, 9n * ONE),
      ];
      const blocks = after(
        [...reports, ...terms].map((each) => [each]),
        [[settle(isMore)]],
        [[dispute(idAt("usage", 3))]],
        [[resolve(authority, 1, "amended", units)]],
      );
      await expectAgreed(blocks, [], { params: FULL });
    }
  },
);

test("RULES 31 fees that are refunded after an agreement cancel no reward twice", async () => {
  const sides = [depositor, recipient];
  const blocks = after(
    [[report("l", 0, 7000n, ONE)], [report("l", 1, 3000n, ONE)]],
    [[settle(false)]],
    [[dispute(idAt("usage", 3))], [dispute(idAt("usage", 3, 2))]],
    sides.map((sender) => [resolve(sender, 1, "amended", 3000n)]),
    [[refund(100)], [refund(600)]],
    sides.map((sender) => [resolve(sender, 2, "amended", 2001n)]),
    [[refund(0)]],
  );
  await expectAgreed(blocks, [], { params: { ...FULL, payout_holdback_rate: "0.1" } });
});

test("RULES 22 a provider's final settlement looks at the records of its part only", async () => {
  const extended = { ...SETTING.extended, auto_settle_after: "10", max_records_per_settlement: 1 };
  const final = { sender: recipient, orderId: "o", usageRecordIds: [], isFinal: true };
  const blocks = after(
    [[report("l", 0, 1n, 12_000n * ONE)]],
    [[report("l", 1, 1n, ONE)]],
    [[message("MsgSettleOrder", final)]],
  );
  await expectAgreed(blocks, [1506], { extended });
  await expectAgreed(delayed(blocks, 4, 9n), [], { extended });
  await expectAgreed(delayed(blocks, 5, 9n), [], { extended });
});

test("RULES 26 units that one settlement cannot count go on in the next block", async () => {
  const blocks = after(
    [[report("l", 0, 2n ** 64n - 1n, 1n)], [report("l", 1, 1n, 1000n * ONE)]],
    [],
    [],
    [],
  );
  const params = { settlement_period: "60" };
  await expectAgreed(delayed(blocks, 4, 61n), [], { params, extended: {} });
});

test("RULES 32 what was held by a dispute and then by the authority keeps its due date", async () => {
  const extended = { ...SETTING.extended, payout_delay: "7200" };
  const ends = [refund(0), refund(700)];
  for (const end of ends) {
    const blocks = after(
      [[report("l", 0, 4n, 250n * ONE)]],
      [[settle(false)]],
      [[dispute(idAt("usage", 3))]],
      [[hold()]],
      [[resolve(authority, 1, "rejected")]],
      [[end]],
    );
    await expectAgreed(blocks, [], { extended });
  }
});

test("RULES 31 nothing goes back of a provider's share that a refund of the payout gave back, whatever the parties agree on", async () => {
  const extended = { ...SETTING.extended, payout_delay: "120" };
  const gone = { payoutId: idAt("payout", 4), amount: [], reason: "why" };
  const blocks = after(
    [[report("l", 0, 5n, 1016n * ONE)], [setTax(authority, "exclusive", ["0.19"])]],
    [[settle(false)]],
    [[hold()], [message("MsgRefundPayout", { sender: authority, ...gone })]],
    [[dispute(idAt("usage", 3))]],
    [[resolve(depositor, 1, "amended", 4n)], [resolve(recipient, 1, "amended", 4n)]],
  );
  await expectAgreed(blocks, [], { extended, params: { payout_holdback_rate: "0.1" } });
});

test("RULES 29 a payment of tax alone has no payout", async () => {
  const pay = (amount: string) => {
    const facts = { invoiceId: idAt("invoice", 4), amount: [{ denom: "uve", amount }] };
    return message("MsgPayInvoice", { sender: depositor, ...facts });
  };
  const blocks = after(
    [[report("l", 0, 12n, 1000n * ONE)], [setTax(authority, "exclusive", ["1"])]],
    [[settle(true)]],
    [[pay("1")], [pay("1")], [pay("3")], [pay("13995")]],
    [[pay("1")]],
  );
  await expectAgreed(blocks, [1503]);
});

test("RULES 21 an invoice of which nothing was paid is cancelled when all of it is waived", async () => {
  const blocks = after(
    [[report("l", 0, 10n, 1000n * ONE)]],
    [[settle(false)]],
    [[report("l", 1, 5n, 100n * ONE)]],
    [[settle(true)]],
    [[dispute(idAt("usage", 5, 2))]],
    [[resolve(authority, 1, "accepted")]],
  );
  await expectAgreed(blocks);
});
