import { beforeEach, describe, expect, test } from "vitest";
import type { TaxTerms } from "../../../src/gen/settled/settlement/v1/state.ts";
import { authority, customer, customer2, provider, stranger } from "../../testkit/accounts.ts";
import {
  lastInvoice,
  linesOf,
  percentage,
  setDiscounts,
  setTax,
  taxTerms,
  termsOf,
} from "../../testkit/billing.ts";
import { moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { invoiceMsg } from "../../testkit/invoices.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { eventsOf } from "../../testkit/outcome.ts";
import { activeEscrow, acknowledged, recordedCosts, settled } from "../../testkit/orders.ts";
import { payoutMsg } from "../../testkit/payout_messages.ts";
import { totalsOf, treasuryOf } from "../../testkit/payouts.ts";
import { DAY } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const params = { min_settlement_amount: "0" };
const TAX = moduleAccount("settlement_tax");
const VAT = taxTerms("exclusive", "0.19");

let chain: TestChain;

/** A chain with one order of a deposit and a tax. */
async function taxed(deposit: string, tax: TaxTerms, extended: object = {}): Promise<void> {
  chain = await openChain({ params, extended: { ...extended } });
  await activeEscrow(chain, deposit, { expiresIn: 30n * DAY });
  await chain.ok(setTax(tax));
}

describe("RULES 30 tax on top of prices", () => {
  beforeEach(() => taxed("10000uve", VAT));

  test("RULES 30 19 % of 1000 goes from the escrow to settlement_tax, outside total and fees", async () => {
    await recordedCosts(chain, [1000]);
    const before = await chain.balance(provider.address);
    const result = await chain.ok(msg.settle(customer));
    expect(eventsOf(result, "OrderSettled")).toMatchObject([
      {
        ...{ total_amount: "1000uve", provider_share: "940uve", platform_fee: "50uve" },
        ...{ validator_fee: "10uve", discount: "", tax: "190uve" },
      },
    ]);
    expect(await chain.balance(TAX)).toBe(190n);
    expect((await chain.balance(provider.address)) - before).toBe(940n);
    const escrow = await see.escrow(chain, "escrow-1");
    expect([text(escrow.balance), text(escrow.totalSettled)]).toEqual(["8810uve", "1000uve"]);
    expect((await lastInvoice(chain)).sums).toEqual([
      "1000uve",
      "",
      "190uve",
      "1190uve",
      "1190uve",
      "",
      "190uve",
      "paid",
    ]);
    expect(text((await see.claimable(chain, provider.address)).totalClaimable)).toBe("90uve");
    await chain.checkFullInvariants();
  });

  test("tax is of what discounts leave", async () => {
    await chain.ok(setDiscounts([percentage(1000)]));
    await recordedCosts(chain, [1000, 500]);
    expect((await settled(chain)).totalAmount).toBe("1350uve");
    // 256.5, half up
    expect((await lastInvoice(chain)).sums).toEqual([
      "1500uve",
      "percentage 150uve",
      "257uve",
      "1607uve",
      "1607uve",
      "",
      "257uve",
      "paid",
    ]);
    expect(await chain.balance(TAX)).toBe(257n);
    await chain.checkFullInvariants();
  });

  test("automatic settlement pays it too", async () => {
    await acknowledged(chain, await recordedCosts(chain, [1000]));
    chain.skip(2n * DAY);
    await chain.block();
    expect(await chain.balance(TAX)).toBe(190n);
    await chain.checkFullInvariants();
  });

  test("an expiry pays what it covers, with its tax", async () => {
    await taxed("1000uve", VAT, { auto_settle_enabled: false });
    await recordedCosts(chain, [1000]);
    chain.skip(31n * DAY);
    await chain.block();
    const escrow = await see.escrow(chain, "escrow-1");
    expect([escrow.state, text(escrow.totalSettled)]).toEqual(["expired", "840uve"]);
    expect(await chain.balance(TAX)).toBe(160n);
    await chain.checkFullInvariants();
  });

  test("without billing it holds as well; there is no invoice", async () => {
    await taxed("1190uve", VAT, { billing_enabled: false });
    await recordedCosts(chain, [1000]);
    await settled(chain);
    expect(await see.invoicesOf(chain, ORDER)).toEqual([]);
    expect(await chain.balance(TAX)).toBe(190n);
    await chain.checkFullInvariants();
  });

  test("an export and its import are the same, to the byte", async () => {
    await chain.ok(setDiscounts([percentage(777)]));
    await recordedCosts(chain, [1001, 2003]);
    await settled(chain);
    await chain.ok(payoutMsg.withdraw(authority, "tax", authority.address, "100uve"));
    const imported = await chain.imported();
    expect(await imported.exported()).toBe(await chain.exported());
    await imported.checkFullInvariants();
    const genesis = await chain.app.exportGenesis();
    const json = JSON.stringify(genesis.appState);
    const opened = (from: string, to: string) => {
      const appState = JSON.parse(json.replaceAll(from, to)) as typeof genesis.appState;
      return openChain({ genesis: { ...genesis, appState } });
    };
    const less = '"taxes_withdrawn":[{"denom":"uve","amount":"99"}]';
    await expect(
      opened('"taxes_withdrawn":[{"denom":"uve","amount":"100"}]', less),
    ).rejects.toThrow("taxes_withdrawn");
    await expect(opened('"rate":"0.19"', '"rate":"1.19"')).rejects.toThrow(
      "invoices[0].tax_terms: ",
    );
  });

  test("the authority withdraws taxes; the treasury and the totals show them", async () => {
    await recordedCosts(chain, [1000]);
    await settled(chain);
    expect(await treasuryOf(chain, "tax")).toEqual(["190uve", "190uve", ""]);
    const withdraw = (signer: typeof authority, amount: string) =>
      payoutMsg.withdraw(signer, "tax", stranger.address, amount);
    await chain.refused(withdraw(provider, "1uve"), 1505);
    await chain.refused(withdraw(authority, "191uve"), 1504, "tax holds 190uve");
    await chain.ok(withdraw(authority, "150uve"));
    expect(await treasuryOf(chain, "tax")).toEqual(["40uve", "190uve", "150uve"]);
    expect(text((await totalsOf(chain)).taxes)).toBe("190uve");
    await chain.refused(msg.send(customer2, TAX, "1uve"), "bank/3");
    await chain.checkFullInvariants();
  });
});

describe("figures by hand", () => {
  test.each<[what: string, terms: TaxTerms, mode: string, cost: number, tax: string]>([
    ["DE 19 %", taxTerms("exclusive", "0.19"), "half_up", 1000, "190"],
    // 5 % of 1000 is 50; 9.975 % of 1050 is 104.7375.
    ["compound", taxTerms("exclusive", "0.05", "+0.09975"), "half_up", 1000, "155"],
    // 9.975 % of 1000 is 99.75.
    ["not compound", taxTerms("exclusive", "0.05", "0.09975"), "half_up", 1000, "150"],
    // 2.5 and 3.5
    ["half up at 2.5", taxTerms("exclusive", "0.05"), "half_up", 50, "3"],
    ["half up at 3.5", taxTerms("exclusive", "0.05"), "half_up", 70, "4"],
    ["half even at 2.5", taxTerms("exclusive", "0.05"), "half_even", 50, "2"],
    ["half even at 3.5", taxTerms("exclusive", "0.05"), "half_even", 70, "4"],
    ["half even above 2.5", taxTerms("exclusive", "0.050000000000000001"), "half_even", 50, "3"],
    ["down", taxTerms("exclusive", "0.05"), "down", 79, "3"],
    ["up", taxTerms("exclusive", "0.05"), "up", 61, "4"],
    ["up, nothing over", taxTerms("exclusive", "0.05"), "up", 60, "3"],
    // 4.5 each: 5 and 5, not 9 together.
    ["each rate is rounded", taxTerms("exclusive", "0.09", "0.09"), "half_up", 50, "10"],
    // 999 + 159.84 → 160 = 1159; 1000 → 1160.
    ["within 1160 at 16 %", taxTerms("inclusive", "0.16"), "half_up", 1160, "160"],
    // 84 + 15.96
    ["within 100 at 19 %", taxTerms("inclusive", "0.19"), "half_up", 100, "16"],
    // 1000 + 50 + 104.7375 → 1155
    ["within 1155, compound", taxTerms("inclusive", "0.05", "+0.09975"), "half_up", 1155, "155"],
    // 1 + 1 is too much: 0 is the net, all of it tax.
    ["within 1, rounded up", taxTerms("inclusive", "0.05"), "up", 1, "1"],
  ])("%s", async (_, terms, mode, cost, tax) => {
    await taxed("10000uve", terms, { tax_rounding: mode });
    await recordedCosts(chain, [cost]);
    await settled(chain, { final: true });
    expect(await chain.balance(TAX)).toBe(BigInt(tax));
    const { sums } = await lastInvoice(chain);
    const total = terms.mode === "inclusive" ? BigInt(cost) : BigInt(cost) + BigInt(tax);
    expect([sums[2], sums[3], sums[4]]).toEqual([`${tax}uve`, `${total}uve`, `${total}uve`]);
    await chain.checkFullInvariants();
  });

  test("prices that contain the tax: records are settled for what it leaves, exactly", async () => {
    await taxed("10000uve", taxTerms("inclusive", "0.19"));
    const ids = await recordedCosts(chain, [500, 690, 1]);
    const { totalAmount } = await settled(chain);
    // 1191 = 1001 + 190; of 190: 79.7, 110.07 and 0.15, the last one can take 1.
    expect(totalAmount).toBe("1001uve");
    const { id } = await lastInvoice(chain);
    expect(await linesOf(chain, id)).toEqual([
      "500uve - 0 = 500uve, 421uve",
      "690uve - 0 = 690uve, 580uve",
      "1uve - 0 = 1uve, 0",
    ]);
    expect(ids).toHaveLength(3);
    expect(text((await see.escrow(chain, "escrow-1")).balance)).toBe("8809uve");
    await chain.checkFullInvariants();
  });

  test("a reverse charge is 0 and a note", async () => {
    await taxed("10000uve", taxTerms("reverse_charge"));
    await recordedCosts(chain, [1000]);
    await settled(chain);
    const { id, sums } = await lastInvoice(chain);
    expect(sums).toEqual(["1000uve", "", "", "1000uve", "1000uve", "", "", "paid"]);
    const invoice = await see.invoice(chain, id);
    expect(invoice.taxNote).toBe("Reverse charge: the customer owes the tax.");
    expect(invoice.taxTerms).toEqual(taxTerms("reverse_charge"));
    expect(await chain.balance(TAX)).toBe(0n);
    await chain.checkFullInvariants();
  });
});

describe("RULES 30 the affordability check counts the tax", () => {
  test("RULES 30 a record whose tax is not covered is not taken, by one unit", async () => {
    await taxed("1189uve", VAT);
    await recordedCosts(chain, [1000]);
    await chain.refused(msg.settle(customer), 1506, "before discounts and tax");
    await taxed("1190uve", VAT);
    await recordedCosts(chain, [1000]);
    expect((await settled(chain)).totalAmount).toBe("1000uve");
  });

  test("records are taken as long as all of them with their tax are covered", async () => {
    // 1500 + 285 and 1501 + 285.19
    await taxed("1785uve", VAT);
    const ids = await recordedCosts(chain, [1000, 500, 1]);
    const result = await chain.ok(msg.settle(customer));
    const facts = { total_amount: "1500uve", tax: "285uve", stopped_at: ids[2] };
    expect(eventsOf(result, "OrderSettled")).toMatchObject([facts]);
    expect(text((await see.escrow(chain, "escrow-1")).balance)).toBe("");
    await chain.checkFullInvariants();
  });

  test("final: what is left pays the most that fits with its tax; the rest is due, tax included", async () => {
    await taxed("1000uve", VAT);
    await recordedCosts(chain, [600, 400]);
    await settled(chain, { final: true });
    // 840 + 159.6 → 160
    const { id, sums } = await lastInvoice(chain);
    const due = ["1000uve", "", "190uve", "1190uve", "1000uve", "190uve", "160uve"];
    expect(sums).toEqual([...due, "partially_paid"]);
    expect(await linesOf(chain, id)).toEqual([
      "600uve - 0 = 600uve, 600uve",
      "400uve - 0 = 400uve, 240uve",
    ]);
    // 1100 × 190 / 1190 = 175.6: 15 of it are new; fees are of the 85 that are left.
    const part = await chain.ok(invoiceMsg.pay(customer, id, "100uve"));
    expect(eventsOf(part, "InvoicePaid")).toMatchObject([
      { amount: "100uve", tax: "15uve", platform_fee: "4uve", provider_share: "81uve" },
    ]);
    expect(await chain.balance(TAX)).toBe(175n);
    await chain.checkFullInvariants();
    const rest = await chain.ok(invoiceMsg.pay(stranger, id));
    expect(eventsOf(rest, "InvoicePaid")).toMatchObject([{ amount: "90uve", tax: "15uve" }]);
    expect(await chain.balance(TAX)).toBe(190n);
    const paid = ["1000uve", "", "190uve", "1190uve", "1190uve", "", "190uve", "paid"];
    expect((await lastInvoice(chain)).sums).toEqual(paid);
    await chain.checkFullInvariants();
    expect(await (await chain.imported()).exported()).toBe(await chain.exported());
  });

  test("a unit that no amount with its tax fits goes back to the customer", async () => {
    // 5 + 0.95 → 6; 6 + 1.14 → 7; both rates up: 1 + 1 + 1 = 3, 2 + 1 + 1 = 4
    await taxed("2uve", taxTerms("exclusive", "0.01", "0.01"), { tax_rounding: "up" });
    await recordedCosts(chain, [5]);
    const before = await chain.balance(customer.address);
    await settled(chain, { final: true });
    expect((await chain.balance(customer.address)) - before).toBe(2n);
    const sums = ["5uve", "", "2uve", "7uve", "", "7uve", "", "pending"];
    expect((await lastInvoice(chain)).sums).toEqual(sums);
    // 1 × 2 / 7, 2 × 2 / 7 … : the whole tax is paid with the last part.
    const { id } = await lastInvoice(chain);
    for (let part = 0; part < 7; part += 1) await chain.ok(invoiceMsg.pay(customer, id, "1uve"));
    expect(await chain.balance(TAX)).toBe(2n);
    await chain.checkFullInvariants();
  });
});

describe("MsgSetTax", () => {
  beforeEach(() => taxed("10000uve", VAT));

  test("by who bears it, or the authority, told by one event", async () => {
    await chain.refused(setTax(undefined, provider), 1505, customer.address);
    await chain.refused(setTax(VAT, provider), 1505, customer.address);
    // A tax within the prices is the provider's money, and this order has one on top of them.
    const within = taxTerms("inclusive", "0.9");
    await chain.refused(setTax(within, customer), 1505, "the recipient", provider.address);
    await chain.refused(setTax(within, provider), 1505, customer.address);
    await chain.refused(setTax(VAT), 1506, "nothing changes");
    await chain.refused(setTax(VAT, customer, "none"), 1501);
    const next = taxTerms("inclusive", "0.05", "+0.09975");
    const result = await chain.ok(setTax(next, authority));
    expect(eventsOf(result, "TaxSet")).toMatchObject([
      {
        ...{ order_id: ORDER, set_by: authority.address, old: "exclusive rate 1 0.19" },
        new: "inclusive rate 1 0.05,rate 2 0.09975 compound",
      },
    ]);
    expect((await termsOf(chain)).tax).toEqual(next);
    await chain.refused(setTax(undefined), 1505, provider.address);
    await chain.refused(setTax(VAT), 1505, provider.address);
    await chain.ok(setTax(undefined, provider));
    expect(await termsOf(chain)).toEqual({ orderId: ORDER, discounts: [], tax: undefined });
    await recordedCosts(chain, [1000]);
    await settled(chain);
    expect(await chain.balance(TAX)).toBe(0n);
    await chain.checkFullInvariants();
  });

  test("holds for settlements that come later, not for those that were", async () => {
    await recordedCosts(chain, [1000]);
    await settled(chain);
    await chain.ok(setTax(taxTerms("exclusive", "0.07")));
    await recordedCosts(chain, [1000], { from: 1 });
    await settled(chain);
    const invoices = await see.invoicesOf(chain, ORDER);
    expect(invoices.map(({ tax, taxTerms: terms }) => [text(tax), terms?.rates[0]?.rate])).toEqual([
      ["190uve", "0.19"],
      ["70uve", "0.07"],
    ]);
  });

  const long = "x".repeat(65);
  const five = ["0.1", "0.1", "0.1", "0.1", "0.1"];
  test.each<[what: string, tax: TaxTerms, ...parts: string[]]>([
    ["another mode", taxTerms("none", "0.1"), "tax.mode", 'found "none"'],
    ["no rates", taxTerms("exclusive"), "tax.rates: expected 1 to 4, found 0"],
    ["five rates", taxTerms("inclusive", ...five), "expected 1 to 4, found 5"],
    ["rates of a reverse charge", taxTerms("reverse_charge", "0.1"), "none for reverse_charge"],
    ["a rate of 0", taxTerms("exclusive", "0"), "tax.rates[0].rate", "above 0, at most 1"],
    ["a rate above 1", taxTerms("exclusive", "0.1", "1.000000000000000001"), "tax.rates[1].rate"],
    ["a negative rate", taxTerms("exclusive", "-0.1"), "tax.rates[0].rate"],
    ["a rate that is none", taxTerms("exclusive", "19%"), 'found "19%"'],
    ["a long tax id", { ...VAT, customerTaxId: long }, "tax.customer_tax_id has 65"],
    ["a long jurisdiction", { ...VAT, jurisdiction: long }, "tax.jurisdiction has 65"],
    [
      "a rate without a name",
      { ...VAT, rates: [{ name: "", rate: "0.1", compound: false }] },
      "name",
    ],
    [
      "a long name",
      { ...VAT, rates: [{ name: long, rate: "0.1", compound: false }] },
      "name has 65",
    ],
  ])("refuses %s", async (_, tax, ...parts) => {
    await chain.refused(setTax(tax), 4, ...parts);
  });

  test("takes as much as there may be", async () => {
    const rates = Array.from({ length: 4 }, () => {
      return { name: "x".repeat(64), rate: "0.18", compound: true };
    });
    const tax = { ...VAT, rates, jurisdiction: "x".repeat(64), customerTaxId: "x".repeat(64) };
    await chain.ok(setTax(tax));
    await recordedCosts(chain, [100]);
    await settled(chain);
    // 18, 21.24, 24.78 and 29.16 of 100, 118, 139 and 164: each rounded.
    expect(await chain.balance(TAX)).toBe(18n + 21n + 25n + 30n);
    const whole = rates.map((each) => ({ ...each, rate: "0.19" }));
    await chain.refused(setTax({ ...tax, rates: whole }), 4, "at most 1 together", "1.00533921");
  });
});
