import type { QueryRoute } from "../../baseapp/module.ts";
import type { QueryContext } from "../../baseapp/query_context.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import * as ext from "../../gen/settled/settlement/v1/query.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import type { Key } from "../../lib/key.ts";
import { readPage } from "../../store/reader.ts";
import { creditNoteNumber, timedId } from "./ids.ts";
import { invoiceStatusKey, ledgerOfKey } from "./invoice_records.ts";
import * as keys from "./keys.ts";
import { addressAsked, filteredPage, wordAsked } from "./query_page.ts";
import * as records from "./query_records.ts";
import { boundsIn, spanAsked, type Timed } from "./query_time.ts";
import { invoiceLedgerKindName, invoiceStatusName, invoiceStatusOf } from "./status_names.ts";
import * as view from "./views.ts";

const QUERY = "/settled.settlement.v1.Query";

/** Invoices by what they say, their ledgers and credit notes. */
export const invoiceQueries: readonly QueryRoute[] = [
  queryRoute({
    path: `${QUERY}/Invoices`,
    request: ext.QueryInvoicesRequest,
    response: ext.QueryInvoicesResponse,
    handle: invoicePage,
  }),
  queryRoute({
    path: `${QUERY}/InvoiceLedger`,
    request: ext.QueryInvoiceLedgerRequest,
    response: ext.QueryInvoiceLedgerResponse,
    handle: async ({ reader }, { invoiceId, pagination }) => {
      const { seq } = await records.invoiceById(reader, invoiceId);
      const page = await readPage(reader, ledgerOfKey(seq), pagination);
      const entries = page.entries.map(([, value]) =>
        ledgerLine(state.InvoiceLedgerEntry.decode(value)),
      );
      return { entries, pagination: page };
    },
  }),
  queryRoute({
    path: `${QUERY}/CreditNotes`,
    request: ext.QueryCreditNotesRequest,
    response: ext.QueryCreditNotesResponse,
    handle: async ({ reader }, { invoiceId, pagination }) => {
      const invoice = await records.invoiceById(reader, invoiceId);
      const escrow = await records.escrowBySeq(reader, invoice.escrowSeq);
      const prefix = keys.recordKey(keys.CREDIT_NOTE_BY_INVOICE_PREFIX, invoice.seq);
      const page = await readPage(reader, prefix, pagination);
      const creditNotes: ext.CreditNote[] = [];
      for (const [key] of page.entries) {
        const bytes = await reader.get(keys.recordKey(keys.CREDIT_NOTE_PREFIX, keys.seqAtEnd(key)));
        const note = state.CreditNoteState.decode(must(bytes, "settlement: credit note is there"));
        creditNotes.push(creditNoteView(note, { invoiceId, escrow }));
      }
      return { creditNotes, pagination: page };
    },
  }),
];

function ledgerLine(entry: state.InvoiceLedgerEntry): ext.InvoiceLedgerLine {
  return {
    number: entry.number,
    kind: invoiceLedgerKindName(entry.kind),
    previousStatus: invoiceStatusName(entry.previousStatus),
    status: invoiceStatusName(entry.status),
    amount: entry.amount,
    initiator: entry.initiator,
    reference: entry.reference,
    blockHeight: entry.height,
    timeNs: entry.timeNs,
    previousHash: entry.previousHash,
    hash: entry.hash,
  };
}

function creditNoteView(
  note: state.CreditNoteState,
  of: { invoiceId: string; escrow: state.EscrowState },
): ext.CreditNote {
  return {
    creditNoteId: timedId("credit", note.issuedAtNs, note.seq),
    creditNoteNumber: creditNoteNumber(note.number),
    invoiceId: of.invoiceId,
    provider: of.escrow.recipient,
    customer: of.escrow.depositor,
    amount: note.amount,
    reason: note.reason,
    issuedAtNs: note.issuedAtNs,
    blockHeight: note.height,
  };
}

/** What a request asks for; undefined: not asked. */
interface InvoiceFilter {
  readonly provider: string | undefined;
  readonly customer: string | undefined;
  readonly orderId: string | undefined;
  readonly status: state.InvoiceStatus | undefined;
}

export const INVOICE_TIMES: Timed = {
  prefix: keys.INVOICE_PREFIX,
  sequence: "invoice",
  timeOf: (value) => state.InvoiceState.decode(value).issuedAtNs,
};

async function invoicePage(
  ctx: QueryContext,
  request: ext.QueryInvoicesRequest,
): Promise<ext.QueryInvoicesResponse> {
  const { reader } = ctx;
  const filter: InvoiceFilter = {
    provider: addressAsked(ctx, request.provider),
    customer: addressAsked(ctx, request.customer),
    orderId: request.orderId === "" ? undefined : request.orderId,
    status: wordAsked("invoice state", request.state, invoiceStatusOf),
  };
  const prefix = prefixOf(filter);
  const span = spanAsked(request.issuedFrom, request.issuedTo);
  const bounds = await boundsIn(reader, prefix, { of: INVOICE_TIMES, span });
  const sections = [{ reader, prefix, ...bounds }];
  const page = await filteredPage(sections, request.pagination, async (key) => {
    const invoice = await records.invoiceBySeq(reader, keys.seqAtEnd(key));
    if (invoice === undefined) return undefined;
    const escrow = await records.escrowBySeq(reader, invoice.escrowSeq);
    if (!isAsked(invoice, escrow, filter)) return undefined;
    const settlementId = await records.settlementIdBySeq(reader, invoice.settlementSeq);
    return view.invoiceView(invoice, escrow, { settlementId, lines: [] });
  });
  return { invoices: page.rows, pagination: page.pagination };
}

/** The look-up that is walked: of an order, else a customer, a provider, a state, else all. */
function prefixOf({ orderId, customer, provider, status }: InvoiceFilter): Key {
  if (orderId !== undefined) return keys.textIndexKey(keys.INVOICE_BY_ORDER_PREFIX, orderId);
  if (customer !== undefined) return keys.textIndexKey(keys.INVOICE_BY_CUSTOMER_PREFIX, customer);
  if (provider !== undefined) return keys.textIndexKey(keys.INVOICE_BY_PROVIDER_PREFIX, provider);
  return status === undefined ? keys.INVOICE_PREFIX : invoiceStatusKey(status);
}

function isAsked(
  invoice: state.InvoiceState,
  escrow: state.EscrowState,
  { provider, customer, orderId, status }: InvoiceFilter,
): boolean {
  return (
    (status === undefined || invoice.status === status) &&
    (provider === undefined || escrow.recipient === provider) &&
    (customer === undefined || escrow.depositor === customer) &&
    (orderId === undefined || escrow.orderId === orderId)
  );
}
