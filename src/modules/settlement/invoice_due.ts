import type { Context } from "../../baseapp/context.ts";
import { isolated } from "../../baseapp/isolated.ts";
import { must } from "../../lib/assert.ts";
import { dueInQueue } from "./block_queue.ts";
import { invoiceOverdueFailed } from "./events_invoice.ts";
import { timedId } from "./ids.ts";
import { changeInvoice } from "./invoice_records.ts";
import { markOverdue } from "./keeper_invoice.ts";
import * as keys from "./keys.ts";
import type { Records } from "./records.ts";

/** Invoices that one block marks. */
const INVOICES_MAX = 1000;

/** Marks the invoices whose due date is over, by (due time, number), each on an overlay of its own. */
export function markOverdueInvoices(ctx: Context, records: Records): void {
  const due = dueInQueue(ctx, {
    ...{ prefix: keys.INVOICE_DUE_QUEUE_PREFIX, most: INVOICES_MAX },
    isDue: (at) => at < ctx.time,
    itemOf: (key) => {
      return must(records.invoice(ctx, keys.seqAtEnd(key)), "settlement: a queued invoice exists");
    },
    attemptsOf: ({ overdueAttempts }) => overdueAttempts,
  });
  for (const invoice of due) {
    const failure = isolated(ctx, (inner) => markOverdue(inner, records, invoice.seq));
    if (failure === undefined) continue;
    const attempts = invoice.overdueAttempts + 1;
    changeInvoice(ctx, { ...invoice, overdueAttempts: attempts });
    const invoiceId = timedId("invoice", invoice.issuedAtNs, invoice.seq);
    ctx.emit(invoiceOverdueFailed({ invoiceId, error: failure.message, attempts }));
  }
}
