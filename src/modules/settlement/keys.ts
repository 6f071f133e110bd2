import { byteKey, i64Key, joinKeys, type Key, textKey, u48Key, u64Key } from "../../lib/key.ts";
import { divFloor, toSafeNumber } from "../../lib/int.ts";
import { Memo } from "../../lib/memo.ts";
import type { TimeNs } from "../../types/time.ts";
import { normaliseUsageType } from "../../types/usage_type.ts";

export const MODULE_NAME = "settlement";

/** Module accounts. */
export const ESCROW_ACCOUNT = "settlement_escrow";
export const SETTLEMENT_ACCOUNT = "settlement";
export const PLATFORM_FEE_ACCOUNT = "settlement_platform_fee";
export const VALIDATOR_FEE_ACCOUNT = "settlement_validator_fee";
export const TAX_ACCOUNT = "settlement_tax";
export const REWARDS_ACCOUNT = "rewards";
export const REWARD_POOL_ACCOUNT = "reward_pool";

const prefix = (module: number, kind: number): Key => String.fromCharCode(module, kind) as Key;

/** 0x03 00 → virtengine.settlement.v1.Params */
export const PARAMS_KEY = prefix(0x03, 0x00);
/** 0x03 01 → settled.settlement.v1.Params */
export const EXTENDED_PARAMS_KEY = prefix(0x03, 0x01);
/** 0x03 02 → version of both params, 8 bytes */
export const PARAMS_VERSION_KEY = prefix(0x03, 0x02);
/** 0x03 03 | sequence → next number, 8 bytes */
export const SEQUENCE_PREFIX = prefix(0x03, 0x03);
/** 0x03 04 | seq → EscrowState */
export const ESCROW_PREFIX = prefix(0x03, 0x04);
/** 0x03 05 | len | order id → OrderState */
export const ORDER_PREFIX = prefix(0x03, 0x05);
/** 0x03 06 | seq → UsageState */
export const USAGE_PREFIX = prefix(0x03, 0x06);
/** 0x03 08 | order | lease | normalised type → Coverage */
export const COVERAGE_PREFIX = prefix(0x03, 0x08);
/** 0x03 09 | seq → SettlementState */
export const SETTLEMENT_PREFIX = prefix(0x03, 0x09);
/** 0x03 0a | seq → InvoiceState */
export const INVOICE_PREFIX = prefix(0x03, 0x0a);
/** 0x03 0b | len | provider → next invoice number, 8 bytes */
export const INVOICE_SERIES_PREFIX = prefix(0x03, 0x0b);
/** 0x03 0c | seq → PayoutState */
export const PAYOUT_PREFIX = prefix(0x03, 0x0c);
/** 0x03 0d | seq → DistributionState */
export const DISTRIBUTION_PREFIX = prefix(0x03, 0x0d);
/** 0x03 0e | len | address → ClaimableState */
export const CLAIMABLE_PREFIX = prefix(0x03, 0x0e);
/** 0x03 0f | len | address | entry seq → RewardEntryState (walked by a claim) */
export const REWARD_ENTRY_PREFIX = prefix(0x03, 0x0f);
/** 0x03 10 → EpochMint */
export const EPOCH_MINT_KEY = prefix(0x03, 0x10);
/** 0x03 11 | quantity | denom → running total, decimal text (walked by the invariants) */
export const TOTAL_PREFIX = prefix(0x03, 0x11);

/** 0x03 12 | len | order | len | normalised type → PriceCeilingState */
export const PRICE_CEILING_PREFIX = prefix(0x03, 0x12);
/** 0x03 13 → PendingParams */
export const PENDING_PARAMS_KEY = prefix(0x03, 0x13);
/** 0x03 14 | payout seq | number → PayoutLedgerEntry */
export const PAYOUT_LEDGER_PREFIX = prefix(0x03, 0x14);
/** 0x03 15 | invoice seq | number → InvoiceLedgerEntry */
export const INVOICE_LEDGER_PREFIX = prefix(0x03, 0x15);
/** 0x03 16 | seq → CreditNoteState */
export const CREDIT_NOTE_PREFIX = prefix(0x03, 0x16);
/** 0x03 17 | len | provider → next credit note number, 8 bytes */
export const CREDIT_NOTE_SERIES_PREFIX = prefix(0x03, 0x17);
/** 0x03 18 → EpochBase */
export const EPOCH_BASE_KEY = prefix(0x03, 0x18);

