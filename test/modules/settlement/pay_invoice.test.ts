import { beforeEach, describe, expect, test } from "vitest";
import type {
  MsgCreditInvoiceResponse,
  MsgPayInvoiceResponse,
} from "../../../src/gen/settled/settlement/v1/tx.ts";
import type { TimeNs } from "../../../src/types/time.ts";
import { customer, customer2, provider, provider2, stranger } from "../../testkit/accounts.ts";
import { moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { invoiceMsg, seeInvoice, unpaidInvoice } from "../../testkit/invoices.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { eventsOf, responseOf, typedEvents } from "../../testkit/outcome.ts";
import { activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { DAY, GENESIS } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const NS = 1_000_000_000n;
const WEEK = 7n * DAY;
const START = 1_000_000_000_000n;

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
});

async function fees(): Promise<bigint[]> {
  const accounts = ["settlement_platform_fee", "settlement_validator_fee", "settlement"];
  return Promise.all(accounts.map((name) => chain.balance(moduleAccount(name))));
}

describe("RULES 29 MsgPayInvoice", () => {
  test("R-003-44 what an escrow did not cover is paid in parts, with the fee floors of a settlement", async () => {
    // 800 used, 500 there: fees 25 and 5, share 470.
    const id = await unpaidInvoice(chain, 800);
    expect(await see.invoice(chain, id)).toMatchObject({
      ...{ status: "partially_paid", paidAtNs: 0n },
      ...{ amountPaid: [{ amount: "500" }], amountDue: [{ amount: "300" }] },
    });
    expect(await fees()).toEqual([25n, 5n, 0n]);
    const rewards = await see.claimable(chain, provider.address);
    const escrow = await see.escrow(chain, "escrow-1");
    // 101: fees 5.05 and 1.01 are floored, the provider has 95.
    const first = await chain.ok(invoiceMsg.pay(stranger, id, "101uve"));
    expect(responseOf<MsgPayInvoiceResponse>(first)).toEqual({
      payoutId: `payout-${GENESIS + 5n}-2`,
      ...{ paidAmount: "101uve", amountDue: "199uve", status: "partially_paid" },
      paidAt: GENESIS + 5n,
    });
    expect(await fees()).toEqual([30n, 6n, 0n]);
    expect(await chain.balance(provider.address)).toBe(START + 470n + 95n);
    expect(await chain.balance(stranger.address)).toBe(START - 101n);
    // The rest, without an amount: 199 has the fees 9 and 1.
    const second = await chain.ok(invoiceMsg.pay(customer, id));
    expect(responseOf(second)).toMatchObject({
      paidAmount: "199uve",
      amountDue: "",
      status: "paid",
    });
    expect(eventsOf(second, "InvoicePaid")).toEqual([
      {
        ...{ invoice_id: id, order_id: ORDER, payer: customer.address },
        ...{ payout_id: `payout-${GENESIS + 6n}-3`, amount: "199uve", amount_due: "" },
        ...{ provider_share: "189uve", platform_fee: "9uve", validator_fee: "1uve" },
        ...{ status: "paid", paid_at: `${GENESIS + 6n}` },
      },
    ]);
    expect(typedEvents(second)).toEqual(["PayoutCompleted", "InvoicePaid"]);
    expect(await fees()).toEqual([39n, 7n, 0n]);
    expect(await chain.balance(provider.address)).toBe(START + 470n + 95n + 189n);
    expect(await see.invoice(chain, id)).toMatchObject({
      ...{ status: "paid", paidAtNs: (GENESIS + 6n) * NS },
      ...{ amountPaid: [{ amount: "800" }], amountDue: [] },
    });
    // No reward, and no escrow is touched.
    expect(await see.claimable(chain, provider.address)).toEqual(rewards);
    expect(await see.escrow(chain, "escrow-1")).toEqual(escrow);
    expect(text((await see.totals(chain)).platformFees)).toBe("39uve");
    expect(await see.settlementsOf(chain, ORDER)).toHaveLength(1);
    await chain.checkFullInvariants();
  });

  test("R-003-51 each payment has one payout, of the invoice and of no settlement", async () => {
    const id = await unpaidInvoice(chain, 800);
    await chain.ok(invoiceMsg.pay(customer, id, "100uve"), invoiceMsg.pay(customer, id, "1uve"));
    const payouts = (await see.payoutsOf(chain, provider.address)).slice(1);
    const shown = payouts.map((each) => [
      ...[each.invoiceId, each.settlementId, each.state, text(each.grossAmount)],
      text(each.netAmount),
    ]);
    expect(shown).toEqual([
      [id, "", "completed", "100uve", "94uve"],
      [id, "", "completed", "1uve", "1uve"],
    ]);
    expect(new Set(payouts.map(({ idempotencyKey: key }) => key)).size).toBe(2);
  });

  test("RULES 28 a payment has a holdback like any payout", async () => {
    chain = await openChain({ params: { payout_holdback_rate: "0.1" } });
    const id = await unpaidInvoice(chain, 1500);
    await chain.ok(invoiceMsg.pay(customer, id, "1000uve"));
    const payout = (await see.payoutsOf(chain, provider.address)).at(-1);
    expect([text(payout?.netAmount), text(payout?.holdbackAmount)]).toEqual(["840uve", "100uve"]);
    // 50 of the settlement, 100 of the payment.
    expect(await chain.balance(moduleAccount("settlement"))).toBe(150n);
    await chain.checkFullInvariants();
  });

  test("an invoice of which nothing was paid, in several denoms", async () => {
    await activeEscrow(chain, "10uusd,10uve");
    await recordedCosts(chain, [10]);
    await recordedCosts(chain, [10], { denom: "uusd", from: 1 });
    await recordedCosts(chain, [700], { from: 2 });
    await recordedCosts(chain, [30], { denom: "uusd", from: 3 });
    await settled(chain, { final: true });
    const [invoice] = await see.invoicesOf(chain, ORDER);
    const id = invoice?.invoiceId ?? "";
    expect(text(invoice?.amountDue)).toBe("30uusd,700uve");
    await chain.ok(invoiceMsg.pay(customer2, id, "30uusd,20uve"));
    expect(text((await see.invoice(chain, id)).amountDue)).toBe("680uve");
    // 30 and 20: fees of 1 each to the platform, nothing to the validator.
    expect(await chain.balances(moduleAccount("settlement_platform_fee"))).toBe("1uusd,1uve");
    await chain.refused(invoiceMsg.pay(customer2, id, "1uusd"), 1522, "680uve due", "1uusd");
  });

  test("a refused payment says why, and changes nothing", async () => {
    const id = await unpaidInvoice(chain, 800);
    const pay = (amount: string, of = id) => invoiceMsg.pay(customer, of, amount);
    await chain.refused(pay("301uve"), 1522, id, "300uve due", "asked for 301uve");
    await chain.refused(pay("1uusd"), 1522, "300uve due");
    await chain.refused(pay("0uve"), 3, "not positive");
    await chain.refused(pay("1uve", `${id}0`), 1549, `invoice "${id}0"`);
    await chain.refused(pay("1uve", "invoice-1-1"), 1549);
    await chain.refused(pay("1uve", "settle-1-1"), 1549);
    await chain.refused(pay("1uve", ""), 4, "invoice_id is empty");
    await chain.ok(invoiceMsg.pay(customer, id));
    await chain.refused(pay("1uve"), 1503, "is paid", "cannot be paid");
  });

  test("1504: a payer without the coins is named, with what is there and needed", async () => {
    chain = await openChain({ funds: { [stranger.address]: "7uve" } });
    const id = await unpaidInvoice(chain, 800);
    const { address } = stranger;
    await chain.refused(invoiceMsg.pay(stranger, id), 1504, address, "300uve", "7uve");
  });
});

