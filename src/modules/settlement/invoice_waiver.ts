import type { Context } from "../../baseapp/context.ts";
import {
  type EscrowState,
  InvoiceLedgerKind,
  type InvoiceState,
  InvoiceStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import {
  addCoins,
  type Coins,
  equalCoins,
  isZeroCoins,
  NO_COINS,
  subCoins,
  wireCoins,
} from "../../types/coins.ts";
import { invoiceWaived } from "./events_invoice.ts";
import { timedId } from "./ids.ts";
import { appendLedger, writeInvoice } from "./invoice_records.ts";
import { coinsIn, type Records } from "./records.ts";
import { invoiceStatusName } from "./status_names.ts";

/** What is no longer due of an invoice, because a dispute of a record on it was decided so. */
export interface Waiver {
  /** undefined without billing. */
  readonly invoice: InvoiceState | undefined;
  readonly escrow: EscrowState;
  /** At most what is due. */
  readonly amount: Coins;
  readonly initiator: string;
  /** Id of the dispute. */
  readonly reference: string;
}

/**
 * Takes what a record no longer owes off the amount due of its invoice.
 * @returns what was taken off
 */
export function waiveDue(ctx: Context, records: Records, waiver: Waiver): Coins {
  const { invoice: before, escrow, amount, initiator, reference } = waiver;
  if (before === undefined || isZeroCoins(amount)) return NO_COINS;
  const due = coinsIn(before.amountDue);
  const left = subCoins(due, amount);
  const after: InvoiceState = {
    ...before,
    ...(isZeroCoins(left) ? endOf(ctx, before) : {}),
    amountDue: wireCoins(left),
    waived: wireCoins(addCoins(coinsIn(before.waived), amount)),
  };
  const kind = InvoiceLedgerKind.INVOICE_LEDGER_KIND_RESOLVED;
  const entry = { kind, amount, initiator, reference };
  writeInvoice(ctx, before, appendLedger(ctx, before, after, entry), escrow);
  ctx.emit(
    invoiceWaived({
      ...{ invoiceId: timedId("invoice", before.issuedAtNs, before.seq), orderId: escrow.orderId },
      ...{ disputeId: reference, amount, status: invoiceStatusName(after.status) },
    }),
  );
  return amount;
}

/** Nothing is due any more: it is paid, or was never to be paid. */
function endOf(
  ctx: Context,
  { amountPaid, credited, paidAtNs }: InvoiceState,
): Pick<InvoiceState, "status" | "paidAtNs"> {
  if (amountPaid.length === 0) {
    return { status: InvoiceStatus.INVOICE_STATUS_CANCELLED, paidAtNs };
  }
  const isBack = equalCoins(coinsIn(amountPaid), coinsIn(credited));
  const { INVOICE_STATUS_REFUNDED: REFUNDED, INVOICE_STATUS_PAID: PAID } = InvoiceStatus;
  return { status: isBack ? REFUNDED : PAID, paidAtNs: ctx.time };
}
