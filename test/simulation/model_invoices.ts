import { createHash } from "node:crypto";
import {
  CreditNoteState,
  InvoiceLedgerEntry,
  InvoiceLedgerKind,
  InvoiceState,
  InvoiceStatus,
} from "../../src/gen/settled/settlement/v1/state.ts";
import type * as own from "../../src/gen/settled/settlement/v1/tx.ts";
import { taxInPayment } from "./model_billing.ts";
import { moveShares, openPayout, sharesOf } from "./model_payouts.ts";
import { type Escrow, type Invoice, invoiceId, made, need } from "./model_state.ts";
import { payoutId, type Rules, type World } from "./model_state.ts";
import {
  type Coins,
  compareText,
  idOf,
  least,
  less,
  minus,
  NONE,
  parsed,
  plus,
} from "./model_sums.ts";
import { SECOND, text } from "./model_sums.ts";

// Invoices, their ledgers and credit notes: RULES 29 and 38; README, "Invoices" and "Invoice ledger".

/** What was billed and paid of records when they were settled. */
export function issueInvoice(
  w: World,
  escrow: Escrow,
  facts: Partial<Invoice> & { seq: bigint; total: Coins; amountPaid: Coins },
  { settlement_id, initiator }: { settlement_id: string; initiator: string },
): void {
  const { total, amountPaid } = facts;
  const amountDue = less(total, amountPaid);
  const part = amountPaid.size === 0 ? "pending" : "partially_paid";
  const status = amountDue.size === 0 ? "paid" : part;
  const own: Partial<Invoice> = {
    ...{ escrowSeq: escrow.seq, status: "draft", amountDue, height: w.height },
    ...{ number: w.next(`invoices of ${escrow.recipient}`), issuedAtNs: w.now },
    ...{ dueAtNs: w.after(w.params.invoiceDueAfter), paidAtNs: status === "paid" ? w.now : 0n },
  };
  const invoice = w.push(w.invoices, made<Invoice>(InvoiceState, { ...facts, ...own }));
  append(w, invoice, "issued", status, amountPaid, initiator, settlement_id);
  const ids = { invoice_id: invoiceId(invoice), settlement_id, status };
  w.emit("InvoiceIssued", { ...ids, total, amount_due: amountDue }, escrow);
}

/** The next entry of an invoice's ledger, with the hash of the one before. */
function append(
  w: World,
  invoice: Invoice,
  kind: string,
  status: string,
  amount: Coins,
  initiator: string,
  reference: string,
): void {
  const [number, before] = [invoice.ledgerCount + 1, invoice.ledgerHash];
  const facts = {
    ...{ invoiceSeq: invoice.seq, number, initiator, reference, height: w.height, timeNs: w.now },
    previousHash: number === 1 ? new Uint8Array(32) : before,
  };
  const body = InvoiceLedgerEntry.encode({
    ...{ ...facts, hash: new Uint8Array(0), kind: valueOf(InvoiceLedgerKind, kind) },
    ...{ previousStatus: valueOf(InvoiceStatus, invoice.status) },
    ...{ status: valueOf(InvoiceStatus, status), amount: wired(amount) },
  }).finish();
  const hash = createHash("sha256").update(facts.previousHash).update(body).digest();
  w.push(w.invoiceLedger, { ...facts, kind, previousStatus: invoice.status, status, amount, hash });
  w.set(invoice, { status, ledgerCount: number, ledgerHash: hash });
}

/** Of the generated enum, by the end of its name. */
function valueOf<E extends Record<string, unknown>>(names: E, name: string): never {
  const end = `_(KIND|STATUS)_${name.toUpperCase()}$`;
  return Object.entries(names).find(([key]) => new RegExp(end).test(key))?.[1] as never;
}

function wired(coins: Coins): { denom: string; amount: string }[] {
  const sorted = [...coins].sort(([a], [b]) => compareText(a, b));
  return sorted.map(([denom, amount]) => ({ denom, amount: `${amount}` }));
}

/** Once, strictly after the due date. */
export function markOverdue(w: World): void {
  for (const invoice of w.invoices) {
    const { status, amountDue: amount_due, dueAtNs } = invoice;
    const waits = status === "pending" || status === "partially_paid";
    if (!waits || invoice.overdueAtNs !== 0n || w.now <= dueAtNs) continue;
    w.set(invoice, { overdueAtNs: w.now });
    append(w, invoice, "overdue", "overdue", amount_due, "", "");
    const facts = { invoice_id: invoiceId(invoice), amount_due, due_at: dueAtNs / SECOND };
    w.emit("InvoiceOverdue", facts, w.escrowOf(invoice));
  }
}

function invoiceById(w: World, id: string) {
  const invoice = w.find(w.invoices, id, invoiceId, 1549);
  return { invoice, escrow: w.escrowOf(invoice) };
}