describe("RULES 29 overdue", () => {
  test("something is due after the due date: overdue once, in EndBlock, strictly after it", async () => {
    const id = await unpaidInvoice(chain, 800);
    const { dueAtNs } = await see.invoice(chain, id);
    expect(dueAtNs).toBe((GENESIS + 4n + WEEK) * NS);
    chain.time = dueAtNs as TimeNs;
    expect(eventsOf(await chain.block(), "InvoiceOverdue")).toEqual([]);
    chain.time = (dueAtNs + 1n) as TimeNs;
    const block = await chain.block();
    const overdueAt = GENESIS + 4n + WEEK;
    expect(eventsOf(block, "InvoiceOverdue")).toEqual([
      {
        ...{ invoice_id: id, order_id: ORDER, customer: customer.address, amount_due: "300uve" },
        ...{ due_at: `${overdueAt}`, overdue_at: `${overdueAt}` },
      },
    ]);
    expect(await see.invoice(chain, id)).toMatchObject({
      ...{ status: "overdue", overdueAtNs: dueAtNs + 1n },
    });
    await chain.app.checkDerivedKeys();
    // A part makes it partially paid for good, the rest paid.
    await chain.ok(invoiceMsg.pay(customer, id, "1uve"));
    expect(eventsOf(await chain.block(), "InvoiceOverdue")).toEqual([]);
    expect(await see.invoice(chain, id)).toMatchObject({ status: "partially_paid" });
    await chain.app.checkDerivedKeys();
    await chain.ok(invoiceMsg.pay(customer, id));
    expect(await see.invoice(chain, id)).toMatchObject({ status: "paid" });
    const kinds = (await seeInvoice.ledger(chain, id)).map((e) => [
      e.kind,
      e.previousStatus,
      e.status,
    ]);
    expect(kinds).toEqual([
      ["issued", "draft", "partially_paid"],
      ["overdue", "partially_paid", "overdue"],
      ["payment", "overdue", "partially_paid"],
      ["payment", "partially_paid", "paid"],
    ]);
    await chain.checkFullInvariants();
  });

  test("what is paid or void in time is never overdue", async () => {
    const paid = await unpaidInvoice(chain, 800);
    const voided = await wholeUnpaid({ order: "b" });
    await chain.ok(invoiceMsg.void(provider, voided));
    await chain.ok(invoiceMsg.pay(customer, paid));
    chain.skip(WEEK + 100n);
    expect(eventsOf(await chain.block(), "InvoiceOverdue")).toEqual([]);
  });

  test("RULES 7 a due date that is written does not move", async () => {
    chain = await openChain({ extended: { invoice_due_after: "10" } });
    const id = await unpaidInvoice(chain, 800);
    chain.skip(9n);
    await chain.block();
    expect((await see.invoice(chain, id)).status).toBe("partially_paid");
    await chain.block();
    expect((await see.invoice(chain, id)).status).toBe("overdue");
  });
});

