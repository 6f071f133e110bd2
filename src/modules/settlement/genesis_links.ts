import { fieldError } from "../../baseapp/genesis_error.ts";
import type * as state from "../../gen/settled/settlement/v1/state.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { addCoins, equalCoins } from "../../types/coins.ts";
import { jsonName } from "./genesis_checks.ts";
import { isLive, quote } from "./keeper_escrow.ts";
import { coinsIn } from "./records.ts";

// The numbers by which records of genesis name one another. Each list is read once, and so is each
// record that is named.

/** Records of a list by their number. */
interface Index<T> {
  /** "settlements" */
  readonly list: string;
  /** "settlement" */
  readonly what: string;
  readonly records: KeyMap<{ readonly record: T; readonly field: string }>;
}

/** One field of a list that names records of another. */
interface Link<T, U> {
  readonly field: keyof T & string;
  /** What it names; 0n for none. */
  seqOf(record: T): bigint;
  readonly to: Index<U>;
  /** Whether that record is of this one; `see` says by which of its fields. */
  agrees?(record: T, named: U): boolean;
  readonly see?: string;
  /** Fields that are copies of the named record's: [own, its]. */
  readonly copies?: readonly (readonly [keyof T & string, keyof U & string])[];
}

/**
 * Checks every reference between records.
 * @throws ChainError genesis/2 naming list, index and field
 */
export function checkLinks(genesis: state.GenesisState): void {
  const indexes = indexesOf(genesis);
  checkOrders(genesis);
  usageLinks(genesis, indexes);
  paymentLinks(genesis, indexes);
  refundLinks(genesis, indexes);
  rewardLinks(genesis, indexes);
}

/** I-09: an order has one live escrow at most, its newest: no message reaches another. */
function checkOrders({ escrows }: state.GenesisState): void {
  const newest = new KeyMap<bigint>();
  for (const { orderId, seq } of escrows) {
    if (seq > (newest.get(orderId) ?? 0n)) newest.set(orderId, seq);
  }
  escrows.forEach(({ orderId, seq, status }, index) => {
    const last = newest.get(orderId);
    if (!isLive(status) || last === seq) return;
    const detail = `order ${quote(orderId)} has the later escrow ${last}, this one is not closed`;
    throw fieldError(`settlement.escrows[${index}].order_id`, detail);
  });
}

function indexesOf(genesis: state.GenesisState) {
  return {
    escrows: indexed("escrows", "escrow", genesis.escrows),
    usage: indexed("usage", "record", genesis.usage),
    settlements: indexed("settlements", "settlement", genesis.settlements),
    invoices: indexed("invoices", "invoice", genesis.invoices),
    payouts: indexed("payouts", "payout", genesis.payouts),
    distributions: indexed("distributions", "distribution", genesis.distributions),
    creditNotes: indexed("credit_notes", "credit note", genesis.creditNotes),
    disputes: indexed("disputes", "dispute", genesis.disputes),
    refunds: indexed("refunds", "refund", genesis.refunds),
  };
}

type Indexes = ReturnType<typeof indexesOf>;

function indexed<T extends { seq: bigint }>(
  list: string,
  what: string,
  all: readonly T[],
): Index<T> {
  const records: Index<T>["records"] = new KeyMap();
  all.forEach((record, index) => {
    const field = `settlement.${list}[${index}]`;
    if (records.has(`${record.seq}`)) throw fieldError(field, `${record.seq} appears twice`);
    records.set(`${record.seq}`, { record, field });
  });
  return { list, what, records };
}

function check<T extends object, U extends object>(
  list: string,
  records: readonly T[],
  { field, seqOf, to, agrees, see = "", copies = [] }: Link<T, U>,
): void {
  records.forEach((record, index) => {
    const seq = seqOf(record);
    if (seq === 0n) return;
    const path = (name: string): string => `settlement.${list}[${index}].${jsonName(name)}`;
    const found = to.records.get(`${seq}`);
    if (found === undefined) throw fieldError(path(field), `there is no ${to.what} ${seq}`);
    if (agrees !== undefined && !agrees(record, found.record)) {
      throw fieldError(path(field), `${to.what} ${seq} is of another: see ${found.field}.${see}`);
    }
    for (const [own, its] of copies) {
      const [copy, original]: [unknown, unknown] = [record[own], found.record[its]];
      if (copy === original) continue;
      const said = `${found.field}.${jsonName(its)}`;
      throw fieldError(path(own), `expected ${original}, as ${said} says, found ${copy}`);
    }
  });
}

