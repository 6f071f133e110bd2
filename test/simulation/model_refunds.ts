import { ReceivableState, RefundState } from "../../src/gen/settled/settlement/v1/state.ts";
import type * as own from "../../src/gen/settled/settlement/v1/tx.ts";
import { writeCredit } from "./model_invoices.ts";
import { endHoldback, holdbackLeft, log, netToPay, refundedOf, unpaid } from "./model_payouts.ts";
import { cancelRewards } from "./model_rewards.ts";
import { type Invoice, made, need, owedId, type Payout, type Receivable } from "./model_state.ts";
import { type Refund, refundId, type Rules, type Settlement, settlementId } from "./model_state.ts";
import type { World } from "./model_state.ts";
import {
  type Coins,
  coin,
  least,
  less,
  mapped,
  max,
  min,
  minus,
  NONE,
  parsed,
} from "./model_sums.ts";
import { plus, text } from "./model_sums.ts";

// RULES 31; README, "Refund of a settlement" to "Cancelled rewards".

type Legs = NonNullable<Settlement["refunded"]>;
const LEGS = ["platformFee", "validatorFee", "holdback", "net", "tax"] as const;
type Leg = (typeof LEGS)[number];

function legs(of: (leg: Leg) => Coins): Legs {
  return Object.fromEntries(LEGS.map((leg) => [leg, of(leg)])) as Legs;
}

/** All but the tax. */
function total({ platformFee, validatorFee, holdback, net }: Legs): Coins {
  return plus(platformFee, validatorFee, holdback, net);
}

/** What a settlement is made of, what of it went back, and what may. */
function stateOf(w: World, s: Settlement) {
  const payout = w.payouts.find(({ seq }) => seq === s.payoutSeq);
  const invoice = w.invoices.find(({ seq }) => seq === s.invoiceSeq);
  const { platformFee, validatorFee, tax } = s;
  const [holdback, net] = [payout?.holdback ?? NONE, payout?.net ?? s.providerShare];
  const whole: Legs = { platformFee, validatorFee, holdback, net, tax };
  const { ofHoldback = NONE, ofNet = NONE } = payout ? refundedOf(payout) : {};
  const given: Partial<Legs> = { holdback: ofHoldback, net: ofNet };
  const done = legs((leg) => plus(s.refunded?.[leg] ?? NONE, given[leg] ?? NONE));
  const left = less(s.total, total(done));
  const credit = invoice && less(invoice.amountPaid, invoice.credited);
  // With room for its tax.
  const all = mapped(left, (amount, denom) => {
    const room = (credit?.get(denom) ?? 0n) - (less(tax, done.tax).get(denom) ?? 0n);
    return credit === undefined ? amount : min(amount, max(room, 0n));
  });
  return { payout, invoice, whole, done, left, credit, all };
}

/** All that could go back of a settlement, tax left out. */
export function refundable(w: World, settlement: Settlement): Coins {
  return stateOf(w, settlement).all;
}

/** What each part gives of an amount of one denom, in the share of all refunds so far. */
function split(whole: Legs, done: Legs, denom: string, amount: bigint): Legs {
  const of = (from: Legs, leg: Leg): bigint => from[leg].get(denom) ?? 0n;
  const all = total(whole).get(denom) ?? 0n;
  const refunded = (total(done).get(denom) ?? 0n) + amount;
  const due = (leg: Leg): bigint => max((of(whole, leg) * refunded) / all - of(done, leg), 0n);
  const given: Record<Leg, bigint> = {
    platformFee: 0n,
    validatorFee: 0n,
    holdback: 0n,
    net: 0n,
    tax: due("tax"),
  };
  let rest = amount;
  const give = (leg: Leg, most: bigint): void => {
    const taken = min(most, rest);
    given[leg] += taken;
    rest -= taken;
  };
  for (const leg of ["platformFee", "validatorFee", "holdback"] as const) give(leg, due(leg));
  // What the net does not have comes of the others, the last first: no document says so.
  for (const leg of ["net", "holdback", "validatorFee", "platformFee"] as const) {
    give(leg, of(whole, leg) - of(done, leg) - given[leg]);
  }
  return legs((leg) => coin(denom, given[leg]));
}