/** An invoice of which nothing is paid: a second record of an escrow that the first has emptied. */
async function wholeUnpaid(o: { order?: string } = {}): Promise<string> {
  const { order = ORDER } = o;
  await activeEscrow(chain, "1000uve", { order });
  await recordedCosts(chain, [1000], { order });
  await settled(chain, { order });
  await recordedCosts(chain, [400], { order, from: 1 });
  await settled(chain, { order, final: true });
  return (await see.invoicesOf(chain, order)).at(-1)?.invoiceId ?? "";
}

describe("RULES 38 MsgVoidInvoice", () => {
  test("the provider voids an invoice before any payment: nothing is due any more", async () => {
    const id = await wholeUnpaid();
    expect(await see.invoice(chain, id)).toMatchObject({ status: "pending", amountPaid: [] });
    for (const signer of [customer, stranger, provider2]) {
      await chain.refused(invoiceMsg.void(signer, id), 1505, provider.address, signer.address);
    }
    const at = GENESIS + chain.height + 1n;
    const result = await chain.ok(invoiceMsg.void(provider, id, "billed twice"));
    expect(responseOf(result)).toEqual({ voidedAt: at });
    expect(eventsOf(result, "InvoiceVoided")).toEqual([
      {
        ...{ invoice_id: id, order_id: ORDER, provider: provider.address, amount: "400uve" },
        ...{ reason: "billed twice", voided_at: `${at}` },
      },
    ]);
    expect(await see.invoice(chain, id)).toMatchObject({
      ...{ status: "cancelled", amountDue: [], voidReason: "billed twice" },
      total: [{ amount: "400" }],
    });
    await chain.refused(invoiceMsg.pay(customer, id), 1503, "is cancelled");
    await chain.refused(invoiceMsg.void(provider, id), 1503, "is cancelled");
    await chain.refused(invoiceMsg.credit(provider, id, "1uve"), 1503, "is cancelled");
    chain.skip(WEEK);
    expect(eventsOf(await chain.block(), "InvoiceOverdue")).toEqual([]);
    await chain.checkFullInvariants();
    await chain.app.checkDerivedKeys();
  });

  test("an overdue one may be void, one with a payment may not", async () => {
    const id = await wholeUnpaid();
    chain.skip(WEEK);
    await chain.block();
    expect((await see.invoice(chain, id)).status).toBe("overdue");
    await chain.ok(invoiceMsg.void(provider, id));
    const part = await unpaidInvoice(chain, 800, { order: "b" });
    await chain.refused(invoiceMsg.void(provider, part), 1503, "500uve was paid", "void");
    await chain.refused(invoiceMsg.void(provider, part, ""), 4, "reason is empty");
    await chain.refused(invoiceMsg.void(provider, `${part}1`), 1549);
  });
});