/** 0x03 19 | seq → DisputeState */
export const DISPUTE_PREFIX = prefix(0x03, 0x19);
/** 0x03 1a | seq → RefundState */
export const REFUND_PREFIX = prefix(0x03, 0x1a);
/** 0x03 1b | seq → ReceivableState */
export const RECEIVABLE_PREFIX = prefix(0x03, 0x1b);
/** 0x03 1c | len | order → BillingTerms */
export const BILLING_TERMS_PREFIX = prefix(0x03, 0x1c);
/** 0x03 1d | reward source | len | reference → distribution seq, 8 bytes */
export const DISTRIBUTION_REFERENCE_PREFIX = prefix(0x03, 0x1d);
/** 0x03 1e | version, 8 bytes → ParamsVersion (the first is read where one is not known) */
export const PARAMS_VERSIONS_PREFIX = prefix(0x03, 0x1e);

/** 0x83 01 | escrow seq | first usage seq → list of usage seqs not yet settled (walked by a settlement) */
export const OPEN_USAGE_PREFIX = prefix(0x83, 0x01);
/** 0x83 02 | escrow seq → how many of them, 6 bytes, and the first seq of the last list, 6 bytes */
export const OPEN_COUNT_PREFIX = prefix(0x83, 0x02);
/** 0x83 03 | due time | escrow seq → nothing: escrows that expire (walked by BeginBlock) */
export const EXPIRY_QUEUE_PREFIX = prefix(0x83, 0x03);
/** 0x83 04 | expiry | len | address | entry seq → nothing: rewards that expire (EndBlock) */
export const REWARD_QUEUE_PREFIX = prefix(0x83, 0x04);
/** 0x83 05 | meter | start of the period → usage seq, 6 bytes; the period's end is in the record */
export const NATURAL_KEY_PREFIX = prefix(0x83, 0x05);
/** 0x83 06 → number of the first usage record that no list has yet, open ones included, 8 bytes */
export const LISTED_KEY = prefix(0x83, 0x06);

/** 0x83 07 | due time | payout seq → nothing: payouts that wait (walked by EndBlock) */
export const PAYOUT_QUEUE_PREFIX = prefix(0x83, 0x07);
/** 0x83 08 | height | payout seq → nothing: payouts that failed (walked by EndBlock) */
export const PAYOUT_RETRY_QUEUE_PREFIX = prefix(0x83, 0x08);
/** 0x83 09 | due time | payout seq → nothing: holdbacks to release (walked by EndBlock) */
export const HOLDBACK_QUEUE_PREFIX = prefix(0x83, 0x09);
/** 0x83 0a | due time | escrow seq → nothing: escrows to settle unasked (walked by EndBlock) */
export const AUTO_SETTLE_QUEUE_PREFIX = prefix(0x83, 0x0a);
/** 0x83 0b | due time | invoice seq → nothing: invoices not paid in full (walked by EndBlock) */
export const INVOICE_DUE_QUEUE_PREFIX = prefix(0x83, 0x0b);

/** 0x83 0c | due time | dispute seq → nothing: disputes that nobody has decided (walked by EndBlock) */
export const DISPUTE_QUEUE_PREFIX = prefix(0x83, 0x0c);

// A list of usage records stands under the number of its first one: see seq_list.ts.
/** 0xc3 01 | len | order | escrow seq */
export const ESCROW_BY_ORDER_PREFIX = prefix(0xc3, 0x01);
/** 0xc3 02 | status | escrow seq */
export const ESCROW_BY_STATUS_PREFIX = prefix(0xc3, 0x02);
/** 0xc3 03 | len | order | first usage seq → list of usage seqs */
export const USAGE_BY_ORDER_PREFIX = prefix(0xc3, 0x03);
/** 0xc3 04 | len | provider | hour of the period's start | first usage seq → list of usage seqs */
export const USAGE_BY_PROVIDER_PREFIX = prefix(0xc3, 0x04);
/** 0xc3 05 | hour of the period's start | first usage seq → list of usage seqs */
export const USAGE_BY_START_PREFIX = prefix(0xc3, 0x05);
/** 0xc3 06 | len | order | settlement seq */
export const SETTLEMENT_BY_ORDER_PREFIX = prefix(0xc3, 0x06);
/** 0xc3 07 | settlement seq | first usage seq → list of usage seqs */
export const USAGE_BY_SETTLEMENT_PREFIX = prefix(0xc3, 0x07);
/** 0xc3 08 | invoice seq | first usage seq → list of usage seqs; for invoices without settlement */
export const USAGE_BY_INVOICE_PREFIX = prefix(0xc3, 0x08);
/** 0xc3 09 | len | order | invoice seq */
export const INVOICE_BY_ORDER_PREFIX = prefix(0xc3, 0x09);
/** 0xc3 0a | len | provider | payout seq */
export const PAYOUT_BY_PROVIDER_PREFIX = prefix(0xc3, 0x0a);
/** 0xc3 0b | epoch | distribution seq */
export const DISTRIBUTION_BY_EPOCH_PREFIX = prefix(0xc3, 0x0b);
/** 0xc3 0c | len | recipient | distribution seq */
export const DISTRIBUTION_BY_RECIPIENT_PREFIX = prefix(0xc3, 0x0c);