function usageLinks({ usage, disputes }: state.GenesisState, to: Indexes): void {
  check("usage", usage, { field: "escrowSeq", seqOf: (u) => u.escrowSeq, to: to.escrows });
  check("disputes", disputes, { field: "escrowSeq", seqOf: (d) => d.escrowSeq, to: to.escrows });
  check("usage", usage, {
    field: "denom",
    seqOf: (u) => u.escrowSeq,
    to: to.escrows,
    agrees: (u, { amount }) => amount.some(({ denom }) => denom === u.denom),
    see: "amount",
  });
  check("usage", usage, {
    field: "settlementSeq",
    seqOf: (u) => u.settlementSeq,
    to: to.settlements,
    agrees: (u, s) => u.escrowSeq === s.escrowSeq,
    see: "escrow_seq",
    copies: [["invoiceSeq", "invoiceSeq"]],
  });
  check("usage", usage, {
    field: "invoiceSeq",
    seqOf: (u) => u.invoiceSeq,
    to: to.invoices,
    agrees: (u, i) => u.escrowSeq === i.escrowSeq,
    see: "escrow_seq",
    copies: [["settlementSeq", "settlementSeq"]],
  });
  check("usage", usage, {
    field: "disputeSeq",
    seqOf: (u) => u.disputeSeq,
    to: to.disputes,
    // What it was amended to keeps it, and what that was corrected to.
    agrees: (u, d) => u.escrowSeq === d.escrowSeq && (d.usageSeq === u.seq || u.correctsSeq !== 0n),
    see: "usage_seq and escrow_seq",
  });
  check("disputes", disputes, {
    field: "amendedSeq",
    seqOf: (d) => d.amendedSeq,
    to: to.usage,
    agrees: (d, u) =>
      u.correctsSeq === d.usageSeq &&
      u.disputeSeq === d.seq &&
      u.units === d.resolution?.units &&
      u.unitPrice === d.resolution.unitPrice,
    see: "corrects_seq and dispute_seq, and units and unit_price of its resolution",
  });
  check("disputes", disputes, {
    field: "refundSeq",
    seqOf: (d) => d.refundSeq,
    to: to.refunds,
    agrees: (d, r) => r.disputeSeq === d.seq,
    see: "dispute_seq",
  });
}

function paymentLinks(genesis: state.GenesisState, to: Indexes): void {
  const { settlements, invoices, payouts } = genesis;
  for (const [name, list] of [
    ["settlements", settlements],
    ["invoices", invoices],
    ["payouts", payouts],
  ] as const) {
    const seqOf = (record: { escrowSeq: bigint }): bigint => record.escrowSeq;
    check<{ escrowSeq: bigint }, state.EscrowState>(name, list, {
      ...{ field: "escrowSeq", seqOf, to: to.escrows },
    });
  }
  check("settlements", settlements, {
    field: "invoiceSeq",
    seqOf: (s) => s.invoiceSeq,
    to: to.invoices,
    agrees: (s, i) => i.settlementSeq === s.seq && i.escrowSeq === s.escrowSeq,
    see: "settlement_seq and escrow_seq",
  });
  check("settlements", settlements, {
    field: "payoutSeq",
    seqOf: (s) => s.payoutSeq,
    to: to.payouts,
    agrees: (s, p) => p.settlementSeq === s.seq && p.escrowSeq === s.escrowSeq,
    see: "settlement_seq and escrow_seq",
  });
  check("settlements", settlements, {
    field: "distributionSeq",
    seqOf: (s) => s.distributionSeq,
    to: to.distributions,
    agrees: (s, d) => d.settlementSeq === s.seq,
    see: "settlement_seq",
  });
  madeLinks(genesis, to);
}

