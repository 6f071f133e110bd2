import type * as own from "../../../src/gen/settled/settlement/v1/tx.ts";
import type { Bill } from "./billing.ts";
import { type Coins, covers, higher, minus, per, perDenom, plus } from "./coins.ts";
import { fitting } from "./terms.ts";
import { Payouts } from "./payouts.ts";
import { type Escrow, refuse, type Row } from "./records.ts";

// README, "Invoices".

type Invoice = Row<"invoice">;

export class Invoices extends Payouts {
  seriesOf(provider: string): Row<"series"> {
    const found = this.tables.series.find((each) => each.provider === provider);
    return found ?? this.add("series", { provider, next: 1n, nextCreditNote: 0n });
  }

  /** @param of the settlement, its period and records, and what it paid */
  issue(escrow: Escrow, bill: Bill, paid: Coins, taxPaid: Coins, of: Partial<Invoice>): Invoice {
    const { discounts: terms, isWithin, costs: subtotal, charge: total, given, taxOn } = bill;
    const amountPaid = plus(paid, taxPaid);
    const amountDue = minus(total, amountPaid);
    const isPaid = amountDue.length === 0;
    const status = isPaid ? "paid" : amountPaid.length > 0 ? "partially_paid" : "pending";
    const discounts = terms.flatMap(({ kind, description }, at) => {
      const amount = given[at] ?? [];
      return amount.length > 0 ? [{ kind, description, amount }] : [];
    });
    const within = () =>
      minus(
        total,
        perDenom((all) => fitting(taxOn, all, all), total),
      );
    const tax = isWithin ? within() : bill.tax;
    const sums = { subtotal, discounts, tax, total, amountPaid, amountDue, taxPaid };
    const dueAtNs = this.after(this.params.invoiceDueAfter);
    const times = { dueAtNs, paidAtNs: isPaid ? this.now : 0n };
    const series = this.seriesOf(escrow.recipient);
    const rest = { escrowSeq: escrow.seq, number: series.next, taxTerms: bill.terms };
    const invoice = this.add("invoice", { ...of, ...sums, ...times, ...rest, status: "draft" });
    const settlementId = this.nth("settlement", invoice.settlementSeq)?.id ?? "";
    const step = { amount: amountPaid, reference: settlementId };
    this.log(invoice, "issued", step, { status });
    this.change(series, { next: series.next + 1n });
    this.emit("InvoiceIssued", invoice, { settlementId });
    return invoice;
  }

  MsgPayInvoice({ sender: payer, invoiceId, ...of }: own.MsgPayInvoice): void {
    const invoice = this.find("invoice", invoiceId, 1549);
    const { amountDue: due, total: all, tax: taxes, taxPaid } = invoice;
    refuse([1503, due.length === 0]);
    const amount = of.amount.length === 0 ? due : plus(of.amount);
    refuse([1522, !covers(due, amount)], [1504, !covers(this.coinsOf(payer).coins, amount)]);
    const amountPaid = plus(invoice.amountPaid, amount);
    const taxDue = perDenom(per, amountPaid, taxes, all);
    const tax = perDenom(
      (now, until, before) => (now === 0n ? 0n : higher(until - before, 0n)),
      ...[amount, taxDue, taxPaid],
    );
    const shares = this.sharesOf(minus(amount, tax));
    this.moveShares(payer, "settlement", shares, tax);
    const amountDue = minus(due, amount);
    const isPaid = amountDue.length === 0;
    const status = { status: isPaid ? "paid" : "partially_paid", paidAtNs: isPaid ? this.now : 0n };
    const ids = { invoiceSeq: invoice.seq, escrowSeq: invoice.escrowSeq };
    const payoutId = shares.total.length === 0 ? "" : this.payOut(ids, shares).id;
    const paid = { amountPaid, amountDue, taxPaid: plus(taxPaid, tax), ...status };
    this.log(invoice, "payment", { amount, reference: payoutId }, paid);
    const { total: _, ...parts } = shares;
    this.emit("InvoicePaid", invoice, { payer, payoutId, amount, ...parts, tax });
  }

  /** What an invoice is of which nothing is due any more. */
  ended({ amountPaid, credited, paidAtNs }: Invoice): Partial<Invoice> {
    const isPaid = amountPaid.length > 0;
    const isBack = isPaid && minus(amountPaid, credited).length === 0;
    const status = isBack ? "refunded" : isPaid ? "paid" : "cancelled";
    return { status, paidAtNs: isPaid ? paidAtNs || this.now : 0n };
  }

  MsgVoidInvoice({ sender, invoiceId, reason }: own.MsgVoidInvoice): void {
    const invoice = this.find("invoice", invoiceId, 1549);
    const { amountDue: amount, amountPaid, status } = invoice;
    this.only(sender, this.escrowOf(invoice).recipient);
    refuse([1503, amountPaid.length > 0 || !["pending", "overdue"].includes(status)]);
    const voided = { status: "cancelled", amountDue: [], voidReason: reason };
    this.log(invoice, "cancelled", { amount, reference: reason }, voided);
    this.emit("InvoiceVoided", invoice, { amount, reason });
  }

  MsgCreditInvoice({ sender, invoiceId, reason, ...of }: own.MsgCreditInvoice): void {
    const invoice = this.find("invoice", invoiceId, 1549);
    const { recipient, depositor } = this.escrowOf(invoice);
    const amount = plus(of.amount);
    this.only(sender, recipient);
    refuse([1503, ["cancelled", "refunded"].includes(invoice.status)]);
    refuse([1536, invoice.amountPaid.length === 0]);
    refuse([1522, !covers(minus(invoice.amountPaid, invoice.credited), amount)]);
    this.move(sender, depositor, amount);
    this.credit(invoice, amount, reason);
  }

  /** @param refundId of the refund that it is of */
  credit(invoice: Invoice, amount: Coins, reason: string, refundId = ""): Row<"creditNote"> {
    const series = this.seriesOf(this.escrowOf(invoice).recipient);
    const number = series.nextCreditNote || 1n;
    const facts = { number, invoiceSeq: invoice.seq, amount, reason };
    const note = this.add("creditNote", facts, "credit");
    this.change(series, { nextCreditNote: number + 1n });
    this.change(invoice, { credited: plus(invoice.credited, amount) });
    const end = invoice.status === "paid" ? this.ended(invoice) : {};
    const kind = end.status === "refunded" ? "refunded" : "credited";
    this.log(invoice, kind, { amount, reference: refundId || note.id }, end);
    const creditNoteNumber = `CN-${`${number}`.padStart(6, "0")}`;
    const more = { creditNoteId: note.id, creditNoteNumber, amount, reason };
    this.emit("InvoiceCredited", invoice, more);
    return note;
  }

  markOverdue(invoice: Invoice): void {
    const { amountDue, overdueAtNs, dueAtNs } = invoice;
    if (amountDue.length === 0 || overdueAtNs > 0n || this.now <= dueAtNs) return;
    const overdue = { status: "overdue", overdueAtNs: this.now };
    this.log(invoice, "overdue", { amount: amountDue }, overdue);
    this.emit("InvoiceOverdue", invoice);
  }
}