/** 0xc3 0d | len | depositor | escrow seq */
export const ESCROW_BY_DEPOSITOR_PREFIX = prefix(0xc3, 0x0d);
/** 0xc3 0e | len | recipient | escrow seq */
export const ESCROW_BY_RECIPIENT_PREFIX = prefix(0xc3, 0x0e);
/** 0xc3 0f | len | customer | hour of the period's start | first usage seq → list of usage seqs */
export const USAGE_BY_CUSTOMER_PREFIX = prefix(0xc3, 0x0f);

/** 0xc3 10 | len | provider | invoice seq */
export const INVOICE_BY_PROVIDER_PREFIX = prefix(0xc3, 0x10);
/** 0xc3 11 | len | customer | invoice seq */
export const INVOICE_BY_CUSTOMER_PREFIX = prefix(0xc3, 0x11);
/** 0xc3 12 | status | invoice seq */
export const INVOICE_BY_STATUS_PREFIX = prefix(0xc3, 0x12);
/** 0xc3 13 | invoice seq | credit note seq */
export const CREDIT_NOTE_BY_INVOICE_PREFIX = prefix(0xc3, 0x13);

/** 0xc3 14 | len | provider | settlement seq */
export const SETTLEMENT_BY_PROVIDER_PREFIX = prefix(0xc3, 0x14);
/** 0xc3 15 | len | customer | settlement seq */
export const SETTLEMENT_BY_CUSTOMER_PREFIX = prefix(0xc3, 0x15);
/** 0xc3 16 | len | lease | escrow seq */
export const ESCROW_BY_LEASE_PREFIX = prefix(0xc3, 0x16);
/** 0xc3 17 | status | dispute seq */
export const DISPUTE_BY_STATUS_PREFIX = prefix(0xc3, 0x17);
/** 0xc3 18 | len | customer | dispute seq */
export const DISPUTE_BY_CUSTOMER_PREFIX = prefix(0xc3, 0x18);
/** 0xc3 19 | len | provider | dispute seq */
export const DISPUTE_BY_PROVIDER_PREFIX = prefix(0xc3, 0x19);

/** 0xc3 1a | len | customer | payout seq */
export const PAYOUT_BY_CUSTOMER_PREFIX = prefix(0xc3, 0x1a);
/** 0xc3 1b | status | payout seq; completed ones have no entry */
export const PAYOUT_BY_STATUS_PREFIX = prefix(0xc3, 0x1b);

/** 0xc3 1c | settlement seq | refund seq */
export const REFUND_BY_SETTLEMENT_PREFIX = prefix(0xc3, 0x1c);
/** 0xc3 1d | len | debtor | receivable seq */
export const RECEIVABLE_BY_DEBTOR_PREFIX = prefix(0xc3, 0x1d);
/** 0xc3 1e | len | creditor | receivable seq */
export const RECEIVABLE_BY_CREDITOR_PREFIX = prefix(0xc3, 0x1e);

/** Prefixes that machine code walks. */
export const ITERABLE_PREFIXES: readonly Key[] = [
  // Looked at in every block and mostly absent: what is not there is known without the disk.
  PENDING_PARAMS_KEY,
  EPOCH_BASE_KEY,
  // One row per change.
  PARAMS_VERSIONS_PREFIX,
  REWARD_ENTRY_PREFIX,
  TOTAL_PREFIX,
  OPEN_USAGE_PREFIX,
  EXPIRY_QUEUE_PREFIX,
  REWARD_QUEUE_PREFIX,
  AUTO_SETTLE_QUEUE_PREFIX,
  INVOICE_DUE_QUEUE_PREFIX,
  PAYOUT_QUEUE_PREFIX,
  PAYOUT_RETRY_QUEUE_PREFIX,
  HOLDBACK_QUEUE_PREFIX,
  DISPUTE_QUEUE_PREFIX,
];

