import type { FullInvariant } from "../../baseapp/module.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { KeyMap } from "../../lib/key_map.ts";
import type { Reader } from "../../store/read_view.ts";
import {
  addCoins,
  type Coins,
  coinsOf,
  coversCoins,
  equalCoins,
  formatCoins,
  subCoins,
} from "../../types/coins.ts";
import { billingTermsKey } from "./billing_terms.ts";
import * as keys from "./keys.ts";
import { coinsIn } from "./records.ts";
import { add, sumOf } from "./sums_by_key.ts";
import { all } from "./full_invariants_sums.ts";

/** Invariants of discounts and tax over all records, on demand. */
export const billingFullInvariants: readonly FullInvariant[] = [
  { name: "I-09 every escrow's tax is that of its settlements", check: taxesSum },
  { name: "I-12 discounts and tax make an invoice's total of its lines", check: invoicesSum },
  { name: "I-12 discounts of a settlement are those of its records", check: discountsSum },
  { name: "orders know whether they have discounts or tax", check: termsAreKnown },
];

function same(name: string, key: bigint | string, left: Coins, right: Coins): void {
  const facts = { key, left: formatCoins(left), right: formatCoins(right) };
  assert(equalCoins(left, right), `${name} settlement: amounts of discounts or tax differ`, facts);
}

async function taxesSum(reader: Reader): Promise<void> {
  const sums = new KeyMap<Coins>();
  for await (const settlement of all(reader, keys.SETTLEMENT_PREFIX, state.SettlementState)) {
    add(sums, settlement.escrowSeq, coinsIn(settlement.tax));
  }
  for await (const { seq, taxPaid } of all(reader, keys.ESCROW_PREFIX, state.EscrowState)) {
    same("I-09", seq, coinsIn(taxPaid), sumOf(sums, seq));
  }
}

async function invoicesSum(reader: Reader): Promise<void> {
  const discounts = await discountsBy(reader, ({ invoiceSeq }) => invoiceSeq);
  for await (const invoice of all(reader, keys.INVOICE_PREFIX, state.InvoiceState)) {
    const { seq, taxTerms } = invoice;
    const discount = invoice.discounts.map(({ amount }) => coinsIn(amount)).reduce(addCoins, []);
    same("I-12", seq, discount, sumOf(discounts, seq));
    const net = subCoins(coinsIn(invoice.subtotal), discount);
    const [tax, taxPaid] = [coinsIn(invoice.tax), coinsIn(invoice.taxPaid)];
    const total = taxTerms?.mode === "inclusive" ? net : addCoins(net, tax);
    same("I-12", seq, coinsIn(invoice.total), total);
    assert(coversCoins(tax, taxPaid), "I-12 settlement: more tax is paid than is due", { seq });
  }
}

async function discountsSum(reader: Reader): Promise<void> {
  const discounts = await discountsBy(reader, ({ settlementSeq }) => settlementSeq);
  for await (const { seq, discount } of all(
    reader,
    keys.SETTLEMENT_PREFIX,
    state.SettlementState,
  )) {
    same("I-12", seq, coinsIn(discount), sumOf(discounts, seq));
  }
}

/** What was taken off records, by the settlement or invoice that they name. */
async function discountsBy(
  reader: Reader,
  seqOf: (usage: state.UsageState) => bigint,
): Promise<KeyMap<Coins>> {
  const sums = new KeyMap<Coins>();
  for await (const usage of all(reader, keys.USAGE_PREFIX, state.UsageState)) {
    if (usage.discount === "" || seqOf(usage) === 0n) continue;
    add(sums, seqOf(usage), coinsOf(usage.denom, BigInt(usage.discount)));
  }
  return sums;
}

async function termsAreKnown(reader: Reader): Promise<void> {
  const withTerms = new KeyMap<true>();
  for await (const { orderId } of all(reader, keys.BILLING_TERMS_PREFIX, state.BillingTerms)) {
    withTerms.set(billingTermsKey(orderId).slice(keys.BILLING_TERMS_PREFIX.length), true);
  }
  let found = 0;
  for await (const [key, value] of reader.range(keys.ORDER_PREFIX)) {
    // Behind both prefixes: a length and the order.
    const order = key.slice(keys.ORDER_PREFIX.length);
    const isKnown = state.OrderState.decode(value).hasBillingTerms;
    const facts = { order: order.slice(1), found: isKnown };
    assert(isKnown === withTerms.has(order), "settlement: billing terms of an order", facts);
    found += isKnown ? 1 : 0;
  }
  const facts = { found, expected: withTerms.size };
  assert(found === withTerms.size, "settlement: billing terms of no order", facts);
}
