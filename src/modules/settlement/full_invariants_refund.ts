import type { FullInvariant } from "../../baseapp/module.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { joinKeys, type Key } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import type { Reader } from "../../store/read_view.ts";
import {
  addCoins,
  type Coins,
  coversCoins,
  equalCoins,
  formatCoins,
  NO_COINS,
  subCoins,
} from "../../types/coins.ts";
import * as keys from "./keys.ts";
import { totalOf } from "./query_totals.ts";
import { coinsIn } from "./records.ts";
import {
  addLegs,
  doneOf,
  LEGS,
  type LegName,
  type Legs,
  legsIn,
  legsOf,
  mapLegs,
  NO_LEGS,
  sumOfCoins,
} from "./refund_legs.ts";
import { legNumber, refundsOfKey } from "./refund_records.ts";
import { all } from "./full_invariants_sums.ts";

/** What refunds of settlements, receivables, payouts, credit notes and rewards must say together. */
export const refundFullInvariants: readonly FullInvariant[] = [
  {
    name: "I-26 refunds are what settlements say, and no more than their parts",
    check: refundsSum,
  },
  { name: "I-26 what is owed of refunds is booked, once", check: receivablesSum },
  { name: "I-26 refunds of parts that were not paid are in their payouts", check: payoutsAgree },
  { name: "I-26 refunds are credited on their invoices", check: creditsAgree },
  { name: "I-13 cancelled rewards are those of refunds", check: cancelledSum },
  { name: "I-12 running totals of fees and taxes follow from the records", check: feesFollow },
  { name: "look-ups of refunds are those of the records", check: refundsAreListed },
];

const refunds = (reader: Reader): AsyncGenerator<state.RefundState> =>
  all(reader, keys.REFUND_PREFIX, state.RefundState);
const receivables = (reader: Reader): AsyncGenerator<state.ReceivableState> =>
  all(reader, keys.RECEIVABLE_PREFIX, state.ReceivableState);
const settlements = (reader: Reader): AsyncGenerator<state.SettlementState> =>
  all(reader, keys.SETTLEMENT_PREFIX, state.SettlementState);

function same(name: string, of: object, left: Coins, right: Coins): void {
  const facts = { ...of, left: formatCoins(left), right: formatCoins(right) };
  assert(equalCoins(left, right), `${name} settlement: amounts of refunds differ`, facts);
}

function covered(name: string, of: object, most: Coins, some: Coins): void {
  const facts = { ...of, most: formatCoins(most), found: formatCoins(some) };
  assert(coversCoins(most, some), `${name} settlement: more than there was`, facts);
}

async function payoutOf(
  reader: Reader,
  { payoutSeq }: state.SettlementState,
): Promise<state.PayoutState | undefined> {
  if (payoutSeq === 0n) return undefined;
  const bytes = await reader.get(keys.recordKey(keys.PAYOUT_PREFIX, payoutSeq));
  return bytes === undefined ? undefined : state.PayoutState.decode(bytes);
}

/** Refunds of each settlement by its number. */
async function givenBack(reader: Reader): Promise<KeyMap<Legs>> {
  const given = new KeyMap<Legs>();
  for await (const { settlementSeq, legs } of refunds(reader)) {
    const of = settlementSeq.toString();
    given.set(of, addLegs(given.get(of) ?? NO_LEGS, legsIn(legs)));
  }
  return given;
}

async function refundsSum(reader: Reader): Promise<void> {
  for await (const { seq, legs, amount, owed } of refunds(reader)) {
    const parts = legsIn(legs);
    same("I-26", { refund: seq }, sumOfCoins(parts), coinsIn(amount));
    covered("I-26", { refund: seq }, addCoins(coinsIn(amount), parts.tax), coinsIn(owed));
  }
  const given = await givenBack(reader);
  for await (const settlement of settlements(reader)) {
    const { seq, refunded } = settlement;
    const sum = given.get(seq.toString()) ?? NO_LEGS;
    const payout = await payoutOf(reader, settlement);
    const [legs, done] = [legsOf(settlement, payout), doneOf(settlement, payout)];
    for (const name of LEGS) {
      same("I-26", { settlement: seq, name }, sum[name], legsIn(refunded)[name]);
      covered("I-26", { settlement: seq, name }, legs[name], done[name]);
    }
    given.delete(seq.toString());
  }
  const [stray] = given.sortedKeys();
  assert(stray === undefined, "I-26 settlement: a refund has no settlement", { settlement: stray });
}