describe("RULES 38 MsgCreditInvoice", () => {
  test("a credit note gives back at most what was paid; all of it: refunded", async () => {
    await activeEscrow(chain);
    await recordedCosts(chain, [1000]);
    await settled(chain);
    const [invoice] = await see.invoicesOf(chain, ORDER);
    const id = invoice?.invoiceId ?? "";
    const before = await chain.balance(customer.address);
    const at = GENESIS + chain.height + 1n;
    const first = await chain.ok(invoiceMsg.credit(provider, id, "300uve", "an hour down"));
    const noteId = `credit-${at}-1`;
    expect(responseOf<MsgCreditInvoiceResponse>(first)).toEqual({
      ...{ creditNoteId: noteId, creditedAmount: "300uve", creditedAt: at },
    });
    expect(eventsOf(first, "InvoiceCredited")).toEqual([
      {
        ...{ credit_note_id: noteId, credit_note_number: "CN-000001", invoice_id: id },
        ...{ order_id: ORDER, provider: provider.address, customer: customer.address },
        ...{ amount: "300uve", reason: "an hour down", status: "paid", credited_at: `${at}` },
      },
    ]);
    expect(await chain.balance(customer.address)).toBe(before + 300n);
    expect(await chain.balance(provider.address)).toBe(START + 940n - 300n);
    // Fees and rewards stay.
    expect(await fees()).toEqual([50n, 10n, 0n]);
    expect(await see.invoice(chain, id)).toMatchObject({
      ...{ status: "paid", credited: [{ amount: "300" }], amountPaid: [{ amount: "1000" }] },
    });
    const credit = (amount: string) => invoiceMsg.credit(provider, id, amount);
    await chain.refused(credit("701uve"), 1522, "700uve left to credit", "701uve");
    await chain.refused(credit("1uusd"), 1522, "700uve left to credit");
    await chain.refused(credit(""), 3, "amount is empty");
    await chain.refused(invoiceMsg.credit(customer, id, "1uve"), 1505, provider.address);
    await chain.ok(credit("700uve"));
    expect((await see.invoice(chain, id)).status).toBe("refunded");
    await chain.refused(credit("1uve"), 1503, "is refunded");
    expect(
      (await seeInvoice.notes(chain, id)).map((note) => [
        ...[note.creditNoteNumber, text(note.amount), note.reason, note.customer],
      ]),
    ).toEqual([
      ["CN-000001", "300uve", "an hour down", customer.address],
      ["CN-000002", "700uve", "bad service", customer.address],
    ]);
    const kinds = (await seeInvoice.ledger(chain, id)).map((each) => [each.kind, each.reference]);
    expect(kinds.slice(1)).toEqual([
      ["credited", noteId],
      ["refunded", (await seeInvoice.notes(chain, id))[1]?.creditNoteId],
    ]);
    await chain.checkFullInvariants();
  });

  test("of one that is paid in part the rest stays due, and what is paid later can be credited", async () => {
    const id = await unpaidInvoice(chain, 800);
    await chain.ok(invoiceMsg.credit(provider, id, "500uve"));
    expect(await see.invoice(chain, id)).toMatchObject({
      ...{ status: "partially_paid", amountDue: [{ amount: "300" }] },
    });
    await chain.refused(invoiceMsg.credit(provider, id, "1uve"), 1522, "nothing left to credit");
    await chain.ok(invoiceMsg.pay(customer, id));
    expect((await see.invoice(chain, id)).status).toBe("paid");
    await chain.ok(invoiceMsg.credit(provider, id, "300uve"));
    expect((await see.invoice(chain, id)).status).toBe("refunded");
    await chain.checkFullInvariants();
  });

  test("one of which nothing was paid is void instead; a provider without the coins is told", async () => {
    const id = await wholeUnpaid();
    await chain.refused(invoiceMsg.credit(provider, id, "1uve"), 1536, "void it instead");
    const [paid] = await see.invoicesOf(chain, ORDER);
    await chain.ok(msg.send(provider, stranger.address, `${START + 940n}uve`));
    const credit = invoiceMsg.credit(provider, paid?.invoiceId ?? "", "1000uve");
    await chain.refused(credit, 1504, provider.address, "1000uve");
  });

  test("D-17 credit notes of one provider are numbered without gaps, apart from invoices", async () => {
    const ids: string[] = [];
    for (const [order, recipient] of [
      ["a", provider],
      ["b", provider2],
      ["c", provider],
    ] as const) {
      await activeEscrow(chain, "9000uve", { order, recipient });
      await chain.ok(msg.record(recipient, { order, price: "2000uve" }));
      await settled(chain, { order });
      const [invoice] = await see.invoicesOf(chain, order);
      ids.push(invoice?.invoiceId ?? "");
    }
    const [a = "", b = "", c = ""] = ids;
    await chain.ok(invoiceMsg.credit(provider, a, "1uve"));
    await chain.ok(invoiceMsg.credit(provider2, b, "1uve"));
    await chain.deliver(invoiceMsg.credit(provider, c, "2001uve"));
    await chain.ok(invoiceMsg.credit(provider, c, "1uve"));
    const numbers = await Promise.all(
      ids.map(async (id) => (await seeInvoice.notes(chain, id)).map((n) => n.creditNoteNumber)),
    );
    expect(numbers).toEqual([["CN-000001"], ["CN-000001"], ["CN-000002"]]);
  });
});