interface Part {
  readonly leg: Leg;
  readonly source: string;
  readonly coins: Coins;
  readonly isUnpaid?: boolean;
}

/** Where the parts are. */
function partsOf(w: World, s: Settlement, payout: Payout | undefined, given: Legs): Part[] {
  const { recipient } = w.escrowOf(s);
  const fees = (["platformFee", "validatorFee"] as const).map((leg) => {
    const name = leg === "platformFee" ? "platform_fee" : "validator_fee";
    return { leg, source: w.module(`settlement_${name}`), coins: given[leg] };
  });
  const isPaid = payout === undefined || payout.status === "completed";
  const here = {
    holdback: payout ? holdbackLeft(payout) : NONE,
    net: isPaid ? NONE : netToPay(payout),
  };
  const shares = (["holdback", "net"] as const).flatMap((leg): Part[] => {
    const coins = least(given[leg], here[leg]);
    const source = w.module("settlement");
    const paid = { leg, source: recipient, coins: less(given[leg], coins) };
    return [{ leg, source, coins, isUnpaid: true }, paid];
  });
  const tax: Part = { leg: "tax", source: w.module("settlement_tax"), coins: given.tax };
  return [...fees, ...shares, tax].filter(({ coins }) => coins.size > 0);
}

/**
 * @param asked empty for all that is left
 * @param withFees false when the parties agreed: fees of others are not theirs to give back
 * @returns undefined when nothing is left without the fees
 */
export function refund(
  w: World,
  s: Settlement,
  asked: Coins,
  by: { reason: string; initiator: string; disputeSeq: bigint },
  withFees = true,
): Refund | undefined {
  const escrow = w.escrowOf(s);
  need(s.type !== "refund", 1506);
  need(!w.isModule(escrow.depositor), 1537);
  const { payout, invoice, whole, done, left, credit, all } = stateOf(w, s);
  const wanted = asked.size === 0 ? all : asked;
  need(left.size > 0 && wanted.size > 0, 1506);
  need(minus(left, wanted) !== undefined, 1522);
  const kept = (from: Legs): Legs =>
    legs((leg) => (withFees || !leg.endsWith("Fee") ? from[leg] : NONE));
  const [base, before] = [kept(whole), kept(done)];
  const [share, back] = [total(base), total(before)];
  // Without the fees it is the provider's part of what is asked for.
  const taken = mapped(wanted, (each, denom) => {
    const most = share.get(denom) ?? 0n;
    return min((each * most) / (s.total.get(denom) as bigint), most - (back.get(denom) ?? 0n));
  });
  const splits = [...taken].map(([denom, each]) => split(base, before, denom, each));
  const given = legs((leg) => plus(...splits.map((each) => each[leg])));
  const amount = total(given);
  if (amount.size === 0) return undefined;
  const credited = plus(amount, given.tax);
  need(credit === undefined || minus(credit, credited) !== undefined, 1522);
  const facts = { seq: w.next("refund"), settlementSeq: s.seq, escrowSeq: s.escrowSeq, amount };
  const times = { refundedAtNs: w.now, height: w.height, legs: given };
  const record = w.push(w.refunds, made<Refund>(RefundState, { ...facts, ...times, ...by }));
  const id = refundId(record);
  const moved: Part[] = [];
  for (const part of partsOf(w, s, payout, given)) {
    const isDry = w.isModule(part.source) && part.source === escrow.recipient;
    const held = isDry ? NONE : w.balance(part.source);
    const coins = mapped(part.coins, (each, denom) =>
      (held.get(denom) ?? 0n) >= each ? each : 0n,
    );
    w.move(part.source, escrow.depositor, coins);
    if (coins.size > 0) moved.push({ ...part, coins });
    const owed = less(part.coins, coins);
    if (owed.size > 0) bookOwed(w, record, part, owed);
  }
  if (payout !== undefined) reverse(w, payout, moved, id);
  const refunded = mapped(plus(back, amount), (each, denom) => {
    return (each * (s.total.get(denom) as bigint)) / (share.get(denom) as bigint);
  });
  const rewardsCancelled = cancelRewards(w, s, refunded, id);
  const note = { amount: credited, reason: by.reason, initiator: by.initiator, reference: id };
  const creditNoteSeq = invoice === undefined ? 0n : writeCredit(w, invoice as Invoice, note);
  w.set(record, { rewardsCancelled, creditNoteSeq });
  w.set(s, { refunded: legs((leg) => plus(s.refunded?.[leg] ?? NONE, given[leg])) });
  const { platformFee: platform_fee, validatorFee: validator_fee, holdback, net, tax } = given;
  const parts = { platform_fee, validator_fee, holdback, net, tax, owed: record.owed };
  const ids = { refund_id: id, settlement_id: settlementId(s), amount, ...parts };
  const { reason, initiator } = by;
  const more = { rewards_cancelled: rewardsCancelled, reason, initiator };
  w.emit("SettlementRefunded", { ...ids, ...more }, escrow);
  return record;
}