/** Numbers that ids are made of; the byte is part of the key. */
export const SEQUENCES = {
  escrow: 1,
  usage: 2,
  settlement: 3,
  distribution: 4,
  payout: 5,
  invoice: 6,
  rewardEntry: 7,
  /** Of order, lease and normalised usage type, in the order of their first records. */
  meter: 8,
  creditNote: 9,
  dispute: 10,
  refund: 11,
  receivable: 12,
} as const;
export type SequenceName = keyof typeof SEQUENCES;

/** Quantities that are kept as the state changes, so that invariants need no walk. */
export const TOTALS = {
  /** Balances of all escrows. */
  escrowed: 1,
  /** total_settled of all escrows. */
  escrowSettled: 2,
  /** Totals of all settlements but refunds. */
  settled: 3,
  /** Totals of the settlements that settle usage. */
  settledWithUsage: 4,
  /** settled_amount of all usage records. */
  usageSettled: 5,
  /** Net and unreleased holdback of unfinished payouts. */
  payoutsUnfinished: 6,
  /** What all addresses may claim. */
  claimable: 7,
  /** What was claimed. */
  claimed: 8,
  /** What expired unclaimed. */
  expired: 9,
  /** Totals of all distributions. */
  distributed: 10,
  platformFees: 11,
  validatorFees: 12,
  /** What was taken out of the fee accounts. */
  platformFeesWithdrawn: 13,
  validatorFeesWithdrawn: 14,
  /** Rewards that refunds cancelled before they were claimed. */
  cancelled: 15,
  /** Taxes that settlements and payments brought, less what refunds gave back. */
  taxes: 16,
  taxesWithdrawn: 17,
  /** tax_paid of all escrows. */
  escrowTax: 18,
  /** Taxes of all settlements. */
  settledTax: 19,
} as const;
export type TotalName = keyof typeof TOTALS;

/** A record number as 6 bytes. */
export function seqKey(seq: bigint): Key {
  return u48Key(toSafeNumber(seq));
}

/** The record number at the end of an index key. */
export function seqAtEnd(key: Key): bigint {
  return BigInt(numberAtEnd(key));
}

/** As `seqAtEnd`. */
export function numberAtEnd(key: Key): number {
  let seq = 0;
  for (let index = key.length - 6; index < key.length; index += 1) {
    seq = seq * 256 + key.charCodeAt(index);
  }
  return seq;
}

/** The number of 6 bytes at a place of a value. */
export function numberAt(bytes: Uint8Array, offset: number): number {
  let number = 0;
  for (let index = offset; index < offset + 6; index += 1) {
    number = number * 256 + (bytes[index] as number);
  }
  return number;
}

export function sequenceKey(name: SequenceName): Key {
  return sequenceKeys[name];
}

const sequenceKeyOf = (name: SequenceName): Key =>
  joinKeys(SEQUENCE_PREFIX, byteKey(SEQUENCES[name]));
const sequenceKeys: Readonly<Record<SequenceName, Key>> = {
  escrow: sequenceKeyOf("escrow"),
  usage: sequenceKeyOf("usage"),
  settlement: sequenceKeyOf("settlement"),
  distribution: sequenceKeyOf("distribution"),
  payout: sequenceKeyOf("payout"),
  invoice: sequenceKeyOf("invoice"),
  rewardEntry: sequenceKeyOf("rewardEntry"),
  meter: sequenceKeyOf("meter"),
  creditNote: sequenceKeyOf("creditNote"),
  dispute: sequenceKeyOf("dispute"),
  refund: sequenceKeyOf("refund"),
  receivable: sequenceKeyOf("receivable"),
};

export function totalKey(name: TotalName, denom: string): Key {
  return joinKeys(TOTAL_PREFIX, byteKey(TOTALS[name]), denom as Key);
}

export function paramsVersionKey(version: bigint): Key {
  return joinKeys(PARAMS_VERSIONS_PREFIX, u64Key(version));
}

export function recordKey(recordPrefix: Key, seq: bigint): Key {
  return joinKeys(recordPrefix, seqKey(seq));
}

