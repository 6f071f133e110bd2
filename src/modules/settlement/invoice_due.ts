import type { Context } from "../../baseapp/context.ts";
import { isolated } from "../../baseapp/isolated.ts";
import { i64FromKey } from "../../lib/key.ts";
import { markOverdue } from "./keeper_invoice.ts";
import * as keys from "./keys.ts";
import type { Records } from "./records.ts";

/** Invoices that one block marks. */
const INVOICES_MAX = 1000;

/** Marks the invoices whose due date is over, by (due time, number), each on an overlay of its own. */
export function markOverdueInvoices(ctx: Context, records: Records): void {
  const due: bigint[] = [];
  for (const [key] of ctx.kv.iterate(keys.INVOICE_DUE_QUEUE_PREFIX)) {
    const isOver = i64FromKey(key, keys.INVOICE_DUE_QUEUE_PREFIX.length) < ctx.time;
    if (!isOver || due.length === INVOICES_MAX) break;
    due.push(keys.seqAtEnd(key));
  }
  for (const seq of due) isolated(ctx, (inner) => markOverdue(inner, records, seq));
}
