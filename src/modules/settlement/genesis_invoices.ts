import type { Context } from "../../baseapp/context.ts";
import { fieldError } from "../../baseapp/genesis_error.ts";
import type * as state from "../../gen/settled/settlement/v1/state.ts";
import { equalBytes } from "../../lib/bytes.ts";
import { u64Bytes } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { bySeq, writeEach } from "./genesis_lists.ts";
import {
  importLedgerEntry,
  LEDGER_GENESIS_HASH,
  ledgerHash,
  writeCreditNote,
} from "./invoice_records.ts";
import * as keys from "./keys.ts";
import type { Records } from "./records.ts";

/**
 * Writes ledgers and credit notes of invoices that are written.
 * @throws ChainError genesis/2 naming the entry that does not follow from the one before, or the
 * invoice whose ledger is another.
 */
export function writeInvoicePapers(
  ctx: Context,
  records: Records,
  genesis: state.GenesisState,
): void {
  writeLedgers(ctx, genesis);
  const list = { name: "credit_notes", records: genesis.creditNotes, keyOf: bySeq };
  writeEach(list, (note, field) => {
    requireInvoice(ctx, records, note.invoiceSeq, field);
    writeCreditNote(ctx, note);
  });
}

/** Next numbers of invoices and credit notes. */
export function writeInvoiceSeries(ctx: Context, genesis: state.GenesisState): void {
  for (const { provider, next, nextCreditNote } of genesis.invoiceSeries) {
    ctx.kv.set(keys.textIndexKey(keys.INVOICE_SERIES_PREFIX, provider), u64Bytes(next));
    if (nextCreditNote === 0n) continue;
    const ofNotes = keys.textIndexKey(keys.CREDIT_NOTE_SERIES_PREFIX, provider);
    ctx.kv.set(ofNotes, u64Bytes(nextCreditNote));
  }
}

interface Head {
  readonly count: number;
  readonly hash: Uint8Array;
  readonly status: state.InvoiceStatus;
}

function writeLedgers(ctx: Context, genesis: state.GenesisState): void {
  const heads = new KeyMap<Head>();
  genesis.invoiceLedger.forEach((entry, index) => {
    const field = `settlement.invoice_ledger[${index}]`;
    const of = entry.invoiceSeq.toString();
    const head = heads.get(of) ?? { count: 0, hash: LEDGER_GENESIS_HASH, status: 0 };
    const expected = head.count + 1;
    if (entry.number !== expected) {
      throw fieldError(`${field}.number`, `expected ${expected}, found ${entry.number}`);
    }
    if (!equalBytes(entry.previousHash, head.hash)) {
      throw fieldError(`${field}.previous_hash`, "it is not the hash of the entry before");
    }
    if (!equalBytes(entry.hash, ledgerHash(ctx.hasher, entry))) {
      throw fieldError(`${field}.hash`, "it is not the hash of the entry");
    }
    importLedgerEntry(ctx, entry);
    heads.set(of, { count: entry.number, hash: entry.hash, status: entry.status });
  });
  let withLedger = 0;
  genesis.invoices.forEach((invoice, index) => {
    const head = heads.get(invoice.seq.toString());
    const field = `settlement.invoices[${index}]`;
    const count = head?.count ?? 0;
    if (invoice.ledgerCount !== count) {
      throw fieldError(`${field}.ledger_count`, `expected ${count}, found ${invoice.ledgerCount}`);
    }
    if (head === undefined) return;
    withLedger += 1;
    if (!equalBytes(invoice.ledgerHash, head.hash)) {
      throw fieldError(`${field}.ledger_hash`, "it is not the hash of the ledger's last entry");
    }
    if (invoice.status !== head.status) {
      throw fieldError(`${field}.status`, "it is not the status of the ledger's last entry");
    }
  });
  if (withLedger === heads.size) return;
  throw fieldError("settlement.invoice_ledger", "it has entries of an invoice that is not there");
}

function requireInvoice(ctx: Context, records: Records, seq: bigint, field: string): void {
  if (records.invoice(ctx, seq) !== undefined) return;
  throw fieldError(`${field}.invoice_seq`, `there is no invoice ${seq}`);
}