/** Under `indexPrefix`: all records of one text, such as an order id or an address. */
export function textIndexKey(indexPrefix: Key, text: string): Key {
  return joinKeys(indexPrefix, textKey(text));
}

/** The coverage of order, lease and normalised usage type, each with its length. */
export function meterKey(meter: { orderId: string; leaseId: string; type: string }): Key {
  const { orderId, leaseId, type } = meter;
  return joinKeys(COVERAGE_PREFIX, textKey(orderId), textKey(leaseId), textKey(type));
}

/** The price ceilings of order and normalised usage type, each with its length. */
export function priceCeilingKey(orderId: string, type: string): Key {
  return joinKeys(PRICE_CEILING_PREFIX, textKey(orderId), textKey(type));
}

/**
 * Keys of meters, made once for reports of the same orders: a key that is the same text again is
 * found again without being hashed.
 */
export class MeterKeys {
  readonly #byOrder = new Memo<{ leaseId: string; types: { usageType: string; key: Key }[] }>(4096);

  of(orderId: string, leaseId: string, usageType: string): Key {
    let known = this.#byOrder.get(orderId);
    if (known?.leaseId !== leaseId || known.types.length > TYPES_MAX) {
      known = { leaseId, types: [] };
      this.#byOrder.set(orderId, known);
    }
    // An order has few types: one after the other costs less than hashing.
    for (const each of known.types) if (each.usageType === usageType) return each.key;
    const key = meterKey({ orderId, leaseId, type: normaliseUsageType(usageType) });
    known.types.push({ usageType, key });
    return key;
  }
}

/** Spellings of usage types that are kept of one order. */
const TYPES_MAX = 16;

/** Keys of one kind of record, the last one of each of some places kept. */
export class RecordKeys {
  readonly #prefix: Key;
  readonly #kept: { seq: bigint; key: Key }[] = [];

  constructor(recordPrefix: Key) {
    this.#prefix = recordPrefix;
  }

  of(seq: bigint): Key {
    const place = toSafeNumber(seq) % KEPT_MAX;
    const known = this.#kept[place];
    if (known?.seq === seq) return known.key;
    const key = recordKey(this.#prefix, seq);
    this.#kept[place] = { seq, key };
    return key;
  }
}

const KEPT_MAX = 1024;

/** @param meter number of the meter, whose periods are disjoint: their starts differ */
export function naturalKey(meter: bigint, start: bigint): Key {
  return joinKeys(NATURAL_KEY_PREFIX, seqKey(meter), i64Key(start));
}

/** Seconds of the span by which usage is looked up by time. */
export const HOUR = 3600n;

export function hourOf(seconds: bigint): bigint {
  return divFloor(seconds, HOUR);
}

/** Under `indexPrefix`: records whose period starts in an hour. */
export function hourIndexKey(indexPrefix: Key, hour: bigint): Key {
  return joinKeys(indexPrefix, i64Key(hour));
}

/** @param number of the entry, from 1 */
export function payoutLedgerKey(payoutSeq: bigint, number: number): Key {
  return joinKeys(PAYOUT_LEDGER_PREFIX, seqKey(payoutSeq), u48Key(number));
}

export function expiryQueueKey(due: TimeNs, escrowSeq: bigint): Key {
  return joinKeys(EXPIRY_QUEUE_PREFIX, i64Key(due), seqKey(escrowSeq));
}

export function autoSettleKey(due: TimeNs, escrowSeq: bigint): Key {
  return joinKeys(AUTO_SETTLE_QUEUE_PREFIX, i64Key(due), seqKey(escrowSeq));
}

export function rewardEntryKey(address: string, seq: bigint): Key {
  return joinKeys(REWARD_ENTRY_PREFIX, textKey(address), seqKey(seq));
}

/** @param source number of the RewardSource */
export function distributionReferenceKey(source: number, reference: string): Key {
  return joinKeys(DISTRIBUTION_REFERENCE_PREFIX, byteKey(source), textKey(reference));
}

export function rewardQueueKey(due: TimeNs, address: string, seq: bigint): Key {
  return joinKeys(REWARD_QUEUE_PREFIX, i64Key(due), textKey(address), seqKey(seq));
}

export function epochIndexKey(epoch: bigint): Key {
  return joinKeys(DISTRIBUTION_BY_EPOCH_PREFIX, u64Key(epoch));
}
