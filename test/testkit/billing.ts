import type * as ext from "../../src/gen/settled/settlement/v1/query.ts";
import {
  type BillingTerms,
  Discount,
  type TaxTerms,
} from "../../src/gen/settled/settlement/v1/state.ts";
import * as tx from "../../src/gen/settled/settlement/v1/tx.ts";
import { customer, provider, type TestAccount } from "./accounts.ts";
import type { TestChain } from "./chain.ts";
import { text, wire } from "./coins.ts";
import { ORDER, type TestMessage } from "./messages.ts";
import { see } from "./views.ts";

/** Discounts and tax of orders: messages with short arguments, and what they show. */

type Partial<T> = { readonly [K in keyof T]?: T[K] };

export function percentage(rateBps: number, o: Partial<Discount> = {}): Discount {
  return Discount.fromPartial({ kind: "percentage", rateBps, ...o } as object);
}

/** @param amount "1000uve" */
export function fixed(amount: string, o: Partial<Discount> = {}): Discount {
  return Discount.fromPartial({ kind: "fixed", amount: wire(amount), ...o } as object);
}

/** @param tiers least units, basis points */
export function volume(
  tiers: readonly (readonly [bigint, number])[],
  o: Partial<Discount> = {},
): Discount {
  const list = tiers.map(([minUnits, rateBps]) => ({ minUnits, rateBps }));
  return Discount.fromPartial({ kind: "volume", tiers: list, ...o } as object);
}

/** @param rates decimals; one with a + before it is compound */
export function taxTerms(mode: string, ...rates: readonly string[]): TaxTerms {
  return {
    mode,
    jurisdiction: "DE",
    rates: rates.map((rate, index) => ({
      name: `rate ${index + 1}`,
      rate: rate.replace("+", ""),
      compound: rate.startsWith("+"),
    })),
    customerTaxId: "DE123456789",
  };
}

export function setDiscounts(
  discounts: readonly Discount[],
  signer: TestAccount = provider,
  orderId: string = ORDER,
): TestMessage {
  const value = { sender: signer.address, orderId, discounts: [...discounts] };
  return {
    typeUrl: "/settled.settlement.v1.MsgSetDiscounts",
    value: tx.MsgSetDiscounts.encode(value).finish(),
    signer,
  };
}

/**
 * Signed by who bears the tax.
 * @param tax undefined: no tax from now on
 */
export function setTax(
  tax: TaxTerms | undefined,
  signer: TestAccount = tax?.mode === "inclusive" ? provider : customer,
  orderId: string = ORDER,
): TestMessage {
  const value = tx.MsgSetTax.encode({ sender: signer.address, orderId, tax }).finish();
  return { typeUrl: "/settled.settlement.v1.MsgSetTax", value, signer };
}

export async function termsOf(chain: TestChain, orderId: string = ORDER): Promise<BillingTerms> {
  const path = "settled.settlement.v1.Query/BillingTerms";
  const { terms } = await chain.query<ext.QueryBillingTermsResponse>(path, { orderId });
  if (terms === undefined) throw new Error("the answer is empty");
  return terms;
}

/** The lines of an invoice as "cost - discount = amount, settled". */
export async function linesOf(chain: TestChain, invoiceId: string): Promise<string[]> {
  const { lines } = await see.invoice(chain, invoiceId);
  return lines.map(({ cost, discount, amount, settledAmount }) => {
    const [from, off, price, paid] = [cost, discount, amount, settledAmount].map(text);
    return `${from || 0} - ${off || 0} = ${price || 0}, ${paid || 0}`;
  });
}

/** Of an order's last invoice: subtotal, discounts, tax, total, paid, due, tax paid, state. */
export async function lastInvoice(
  chain: TestChain,
  orderId: string = ORDER,
): Promise<{ id: string; sums: string[] }> {
  const invoice = (await see.invoicesOf(chain, orderId)).at(-1);
  if (invoice === undefined) throw new Error("there is no invoice");
  const { invoiceId: id, subtotal, discounts, tax, total, amountPaid, amountDue } = invoice;
  const off = discounts.map(({ kind, amount }) => `${kind} ${text(amount)}`).join(" ");
  const sums = [
    ...[text(subtotal), off, text(tax), text(total), text(amountPaid), text(amountDue)],
    ...[text(invoice.taxPaid), invoice.status],
  ];
  return { id, sums };
}
