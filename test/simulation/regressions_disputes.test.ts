import { test } from "vitest";
import { expectAgreed } from "./agreed.ts";
import { halvesOf } from "./drawing_params.ts";
import { ONE } from "./model/coins.ts";
import { paramsOf } from "./model/params.ts";
import { acknowledge, activate, after, authority, correct, create, delayed } from "./steps.ts";
import { depositor, dispute, idAt, message, other, recipient, report } from "./steps.ts";
import { resolve, SETTING, setTax, settle } from "./steps.ts";

// Disputes, and what they meet: blocks that module and model must agree on.

function refund(...amounts: readonly number[]) {
  const amount = amounts.map((each) => ({ denom: "uve", amount: `${each}` }));
  const facts = { settlementId: idAt("settle", 4), amount, reason: "why" };
  return message("MsgRefundSettlement", { sender: authority, ...facts });
}

test("RULES 21, 31 what the parties of a settled record agree on gives back no fees, and the authority can give the rest", async () => {
  const blocks = after(
    [[report("l", 0, 7n, 333n * ONE)], [report("l", 1, 1n, 1001n * ONE)]],
    [[settle(false)]],
    [[dispute(idAt("usage", 3))], [dispute(idAt("usage", 3, 2))]],
    [[resolve(depositor, 1, "amended", 2n)], [resolve(recipient, 1, "amended", 2n)]],
    // Little more: rewards that are cancelled already stay so.
    [[refund(10)]],
    [[resolve(recipient, 2, "accepted")], [resolve(depositor, 2, "accepted")]],
    [[refund()]],
    [[refund()]],
  );
  await expectAgreed(blocks, [1506]);
});

test("RULES 21, 31 parties who agree on a record whose payment was all fees get nothing back", async () => {
  const params = { platform_fee_rate: "0.7", validator_fee_rate: "0.3" };
  const blocks = after(
    [[report("l", 0, 1n, 2000n * ONE)]],
    [[settle(false)]],
    [[dispute(idAt("usage", 3))]],
    [[resolve(depositor, 1, "accepted")], [resolve(recipient, 1, "accepted")]],
  );
  await expectAgreed(blocks, [], { params });
});

test("RULES 24 while a record is disputed a final settlement is an ordinary one", async () => {
  const blocks = after(
    [[report("l", 0, 1n, 1000n * ONE)], [report("l", 1, 1n, 9001n * ONE)]],
    [[report("l", 2, 1n, 999n * ONE)]],
    [[dispute(idAt("usage", 3))]],
    // 9,000 are not kept: the second record is not covered, and the third not tried.
    [[settle(true)]],
    [[resolve(authority, 1, "accepted")]],
    [[settle(true)]],
  );
  await expectAgreed(blocks, [1506]);
});

test("RULES 21 the record that a dispute came to is corrected to less only, in its own denom, and not withdrawn", async () => {
  const amended = idAt("usage", 3, 2);
  const less = idAt("usage", 3, 3);
  const blocks = after(
    [[report("l", 0, 10n, 100n * ONE)]],
    [[dispute(idAt("usage", 3))]],
    [[resolve(authority, 1, "amended", 6n)]],
    [[correct(amended, 7n, 100n * ONE)], [correct(amended, 0n, 0n)]],
    [[correct(amended, 6n, 100n * ONE, "uusd")], [correct(amended, 6n, 101n * ONE)]],
    // More units that cost as much.
    [[correct(amended, 12n, 50n * ONE)], [correct(less, 0n, 0n)], [dispute(less)]],
    [[correct(less, 13n, 50n * ONE)], [correct(less, 1n, 50n * ONE)]],
  );
  await expectAgreed(blocks, [1512, 1512, 1512, 1512, 1512, 1503, 1512]);
});

test("RULES 19 the correction of a record whose dispute was rejected is another claim", async () => {
  const blocks = after(
    [[report("l", 0, 10n, 100n * ONE)]],
    [[dispute(idAt("usage", 3))]],
    [[resolve(authority, 1, "rejected")]],
    [[correct(idAt("usage", 3), 11n, 100n * ONE)]],
    [[dispute(idAt("usage", 3, 2))]],
  );
  await expectAgreed(blocks, []);
});