/** Per refund: what each part owes is at most what it gives, and all of it is what it says. */
async function receivablesSum(reader: Reader): Promise<void> {
  const owed = new KeyMap<Legs>();
  for await (const { seq, refundSeq, leg, amount, paid } of receivables(reader)) {
    covered("I-26", { receivable: seq }, coinsIn(amount), coinsIn(paid));
    const of = refundSeq.toString();
    const name = nameOf(leg);
    const booked = mapLegs((each) => (each === name ? coinsIn(amount) : NO_COINS));
    owed.set(of, addLegs(owed.get(of) ?? NO_LEGS, booked));
  }
  for await (const { seq, legs, owed: said } of refunds(reader)) {
    const sum = owed.get(seq.toString()) ?? NO_LEGS;
    same("I-26", { refund: seq }, addCoins(sumOfCoins(sum), sum.tax), coinsIn(said));
    for (const name of LEGS) covered("I-26", { refund: seq, name }, legsIn(legs)[name], sum[name]);
    owed.delete(seq.toString());
  }
  const [stray] = owed.sortedKeys();
  assert(stray === undefined, "I-26 settlement: a receivable has no refund", { refund: stray });
}

function nameOf(leg: state.SettlementLeg): LegName | undefined {
  return LEGS.find((name) => legNumber(name) === leg);
}

/** Until it is paid, a payout's own parts are what refunds take; then also the provider's coins. */
async function payoutsAgree(reader: Reader): Promise<void> {
  const settled = new KeyMap<state.SettlementState>();
  for await (const settlement of settlements(reader)) {
    if (settlement.payoutSeq !== 0n) settled.set(settlement.payoutSeq.toString(), settlement);
  }
  for await (const payout of all(reader, keys.PAYOUT_PREFIX, state.PayoutState)) {
    const { seq, status } = payout;
    const refunded = legsIn(settled.get(seq.toString())?.refunded);
    const parts = [
      [refunded.holdback, coinsIn(payout.reversedHoldback)],
      [refunded.net, coinsIn(payout.reversedNet)],
    ] as const;
    const isPaid = status === state.PayoutStatus.PAYOUT_STATUS_COMPLETED;
    for (const [most, taken] of parts) {
      if (isPaid) covered("I-26", { payout: seq }, most, taken);
      else same("I-26", { payout: seq }, most, taken);
    }
  }
}

/** A settlement with an invoice has a credit note of each refund, tax included. */
async function creditsAgree(reader: Reader): Promise<void> {
  for await (const { seq, settlementSeq, creditNoteSeq, amount, legs } of refunds(reader)) {
    const key = keys.recordKey(keys.SETTLEMENT_PREFIX, settlementSeq);
    const settlement = await reader.get(key);
    const invoiceSeq =
      settlement === undefined ? 0n : state.SettlementState.decode(settlement).invoiceSeq;
    const bytes = await reader.get(keys.recordKey(keys.CREDIT_NOTE_PREFIX, creditNoteSeq));
    const note = bytes === undefined ? undefined : state.CreditNoteState.decode(bytes);
    const named = note?.invoiceSeq ?? 0n;
    const facts = { refund: seq, named, invoice: invoiceSeq };
    assert(named === invoiceSeq, "I-26 settlement: a refund is credited elsewhere", facts);
    if (note === undefined) continue;
    const back = addCoins(coinsIn(amount), legsIn(legs).tax);
    same("I-26", { refund: seq }, coinsIn(note.amount), back);
  }
}

