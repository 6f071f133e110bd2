import type { Context } from "../../baseapp/context.ts";
import {
  type EscrowState,
  InvoiceLedgerKind,
  type InvoiceState,
  InvoiceStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { addCoins, type Coins, equalCoins, wireCoins } from "../../types/coins.ts";
import * as events from "./events_invoice.ts";
import { creditNoteNumber, timedId } from "./ids.ts";
import {
  appendLedger,
  takeSeriesNumber,
  writeCreditNote,
  writeInvoice,
} from "./invoice_records.ts";
import { CREDIT_NOTE_SERIES_PREFIX } from "./keys.ts";
import { coinsIn, type Records } from "./records.ts";
import { invoiceStatusName } from "./status_names.ts";

/** Credit notes, whoever gives the coins back: moving these is the caller's. */

/** What identifies a new credit note. */
export interface NewCreditNote {
  readonly seq: bigint;
  /** Of the provider's own series. */
  readonly number: bigint;
  readonly id: string;
}

/** What a credit note says. */
export interface Credit {
  /** What was paid of it covers what it will have credited. */
  readonly invoice: InvoiceState;
  readonly escrow: EscrowState;
  readonly amount: Coins;
  readonly reason: string;
  /** Who caused it; empty for the chain itself. */
  readonly initiator: string;
  /** For the invoice's ledger. */
  readonly reference: string;
}

export function takeCreditNote(ctx: Context, records: Records, provider: string): NewCreditNote {
  const seq = records.take(ctx, "creditNote");
  const number = takeSeriesNumber(ctx, CREDIT_NOTE_SERIES_PREFIX, provider);
  return { seq, number, id: timedId("credit", ctx.time, seq) };
}

/** Writes a credit note. A paid invoice that is credited whole is refunded. */
export function bookCredit(ctx: Context, note: NewCreditNote, credit: Credit): void {
  const { invoice: before, escrow, amount, reason, initiator, reference } = credit;
  const { seq, number, id: creditNoteId } = note;
  const { time: issuedAtNs, height } = ctx;
  const facts = { number, invoiceSeq: before.seq, reason, issuedAtNs, height };
  writeCreditNote(ctx, { seq, amount: wireCoins(amount), ...facts });
  const credited = addCoins(coinsIn(before.credited), amount);
  const isRefunded =
    before.status === InvoiceStatus.INVOICE_STATUS_PAID &&
    equalCoins(credited, coinsIn(before.amountPaid));
  const status = isRefunded ? InvoiceStatus.INVOICE_STATUS_REFUNDED : before.status;
  const after: InvoiceState = { ...before, status, credited: wireCoins(credited) };
  const kind = isRefunded
    ? InvoiceLedgerKind.INVOICE_LEDGER_KIND_REFUNDED
    : InvoiceLedgerKind.INVOICE_LEDGER_KIND_CREDITED;
  const entry = { kind, amount, initiator, reference };
  writeInvoice(ctx, before, appendLedger(ctx, before, after, entry), escrow);
  const { orderId, recipient: provider, depositor: customer } = escrow;
  ctx.emit(
    events.invoiceCredited({
      ...{ invoiceId: timedId("invoice", before.issuedAtNs, before.seq), orderId, at: ctx.time },
      ...{ creditNoteId, creditNoteNumber: creditNoteNumber(number) },
      ...{ provider, customer, amount, reason, status: invoiceStatusName(status) },
    }),
  );
}
