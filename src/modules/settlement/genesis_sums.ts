import { fieldError } from "../../baseapp/genesis_error.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import { maxBigint, minBigint } from "../../lib/int.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { type Coins, coinsOf, coversCoins, equalCoins, type WireCoin } from "../../types/coins.ts";
import { add, sumOf } from "./sums_by_key.ts";
import { textOf } from "./genesis_rules.ts";
import { coinsIn } from "./records.ts";
import { type RuleParams, ruleParams } from "./params.ts";
import { isUsageReward, rewardFactorsBy, usageReward, verificationReward } from "./reward.ts";

// What records of genesis say of sums and counts of others: the invariants over the whole state
// that are about records, each naming the field that is not the sum. Every list is read a fixed
// number of times.

/** @throws ChainError genesis/2 naming the invariant, the field, and what it is the sum of */
export function checkSums(genesis: state.GenesisState): void {
  const used = usageSums(genesis);
  checkSettlements(genesis, used.bySettlement);
  checkInvoices(genesis, used.byInvoice);
  checkEscrows(genesis);
  checkRewards(genesis, used.bySettlement);
  checkFormulas(genesis);
  checkEntries(genesis);
  checkNumbers(genesis);
}

/** What the records of one settlement, or of one invoice, come to. */
interface Tally {
  count: number;
  rewarded: number;
  units: bigint;
  start: bigint;
  end: bigint;
}

class Usage {
  readonly tallies = new KeyMap<Tally>();
  readonly paid = new KeyMap<Coins>();
  readonly cost = new KeyMap<Coins>();
  readonly discount = new KeyMap<Coins>();
  readonly reward = new KeyMap<Coins>();

  add(of: bigint, usage: state.UsageState): void {
    const { denom, units, periodStart, periodEnd, settledAmount, cost, discount, reward } = usage;
    const before = this.tallies.get(`${of}`);
    const isRewarded = reward !== "" && isUsageReward(usage);
    if (before === undefined) {
      const counts = { count: 1, rewarded: isRewarded ? 1 : 0, units };
      this.tallies.set(`${of}`, { ...counts, start: periodStart, end: periodEnd });
    } else {
      before.count += 1;
      before.rewarded += isRewarded ? 1 : 0;
      before.units += units;
      before.start = minBigint(before.start, periodStart);
      before.end = maxBigint(before.end, periodEnd);
    }
    const sums = [
      [this.paid, settledAmount],
      [this.cost, cost],
      [this.discount, discount],
      [this.reward, isRewarded ? reward : ""],
    ] as const;
    for (const [map, amount] of sums) {
      if (amount !== "") add(map, of, coinsOf(denom, BigInt(amount)));
    }
  }
}

function usageSums({ usage }: state.GenesisState): { bySettlement: Usage; byInvoice: Usage } {
  const [bySettlement, byInvoice] = [new Usage(), new Usage()];
  for (const each of usage) {
    if (each.settlementSeq !== 0n) bySettlement.add(each.settlementSeq, each);
    if (each.invoiceSeq !== 0n) byInvoice.add(each.invoiceSeq, each);
  }
  return { bySettlement, byInvoice };
}

/** @param of "I-12 the sum of usage[].cost" */
function same(field: string, said: readonly WireCoin[], sum: Coins, of: string): void {
  const found = coinsIn(said);
  if (equalCoins(found, sum)) return;
  throw fieldError(`settlement.${field}`, `expected ${textOf(sum)}, ${of}, found ${textOf(found)}`);
}

function equal(field: string, found: bigint | number, wanted: bigint | number, of: string): void {
  if (BigInt(found) === BigInt(wanted)) return;
  throw fieldError(`settlement.${field}`, `expected ${wanted}, ${of}, found ${found}`);
}

function checkSettlements({ settlements }: state.GenesisState, used: Usage): void {
  settlements.forEach((settlement, index) => {
    const { seq, recordCount } = settlement;
    const field = `settlements[${index}]`;
    const tally = used.tallies.get(`${seq}`);
    const of = `I-12 the usage with settlement_seq ${seq}`;
    equal(`${field}.record_count`, recordCount, tally?.count ?? 0, of);
    equal(`${field}.units`, settlement.units, tally?.units ?? 0n, `${of}: the sum of units`);
    const discounts = `${of}: the sum of discount`;
    same(`${field}.discount`, settlement.discount, sumOf(used.discount, seq), discounts);
    // A release of coins has no records, and the time since its escrow's activation.
    if (tally === undefined) return;
    const paid = sumOf(used.paid, seq);
    same(`${field}.total`, settlement.total, paid, `${of}: the sum of settled_amount`);
    equal(`${field}.period_start`, settlement.periodStart, tally.start, of);
    equal(`${field}.period_end`, settlement.periodEnd, tally.end, of);
  });
}

