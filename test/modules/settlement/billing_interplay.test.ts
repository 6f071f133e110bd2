import { beforeEach, describe, expect, test } from "vitest";
import type { Key } from "../../../src/lib/key.ts";
import { billingTermsKey } from "../../../src/modules/settlement/billing_terms.ts";
import * as keys from "../../../src/modules/settlement/keys.ts";
import { settleOrder } from "../../../src/modules/settlement/settle_order.ts";
import { authority, customer, provider } from "../../testkit/accounts.ts";
import {
  fixed,
  lastInvoice,
  percentage,
  setDiscounts,
  setTax,
  taxTerms,
  termsOf,
} from "../../testkit/billing.ts";
import { moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { disputed, resolve, resolved } from "../../testkit/disputes.ts";
import { machineOf } from "../../testkit/machine.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { eventsOf } from "../../testkit/outcome.ts";
import { activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { refundMsg } from "../../testkit/refunds.ts";
import { see } from "../../testkit/views.ts";

const TAX = moduleAccount("settlement_tax");
let chain: TestChain;
beforeEach(async () => {
  chain = await openChain({ params: { min_settlement_amount: "0" } });
  await activeEscrow(chain, "100000uve");
});

describe("discounts and tax with refunds and disputes", () => {
  test("RULES 31 a refund of half a total gives half of its tax back", async () => {
    await chain.ok(setDiscounts([percentage(1000)]));
    await chain.ok(setTax(taxTerms("exclusive", "0.19")));
    await recordedCosts(chain, [1000]);
    const { settlementId } = await settled(chain);
    expect(await chain.balance(TAX)).toBe(171n);
    const before = await chain.balance(customer.address);
    await chain.ok(refundMsg.refund(settlementId, "450uve"));
    expect(await chain.balance(TAX)).toBe(86n);
    expect((await chain.balance(customer.address)) - before).toBe(450n + 85n);
    await chain.checkFullInvariants();
    await chain.ok(refundMsg.refund(settlementId));
    expect(await chain.balance(TAX)).toBe(0n);
    expect((await chain.balance(customer.address)) - before).toBe(1071n);
    expect((await lastInvoice(chain)).sums.at(-1)).toBe("refunded");
    await chain.checkFullInvariants();
    expect(await (await chain.imported()).exported()).toBe(await chain.exported());
  });

  test.each(["exclusive", "inclusive"])("a settled record that is disputed, %s", async (mode) => {
    await chain.ok(setDiscounts([percentage(1000)]));
    await chain.ok(setTax(taxTerms(mode, "0.19")));
    const [first = ""] = await recordedCosts(chain, [1000, 500]);
    await settled(chain);
    const paid = text((await see.usageDetail(chain, first)).settledAmount);
    const before = await chain.balance(customer.address);
    await resolved(chain, await disputed(chain, first), "accepted", authority);
    const back = (await chain.balance(customer.address)) - before;
    // 900 × 257 / 1350 = 171.3 on top; or 900, of which 144 are tax.
    expect([paid, back]).toEqual(mode === "exclusive" ? ["900uve", 1071n] : ["756uve", 900n]);
    await chain.checkFullInvariants();
  });

  test.each([
    // 580 of 1000 is due, and 19 % on it; 1000 − 420 paid + 19 % on 420.
    ["exclusive", "690uve", "690uve"],
    // 1000 is 841 and 159 of tax: 420 was paid with its tax.
    ["inclusive", "500uve", "500uve"],
  ])("what is due of a disputed record is waived with its tax, %s", async (mode, due, waived) => {
    chain = await openChain({ params: { min_settlement_amount: "0" } });
    await activeEscrow(chain, "500uve");
    await chain.ok(setTax(taxTerms(mode, "0.19")));
    const [first = ""] = await recordedCosts(chain, [1000]);
    await settled(chain, { final: true });
    const [invoice] = await see.invoicesOf(chain, ORDER);
    expect(text(invoice?.amountDue)).toBe(due);
    const before = await chain.balance(customer.address);
    const result = await chain.ok(resolve(await disputed(chain, first), "accepted", authority));
    expect(eventsOf(result, "DisputeResolved")).toMatchObject([{ waived_amount: waived }]);
    const [after] = await see.invoicesOf(chain, ORDER);
    expect([text(after?.amountDue), after?.status]).toEqual(["", "refunded"]);
    // All that the escrow paid, tax included.
    expect((await chain.balance(customer.address)) - before).toBe(500n);
    await chain.checkFullInvariants();
  });

  test("RULES 21 a record that was paid whole waives nothing of another's due, inclusive", async () => {
    chain = await openChain({ params: { min_settlement_amount: "0" } });
    await activeEscrow(chain, "1500uve");
    await chain.ok(setTax(taxTerms("inclusive", "0.19")));
    const [first = "", second = ""] = await recordedCosts(chain, [1000, 1000]);
    await settled(chain, { final: true });
    const due = text((await see.invoicesOf(chain, ORDER))[0]?.amountDue);
    expect(due).toBe("500uve");
    const one = await chain.ok(resolve(await disputed(chain, first), "accepted", authority));
    expect(eventsOf(one, "DisputeResolved")).toMatchObject([
      { refunded_amount: "840uve", waived_amount: "" },
    ]);
    const wish = { units: 1n, price: "500uve" } as const;
    const two = await chain.ok(resolve(await disputed(chain, second), wish, authority));
    // Half of it is 420, as was paid: nothing is due any more.
    expect(eventsOf(two, "DisputeResolved")).toMatchObject([
      { refunded_amount: "", waived_amount: "500uve" },
    ]);
    await chain.checkFullInvariants();
  });

  test("RULES 21 decisions one after the other waive what each is worth, no more", async () => {
    chain = await openChain({ params: { min_settlement_amount: "0" } });
    await activeEscrow(chain, "2uve");
    await chain.ok(setTax(taxTerms("exclusive", "0.19")));
    const ids = await recordedCosts(chain, [1000, 1000, 1000, 1000]);
    await settled(chain, { final: true });
    for (const id of ids.slice(0, 3)) {
      await resolved(chain, await disputed(chain, id), "accepted", authority);
    }
    const due = async () => text((await see.invoicesOf(chain, ORDER))[0]?.amountDue);
    const before = await due();
    const wish = { units: 1n, price: "560uve" } as const;
    await resolved(chain, await disputed(chain, ids[3] ?? ""), wish, authority);
    // 440 less, and 19 % of it: 523.6.
    expect([before, await due()]).toEqual(["1191uve", "668uve"]);
    await chain.checkFullInvariants();
  });

  test("RULES 21 a reserve has the tax in it", async () => {
    chain = await openChain({ params: { min_settlement_amount: "0" } });
    await activeEscrow(chain, "1190uve");
    await chain.ok(setTax(taxTerms("exclusive", "0.19")));
    const [only = ""] = await recordedCosts(chain, [1000]);
    const dispute = await disputed(chain, only);
    await chain.refused(msg.refund(provider, "escrow-1"), 1535, "all that escrow-1 holds");
    await resolved(chain, dispute, "rejected", authority);
    expect((await settled(chain)).totalAmount).toBe("1000uve");
  });

  test("an open record that is disputed waits with what it costs; the others are settled", async () => {
    await chain.ok(setDiscounts([fixed("100uve")]));
    await chain.ok(setTax(taxTerms("exclusive", "0.19")));
    const [first = ""] = await recordedCosts(chain, [1000, 500]);
    const dispute = await disputed(chain, first);
    expect((await settled(chain)).totalAmount).toBe("400uve");
    expect((await termsOf(chain)).discounts[0]?.amount).toEqual([]);
    await resolved(chain, dispute, "rejected", authority);
    expect((await settled(chain, { final: true })).totalAmount).toBe("1000uve");
    expect(await chain.balance(TAX)).toBe(76n + 190n);
    await chain.checkFullInvariants();
  });

  test("rewards go by what discounts, and a tax within prices, leave", async () => {
    await chain.ok(setDiscounts([percentage(5000)]));
    await chain.ok(setTax(taxTerms("inclusive", "0.25")));
    await recordedCosts(chain, [1000]);
    await chain.ok(msg.settle(customer));
    // 500 = 400 + 100; 400 × 10 % × 0.9
    const { totalClaimable } = await see.claimable(chain, provider.address);
    expect(text(totalClaimable)).toBe("36uve");
    await chain.checkFullInvariants();
  });
});

/** How often settling an order reads its own state, and its terms. */
async function readsOf(): Promise<{ order: number; terms: number }> {
  const { ctx, overlay, workers } = await machineOf(chain);
  const read: Key[] = [];
  const get = (key: Key): Uint8Array | undefined => {
    read.push(key);
    return overlay.get(key);
  };
  const kv = new Proxy(overlay, {
    get: (target, name) => {
      if (name === "get") return get;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
  const request = { sender: customer.address, orderId: ORDER, usageIds: [], isFinal: false };
  settleOrder({ ...ctx, kv }, workers, request);
  const count = (wanted: Key) => read.filter((key) => key === wanted).length;
  const order = count(keys.textIndexKey(keys.ORDER_PREFIX, ORDER));
  return { order, terms: count(billingTermsKey(ORDER)) };
}

test("settling an order without discounts and tax reads nothing more than before", async () => {
  await recordedCosts(chain, [1000]);
  expect(await readsOf()).toEqual({ order: 1, terms: 0 });
  await chain.ok(setDiscounts([percentage(1000)]));
  expect((await readsOf()).terms).toBe(1);
});