/** All that a settlement makes is of its own block. */
function madeLinks(genesis: state.GenesisState, to: Indexes): void {
  const { invoices, payouts, payoutLedger, invoiceLedger, creditNotes } = genesis;
  check("invoices", invoices, {
    field: "settlementSeq",
    seqOf: (i) => i.settlementSeq,
    to: to.settlements,
    agrees: (i, s) => s.invoiceSeq === i.seq,
    see: "invoice_seq",
    copies: [
      ["issuedAtNs", "settledAtNs"],
      ["height", "height"],
    ],
  });
  check("payouts", payouts, {
    field: "settlementSeq",
    seqOf: (p) => p.settlementSeq,
    to: to.settlements,
    agrees: (p, s) => s.payoutSeq === p.seq,
    see: "payout_seq",
    copies: [
      ["invoiceSeq", "invoiceSeq"],
      ["createdAtNs", "settledAtNs"],
      ["height", "height"],
    ],
  });
  check("payouts", payouts, {
    field: "invoiceSeq",
    seqOf: (p) => p.invoiceSeq,
    to: to.invoices,
    agrees: (p, i) => i.escrowSeq === p.escrowSeq,
    see: "escrow_seq",
  });
  check("payouts", payouts, {
    field: "disputeSeq",
    seqOf: (p) => p.disputeSeq,
    to: to.disputes,
    agrees: (p, d) => d.escrowSeq === p.escrowSeq && d.afterSettlement,
    see: "escrow_seq and after_settlement",
  });
  const ofPayout = { field: "payoutSeq", to: to.payouts } as const;
  check("payout_ledger", payoutLedger, { ...ofPayout, seqOf: (e) => e.payoutSeq });
  const ofInvoice = { field: "invoiceSeq", to: to.invoices } as const;
  check("invoice_ledger", invoiceLedger, { ...ofInvoice, seqOf: (e) => e.invoiceSeq });
  check("credit_notes", creditNotes, { ...ofInvoice, seqOf: (note) => note.invoiceSeq });
}

function refundLinks({ refunds, receivables }: state.GenesisState, to: Indexes): void {
  check("refunds", refunds, {
    field: "disputeSeq",
    seqOf: (r) => r.disputeSeq,
    to: to.disputes,
    agrees: (r, d) => d.refundSeq === r.seq,
    see: "refund_seq",
  });
  check("refunds", refunds, {
    field: "creditNoteSeq",
    seqOf: (r) => r.creditNoteSeq,
    to: to.creditNotes,
    agrees: (r, { amount }) =>
      equalCoins(coinsIn(amount), addCoins(coinsIn(r.amount), coinsIn(r.legs?.tax ?? []))),
    see: "amount",
    copies: [
      ["refundedAtNs", "issuedAtNs"],
      ["height", "height"],
    ],
  });
  check("refunds", refunds, {
    field: "settlementSeq",
    seqOf: (r) => r.settlementSeq,
    to: to.settlements,
    agrees: (r, s) => {
      const note = to.creditNotes.records.get(`${r.creditNoteSeq}`)?.record;
      return s.escrowSeq === r.escrowSeq && (note?.invoiceSeq ?? 0n) === s.invoiceSeq;
    },
    see: "escrow_seq and invoice_seq",
  });
  check("receivables", receivables, {
    field: "refundSeq",
    seqOf: (r) => r.refundSeq,
    to: to.refunds,
    agrees: (r, refund) => refund.escrowSeq === r.escrowSeq,
    see: "escrow_seq",
    copies: [
      ["createdAtNs", "refundedAtNs"],
      ["height", "height"],
    ],
  });
}

function rewardLinks({ distributions, rewardEntries }: state.GenesisState, to: Indexes): void {
  check("distributions", distributions, {
    field: "settlementSeq",
    seqOf: (d) => d.settlementSeq,
    to: to.settlements,
    agrees: (d, s) => s.distributionSeq === d.seq,
    see: "distribution_seq",
    copies: [
      ["distributedAtNs", "settledAtNs"],
      ["height", "height"],
      ["paramsVersion", "paramsVersion"],
    ],
  });
  distributions.forEach(({ usageSeqs, ...distribution }, index) => {
    usageSeqs.forEach((seq, place) => {
      const source = to.usage.records.get(`${seq}`)?.record.rewardSource;
      if (source === distribution.source && seq > (usageSeqs[place - 1] ?? 0n)) return;
      const field = `settlement.distributions[${index}].usage_seqs[${place}]`;
      throw fieldError(field, `${seq} is no later record with a reward of this source`);
    });
  });
  check("reward_entries", rewardEntries, {
    field: "distributionSeq",
    seqOf: (e) => e.distributionSeq,
    to: to.distributions,
    agrees: ({ seq, address }, d) => {
      const payee = to.settlements.records.get(`${d.settlementSeq}`)?.record.provider;
      const isPayee = payee === address || d.rows.some((row) => row.address === address);
      return isPayee && seq >= d.firstEntrySeq && seq < d.firstEntrySeq + BigInt(d.entryCount);
    },
    see: "first_entry_seq, entry_count and who it is for",
    copies: [
      ["source", "source"],
      ["createdAtNs", "distributedAtNs"],
    ],
  });
}