function checkInvoices(genesis: state.GenesisState, used: Usage): void {
  const paid = new KeyMap<Coins>();
  for (const { invoiceSeq, total } of genesis.settlements) {
    if (invoiceSeq !== 0n) add(paid, invoiceSeq, coinsIn(total));
  }
  for (const { invoiceSeq, settlementSeq, gross } of genesis.payouts) {
    if (settlementSeq === 0n) add(paid, invoiceSeq, coinsIn(gross));
  }
  const credited = new KeyMap<Coins>();
  for (const note of genesis.creditNotes) add(credited, note.invoiceSeq, coinsIn(note.amount));
  genesis.invoices.forEach((invoice, index) => {
    const { seq } = invoice;
    const field = `invoices[${index}]`;
    const tally = used.tallies.get(`${seq}`);
    const of = `I-12 the usage with invoice_seq ${seq}`;
    equal(`${field}.line_count`, invoice.lineCount, tally?.count ?? 0, of);
    same(`${field}.subtotal`, invoice.subtotal, sumOf(used.cost, seq), `${of}: the sum of cost`);
    const discounts = new KeyMap<Coins>();
    for (const { amount } of invoice.discounts) add(discounts, seq, coinsIn(amount));
    const discount = `settlement.${field}.discounts, but I-12 the sum of discount of their usage`;
    const sum = sumOf(discounts, seq);
    same(
      `${field}.discounts`,
      invoice.discounts.length === 0 ? [] : wired(sum),
      sumOf(used.discount, seq),
      discount,
    );
    add(paid, seq, coinsIn(invoice.taxPaid));
    const payments = "I-12 totals of settlements[], gross of payouts[] without one, and tax_paid";
    same(`${field}.amount_paid`, invoice.amountPaid, sumOf(paid, seq), payments);
    const notes = "I-26 the sum of amount of credit_notes[]";
    same(`${field}.credited`, invoice.credited, sumOf(credited, seq), notes);
    equal(`${field}.period_start`, invoice.periodStart, tally?.start ?? invoice.periodStart, of);
    equal(`${field}.period_end`, invoice.periodEnd, tally?.end ?? invoice.periodEnd, of);
  });
}

function wired(coins: Coins): WireCoin[] {
  return coins.map(({ denom, amount }) => ({ denom, amount: `${amount}` }));
}

function checkEscrows({ escrows, settlements }: state.GenesisState): void {
  const totals = new KeyMap<Coins>();
  const taxes = new KeyMap<Coins>();
  const counts = new KeyMap<{ count: number; last: bigint }>();
  for (const { escrowSeq, total, tax, type, settledAtNs } of settlements) {
    add(taxes, escrowSeq, coinsIn(tax));
    if (type === state.SettlementType.SETTLEMENT_TYPE_REFUND) continue;
    add(totals, escrowSeq, coinsIn(total));
    const { count, last } = counts.get(`${escrowSeq}`) ?? { count: 0, last: 0n };
    counts.set(`${escrowSeq}`, { count: count + 1, last: maxBigint(last, settledAtNs) });
  }
  escrows.forEach((escrow, index) => {
    const { seq } = escrow;
    const field = `escrows[${index}]`;
    const { count, last } = counts.get(`${seq}`) ?? { count: 0, last: 0n };
    const of = `the settlements[] of escrow ${seq}`;
    const total = `I-09 the sum of total of ${of}`;
    same(`${field}.total_settled`, escrow.totalSettled, sumOf(totals, seq), total);
    same(`${field}.tax_paid`, escrow.taxPaid, sumOf(taxes, seq), `I-09 the sum of tax of ${of}`);
    equal(`${field}.settlement_count`, escrow.settlementCount, count, of);
    const lastOf = `the last settled_at_ns of ${of}`;
    equal(`${field}.last_settled_at_ns`, escrow.lastSettledAtNs, last, lastOf);
  });
}

