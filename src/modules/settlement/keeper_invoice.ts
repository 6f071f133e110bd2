import type { Context } from "../../baseapp/context.ts";
import {
  type EscrowState,
  InvoiceLedgerKind,
  type InvoiceState,
  InvoiceStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { EMPTY_BYTES } from "../../lib/bytes.ts";
import { ChainError } from "../../lib/errors.ts";
import {
  addCoins,
  type Coins,
  coversCoins,
  formatCoins,
  isZeroCoins,
  subCoins,
  wireCoins,
} from "../../types/coins.ts";
import { ErrInsufficientFunds as ErrBankFunds } from "../../types/sdk_errors.ts";
import { addSeconds, type TimeNs } from "../../types/time.ts";
import type { Accounts } from "./accounts.ts";
import { type Shares, splitFees } from "./allocate.ts";
import type { Bill } from "./bill.ts";
import { bookCredit, takeCreditNote } from "./credit_note.ts";
import * as errors from "./errors.ts";
import * as events from "./events.ts";
import * as own from "./events_invoice.ts";
import type { BankKeeper } from "./expected_keepers.ts";
import { timedId, timedSeqOf } from "./ids.ts";
import {
  appendLedger,
  countPaymentFees,
  takeSeriesNumber,
  writeInvoice,
} from "./invoice_records.ts";
import { taxInPayment } from "./invoice_tax.ts";
import { quote, unauthorized } from "./keeper_escrow.ts";
import { PayoutKeeper } from "./keeper_payout.ts";
import * as keys from "./keys.ts";
import { coinsIn, type Records } from "./records.ts";
import { invoiceStatusName } from "./status_names.ts";

const {
  INVOICE_STATUS_PENDING: PENDING,
  INVOICE_STATUS_PAID: PAID,
  INVOICE_STATUS_PARTIALLY_PAID: PARTIALLY_PAID,
  INVOICE_STATUS_OVERDUE: OVERDUE,
  INVOICE_STATUS_CANCELLED: CANCELLED,
  INVOICE_STATUS_REFUNDED: REFUNDED,
} = InvoiceStatus;

/** What a settlement tells of the invoice that it issues. */
export interface IssueRequest {
  readonly escrow: EscrowState;
  readonly seq: bigint;
  /** 0 when nothing was paid. */
  readonly settlementSeq: bigint;
  /** Costs of its records. */
  readonly subtotal: Coins;
  /** Of the escrow, at once, with its tax. */
  readonly paid: Coins;
  /** Undefined for an order without discounts and tax. */
  readonly bill: Bill | undefined;
  readonly lineCount: number;
  readonly period: { readonly periodStart: bigint; readonly periodEnd: bigint };
  /** Who asked for the settlement; empty for the chain itself. */
  readonly initiator: string;
}

/** Issues the invoice of a settlement. Its creation, issue and first payment are one ledger entry. */
export function issueInvoice(ctx: Context, records: Records, request: IssueRequest): void {
  const { escrow, seq, settlementSeq, subtotal, paid, bill } = request;
  const total = bill?.invoiceTotal ?? subtotal;
  const due = subCoins(total, paid);
  const status = isZeroCoins(due) ? PAID : isZeroCoins(paid) ? PENDING : PARTIALLY_PAID;
  const { invoiceDueAfter } = records.params(ctx).extended;
  const invoice: InvoiceState = {
    seq,
    number: takeSeriesNumber(ctx, keys.INVOICE_SERIES_PREFIX, escrow.recipient),
    settlementSeq,
    escrowSeq: escrow.seq,
    status,
    total: wireCoins(total),
    amountPaid: wireCoins(paid),
    amountDue: wireCoins(due),
    issuedAtNs: ctx.time,
    dueAtNs: addSeconds(ctx.time, invoiceDueAfter),
    paidAtNs: status === PAID ? ctx.time : 0n,
    lineCount: request.lineCount,
    ...request.period,
    height: ctx.height,
    credited: [],
    voidReason: "",
    ledgerCount: 0,
    ledgerHash: EMPTY_BYTES,
    overdueAtNs: 0n,
    subtotal: wireCoins(subtotal),
    ...termsOn(bill),
    waived: [],
    paramsVersion: records.paramsVersion(ctx),
    overdueAttempts: 0,
  };
  const settlementId = settlementSeq === 0n ? "" : timedId("settle", ctx.time, settlementSeq);
  const kind = InvoiceLedgerKind.INVOICE_LEDGER_KIND_ISSUED;
  const { initiator } = request;
  const entry = { kind, amount: paid, initiator, reference: settlementId };
  writeInvoice(ctx, undefined, appendLedger(ctx, undefined, invoice, entry), escrow);
  ctx.emit(
    events.invoiceIssued({
      invoiceId: idOf(invoice),
      settlementId,
      orderId: escrow.orderId,
      total,
      due,
      status: invoiceStatusName(status),
    }),
  );
}

function termsOn(
  bill: Bill | undefined,
): Pick<InvoiceState, "discounts" | "tax" | "taxPaid" | "taxTerms"> {
  const reductions = bill?.reductions ?? [];
  return {
    discounts: reductions.map(({ kind, description, amount }) => {
      return { kind, description, amount: wireCoins(amount) };
    }),
    tax: wireCoins(bill?.invoiceTax ?? []),
    taxPaid: wireCoins(bill?.tax ?? []),
    taxTerms: bill?.taxTerms,
  };
}

/** Marks an invoice of which something is due after its due date (RULES 29). */
export function markOverdue(ctx: Context, records: Records, seq: bigint): void {
  const before = must(records.invoice(ctx, seq), "settlement: a queued invoice exists");
  const escrow = escrowOf(ctx, records, before);
  const after = { ...before, status: OVERDUE, overdueAtNs: ctx.time };
  const due = coinsIn(before.amountDue);
  const kind = InvoiceLedgerKind.INVOICE_LEDGER_KIND_OVERDUE;
  const entry = { kind, amount: due, initiator: "", reference: "" };
  writeInvoice(ctx, before, appendLedger(ctx, before, after, entry), escrow);
  const { orderId, depositor: customer } = escrow;
  const facts = { invoiceId: idOf(before), orderId, at: ctx.time };
  const dueAt = before.dueAtNs as TimeNs;
  ctx.emit(own.invoiceOverdue({ ...facts, customer, due, dueAt }));
}

export interface Payment {
  readonly payoutId: string;
  readonly paid: Coins;
  readonly due: Coins;
  readonly status: InvoiceStatus;
}

/** Invoices after their issue: paid, voided, credited. None of it touches an escrow. */
export class InvoiceKeeper {
  readonly #records: Records;
  readonly #bank: BankKeeper;
  readonly #accounts: Accounts;
  readonly #payouts: PayoutKeeper;

  constructor(records: Records, bank: BankKeeper, accounts: Accounts) {
    this.#records = records;
    this.#bank = bank;
    this.#accounts = accounts;
    this.#payouts = new PayoutKeeper(records, bank, accounts);
  }

  /** @throws ChainError settlement/1549 */
  byId(ctx: Context, id: string): InvoiceState {
    const seq = timedSeqOf("invoice", id);
    const invoice = seq === undefined ? undefined : this.#records.invoice(ctx, seq);
    if (invoice !== undefined && idOf(invoice) === id) return invoice;
    throw new ChainError(errors.ErrInvoiceNotFound, `invoice ${quote(id)}`);
  }

  /**
   * Pays what is due, or a part of it: its tax, the fees of a settlement on what is left, the rest
   * to the provider, no reward (RULES 29).
   * @param request.amount empty for all that is due
   * @throws ChainError settlement/1549, 1503, 1522 or 1504
   */
  pay(ctx: Context, request: { sender: string; invoiceId: string; amount: Coins }): Payment {
    const { sender } = request;
    const before = this.byId(ctx, request.invoiceId);
    const escrow = escrowOf(ctx, this.#records, before);
    const wasDue = coinsIn(before.amountDue);
    if (!isPayable(before.status) || isZeroCoins(wasDue)) throw notIn(before, "paid");
    const amount = isZeroCoins(request.amount) ? wasDue : request.amount;
    if (!coversCoins(wasDue, amount)) throw tooMuch(before, { what: "due", most: wasDue, amount });
    const tax = taxInPayment(before, amount);
    const gross = subCoins(amount, tax);
    const shares = this.#split(ctx, gross);
    const payment = { sender, invoice: before, escrow, gross, shares, tax };
    const payoutId = this.#moveShares(ctx, payment);
    const due = subCoins(wasDue, amount);
    const status = isZeroCoins(due) ? PAID : PARTIALLY_PAID;
    const after: InvoiceState = {
      ...before,
      status,
      amountPaid: wireCoins(addCoins(coinsIn(before.amountPaid), amount)),
      amountDue: wireCoins(due),
      taxPaid: wireCoins(addCoins(coinsIn(before.taxPaid), tax)),
      paidAtNs: status === PAID ? ctx.time : 0n,
    };
    const kind = InvoiceLedgerKind.INVOICE_LEDGER_KIND_PAYMENT;
    const entry = { kind, amount, initiator: sender, reference: payoutId };
    writeInvoice(ctx, before, appendLedger(ctx, before, after, entry), escrow);
    ctx.emit(
      own.invoicePaid({
        ...this.#facts(ctx, before, escrow),
        ...shares,
        ...{ payer: sender, payoutId, amount, tax, due, status: invoiceStatusName(status) },
      }),
    );
    return { payoutId, paid: amount, due, status };
  }

  /**
   * Cancels an invoice of which nothing was paid: what is void is no longer due (RULES 38).
   * @throws ChainError settlement/1549, 1505 or 1503
   */
  void(ctx: Context, request: { sender: string; invoiceId: string; reason: string }): void {
    const { sender, reason } = request;
    const before = this.byId(ctx, request.invoiceId);
    const escrow = this.#requireProvider(ctx, before, sender);
    const unpaid = before.status === PENDING || before.status === OVERDUE;
    if (!unpaid || before.amountPaid.length > 0) throw notIn(before, "void");
    const amount = coinsIn(before.amountDue);
    const after = { ...before, status: CANCELLED, amountDue: [], voidReason: reason };
    const kind = InvoiceLedgerKind.INVOICE_LEDGER_KIND_CANCELLED;
    const entry = { kind, amount, initiator: sender, reference: reason };
    writeInvoice(ctx, before, appendLedger(ctx, before, after, entry), escrow);
    const facts = this.#facts(ctx, before, escrow);
    ctx.emit(own.invoiceVoided({ ...facts, provider: sender, amount, reason }));
  }

  /**
   * Gives back what was paid, or a part of it, from the provider to the customer by a credit note
   * (RULES 38). Fees and rewards stay as they are. A paid invoice that is credited whole is refunded.
   * @throws ChainError settlement/1549, 1505, 1503, 1536, 1522 or 1504
   */
  credit(
    ctx: Context,
    request: { sender: string; invoiceId: string; amount: Coins; reason: string },
  ): string {
    const { sender, amount, reason } = request;
    const before = this.byId(ctx, request.invoiceId);
    const escrow = this.#requireProvider(ctx, before, sender);
    if (before.status === CANCELLED || before.status === REFUNDED) throw notIn(before, "credited");
    const [paid, credited] = [coinsIn(before.amountPaid), coinsIn(before.credited)];
    if (isZeroCoins(paid)) {
      const detail = `${idOf(before)}: nothing was paid of it, so nothing can be credited; void it instead`;
      throw new ChainError(errors.ErrInvoiceNotPaid, detail);
    }
    const most = subCoins(paid, credited);
    if (!coversCoins(most, amount)) throw tooMuch(before, { what: "left to credit", most, amount });
    const note = takeCreditNote(ctx, this.#records, sender);
    const movements = [{ source: sender, destination: escrow.depositor, coins: amount }];
    this.#post(ctx, { kind: "credit_note", reference: note.id, payer: sender, movements });
    const facts = { invoice: before, escrow, amount, reason };
    bookCredit(ctx, note, { ...facts, initiator: sender, reference: note.id });
    return note.id;
  }

  #split(ctx: Context, amount: Coins): Shares {
    const { platformFeeRate: platform, validatorFeeRate: validator } = this.#records.params(ctx);
    return splitFees(amount, { platform, validator });
  }

  /**
   * Takes the payment from the payer: tax, fees and a payout.
   * @returns the payout's id; empty for a payment that is tax alone
   */
  #moveShares(
    ctx: Context,
    payment: {
      sender: string;
      invoice: InvoiceState;
      escrow: EscrowState;
      gross: Coins;
      shares: Shares;
      tax: Coins;
    },
  ): string {
    const { sender: source, invoice, escrow, gross, shares, tax } = payment;
    const { platformFee, validatorFee, settlement } = this.#accounts;
    const invoiceId = idOf(invoice);
    const movements = [
      { source, destination: platformFee, coins: shares.platformFee },
      { source, destination: validatorFee, coins: shares.validatorFee },
      { source, destination: settlement, coins: shares.providerShare },
      { source, destination: this.#accounts.tax, coins: tax },
    ];
    this.#post(ctx, { kind: "invoice_payment", reference: invoiceId, payer: source, movements });
    this.#records.addTotal(ctx, "taxes", tax);
    if (isZeroCoins(gross)) return "";
    const payout = this.#payouts.open(ctx, {
      seq: this.#records.take(ctx, "payout"),
      invoiceSeq: invoice.seq,
      settlementSeq: 0n,
      escrow,
      gross,
      shares,
    });
    countPaymentFees(ctx, this.#records, payout);
    return timedId("payout", ctx.time, payout.seq);
  }

  /** @throws ChainError settlement/1505 unless the sender is the invoice's provider. */
  #requireProvider(ctx: Context, invoice: InvoiceState, sender: string): EscrowState {
    const escrow = escrowOf(ctx, this.#records, invoice);
    if (sender === escrow.recipient) return escrow;
    throw unauthorized(sender, `the provider ${escrow.recipient} of ${idOf(invoice)}`);
  }

  #facts(ctx: Context, invoice: InvoiceState, { orderId }: EscrowState): own.InvoiceFacts {
    return { invoiceId: idOf(invoice), orderId, at: ctx.time };
  }

  /** @throws ChainError settlement/1504 naming the payer. */
  #post(
    ctx: Context,
    posting: Parameters<BankKeeper["post"]>[1] & { readonly payer: string },
  ): void {
    const { payer, ...rest } = posting;
    try {
      this.#bank.post(ctx, rest);
    } catch (error) {
      if (!(error instanceof ChainError) || !error.is(ErrBankFunds)) throw error;
      const needed = posting.movements.reduce<Coins>((sum, { coins }) => addCoins(sum, coins), []);
      const detail = `${payer} needs ${formatCoins(needed)}: ${error.message}`;
      throw new ChainError(errors.ErrInsufficientFunds, detail, error.details);
    }
  }
}

function escrowOf(ctx: Context, records: Records, { escrowSeq }: InvoiceState): EscrowState {
  return must(records.escrow(ctx, escrowSeq), "settlement: an invoice has an escrow");
}

function idOf({ issuedAtNs, seq }: InvoiceState): string {
  return timedId("invoice", issuedAtNs, seq);
}

function isPayable(status: InvoiceStatus): boolean {
  return status === PENDING || status === PARTIALLY_PAID || status === OVERDUE;
}

function notIn(invoice: InvoiceState, to: string): ChainError {
  const paid = formatCoins(coinsIn(invoice.amountPaid)) || "nothing";
  const detail = `${idOf(invoice)} is ${invoiceStatusName(invoice.status)}, of which ${paid} was paid: it cannot be ${to}`;
  return new ChainError(errors.ErrInvalidStateTransition, detail);
}

function tooMuch(
  invoice: InvoiceState,
  { what, most, amount }: { what: string; most: Coins; amount: Coins },
): ChainError {
  const asked = formatCoins(amount);
  const detail = `${idOf(invoice)} has ${formatCoins(most) || "nothing"} ${what}, asked for ${asked}`;
  return new ChainError(errors.ErrInvalidAmount, detail, { asked });
}