function bookOwed(
  w: World,
  record: Refund,
  { leg: name, source: debtor }: Part,
  amount: Coins,
): void {
  const creditor = w.escrowOf(record).depositor;
  const leg = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const { seq: refundSeq, escrowSeq } = record;
  const facts = { seq: w.next("receivable"), refundSeq, escrowSeq, leg, debtor, creditor, amount };
  const times = { createdAtNs: w.now, height: w.height };
  const owed = w.push(w.receivables, made<Receivable>(ReceivableState, { ...facts, ...times }));
  w.set(record, { owed: plus(record.owed, amount) });
  const ids = { receivable_id: owedId(owed), refund_id: refundId(record) };
  w.emit("ReceivableBooked", { ...ids, leg, debtor, creditor, amount });
}

/** What a refund took of a payout; the order of its entries no document says. */
function reverse(w: World, payout: Payout, taken: readonly Part[], reason: string): void {
  const own = taken.filter(({ leg }) => leg === "holdback" || leg === "net");
  if (own.length === 0) return;
  for (const { leg, coins, isUnpaid } of own) {
    const { reversedHoldback, reversedNet } = payout;
    if (isUnpaid && leg === "holdback")
      w.set(payout, { reversedHoldback: plus(reversedHoldback, coins) });
    if (isUnpaid && leg === "net") w.set(payout, { reversedNet: plus(reversedNet, coins) });
  }
  endHoldback(w, payout);
  const isOver = unpaid(payout).size === 0 && !["completed", "refunded"].includes(payout.status);
  if (isOver) w.set(payout, { dueAtNs: 0n, nextAttemptHeight: 0n });
  if (isOver && payout.status !== "held") {
    w.set(payout, { holdReason: reason });
    log(w, payout, "held", "held", NONE, reason);
  }
  for (const [at, { coins }] of own.entries()) {
    const status = isOver && at === own.length - 1 ? "refunded" : payout.status;
    log(w, payout, "refunded", status, coins, reason);
  }
}

export const refundRules: Rules = {
  MsgRefundSettlement: (
    w,
    { sender, settlementId: id, amount, reason }: own.MsgRefundSettlement,
  ) => {
    w.needAuthority(sender);
    const settlement = w.find(w.settlements, id, settlementId, 1507);
    const by = { reason, initiator: sender, disputeSeq: 0n };
    const record = refund(w, settlement, parsed(amount) as Coins, by) as Refund;
    const { owed } = record;
    const refundedAmount = text(less(plus(record.amount, record.legs?.tax ?? NONE), owed));
    return { refundId: refundId(record), refundedAmount, owedAmount: text(owed) };
  },
  MsgPayReceivable: (w, { sender, receivableId: id, amount: asked }: own.MsgPayReceivable) => {
    const receivable = w.find(w.receivables, id, owedId, 1551);
    const { creditor, debtor, paid } = receivable;
    need(sender !== creditor, 1505);
    const owed = less(receivable.amount, paid);
    const amount = asked.length === 0 ? owed : (parsed(asked) as Coins);
    const left = minus(owed, amount);
    need(owed.size > 0 && left !== undefined, 1522);
    need(w.has(sender, amount), 1504);
    w.move(sender, creditor, amount);
    w.set(receivable, { paid: plus(paid, amount) });
    const facts = { receivable_id: id, payer: sender, debtor, creditor, amount, owed: left };
    w.emit("ReceivablePaid", facts);
    return { paidAmount: text(amount), owedAmount: text(left) };
  },
};
