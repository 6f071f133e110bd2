import { type Coins, formatCoins } from "../../types/coins.ts";
import { type Event, event } from "../../types/event.ts";
import { secondsOf, type TimeNs } from "../../types/time.ts";

/** Events of invoices after their issue, and of automatic settlement. All attributes: README.md. */

const PREFIX = "virtengine.settlement.v1.Event";

const seconds = (time: TimeNs): string => secondsOf(time).toString();

export interface InvoiceFacts {
  readonly invoiceId: string;
  readonly orderId: string;
  readonly at: TimeNs;
}

export function invoicePaid(
  e: InvoiceFacts & {
    payer: string;
    payoutId: string;
    amount: Coins;
    platformFee: Coins;
    validatorFee: Coins;
    providerShare: Coins;
    tax: Coins;
    due: Coins;
    status: string;
  },
): Event {
  return event(`${PREFIX}InvoicePaid`, {
    invoice_id: e.invoiceId,
    order_id: e.orderId,
    payer: e.payer,
    payout_id: e.payoutId,
    amount: formatCoins(e.amount),
    provider_share: formatCoins(e.providerShare),
    platform_fee: formatCoins(e.platformFee),
    validator_fee: formatCoins(e.validatorFee),
    tax: e.tax.length === 0 ? undefined : formatCoins(e.tax),
    amount_due: formatCoins(e.due),
    status: e.status,
    paid_at: seconds(e.at),
  });
}

export function invoiceOverdue(
  e: InvoiceFacts & { customer: string; due: Coins; dueAt: TimeNs },
): Event {
  return event(`${PREFIX}InvoiceOverdue`, {
    invoice_id: e.invoiceId,
    order_id: e.orderId,
    customer: e.customer,
    amount_due: formatCoins(e.due),
    due_at: seconds(e.dueAt),
    overdue_at: seconds(e.at),
  });
}

export function invoiceVoided(
  e: InvoiceFacts & { provider: string; amount: Coins; reason: string },
): Event {
  return event(`${PREFIX}InvoiceVoided`, {
    invoice_id: e.invoiceId,
    order_id: e.orderId,
    provider: e.provider,
    amount: formatCoins(e.amount),
    reason: e.reason,
    voided_at: seconds(e.at),
  });
}

/** A dispute of a record on it took something off what is due. */
export function invoiceWaived(e: {
  invoiceId: string;
  orderId: string;
  disputeId: string;
  amount: Coins;
  /** Of the invoice from now on. */
  status: string;
}): Event {
  return event(`${PREFIX}InvoiceWaived`, {
    invoice_id: e.invoiceId,
    order_id: e.orderId,
    dispute_id: e.disputeId,
    amount: formatCoins(e.amount),
    status: e.status,
  });
}

export function invoiceCredited(
  e: InvoiceFacts & {
    creditNoteId: string;
    creditNoteNumber: string;
    provider: string;
    customer: string;
    amount: Coins;
    reason: string;
    status: string;
  },
): Event {
  return event(`${PREFIX}InvoiceCredited`, {
    credit_note_id: e.creditNoteId,
    credit_note_number: e.creditNoteNumber,
    invoice_id: e.invoiceId,
    order_id: e.orderId,
    provider: e.provider,
    customer: e.customer,
    amount: formatCoins(e.amount),
    reason: e.reason,
    status: e.status,
    credited_at: seconds(e.at),
  });
}

/** Automatic settlement failed and will be tried again; nothing moved. */
/** A later block tries again. */
export function invoiceOverdueFailed(e: {
  invoiceId: string;
  error: string;
  attempts: number;
}): Event {
  const values = { invoice_id: e.invoiceId, error: e.error, attempts: e.attempts.toString() };
  return event(`${PREFIX}InvoiceOverdueFailed`, values);
}

export function autoSettleFailed(e: {
  escrowId: string;
  orderId: string;
  error: string;
  attempts: number;
}): Event {
  const { escrowId: escrow_id, orderId: order_id, error } = e;
  const attempts = e.attempts.toString();
  return event(`${PREFIX}AutoSettleFailed`, { escrow_id, order_id, error, attempts });
}
