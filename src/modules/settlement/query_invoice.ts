import type { QueryRoute } from "../../baseapp/module.ts";
import type { QueryContext } from "../../baseapp/query_context.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import * as ext from "../../gen/settled/settlement/v1/query.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { EMPTY_BYTES } from "../../lib/bytes.ts";
import { ChainError } from "../../lib/errors.ts";
import { joinKeys, type Key } from "../../lib/key.ts";
import type { RangeOptions, Reader } from "../../store/read_view.ts";
import { readPage } from "../../store/reader.ts";
import { parseAddress } from "../../types/address.ts";
import { GrpcInvalidArgument, GrpcResourceExhausted } from "../../types/query_errors.ts";
import { NS_PER_SECOND, type TimeNs } from "../../types/time.ts";
import { creditNoteNumber, timedId } from "./ids.ts";
import { invoiceStatusKey, ledgerOfKey } from "./invoice_records.ts";
import * as keys from "./keys.ts";
import * as records from "./query_records.ts";
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

/** What a request asks for, parsed; undefined: not asked. */
interface InvoiceFilter {
  readonly provider: string | undefined;
  readonly customer: string | undefined;
  readonly orderId: string | undefined;
  readonly status: state.InvoiceStatus | undefined;
  readonly from: TimeNs | undefined;
  readonly to: TimeNs | undefined;
}

async function invoicePage(
  { reader, chain }: QueryContext,
  request: ext.QueryInvoicesRequest,
): Promise<ext.QueryInvoicesResponse> {
  const filter = filterOf(request, chain.bech32Prefix);
  const prefix = prefixOf(filter);
  const page = await readPage(new InvoiceReader(reader, filter), prefix, request.pagination);
  const invoices: ext.Invoice[] = [];
  for (const [key] of page.entries) {
    const invoice = await invoiceAt(reader, keys.seqAtEnd(key));
    const escrow = await records.escrowBySeq(reader, invoice.escrowSeq);
    const settlementId = await records.settlementIdBySeq(reader, invoice.settlementSeq);
    invoices.push(view.invoiceView(invoice, escrow, { settlementId, lines: [] }));
  }
  return { invoices, pagination: page };
}

function filterOf(request: ext.QueryInvoicesRequest, bech32Prefix: string): InvoiceFilter {
  const { provider, customer, orderId, state: name, issuedFrom, issuedTo } = request;
  const status = name === "" ? undefined : invoiceStatusOf(name);
  if (name !== "" && status === undefined) {
    throw new ChainError(GrpcInvalidArgument, `unknown invoice state "${name.slice(0, 64)}"`);
  }
  return {
    provider: provider === "" ? undefined : parseAddress(provider, bech32Prefix),
    customer: customer === "" ? undefined : parseAddress(customer, bech32Prefix),
    orderId: orderId === "" ? undefined : orderId,
    status,
    from: issuedFrom === 0n ? undefined : ((issuedFrom * NS_PER_SECOND) as TimeNs),
    to: issuedTo === 0n ? undefined : ((issuedTo * NS_PER_SECOND) as TimeNs),
  };
}

/** The look-up that is walked: of an order, else a customer, a provider, a state, else all. */
function prefixOf({ orderId, customer, provider, status }: InvoiceFilter): Key {
  if (orderId !== undefined) return keys.textIndexKey(keys.INVOICE_BY_ORDER_PREFIX, orderId);
  if (customer !== undefined) return keys.textIndexKey(keys.INVOICE_BY_CUSTOMER_PREFIX, customer);
  if (provider !== undefined) return keys.textIndexKey(keys.INVOICE_BY_PROVIDER_PREFIX, provider);
  return status === undefined ? keys.INVOICE_PREFIX : invoiceStatusKey(status);
}

/** Invoices that one query reads for its page. */
const READ_MAX = 20_000;

/**
 * The entries of a look-up of invoices that pass a filter, as if there were no others. Numbers are
 * given in the order of time, so a time span bounds what is read.
 */
class InvoiceReader implements Reader {
  readonly #reader: Reader;
  readonly #filter: InvoiceFilter;

  constructor(reader: Reader, filter: InvoiceFilter) {
    this.#reader = reader;
    this.#filter = filter;
  }

  get height(): bigint {
    return this.#reader.height;
  }

  get time(): TimeNs {
    return this.#reader.time;
  }

  get(key: Key): Promise<Uint8Array | undefined> {
    return this.#reader.get(key);
  }

  async *range(prefix: Key, options: RangeOptions = {}): AsyncGenerator<[Key, Uint8Array]> {
    const { from, to } = await this.#spanKeys(prefix);
    const bounds = {
      ...options,
      from: options.from === undefined || options.from < from ? from : options.from,
      to: to === undefined || (options.to !== undefined && options.to < to) ? options.to : to,
    };
    let read = 0;
    for await (const [key] of this.#reader.range(prefix, bounds)) {
      read += 1;
      if (read > READ_MAX) {
        const detail = `more than ${READ_MAX} invoices to look at; ask for a shorter time, or for one order`;
        throw new ChainError(GrpcResourceExhausted, detail);
      }
      if (await this.#passes(keys.seqAtEnd(key))) yield [key, EMPTY_BYTES];
    }
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  async #passes(seq: bigint): Promise<boolean> {
    const { provider, customer, orderId, status } = this.#filter;
    const parties = [provider, customer, orderId].filter((asked) => asked !== undefined).length;
    if (parties + (status === undefined ? 0 : 1) <= 1) return true;
    const invoice = await invoiceAt(this.#reader, seq);
    if (status !== undefined && invoice.status !== status) return false;
    if (parties <= 1) return true;
    const escrow = await records.escrowBySeq(this.#reader, invoice.escrowSeq);
    return (
      (provider === undefined || escrow.recipient === provider) &&
      (customer === undefined || escrow.depositor === customer) &&
      (orderId === undefined || escrow.orderId === orderId)
    );
  }

  /** The keys under `prefix` between which the invoices of the time span stand. */
  async #spanKeys(prefix: Key): Promise<{ from: Key; to: Key | undefined }> {
    const { from, to } = this.#filter;
    const at = async (time: TimeNs): Promise<Key> =>
      joinKeys(prefix, keys.seqKey(await firstIssuedAt(this.#reader, time)));
    return {
      from: from === undefined ? prefix : await at(from),
      to: to === undefined ? undefined : await at(to),
    };
  }
}

/** The number of the first invoice that was issued at a time or later, by halving. */
async function firstIssuedAt(reader: Reader, time: TimeNs): Promise<bigint> {
  const next = await records.nextNumber(reader, "invoice");
  let [low, high] = [1n, next];
  while (low < high) {
    const middle = (low + high) >> 1n;
    const invoice = await records.invoiceBySeq(reader, middle);
    if (invoice === undefined || invoice.issuedAtNs < time) low = middle + 1n;
    else high = middle;
  }
  return low;
}

async function invoiceAt(reader: Reader, seq: bigint): Promise<state.InvoiceState> {
  return must(await records.invoiceBySeq(reader, seq), "settlement: invoice is there");
}