/** I-13: what addresses were given is to be claimed, or was claimed, expired or cancelled. */
function checkRewards(genesis: state.GenesisState, used: Usage): void {
  const providers = new KeyMap<string>();
  for (const { seq, provider } of genesis.settlements) providers.set(`${seq}`, provider);
  const given = new KeyMap<Coins>();
  genesis.distributions.forEach((distribution, index) => {
    const { settlementSeq, rows, total } = distribution;
    for (const { address, amount } of rows) add(given, address, coinsIn(amount));
    if (settlementSeq === 0n) return;
    add(given, providers.get(`${settlementSeq}`) ?? "", coinsIn(total));
    const field = `distributions[${index}]`;
    const of = `I-13 the usage with settlement_seq ${settlementSeq} and a reward`;
    same(`${field}.total`, total, sumOf(used.reward, settlementSeq), `${of}: its sum`);
    const rewarded = used.tallies.get(`${settlementSeq}`)?.rewarded ?? 0;
    equal(`${field}.row_count`, distribution.rowCount, rewarded, of);
  });
  const cancelled = new KeyMap<Coins>();
  for (const { settlementSeq, rewardsCancelled } of genesis.refunds) {
    const provider = providers.get(`${settlementSeq}`) ?? "";
    add(cancelled, provider, coinsIn(rewardsCancelled));
  }
  const open = new KeyMap<Coins>();
  for (const { address, amount } of genesis.rewardEntries) add(open, address, coinsIn(amount));
  genesis.claimable.forEach((each, index) => {
    const { address } = each;
    const field = `claimable[${index}]`;
    const entries = "I-13 the sum of amount of its reward_entries[]";
    same(`${field}.claimable`, each.claimable, sumOf(open, address), entries);
    const refunds = "I-13 the sum of rewards_cancelled of refunds[] of its settlements[]";
    same(`${field}.cancelled`, each.cancelled, sumOf(cancelled, address), refunds);
    const history = new KeyMap<Coins>();
    for (const part of [each.claimable, each.claimed, each.expired, each.cancelled]) {
      add(history, address, coinsIn(part));
    }
    const sum = sumOf(history, address);
    const parts = "I-13 what distributions[] gave it is claimable, claimed, expired or cancelled";
    same(`${field}`, wired(sum), sumOf(given, address), parts);
    for (const map of [open, cancelled, given]) map.delete(address);
  });
  const [missing] = given.sortedKeys().filter((address) => sumOf(given, address).length > 0);
  if (missing === undefined) return;
  throw fieldError("settlement.claimable", `distributions[] gave ${missing}, which it lacks`);
}

interface VersionRules {
  readonly rules: RuleParams;
  readonly factorsOf: ReturnType<typeof rewardFactorsBy>;
}

/** The rules of every version that genesis has params of. */
function rulesIn({
  params,
  extendedParams,
  paramsVersion,
  paramsVersions,
}: state.GenesisState): KeyMap<VersionRules> {
  const found = new KeyMap<VersionRules>();
  const now = { version: maxBigint(paramsVersion, 1n), params, extendedParams };
  for (const row of [...paramsVersions, now]) {
    if (row.params === undefined || row.extendedParams === undefined) continue;
    const rules = ruleParams(row.params, row.extendedParams);
    found.set(`${row.version}`, { rules, factorsOf: rewardFactorsBy(rules) });
  }
  return found;
}

