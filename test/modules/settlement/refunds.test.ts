import { describe, expect, test } from "vitest";
import type { JournalEntry } from "../../../src/gen/settled/bank/v1/state.ts";
import { authority, customer, provider, stranger } from "../../testkit/accounts.ts";
import { setTax, taxTerms } from "../../testkit/billing.ts";
import { moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { invoiceMsg, seeInvoice } from "../../testkit/invoices.ts";
import { msg } from "../../testkit/messages.ts";
import { activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { eventsOf, responseOf, typedEvents } from "../../testkit/outcome.ts";
import { payoutMsg } from "../../testkit/payout_messages.ts";
import { settledChain, treasuryOf } from "../../testkit/payouts.ts";
import { legsText, refunded, refundMsg, seeRefund } from "../../testkit/refunds.ts";
import { GENESIS } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const START = 1_000_000_000_000n;
const NO_REWARDS = { params: { usage_reward_rate_bps: 0 } };
const GONE = moduleAccount("somewhere");

/** What the customer has beyond what the escrow left. */
const given = async (chain: TestChain): Promise<bigint> =>
  (await chain.balance(customer.address)) - START + 100_000n;
const earned = async (chain: TestChain): Promise<bigint> =>
  (await chain.balance(provider.address)) - START;

/** A chain with one settlement of these costs, and the settlement's id. */
async function settlementOf(
  costs: readonly number[],
  options: Parameters<typeof settledChain>[1] = NO_REWARDS,
): Promise<{ chain: TestChain; id: string; invoiceId: string }> {
  const { chain } = await settledChain(costs, options);
  const [settlement] = await see.settlementsOf(chain, "order-1");
  const [invoice] = await see.invoicesOf(chain, "order-1");
  return { chain, id: settlement?.settlementId ?? "", invoiceId: invoice?.invoiceId ?? "" };
}

/** Entries of the journal of a reference, as "kind reverses>source amount". */
async function postingsOf(chain: TestChain, reference: string): Promise<string[]> {
  const path = "settled.bank.v1.Query/JournalEntries";
  const { entries } = await chain.query<{ entries: JournalEntry[] }>(path, { reference });
  return entries.map(({ kind, reverses, postings: [posting] }) => {
    return `${kind} ${reverses} ${posting?.source} ${posting?.amount}${posting?.denom}`;
  });
}

describe("RULES 31 who may refund what", () => {
  test("only the authority: 1505", async () => {
    const { chain, id } = await settlementOf([1000]);
    for (const signer of [provider, customer, stranger]) {
      await chain.refused(refundMsg.refund(id, "", { signer }), 1505, authority.address);
    }
  });

  test("a message is checked before the state is asked", async () => {
    const chain = await openChain();
    await chain.refused(refundMsg.refund(""), 4, "settlement_id is empty");
    await chain.refused(refundMsg.refund("settle-1-1", "", { reason: "" }), 4, "reason is empty");
    await chain.refused(refundMsg.refund("settle-1-1", "0uve"), 3, "not positive");
    await chain.refused(refundMsg.pay(stranger, ""), 4, "receivable_id is empty");
    await chain.refused(refundMsg.pay(stranger, "receivable-1-1", "0uve"), 3, "not positive");
  });

  test("1507 an unknown settlement; 1551 an unknown receivable", async () => {
    const { chain } = await settlementOf([1000]);
    for (const id of ["settle-1-1", "x", `settle-${GENESIS + 4n}-2`]) {
      await chain.refused(refundMsg.refund(id), 1507, id);
    }
    await chain.refused(refundMsg.pay(stranger, "receivable-1-1"), 1551, "receivable-1-1");
  });

  test("1522 more than is left, with both figures; 1506 when nothing is left", async () => {
    const { chain, id } = await settlementOf([1000]);
    await chain.refused(refundMsg.refund(id, "1001uve"), 1522, "1000uve", "1001uve");
    await chain.refused(refundMsg.refund(id, "1uusd"), 1522, "1000uve", "1uusd");
    await refunded(chain, id, "400uve");
    await chain.refused(refundMsg.refund(id, "601uve"), 1522, "600uve", "601uve");
    await refunded(chain, id);
    await chain.refused(refundMsg.refund(id), 1506, "nothing is left");
    await chain.refused(refundMsg.refund(id, "1uve"), 1506, "nothing is left");
    await chain.checkFullInvariants();
  });

  test("1506 the settlement record of an escrow's refund", async () => {
    const { chain } = await settlementOf([1000]);
    const [escrow] = await see.escrowsOf(chain, "order-1");
    await chain.ok(msg.refund(customer, escrow?.escrowId ?? ""));
    const refunds = (await see.settlementsOf(chain, "order-1")).filter(
      ({ settlementType }) => settlementType === "refund",
    );
    const [refund] = refunds;
    await chain.refused(refundMsg.refund(refund?.settlementId ?? ""), 1506, "refund of an escrow");
  });

  test("1522 more than was paid of the invoice and not credited by its provider", async () => {
    const { chain, id, invoiceId } = await settlementOf([1000]);
    await chain.ok(invoiceMsg.credit(provider, invoiceId, "300uve"));
    await chain.refused(refundMsg.refund(id, "701uve"), 1522, invoiceId, "700uve", "701uve");
    // All that is left is what is left of both.
    expect(await refunded(chain, id)).toMatchObject({ refundedAmount: "700uve", owedAmount: "" });
    await chain.refused(refundMsg.refund(id), 1506, "credit notes gave back what was paid");
    expect((await see.invoice(chain, invoiceId)).status).toBe("refunded");
    expect(await given(chain)).toBe(1000n);
    await chain.checkFullInvariants();
  });

  test("1537 a customer who cannot be paid gets no refund; nothing changes", async () => {
    const { chain: before, id } = await settlementOf([1000]);
    const genesis = await before.app.exportGenesis();
    const settlement = structuredClone(genesis.appState["settlement"]) as {
      escrows: { depositor: string }[];
    };
    const depositor = moduleAccount("fee_collector");
    for (const escrow of settlement.escrows) escrow.depositor = depositor;
    const appState = { ...genesis.appState, settlement };
    const chain = await openChain({ genesis: { ...genesis, appState } });
    await chain.refused(refundMsg.refund(id), 1537, depositor);
  });
});

describe("RULES 31 each part goes back from the account that has it", () => {
  test("all of a settlement that is paid: fees of their accounts, the rest of the provider", async () => {
    const { chain, id } = await settlementOf([1000]);
    const [treasury] = await treasuryOf(chain, "platform_fee");
    expect([treasury, await earned(chain)]).toEqual(["50uve", 940n]);
    const result = await chain.ok(refundMsg.refund(id, "", { reason: "down all day" }));
    const { refundId } = responseOf<{ refundId: string }>(result);
    expect(responseOf(result)).toEqual({ refundId, refundedAmount: "1000uve", owedAmount: "" });
    expect(typedEvents(result)).toEqual(["InvoiceCredited", "SettlementRefunded"]);
    expect(eventsOf(result, "SettlementRefunded")).toEqual([
      {
        ...{ refund_id: refundId, settlement_id: id, order_id: "order-1" },
        ...{ customer: customer.address, provider: provider.address, amount: "1000uve" },
        ...{ platform_fee: "50uve", validator_fee: "10uve", holdback: "", net: "940uve", tax: "" },
        ...{ owed: "", rewards_cancelled: "", reason: "down all day" },
        ...{ initiator: authority.address, refunded_at: `${GENESIS + 5n}` },
      },
    ]);
    expect([await given(chain), await earned(chain)]).toEqual([1000n, 0n]);
    expect(await treasuryOf(chain, "platform_fee")).toEqual(["", "", ""]);
    expect(await treasuryOf(chain, "validator_fee")).toEqual(["", "", ""]);
    const { platformFees, validatorFees, settled: total } = await see.totals(chain);
    expect([platformFees, validatorFees, text(total)]).toEqual([[], [], "1000uve"]);
    await chain.checkFullInvariants();
  });

  test("I-26 each part is one entry of the journal that names the one it reverses", async () => {
    const { chain, id } = await settlementOf([1000]);
    const { refundId } = await refunded(chain, id, "500uve");
    const path = "settled.bank.v1.Query/JournalEntries";
    const asked = await chain.query<{ entries: JournalEntry[] }>(path, { reference: id });
    const settlement = asked.entries[0]?.seq;
    const [payout] = await see.payoutsOf(chain, provider.address);
    const paid = await chain.query<{ entries: JournalEntry[] }>(path, {
      reference: payout?.payoutId ?? "",
    });
    expect(await postingsOf(chain, refundId)).toEqual([
      `settlement_refund ${settlement} ${moduleAccount("settlement_platform_fee")} 25uve`,
      `settlement_refund ${settlement} ${moduleAccount("settlement_validator_fee")} 5uve`,
      `settlement_refund ${paid.entries[0]?.seq} ${provider.address} 470uve`,
    ]);
  });

  test("parts add up: each gives floor(share × part) of all so far, the net the rest", async () => {
    const { chain, id } = await settlementOf([999]);
    const refunds: string[][] = [];
    // 999: platform fee 49, validator fee 9, net 941.
    for (const amount of ["1uve", "332uve", "333uve", ""]) {
      const { refundId } = await refunded(chain, id, amount);
      refunds.push(legsText(await seeRefund.one(chain, refundId)));
    }
    expect(refunds).toEqual([
      ["", "", "", "1uve", ""],
      ["16uve", "3uve", "", "313uve", ""],
      ["16uve", "3uve", "", "314uve", ""],
      ["17uve", "3uve", "", "313uve", ""],
    ]);
    expect([await given(chain), await earned(chain)]).toEqual([999n, 0n]);
    expect(await seeRefund.of(chain, id)).toHaveLength(4);
    await chain.checkFullInvariants();
  });

  test("several denoms, each by itself; one alone", async () => {
    const params = { min_settlement_amount: "0", usage_reward_rate_bps: 0 };
    const chain = await openChain({ params });
    await activeEscrow(chain, "10000uusd,10000uve");
    await recordedCosts(chain, [1000]);
    await recordedCosts(chain, [200], { denom: "uusd", from: 1 });
    await settled(chain);
    const [{ settlementId = "" } = {}] = await see.settlementsOf(chain, "order-1");
    const first = await refunded(chain, settlementId, "100uusd");
    expect(legsText(await seeRefund.one(chain, first.refundId))).toEqual([
      ...["5uusd", "1uusd", "", "94uusd", ""],
    ]);
    const rest = await refunded(chain, settlementId);
    expect(rest.refundedAmount).toBe("100uusd,1000uve");
    expect(await chain.balances(moduleAccount("settlement_platform_fee"))).toBe("");
    await chain.checkFullInvariants();
  });

  test("a disputed escrow does not stop it; escrow and totals stay as they are", async () => {
    const { chain, id } = await settlementOf([1000]);
    const [before] = await see.escrowsOf(chain, "order-1");
    await chain.ok(msg.dispute(customer, before?.escrowId ?? ""));
    await refunded(chain, id);
    const [after] = await see.escrowsOf(chain, "order-1");
    expect(after).toMatchObject({
      ...{ state: "disputed", balance: before?.balance, totalSettled: before?.totalSettled },
    });
    await chain.checkFullInvariants();
  });

  test("without billing the provider has all but the fees; a release can be refunded", async () => {
    const extended = { billing_enabled: false };
    const { chain, id } = await unbilledSettlement({ ...NO_REWARDS, extended });
    expect((await refunded(chain, id, "500uve")).refundedAmount).toBe("500uve");
    expect([await given(chain), await earned(chain)]).toEqual([500n, 470n]);
    const [escrow] = await see.escrowsOf(chain, "order-1");
    await chain.ok(msg.release(customer, escrow?.escrowId ?? "", "200uve"));
    const release = (await see.settlementsOf(chain, "order-1")).at(-1)?.settlementId ?? "";
    await refunded(chain, release);
    const [refund] = await seeRefund.of(chain, release);
    expect(refund && legsText(refund)).toEqual(["10uve", "2uve", "", "188uve", ""]);
    expect(refund?.creditNoteId).toBe("");
    await chain.checkFullInvariants();
  });
});

/** As `settlementOf`, of a chain that has no payouts. */
async function unbilledSettlement(
  options: Parameters<typeof openChain>[0],
): Promise<{ chain: TestChain; id: string }> {
  const params = { min_settlement_amount: "0", ...options?.params };
  const chain = await openChain({ ...options, params });
  await activeEscrow(chain, "100000uve");
  await recordedCosts(chain, [1000]);
  const { settlementId } = await settled(chain);
  return { chain, id: settlementId };
}

describe("RULES 31 a refund is credited on its invoice", () => {
  test("a credit note in the provider's series, an entry of the ledger with the refund's id", async () => {
    const { chain, id, invoiceId } = await settlementOf([1000]);
    await chain.ok(invoiceMsg.credit(provider, invoiceId, "100uve"));
    const { refundId } = await refunded(chain, id, "300uve");
    const notes = await seeInvoice.notes(chain, invoiceId);
    expect(notes.map(({ creditNoteNumber, amount }) => [creditNoteNumber, text(amount)])).toEqual([
      ["CN-000001", "100uve"],
      ["CN-000002", "300uve"],
    ]);
    expect((await seeRefund.one(chain, refundId)).creditNoteId).toBe(notes[1]?.creditNoteId);
    const invoice = await see.invoice(chain, invoiceId);
    expect([invoice.status, text(invoice.credited)]).toEqual(["paid", "400uve"]);
    const last = (await seeInvoice.ledger(chain, invoiceId)).at(-1);
    expect(last).toMatchObject({
      ...{ kind: "credited", reference: refundId, initiator: authority.address },
    });
    expect(text(last?.amount)).toBe("300uve");
    await refunded(chain, id);
    expect((await see.invoice(chain, invoiceId)).status).toBe("refunded");
    const end = (await seeInvoice.ledger(chain, invoiceId)).at(-1);
    expect([end?.kind, end?.status, text(end?.amount)]).toEqual(["refunded", "refunded", "600uve"]);
    await chain.checkFullInvariants();
  });

  test("an invoice of which something is due stays as it is but for what is credited", async () => {
    const chain = await openChain({ params: { min_settlement_amount: "0" } });
    await activeEscrow(chain, "500uve");
    await recordedCosts(chain, [800]);
    const { settlementId } = await settled(chain, { final: true });
    await refunded(chain, settlementId);
    const [invoice] = await see.invoicesOf(chain, "order-1");
    expect(invoice?.status).toBe("partially_paid");
    expect([text(invoice?.credited), text(invoice?.amountDue)]).toEqual(["500uve", "300uve"]);
    await chain.checkFullInvariants();
  });
});

describe("RULES 31 what an account cannot pay is owed, not taken from elsewhere", () => {
  test("a provider that has spent it owes the net; it is paid later, by anyone, in parts", async () => {
    const { chain, id } = await settlementOf([1000]);
    await chain.ok(msg.send(provider, GONE, `${START}uve`));
    const result = await chain.ok(refundMsg.refund(id, "500uve"));
    const { refundId } = responseOf<{ refundId: string }>(result);
    // The provider has 940: it pays the net of a half. The other half it has not.
    expect(responseOf(result)).toMatchObject({ refundedAmount: "500uve", owedAmount: "" });
    await chain.ok(msg.send(provider, GONE, "1uve"));
    const second = await chain.ok(refundMsg.refund(id));
    expect(responseOf(second)).toMatchObject({ refundedAmount: "30uve", owedAmount: "470uve" });
    const [receivable] = await seeRefund.receivables(chain, { debtor: provider.address });
    const receivableId = receivable?.receivableId ?? "";
    expect(receivable).toMatchObject({
      ...{ leg: "net", debtor: provider.address, creditor: customer.address, paid: [] },
      ...{ amount: [{ denom: "uve", amount: "470" }], owed: [{ denom: "uve", amount: "470" }] },
    });
    expect(eventsOf(second, "ReceivableBooked")).toMatchObject([
      { receivable_id: receivableId, leg: "net", debtor: provider.address, amount: "470uve" },
    ]);
    expect(receivable?.refundId).not.toBe(refundId);
    expect([await given(chain), await earned(chain)]).toEqual([530n, 469n - START]);
    await chain.checkFullInvariants();

    await chain.refused(refundMsg.pay(provider, receivableId), 1504, provider.address, "470uve");
    await chain.refused(refundMsg.pay(stranger, receivableId, "471uve"), 1522, "470uve", "471uve");
    await chain.refused(refundMsg.pay(customer, receivableId), 1505, customer.address);
    const part = await chain.ok(refundMsg.pay(provider, receivableId, "400uve"));
    expect(responseOf(part)).toEqual({ paidAmount: "400uve", owedAmount: "70uve" });
    expect(eventsOf(part, "ReceivablePaid")).toMatchObject([
      { receivable_id: receivableId, payer: provider.address, amount: "400uve", owed: "70uve" },
    ]);
    await chain.checkFullInvariants();
    const all = await chain.ok(refundMsg.pay(stranger, receivableId));
    expect(responseOf(all)).toEqual({ paidAmount: "70uve", owedAmount: "" });
    await chain.refused(refundMsg.pay(stranger, receivableId), 1522, "nothing is owed");
    expect(await given(chain)).toBe(1000n);
    expect(await seeRefund.receivables(chain, { creditor: customer.address })).toHaveLength(1);
    const open = { creditor: customer.address, openOnly: true };
    expect(await seeRefund.receivables(chain, open)).toEqual([]);
    await chain.checkFullInvariants();
  });

  test("a fee account that was withdrawn empty owes its fee; its total is not less for it", async () => {
    const { chain, id } = await settlementOf([1000]);
    const withdraw = payoutMsg.withdraw(authority, "platform_fee", stranger.address, "20uve");
    await chain.ok(withdraw);
    // 30 are there, 50 are due: the part is owed whole.
    const { owedAmount } = await refunded(chain, id);
    expect(owedAmount).toBe("50uve");
    expect(await treasuryOf(chain, "platform_fee")).toEqual(["30uve", "50uve", "20uve"]);
    expect(await treasuryOf(chain, "validator_fee")).toEqual(["", "", ""]);
    const { platformFees, validatorFees } = await see.totals(chain);
    expect([text(platformFees), text(validatorFees)]).toEqual(["50uve", ""]);
    const [receivable] = await seeRefund.receivables(chain);
    expect(receivable).toMatchObject({
      ...{ leg: "platform_fee", debtor: moduleAccount("settlement_platform_fee") },
    });
    await chain.ok(refundMsg.pay(authority, receivable?.receivableId ?? ""));
    expect(await given(chain)).toBe(1000n);
    expect(await treasuryOf(chain, "platform_fee")).toEqual(["30uve", "50uve", "20uve"]);
    await chain.checkFullInvariants();
  });
});

describe("RULES 30, 31 tax goes back in the same share, on top of the amount", () => {
  /** 1000 at 19 %: the settlement has 190 of tax. */
  async function taxed(extended: object = {}): Promise<{ chain: TestChain; id: string }> {
    const params = { min_settlement_amount: "0", usage_reward_rate_bps: 0 };
    const chain = await openChain({ params, extended: { ...extended } });
    await activeEscrow(chain, "100000uve");
    await chain.ok(setTax(taxTerms("exclusive", "0.19")));
    await recordedCosts(chain, [1000]);
    return { chain, id: (await settled(chain)).settlementId };
  }

  test("a third and the rest: the tax of both is all of it; the invoice is credited with it", async () => {
    const { chain, id } = await taxed();
    const first = await refunded(chain, id, "333uve");
    expect(first.refundedAmount).toBe("396uve");
    expect(legsText(await seeRefund.one(chain, first.refundId))).toEqual([
      ...["16uve", "3uve", "", "314uve", "63uve"],
    ]);
    expect((await refunded(chain, id)).refundedAmount).toBe("794uve");
    expect([await given(chain), await treasuryOf(chain, "tax")]).toEqual([1190n, ["", "", ""]]);
    const [invoice] = await see.invoicesOf(chain, "order-1");
    expect([invoice?.status, text(invoice?.credited)]).toEqual(["refunded", "1190uve"]);
    await chain.checkFullInvariants();
    expect((await chain.imported()).appHash).toBe(chain.appHash);
  });

  test("tax that was withdrawn is owed; its total is not less for it", async () => {
    const { chain, id } = await taxed();
    await chain.ok(payoutMsg.withdraw(authority, "tax", stranger.address, "100uve"));
    const answer = await refunded(chain, id, "500uve");
    expect(answer).toMatchObject({ refundedAmount: "500uve", owedAmount: "95uve" });
    const [receivable] = await seeRefund.receivables(chain);
    expect(receivable).toMatchObject({ leg: "tax", debtor: moduleAccount("settlement_tax") });
    expect(await treasuryOf(chain, "tax")).toEqual(["90uve", "190uve", "100uve"]);
    await chain.checkFullInvariants();
    expect((await chain.imported()).appHash).toBe(chain.appHash);
  });

  test("a refund leaves room for its tax beside a provider's credit note", async () => {
    const { chain, id } = await taxed();
    const [invoice] = await see.invoicesOf(chain, "order-1");
    await chain.ok(invoiceMsg.credit(provider, invoice?.invoiceId ?? "", "290uve"));
    await chain.refused(refundMsg.refund(id, "800uve"), 1522, "900uve", "952uve");
    // 1190 paid, 290 credited, and 190 of tax might go back: 710, and its tax of 134.
    expect((await refunded(chain, id)).refundedAmount).toBe("844uve");
    await chain.checkFullInvariants();
  });
});
