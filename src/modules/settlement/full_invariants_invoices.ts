import * as state from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { equalBytes } from "../../lib/bytes.ts";
import type { Key } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { sha256 } from "../../lib/sha256.ts";
import type { Reader } from "../../store/read_view.ts";
import { addCoins, type Coins, equalCoins, formatCoins } from "../../types/coins.ts";
import type { TimeNs } from "../../types/time.ts";
import {
  assertInvoiceAdds,
  invoiceDueKey,
  LEDGER_GENESIS_HASH,
  ledgerHash,
  ledgerOfKey,
  mayBecomeOverdue,
} from "./invoice_records.ts";
import * as keys from "./keys.ts";
import { autoSettleDue, coinsIn } from "./records.ts";
import { add, sumOf } from "./sums_by_key.ts";

/** What invoices, their ledgers, payments and credit notes must say together. */

/**
 * I-12: what was paid of an invoice is its settlement and its payments, and their taxes; the rest
 * is due.
 */
export async function invoicesAdd(reader: Reader): Promise<void> {
  const paid = new KeyMap<Coins>();
  for await (const [, value] of reader.range(keys.SETTLEMENT_PREFIX)) {
    const { invoiceSeq, total } = state.SettlementState.decode(value);
    if (invoiceSeq !== 0n) add(paid, invoiceSeq, coinsIn(total));
  }
  for await (const [, value] of reader.range(keys.PAYOUT_PREFIX)) {
    const { invoiceSeq, settlementSeq, gross } = state.PayoutState.decode(value);
    if (settlementSeq === 0n) add(paid, invoiceSeq, coinsIn(gross));
  }
  for await (const [, value] of reader.range(keys.INVOICE_PREFIX)) {
    const invoice = state.InvoiceState.decode(value);
    assertInvoiceAdds(invoice);
    const expected = addCoins(sumOf(paid, invoice.seq), coinsIn(invoice.taxPaid));
    same("I-12", invoice.seq, coinsIn(invoice.amountPaid), expected);
  }
}

/** I-26: the credit notes of an invoice sum to what it says is credited. */
export async function creditNotesSum(reader: Reader): Promise<void> {
  const credited = new KeyMap<Coins>();
  for await (const [, value] of reader.range(keys.CREDIT_NOTE_PREFIX)) {
    const { invoiceSeq, amount } = state.CreditNoteState.decode(value);
    add(credited, invoiceSeq, coinsIn(amount));
  }
  for await (const [, value] of reader.range(keys.INVOICE_PREFIX)) {
    const invoice = state.InvoiceState.decode(value);
    same("I-26", invoice.seq, coinsIn(invoice.credited), sumOf(credited, invoice.seq));
  }
}

/** I-18: each ledger is numbered from 1, chained by its hashes and ends as its invoice says. */
export async function ledgersChain(reader: Reader): Promise<void> {
  let entries = 0;
  for await (const [, value] of reader.range(keys.INVOICE_LEDGER_PREFIX)) {
    entries += state.InvoiceLedgerEntry.decode(value).number > 0 ? 1 : 0;
  }
  let counted = 0;
  for await (const [, value] of reader.range(keys.INVOICE_PREFIX)) {
    const invoice = state.InvoiceState.decode(value);
    await ledgerChains(reader, invoice);
    counted += invoice.ledgerCount;
  }
  const facts = { found: entries, expected: counted };
  assert(entries === counted, "I-18 settlement: entries of invoice ledgers", facts);
}

async function ledgerChains(reader: Reader, invoice: state.InvoiceState): Promise<void> {
  let number = 0;
  let hash: Uint8Array = LEDGER_GENESIS_HASH;
  let status: state.InvoiceStatus = state.InvoiceStatus.INVOICE_STATUS_DRAFT;
  for await (const [, value] of reader.range(ledgerOfKey(invoice.seq))) {
    const entry = state.InvoiceLedgerEntry.decode(value);
    number += 1;
    const follows =
      entry.invoiceSeq === invoice.seq &&
      entry.number === number &&
      entry.previousStatus === status &&
      equalBytes(entry.previousHash, hash) &&
      equalBytes(entry.hash, ledgerHash({ sha256 }, entry));
    const facts = { invoice: invoice.seq, number };
    assert(follows, "I-18 settlement: an entry does not follow from the one before", facts);
    ({ hash, status } = entry);
  }
  if (invoice.ledgerCount === 0 && number === 0) return;
  const ends =
    number === invoice.ledgerCount &&
    status === invoice.status &&
    equalBytes(hash, invoice.ledgerHash);
  const facts = { invoice: invoice.seq, number };
  assert(ends, "I-18 settlement: a ledger ends otherwise than its invoice says", facts);
}

/** The queue entries that follow from escrows: see `full_invariants_derived.ts`. */
export async function* autoSettleKeys(reader: Reader): AsyncGenerator<Key> {
  for await (const [, value] of reader.range(keys.ESCROW_PREFIX)) {
    const escrow = state.EscrowState.decode(value);
    const due: TimeNs | undefined = autoSettleDue(escrow);
    if (due !== undefined) yield keys.autoSettleKey(due, escrow.seq);
  }
}

/** The queue entries that follow from invoices. */
export async function* invoiceDueKeys(reader: Reader): AsyncGenerator<Key> {
  for await (const [, value] of reader.range(keys.INVOICE_PREFIX)) {
    const invoice = state.InvoiceState.decode(value);
    if (mayBecomeOverdue(invoice)) yield invoiceDueKey(invoice);
  }
}

function same(name: string, invoice: bigint, left: Coins, right: Coins): void {
  const facts = { invoice, left: formatCoins(left), right: formatCoins(right) };
  assert(equalCoins(left, right), `${name} settlement: amounts of an invoice differ`, facts);
}