async function cancelledSum(reader: Reader): Promise<void> {
  let cancelled: Coins = NO_COINS;
  for await (const refund of refunds(reader)) {
    cancelled = addCoins(cancelled, coinsIn(refund.rewardsCancelled));
  }
  let said: Coins = NO_COINS;
  for await (const claimable of all(reader, keys.CLAIMABLE_PREFIX, state.ClaimableState)) {
    said = addCoins(said, coinsIn(claimable.cancelled));
  }
  same("I-13", { of: "all" }, cancelled, said);
  same("I-13", { of: "total" }, cancelled, coinsIn(await totalOf(reader, "cancelled")));
}

/** What came in by settlements and payments, less what refunds gave back and do not owe. */
async function feesFollow(reader: Reader): Promise<void> {
  let came: Legs = NO_LEGS;
  const add = (parts: Partial<Legs>): void => {
    came = addLegs(
      came,
      mapLegs((name) => parts[name] ?? NO_COINS),
    );
  };
  for await (const settlement of settlements(reader)) {
    if (settlement.type === state.SettlementType.SETTLEMENT_TYPE_REFUND) continue;
    // The tax of one with an invoice is in what was paid of the invoice's.
    const { tax, ...legs } = legsOf(settlement, undefined);
    add(settlement.invoiceSeq === 0n ? { ...legs, tax } : legs);
  }
  for await (const payout of all(reader, keys.PAYOUT_PREFIX, state.PayoutState)) {
    if (payout.settlementSeq !== 0n) continue;
    const { platformFee, validatorFee } = payout;
    add({ platformFee: coinsIn(platformFee), validatorFee: coinsIn(validatorFee) });
  }
  for await (const invoice of all(reader, keys.INVOICE_PREFIX, state.InvoiceState)) {
    add({ tax: coinsIn(invoice.taxPaid) });
  }
  for await (const { leg, amount } of receivables(reader)) {
    const name = nameOf(leg);
    add(name === undefined ? {} : { [name]: coinsIn(amount) });
  }
  let went: Legs = NO_LEGS;
  for await (const { legs } of refunds(reader)) went = addLegs(went, legsIn(legs));
  for (const [name, total] of [
    ["platformFee", "platformFees"],
    ["validatorFee", "validatorFees"],
    ["tax", "taxes"],
  ] as const) {
    const said = coinsIn(await totalOf(reader, total));
    same("I-12", { total }, subCoins(came[name], went[name]), said);
  }
}

async function refundsAreListed(reader: Reader): Promise<void> {
  const listed = async (prefix: Key, seq: bigint): Promise<void> => {
    const found = await reader.get(joinKeys(prefix, keys.seqKey(seq)));
    assert(found !== undefined, "settlement: a refund or receivable is not listed", { seq });
  };
  let [refundCount, receivableCount] = [0, 0];
  for await (const { seq, settlementSeq } of refunds(reader)) {
    await listed(refundsOfKey(settlementSeq), seq);
    refundCount += 1;
  }
  for await (const { seq, debtor, creditor } of receivables(reader)) {
    await listed(keys.textIndexKey(keys.RECEIVABLE_BY_DEBTOR_PREFIX, debtor), seq);
    await listed(keys.textIndexKey(keys.RECEIVABLE_BY_CREDITOR_PREFIX, creditor), seq);
    receivableCount += 1;
  }
  for (const [prefix, expected] of [
    [keys.REFUND_BY_SETTLEMENT_PREFIX, refundCount],
    [keys.RECEIVABLE_BY_DEBTOR_PREFIX, receivableCount],
    [keys.RECEIVABLE_BY_CREDITOR_PREFIX, receivableCount],
  ] as const) {
    let found = 0;
    for await (const _entry of reader.range(prefix)) found += 1;
    assert(found === expected, "settlement: refunds that are listed", { found, expected });
  }
}