/** I-14: rewards computed again, by the params that they were computed with. */
function checkFormulas(genesis: state.GenesisState): void {
  const { settlements, usage, distributions } = genesis;
  const rules = rulesIn(genesis);
  const versions = new KeyMap<bigint>();
  for (const { seq, paramsVersion } of settlements) versions.set(`${seq}`, paramsVersion);
  const byProviders = new KeyMap<Coins>();
  usage.forEach((each, index) => {
    const { seq, denom, reward, settledAmount, settlementSeq } = each;
    if (reward === "") return;
    if (!isUsageReward(each)) add(byProviders, seq, coinsOf(denom, BigInt(reward)));
    else {
      const by = rules.get(`${versions.get(`${settlementSeq}`) ?? 0n}`);
      if (by === undefined) return;
      const expected = usageReward(BigInt(settledAmount), by.factorsOf(each));
      equal(`usage[${index}].reward`, BigInt(reward), expected, "I-14 of its settled_amount");
    }
  });
  const { REWARD_SOURCE_VERIFICATION, REWARD_SOURCE_PROVIDER } = state.RewardSource;
  distributions.forEach(({ source, total, rows, usageSeqs, paramsVersion }, index) => {
    const field = `distributions[${index}].total`;
    if (source === REWARD_SOURCE_PROVIDER) {
      const rewards = new KeyMap<Coins>();
      for (const seq of usageSeqs) add(rewards, "", sumOf(byProviders, seq));
      same(field, total, sumOf(rewards, ""), "I-14 the sum of reward of its usage_seqs");
    }
    const by = rules.get(`${paramsVersion}`);
    if (source !== REWARD_SOURCE_VERIFICATION || by === undefined) return;
    const expected = verificationReward(by.rules, rows[0]?.verificationScore ?? 0);
    const of = "I-14 by the verification_score in rows";
    same(field, total, coinsOf(total[0]?.denom ?? "", expected), of);
  });
}

/** Numbers of entries follow one another, and what is left of them is at most what was given. */
function checkEntries(genesis: state.GenesisState): void {
  const left = new KeyMap<{ count: number }>();
  const given = new KeyMap<Coins>();
  for (const { distributionSeq: of, amount, cancelled } of genesis.rewardEntries) {
    left.set(`${of}`, { count: (left.get(`${of}`)?.count ?? 0) + 1 });
    add(given, of, coinsIn(amount));
    add(given, of, coinsIn(cancelled));
  }
  const ordered = genesis.distributions
    .map((record, index) => ({ record, field: `distributions[${index}]` }))
    .sort((a, b) => (a.record.seq < b.record.seq ? -1 : 1));
  ordered.forEach(({ record, field }, place) => {
    const { seq, firstEntrySeq, entryCount, total } = record;
    const sum = sumOf(given, seq);
    const isAll = left.get(`${seq}`)?.count === entryCount;
    const of = `I-13 amount and cancelled of all its reward_entries[]`;
    if (isAll) same(`${field}.total`, total, sum, of);
    else if (!coversCoins(coinsIn(total), sum)) same(`${field}.total`, total, sum, of);
    const next = ordered[place + 1];
    const end = next?.record.firstEntrySeq ?? maxBigint(genesis.sequences?.rewardEntry ?? 0n, 1n);
    const follows = next === undefined ? "sequences.reward_entry" : `${next.field}.first_entry_seq`;
    const wanted = `first_entry_seq and it lead to settlement.${follows}, which is ${end}`;
    equal(`${field}.entry_count`, entryCount, end - firstEntrySeq, wanted);
  });
}

/** Numbers of each series from 1 without gaps, whichever of the providers has which. */
function checkNumbers({ invoices, creditNotes, invoiceSeries }: state.GenesisState): void {
  for (const [list, field, records, nextOf] of [
    ["invoices", "next", invoices, (each: state.InvoiceSeries) => each.next],
    [
      "credit_notes",
      "next_credit_note",
      creditNotes,
      (each: state.InvoiceSeries) => each.nextCreditNote,
    ],
  ] as const) {
    const ends = invoiceSeries.map(nextOf).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const numbers = records
      .map(({ number }, index) => ({ number, index }))
      .sort((a, b) => (a.number < b.number ? -1 : a.number > b.number ? 1 : 0));
    let ended = 0;
    let [at, expected] = [0, 1n];
    for (; ended < ends.length || at < numbers.length; expected += 1n) {
      while (ended < ends.length && (ends[ended] as bigint) <= expected) ended += 1;
      const wanted = ends.length - ended;
      let found = 0;
      for (; numbers[at]?.number === expected; at += 1) found += 1;
      if (found < wanted) {
        const detail = `says that number ${expected} is taken ${wanted} times, ${list}[].number has it ${found} times`;
        throw fieldError(`settlement.invoice_series[].${field}`, detail);
      }
      if (found > wanted || (wanted === 0 && at < numbers.length)) {
        const { index, number } = numbers[found > wanted ? at - 1 : at] as {
          index: number;
          number: bigint;
        };
        const detail = `${number} is not below the ${field} of settlement.invoice_series[]`;
        throw fieldError(`settlement.${list}[${index}].number`, detail);
      }
    }
  }
}
