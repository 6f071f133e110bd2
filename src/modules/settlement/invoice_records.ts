import type { Context } from "../../baseapp/context.ts";
import {
  CreditNoteState,
  type EscrowState,
  InvoiceLedgerEntry,
  type InvoiceLedgerKind,
  InvoiceState,
  InvoiceStatus,
  type PayoutState,
} from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { concatBytes, EMPTY_BYTES, equalBytes } from "../../lib/bytes.ts";
import { byteKey, i64Key, joinKeys, type Key, u64Bytes, u64OfBytes } from "../../lib/key.ts";
import type { Hasher } from "../../types/crypto.ts";
import { addCoins, type Coins, coversCoins, equalCoins, wireCoins } from "../../types/coins.ts";
import * as keys from "./keys.ts";
import { coinsIn, type Records } from "./records.ts";

/**
 * Invoices, their ledgers and credit notes, each with the look-ups and the queue that follow from
 * it: nothing else writes them.
 */

/** Before the first entry of every ledger. */
export const LEDGER_GENESIS_HASH = new Uint8Array(32);

/**
 * Writes an invoice that replaces `before` (undefined for a new one).
 * @param escrow the one that it was issued for
 */
export function writeInvoice(
  ctx: Context,
  before: InvoiceState | undefined,
  after: InvoiceState,
  escrow: Pick<EscrowState, "orderId" | "depositor" | "recipient">,
): void {
  assertInvoiceAdds(after);
  const { seq, status } = after;
  const key = keys.recordKey(keys.INVOICE_PREFIX, seq);
  const bytes = InvoiceState.encode(after).finish();
  if (before === undefined) {
    ctx.kv.create(key, bytes);
    const { orderId, depositor, recipient } = escrow;
    for (const [prefix, text] of [
      [keys.INVOICE_BY_ORDER_PREFIX, orderId],
      [keys.INVOICE_BY_PROVIDER_PREFIX, recipient],
      [keys.INVOICE_BY_CUSTOMER_PREFIX, depositor],
    ] as const) {
      ctx.kv.create(joinKeys(keys.textIndexKey(prefix, text), keys.seqKey(seq)), EMPTY_BYTES);
    }
  } else ctx.kv.set(key, bytes);
  if (before?.status !== status) {
    if (before !== undefined) ctx.kv.delete(statusIndexKey(before.status, seq));
    ctx.kv.set(statusIndexKey(status, seq), EMPTY_BYTES);
  }
  const queueKey = invoiceDueKey(after);
  const [was, is] = [before !== undefined && mayBecomeOverdue(before), mayBecomeOverdue(after)];
  if (is && !was) ctx.kv.set(queueKey, EMPTY_BYTES);
  if (was && !is) ctx.kv.delete(queueKey);
}

/** Writes an invoice whose state, and so whatever finds it, stays as it was. */
export function changeInvoice(ctx: Context, after: InvoiceState): void {
  ctx.kv.set(keys.recordKey(keys.INVOICE_PREFIX, after.seq), InvoiceState.encode(after).finish());
}

function statusIndexKey(status: InvoiceStatus, seq: bigint): Key {
  return joinKeys(invoiceStatusKey(status), keys.seqKey(seq));
}

/** Under this key: all invoices in a state. */
export function invoiceStatusKey(status: InvoiceStatus): Key {
  return joinKeys(keys.INVOICE_BY_STATUS_PREFIX, byteKey(status));
}

/** Where an invoice waits for its due date. */
export function invoiceDueKey({ dueAtNs, seq }: InvoiceState): Key {
  return joinKeys(keys.INVOICE_DUE_QUEUE_PREFIX, i64Key(dueAtNs), keys.seqKey(seq));
}

/** Something is due, and it was not overdue yet: that happens once. */
export function mayBecomeOverdue(invoice: InvoiceState): boolean {
  const waits =
    invoice.status === InvoiceStatus.INVOICE_STATUS_PENDING ||
    invoice.status === InvoiceStatus.INVOICE_STATUS_PARTIALLY_PAID;
  return waits && invoice.amountDue.length > 0 && invoice.overdueAtNs === 0n;
}

/** I-12: the total is paid, due or waived; nothing is due of a void one. I-26: only what was paid is credited. */
export function assertInvoiceAdds(invoice: InvoiceState): void {
  const { seq, status } = invoice;
  const [total, paid, due] = [invoice.total, invoice.amountPaid, invoice.amountDue].map(coinsIn);
  const waived = coinsIn(invoice.waived);
  const isVoid = status === InvoiceStatus.INVOICE_STATUS_CANCELLED;
  const adds = isVoid
    ? paid?.length === 0 && due?.length === 0
    : equalCoins(addCoins(addCoins(paid as Coins, due as Coins), waived), total as Coins);
  assert(adds, "I-12 settlement: an invoice does not add up", { invoice: seq });
  const credited = coversCoins(paid as Coins, coinsIn(invoice.credited));
  assert(credited, "I-26 settlement: more is credited than was paid", { invoice: seq });
}