test("RULES 29 an invoice of which all that was paid was credited and the rest waived is refunded", async () => {
  const invoiceId = idAt("invoice", 4);
  const amount = [{ denom: "uve", amount: "10000" }];
  const credit = { sender: recipient, invoiceId, amount, reason: "why" };
  const blocks = after(
    [[report("l", 0, 1n, 8000n * ONE)], [report("l", 1, 1n, 8000n * ONE)]],
    [[settle(true)]],
    [[message("MsgCreditInvoice", credit)]],
    [[dispute(idAt("usage", 3, 2))]],
    [[resolve(authority, 1, "accepted")]],
    [[message("MsgCreditInvoice", credit)]],
  );
  await expectAgreed(blocks, [1503]);
});

for (const mode of ["inclusive", "exclusive"]) {
  test(`RULES 21, 30 with ${mode} tax a decision waives its part of what is due, and no other's`, async () => {
    const sender = mode === "inclusive" ? recipient : depositor;
    const blocks = after(
      [[setTax(sender, mode, ["0.19"])]],
      [[report("l", 0, 3n, 3001n * ONE), report("l", 1, 2n, 4001n * ONE)]],
      [[report("l", 2, 1n, 1001n * ONE)]],
      [[settle(true)]],
      [[dispute(idAt("usage", 4, 2))], [dispute(idAt("usage", 5, 3))]],
      [[resolve(authority, 1, "amended", 1n)]],
      [[resolve(authority, 2, "accepted")]],
    );
    await expectAgreed(blocks, []);
  });
}

test("RULES 14, 21 an escrow with a disputed record does not expire: what is there goes on, nothing new begins", async () => {
  const [first, second] = [idAt("usage", 3), idAt("usage", 3, 2)];
  const blocks = after(
    [[report("l", 0, 1n, 1000n * ONE)], [report("l", 1, 1n, 2000n * ONE)]],
    [[report("l", 2, 1n, 3000n * ONE)]],
    [[dispute(first)]],
    [[report("l", 3, 1n, ONE)], [correct(second, 2n, ONE)], [dispute(second)]],
    // That nothing changes is asked after it.
    [[correct(second, 1n, 2000n * ONE)]],
    [[acknowledge(second)], [correct(idAt("usage", 4, 3), 0n, 0n)], [settle(false)]],
    [[setTax(depositor, "exclusive", ["0.1"])]],
    [[resolve(authority, 1, "rejected")], [settle(false)], [acknowledge(first)]],
    [],
  );
  await expectAgreed(delayed(blocks, 6, 7200n), [1518, 1518, 1518, 1518, 1518, 1518]);
});

test("RULES 30 another customer's escrow of an order begins without discounts and tax, the same one's keeps them", async () => {
  const end = (escrowId: string) => {
    return message("MsgRefundEscrow", { sender: authority, escrowId, reason: "why" });
  };
  const blocks = after(
    [[setTax(depositor, "exclusive", ["0.19"])]],
    [[end("escrow-1")]],
    [[create(depositor)], [activate(depositor, "escrow-2")]],
    [[report("l", 0, 1n, 1000n * ONE)]],
    [[settle(false)]],
    [[end("escrow-2")]],
    [[create(other)], [activate(other, "escrow-3")]],
    [[report("l", 1, 1n, 1000n * ONE)]],
    [[message("MsgSettleOrder", { ...settle(false).value, sender: other })]],
    // The same as before counts as new terms.
    [[setTax(other, "exclusive", ["0.19"])]],
  );
  await expectAgreed(blocks, []);
});

test("RULES 21 without a dispute window nothing is disputed", async () => {
  const params = { dispute_window_duration: "0" };
  const blocks = after(
    [[report("l", 0, 1n, 1000n * ONE)], [report("l", 1, 1n, 1000n * ONE)]],
    [[dispute(idAt("usage", 3))]],
    [[settle(false)], [dispute(idAt("usage", 3))]],
    [[dispute(idAt("usage", 3))]],
  );
  await expectAgreed(blocks, [1503, 1503, 1515], { params });
});