/** A credit note of coins that somebody moves. @returns its number */
export function writeCredit(
  w: World,
  invoice: Invoice,
  {
    amount,
    reason,
    initiator,
    reference,
  }: Record<"reason" | "initiator" | "reference", string> & {
    amount: Coins;
  },
): bigint {
  const [escrow, id] = [w.escrowOf(invoice), invoiceId(invoice)];
  const [seq, number] = [w.next("creditNote"), w.next(`credit notes of ${escrow.recipient}`)];
  const times = { issuedAtNs: w.now, height: w.height };
  const note = { seq, number, invoiceSeq: invoice.seq, amount, reason, ...times };
  w.push(w.creditNotes, made(CreditNoteState, note));
  w.set(invoice, { credited: plus(invoice.credited, amount) });
  const isWhole = less(invoice.amountPaid, invoice.credited).size === 0;
  const isRefunded = invoice.status === "paid" && isWhole;
  const status = isRefunded ? "refunded" : invoice.status;
  const credit_note_id = idOf("credit", w.now, seq);
  const kind = isRefunded ? "refunded" : "credited";
  append(w, invoice, kind, status, amount, initiator, reference || credit_note_id);
  // The form of the number: no document says it.
  const credit_note_number = `CN-${`${number}`.padStart(6, "0")}`;
  const facts = { credit_note_id, credit_note_number, invoice_id: id, amount, reason, status };
  w.emit("InvoiceCredited", facts, escrow);
  return seq;
}

/** What a decided dispute takes off what is due. @returns the amount */
export function waiveDue(w: World, seq: bigint, amount: Coins, by: string, dispute: string): Coins {
  const invoice = w.invoices.find((each) => each.seq === seq);
  if (invoice === undefined || amount.size === 0) return NONE;
  const amountDue = less(invoice.amountDue, amount);
  w.set(invoice, { amountDue, waived: plus(invoice.waived, amount) });
  const { amountPaid, credited } = invoice;
  const isPaid = amountDue.size === 0 && amountPaid.size > 0;
  if (isPaid) w.set(invoice, { paidAtNs: w.now });
  const paid = less(amountPaid, credited).size === 0 ? "refunded" : "paid";
  const end = isPaid ? paid : "cancelled";
  const status = amountDue.size === 0 ? end : invoice.status;
  append(w, invoice, "resolved", status, amount, by, dispute);
  return amount;
}

export const invoiceRules: Rules = {
  MsgPayInvoice: (w, { sender, invoiceId: id, amount: asked }: own.MsgPayInvoice) => {
    const { invoice, escrow } = invoiceById(w, id);
    const { amountDue, amountPaid, seq: invoiceSeq } = invoice;
    need(amountDue.size > 0, 1503);
    const amount = asked.length === 0 ? amountDue : (parsed(asked) as Coins);
    const due = minus(amountDue, amount);
    need(due !== undefined, 1522);
    need(w.has(sender, amount), 1504);
    const tax = taxInPayment(invoice, amount);
    const shares = sharesOf(w, less(amount, tax));
    moveShares(w, sender, shares, w.module("settlement"));
    w.move(sender, w.module("settlement_tax"), tax);
    const open = (): string => {
      const of = { seq: w.next("payout"), invoiceSeq, settlementSeq: 0n };
      return payoutId(openPayout(w, escrow, shares, of));
    };
    const payout_id = shares.total.size > 0 ? open() : "";
    const status = due.size === 0 ? "paid" : "partially_paid";
    const paidAtNs = status === "paid" ? w.now : 0n;
    w.set(invoice, { amountPaid: plus(amountPaid, amount), amountDue: due, paidAtNs });
    w.set(invoice, { taxPaid: plus(invoice.taxPaid, tax) });
    append(w, invoice, "payment", status, amount, sender, payout_id);
    const { platformFee: platform_fee, validatorFee: validator_fee, providerShare } = shares;
    const fees = { provider_share: providerShare, platform_fee, validator_fee };
    const facts = { invoice_id: id, payer: sender, payout_id, amount, amount_due: due, status };
    w.emit("InvoicePaid", { ...facts, ...fees, tax: tax.size > 0 ? tax : undefined }, escrow);
    const rest = { amountDue: text(due), status, paidAt: w.seconds };
    return { payoutId: payout_id, paidAmount: text(amount), ...rest };
  },
  MsgVoidInvoice: (w, { sender, invoiceId: id, reason }: own.MsgVoidInvoice) => {
    const { invoice, escrow } = invoiceById(w, id);
    need(sender === escrow.recipient, 1505);
    const { amountDue: amount, amountPaid } = invoice;
    need(amount.size > 0 && amountPaid.size === 0, 1503);
    w.set(invoice, { amountDue: NONE, voidReason: reason });
    append(w, invoice, "cancelled", "cancelled", amount, sender, reason);
    w.emit("InvoiceVoided", { invoice_id: id, amount, reason }, escrow);
    return { voidedAt: w.seconds };
  },
  MsgCreditInvoice: (w, { sender, invoiceId: id, amount: asked, reason }: own.MsgCreditInvoice) => {
    const { invoice, escrow } = invoiceById(w, id);
    const { amountPaid, credited } = invoice;
    need(sender === escrow.recipient, 1505);
    need(invoice.status !== "cancelled" && invoice.status !== "refunded", 1503);
    need(amountPaid.size > 0, 1536);
    const amount = parsed(asked) as Coins;
    need(minus(less(amountPaid, credited), amount) !== undefined, 1522);
    need(w.has(sender, amount), 1504);
    w.move(sender, escrow.depositor, amount);
    const note = { amount, reason, initiator: sender, reference: "" };
    const credit_note_id = idOf("credit", w.now, writeCredit(w, invoice, note));
    const creditedAmount = text(amount);
    return { creditNoteId: credit_note_id, creditedAmount, creditedAt: w.seconds };
  },
};