/** Takes the next number of a provider's invoices or credit notes, from 1 without gaps. */
export function takeSeriesNumber(ctx: Context, prefix: Key, provider: string): bigint {
  const key = keys.textIndexKey(prefix, provider);
  const bytes = ctx.kv.get(key);
  const next = bytes === undefined ? 1n : u64OfBytes(bytes);
  ctx.kv.set(key, u64Bytes(next + 1n));
  return next;
}

/** What an entry says besides its place in the ledger. */
export interface LedgerFacts {
  readonly kind: InvoiceLedgerKind;
  readonly amount: Coins;
  /** Who caused it; empty for the chain itself. */
  readonly initiator: string;
  readonly reference: string;
}

/**
 * Appends an entry to an invoice's ledger and returns the invoice with the new head; writing it is
 * the caller's.
 * @param before what the entry's previous status is taken from; a draft for a new invoice
 */
export function appendLedger(
  ctx: Context,
  before: InvoiceState | undefined,
  after: InvoiceState,
  facts: LedgerFacts,
): InvoiceState {
  const { seq, ledgerCount } = after;
  if (ledgerCount > 0) assertHead(ctx, after);
  const number = ledgerCount + 1;
  const entry: InvoiceLedgerEntry = {
    invoiceSeq: seq,
    number,
    kind: facts.kind,
    previousStatus: before?.status ?? InvoiceStatus.INVOICE_STATUS_DRAFT,
    status: after.status,
    amount: wireCoins(facts.amount),
    initiator: facts.initiator,
    reference: facts.reference,
    height: ctx.height,
    timeNs: ctx.time,
    previousHash: ledgerCount === 0 ? LEDGER_GENESIS_HASH : after.ledgerHash,
    hash: EMPTY_BYTES,
  };
  const body = InvoiceLedgerEntry.encode(entry).finish();
  const hash = ctx.hasher.sha256(concatBytes(entry.previousHash, body));
  ctx.kv.create(ledgerKey(seq, number), concatBytes(body, HASH_FIELD, hash));
  return { ...after, ledgerCount: number, ledgerHash: hash };
}

/** Tag and length of an entry's hash. It is the last field, so it follows the entry without it. */
const HASH_FIELD = Uint8Array.of((12 << 3) | 2, 32);

/** sha256(hash of the entry before ‖ the entry without its hash). */
export function ledgerHash(hasher: Pick<Hasher, "sha256">, entry: InvoiceLedgerEntry): Uint8Array {
  const body = InvoiceLedgerEntry.encode({ ...entry, hash: EMPTY_BYTES }).finish();
  return hasher.sha256(concatBytes(entry.previousHash, body));
}

/** I-18: the last entry is the one that the invoice names. */
function assertHead(ctx: Context, { seq, ledgerCount, ledgerHash: head }: InvoiceState): void {
  const bytes = ctx.kv.get(ledgerKey(seq, ledgerCount));
  const last = bytes === undefined ? undefined : InvoiceLedgerEntry.decode(bytes);
  const isHead =
    last !== undefined &&
    last.number === ledgerCount &&
    equalBytes(last.hash, head) &&
    equalBytes(ledgerHash(ctx.hasher, last), head);
  const facts = { invoice: seq, number: ledgerCount };
  assert(isHead, "I-18 settlement: an invoice's ledger does not end with its head", facts);
}

/** Writes an entry of genesis. */
export function importLedgerEntry(ctx: Context, entry: InvoiceLedgerEntry): void {
  const bytes = InvoiceLedgerEntry.encode(entry).finish();
  ctx.kv.create(ledgerKey(entry.invoiceSeq, entry.number), bytes);
}

/** Under this key: the ledger of one invoice. */
export function ledgerOfKey(invoiceSeq: bigint): Key {
  return keys.recordKey(keys.INVOICE_LEDGER_PREFIX, invoiceSeq);
}

function ledgerKey(invoiceSeq: bigint, number: number): Key {
  return joinKeys(ledgerOfKey(invoiceSeq), keys.seqKey(BigInt(number)));
}

/** Fees of a payment are in no settlement: they count with those that are. */
export function countPaymentFees(ctx: Context, records: Records, payout: PayoutState): void {
  if (payout.settlementSeq !== 0n) return;
  records.addTotal(ctx, "platformFees", coinsIn(payout.platformFee));
  records.addTotal(ctx, "validatorFees", coinsIn(payout.validatorFee));
}

/** Writes a credit note with a fresh number. */
export function writeCreditNote(ctx: Context, note: CreditNoteState): void {
  const bytes = CreditNoteState.encode(note).finish();
  ctx.kv.create(keys.recordKey(keys.CREDIT_NOTE_PREFIX, note.seq), bytes);
  const byInvoice = keys.recordKey(keys.CREDIT_NOTE_BY_INVOICE_PREFIX, note.invoiceSeq);
  ctx.kv.create(joinKeys(byInvoice, keys.seqKey(note.seq)), EMPTY_BYTES);
}