for (const [window, refused] of [
  ["lowered", [1515]],
  ["raised", [1515]],
] as const) {
  test(`RULES 21 a window ${window} after a settlement does not move its end`, async () => {
    const rule = { payout_holdback_rate: "0.1", dispute_window_duration: "60" };
    const disputeWindowDuration = window === "lowered" ? 0n : 7200n;
    const given = paramsOf(rule, SETTING.extended, { authority });
    const change = { ...halvesOf({ ...given, disputeWindowDuration }), authority };
    const blocks = after(
      [[report("l", 0, 1n, 1000n * ONE)], [report("l", 1, 1n, 1000n * ONE)]],
      [[settle(false)], [message("MsgUpdateParams", { ...change, sender: authority })]],
      [[dispute(idAt("usage", 3))]],
      [[dispute(idAt("usage", 3, 2))]],
    );
    await expectAgreed(delayed(blocks, 6, 60n), refused, { params: rule });
  });
}

test("RULES 21, 30 what is kept for a disputed record is what it would be charged, tax and discounts included", async () => {
  const none = { amount: [], tiers: [], minTotal: [], maxDiscount: [], description: "" };
  const times = { validFrom: 0n, validUntil: 0n };
  const discounts = [{ kind: "percentage", rateBps: 3333, ...none, ...times }];
  const blocks = after(
    [[setTax(depositor, "exclusive", ["0.19"], ["0.1", true])]],
    [[report("l", 0, 1n, 1001n * ONE)], [report("l", 1, 1n, 2001n * ONE)]],
    [[dispute(idAt("usage", 4))]],
    [[message("MsgSetDiscounts", { sender: recipient, orderId: "o", discounts })]],
    [[dispute(idAt("usage", 4, 2))]],
    [[message("MsgRefundEscrow", { sender: recipient, escrowId: "escrow-1", reason: "why" })]],
    [[resolve(authority, 1, "rejected")], [resolve(authority, 2, "rejected")]],
    [[settle(true)]],
  );
  await expectAgreed(blocks, []);
});

test("RULES 32 a payout that disputes held and refunds emptied cannot be held", async () => {
  const extended = { ...SETTING.extended, payout_delay: "7200" };
  const hold = { sender: authority, payoutId: idAt("payout", 4), reason: "why" };
  const blocks = after(
    [[report("l", 0, 1n, 1000n * ONE)]],
    [[settle(false)]],
    [[dispute(idAt("usage", 3))]],
    [[refund()], [message("MsgHoldPayout", hold)]],
    [[resolve(authority, 1, "rejected")]],
  );
  await expectAgreed(blocks, [1503], { extended });
});

test("RULES 33 the authority rewards no record whose settlement gave something back", async () => {
  const setting = { ...SETTING, params: { usage_reward_rate_bps: 0 } };
  const { params } = halvesOf(paramsOf({ authority }));
  const change = { sender: authority, authority, params, extendedParams: undefined };
  const reward = (number: number) => {
    const usageIds = [idAt("usage", 3, number)];
    const value = { sender: authority, reference: `r-${number}`, usageIds };
    return message("MsgDistributeProviderRewards", value);
  };
  const blocks = after(
    [1, 2, 3].map((at) => [report("l", at, 1n, 1000n * ONE)]),
    [[settle(false)], [message("MsgUpdateParams", change)]],
    [[reward(1)]],
    [[refund(1000)], [reward(2)]],
    [[refund(1998)], [reward(3)]],
  );
  await expectAgreed(blocks, [1509, 1509], setting);
});

test("RULES 30 a discount has at most eight coins in a list, and a tax at most the price", async () => {
  const none = { amount: [], tiers: [], maxDiscount: [], description: "" };
  const times = { validFrom: 0n, validUntil: 0n };
  const least = (count: number) => {
    const minTotal = Array.from({ length: count }, (_, at) => ({ denom: `ua${at}`, amount: "1" }));
    const discounts = [{ kind: "percentage", rateBps: 1, ...none, ...times, minTotal }];
    return message("MsgSetDiscounts", { sender: recipient, orderId: "o", discounts });
  };
  const tax = (...rates: readonly [string, boolean?][]) => setTax(depositor, "exclusive", ...rates);
  const blocks = after(
    [[least(8)], [least(9)]],
    [[tax(["0.5"], ["0.5"])], [tax(["0.5"], ["0.5", true])]],
    [[tax(["0.5"], ["0.333333333333333333", true])], [tax(["1"], ["0.000000000000000001"])]],
  );
  await expectAgreed(blocks, [4, 4, 4]);
});
