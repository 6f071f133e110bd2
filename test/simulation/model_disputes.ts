import { DisputeState } from "../../src/gen/settled/settlement/v1/state.ts";
import type * as own from "../../src/gen/settled/settlement/v1/tx.ts";
import { chargeOf } from "./model_billing.ts";
import { waiveDue } from "./model_invoices.ts";
import { log, unpaid } from "./model_payouts.ts";
import { refund, refundable } from "./model_refunds.ts";
import {
  costOf,
  type Dispute,
  disputeId,
  type Invoice,
  made,
  need,
  needInTime,
  payoutId,
} from "./model_state.ts";
import { refundId, type Rules, spendable, type Usage, usageId, type World } from "./model_state.ts";
import { type Coins, coin, least, less, max, min, NONE, plus, SECOND } from "./model_sums.ts";
import { priced, priceText, replace } from "./model_usage.ts";

// RULES 21; README, "Disputes of records".

type Resolution = NonNullable<Dispute["resolution"]>;

export const disputeRules: Rules = {
  MsgDisputeUsage: (
    w,
    { sender, usageId: usage_id, reason, evidenceHash }: own.MsgDisputeUsage,
  ) => {
    const usage = w.usageById(usage_id);
    const escrow = w.escrowOf(usage);
    need(sender === escrow.depositor, 1505);
    need(!usage.disputed, 1535);
    need(usage.disputeSeq === 0n, 1503);
    const afterSettlement = usage.status === "settled";
    const window = w.params.disputeWindowDuration;
    const at = afterSettlement ? settledAt(w, usage) : 0n;
    // Closed without settlement and invoice, as without billing nothing was paid: no document
    // says so.
    need(at !== undefined, 1515);
    need(afterSettlement ? w.now <= at + window * SECOND : usage.status === "open", 1515);
    if (!afterSettlement) needInTime(w, escrow);
    need(window > 0n, 1503);
    const { denom } = usage;
    const charge = afterSettlement ? 0n : chargeOf(w, escrow.orderId, denom, [usage]);
    const kept = least(coin(denom, charge), spendable(escrow));
    const seq = w.next("dispute");
    const facts = { seq, usageSeq: usage.seq, escrowSeq: escrow.seq, status: "open", reason };
    const times = { openedAtNs: w.now, expiresAtNs: w.after(window), height: w.height };
    const more = { evidenceHash, afterSettlement, reserved: kept.get(denom) ?? 0n };
    const record: Partial<Dispute> = { ...facts, ...times, ...more };
    const dispute = w.push(w.disputes, made<Dispute>(DisputeState, record));
    w.set(usage, { disputeSeq: seq, disputed: true });
    if (afterSettlement) hold(w, usage, dispute);
    else {
      const openDisputes = escrow.openDisputes + 1;
      w.set(escrow, { openDisputes, reserved: plus(escrow.reserved, kept) });
    }
    const [dispute_id, expiresAt] = [disputeId(dispute), dispute.expiresAtNs / SECOND];
    const evidence_hash = Buffer.from(evidenceHash).toString("hex");
    const event = { dispute_id, usage_id, reason, evidence_hash, expires_at: expiresAt };
    w.emit("UsageDisputed", event, escrow);
    return { disputeId: dispute_id, expiresAt };
  },
  MsgResolveDispute: (w, { sender, disputeId: id, ...m }: own.MsgResolveDispute) => {
    const dispute = w.find(w.disputes, id, disputeId, 1550);
    const usage = w.usage[Number(dispute.usageSeq) - 1] as Usage;
    const { depositor, recipient } = w.escrowOf(usage);
    const isAuthority = sender === w.params.authority;
    need(isAuthority || sender === depositor || sender === recipient, 1505);
    need(isUndecided(dispute) && w.now < dispute.expiresAtNs, 1503);
    const isAmended = m.resolution === "amended";
    const { denom, amount: unitPrice } = m.unitPrice ?? {
      ...{ denom: usage.denom, amount: `${usage.unitPrice}` },
    };
    if (isAmended) {
      need(denom === usage.denom, 1512);
      need(priced({ denom, amount: unitPrice }, m.usageUnits) < usage.cost, 1512);
    }
    const terms = isAmended ? { units: m.usageUnits, unitPrice } : { units: 0n, unitPrice: "" };
    const resolution: Resolution = { status: m.resolution, ...terms, atNs: w.now };
    const isCustomer = sender === depositor;
    const other = isCustomer ? dispute.providerProposal : dispute.customerProposal;
    const agreed = other !== undefined && !isAuthority && isEqual(other, resolution);
    if (isAuthority || agreed) return decide(w, dispute, usage, resolution, sender, agreed);
    const proposal = isCustomer ? "customerProposal" : "providerProposal";
    w.set(dispute, { [proposal]: resolution, status: "reviewing" });
    w.emit("DisputeProposed", { ...factsOf(dispute, usage, resolution), proposed_by: sender });
    return { state: "reviewing", usageId: "", refundId: "" };
  },
};

function isEqual(a: Resolution, b: Resolution): boolean {
  return a.status === b.status && a.units === b.units && a.unitPrice === b.unitPrice;
}

function isUndecided({ status }: Dispute): boolean {
  return status === "open" || status === "reviewing";
}

function settledAt(w: World, { settlementSeq, invoiceSeq }: Usage): bigint | undefined {
  const invoice = w.invoices.find(({ seq }) => seq === invoiceSeq);
  const settlement = w.settlements.find(({ seq }) => seq === settlementSeq);
  return settlement?.settledAtNs ?? invoice?.issuedAtNs;
}

function factsOf(dispute: Dispute, usage: Usage, { status, units, unitPrice }: Resolution) {
  const ids = { dispute_id: disputeId(dispute), usage_id: usageId(usage), resolution: status };
  const isAmended = status === "amended";
  const unit_price = isAmended ? priceText(unitPrice, usage.denom) : "";
  return { ...ids, usage_units: isAmended ? units : "", unit_price };
}

function decide(
  w: World,
  dispute: Dispute,
  usage: Usage,
  resolution: Resolution,
  by: string,
  agreed: boolean,
) {
  const facts = factsOf(dispute, usage, resolution);
  const isSettled = dispute.afterSettlement;
  const {
    refund_id = "",
    refunded_amount = NONE,
    waived_amount = NONE,
  } = isSettled ? decideSettled(w, dispute, usage, resolution, by, agreed) : {};
  letGo(w, dispute, usage);
  const amended = isSettled ? undefined : decideOpen(w, dispute, usage, resolution, agreed);
  const amended_usage_id = amended ? usageId(amended) : "";
  const refundSeq = refund_id === "" ? 0n : (w.seqs.get("refund") ?? 0n);
  const end = { status: resolution.status, resolution, decidedBy: by, closedAtNs: w.now };
  w.set(dispute, { ...end, amendedSeq: amended?.seq ?? 0n, refundSeq });
  const effect = { amended_usage_id, refund_id, refunded_amount, waived_amount };
  w.emit("DisputeResolved", { ...facts, ...effect, resolved_by: by });
  return { state: resolution.status, usageId: amended_usage_id, refundId: refund_id };
}

function decideOpen(
  w: World,
  dispute: Dispute,
  usage: Usage,
  { status, units, unitPrice }: Resolution,
  acknowledged: boolean,
): Usage | undefined {
  if (status === "accepted") {
    w.set(usage, { status: "written_off" });
    w.emit("UsageWrittenOff", { usage_id: usageId(usage), total_cost: costOf(usage) });
  }
  if (status !== "amended") return undefined;
  const cost = priced({ denom: usage.denom, amount: unitPrice }, units);
  const to = { units, unitPrice: BigInt(unitPrice), cost, acknowledged };
  const providerSignature = new Uint8Array(0);
  return replace(w, usage, { ...to, providerSignature }, disputeId(dispute));
}

function decideSettled(
  w: World,
  dispute: Dispute,
  usage: Usage,
  { status, units, unitPrice }: Resolution,
  by: string,
  agreed: boolean,
) {
  const { denom, settledAmount: paid, cost } = usage;
  const invoice = w.invoices.find(({ seq }) => seq === usage.invoiceSeq);
  const worth = worthOf(usage, invoice);
  const amended = (): bigint => (priced({ denom, amount: unitPrice }, units) * worth) / cost;
  const now = status === "accepted" ? 0n : status === "amended" ? amended() : worth;
  const short = max(worth - paid, 0n) - max(now - paid, 0n);
  const id = disputeId(dispute);
  const waived = coin(denom, invoice ? waivedOf(invoice, denom, short) : 0n);
  const waived_amount = waiveDue(w, usage.invoiceSeq, waived, by, id);
  const settlement = w.settlements.find(({ seq }) => seq === usage.settlementSeq);
  const most: Coins = settlement ? refundable(w, settlement) : NONE;
  const back = coin(denom, min(max(paid - now, 0n), most.get(denom) ?? 0n));
  if (settlement === undefined || back.size === 0) return { waived_amount };
  const request = { reason: id, initiator: by, disputeSeq: dispute.seq };
  const record = refund(w, settlement, back, request, !agreed);
  if (record === undefined) return { waived_amount };
  return { refund_id: refundId(record), refunded_amount: record.amount, waived_amount };
}

/**
 * What a record was worth without tax: paid, and due. Without billing nothing is due; within prices
 * the tax is shared out with floors, a unit a line. No document says so.
 */
function worthOf({ cost, discount, settledAmount, denom }: Usage, invoice?: Invoice): bigint {
  if (invoice === undefined) return settledAmount;
  if (invoice.taxTerms?.mode !== "inclusive") return cost - discount;
  const [total, tax] = [invoice.total, invoice.tax].map((coins) => coins.get(denom) ?? 0n);
  const net = ((cost - discount) * ((total ?? 0n) - (tax ?? 0n))) / (total || 1n);
  const isDust = settledAmount > 0n && net - settledAmount < BigInt(invoice.lineCount);
  return isDust ? settledAmount : net;
}

/** What is not paid of a record, with its tax: all that is due when no more is. */
function waivedOf(invoice: Invoice, denom: string, short: bigint): bigint {
  const [total, tax, due] = [invoice.total, invoice.tax, invoice.amountDue].map((coins) => {
    return coins.get(denom) ?? 0n;
  }) as [bigint, bigint, bigint];
  if (short <= 0n || due === 0n) return 0n;
  const dueNet = (due * (total - tax)) / total;
  return short >= dueNet ? due : min((short * total) / (total - tax), due);
}

/** Ends what a dispute kept back. */
function letGo(w: World, { afterSettlement, reserved }: Dispute, usage: Usage): void {
  w.set(usage, { disputed: false });
  const escrow = w.escrowOf(usage);
  if (!afterSettlement) {
    const openDisputes = escrow.openDisputes - 1;
    w.set(escrow, { openDisputes, reserved: less(escrow.reserved, coin(usage.denom, reserved)) });
    return;
  }
  const payout = payoutOf(w, usage);
  if (payout === undefined) return;
  w.set(payout, { openDisputes: payout.openDisputes - 1 });
  if (payout.openDisputes > 0 || !payout.heldByDispute) return;
  const [left, isHeld] = [unpaid(payout), payout.status === "held" || payout.holdbackHeld];
  w.set(payout, { heldByDispute: false, holdbackHeld: false, holdReason: "" });
  // A refund may have taken all that was held.
  if (!isHeld || left.size === 0) return;
  log(w, payout, "released", payout.status === "held" ? "pending" : payout.status, left);
  w.emit("PayoutReleased", { payout_id: payoutId(payout) });
}

function payoutOf(w: World, { settlementSeq }: Usage) {
  const settlement = w.settlements.find(({ seq }) => seq === settlementSeq);
  return w.payouts.find(({ seq }) => seq === settlement?.payoutSeq);
}

function hold(w: World, usage: Usage, dispute: Dispute): void {
  const payout = payoutOf(w, usage);
  if (payout === undefined) return;
  w.set(payout, { openDisputes: payout.openDisputes + 1, disputeSeq: dispute.seq });
  const [left, isPaid] = [unpaid(payout), payout.status === "completed"];
  if (payout.status === "held" || payout.holdbackHeld || left.size === 0) return;
  const [holdReason, nextAttemptHeight] = [disputeId(dispute), 0n];
  w.set(payout, { nextAttemptHeight, holdReason, holdbackHeld: isPaid, heldByDispute: true });
  log(w, payout, "held", isPaid ? "completed" : "held", left, holdReason);
  const facts = { payout_id: payoutId(payout), dispute_id: holdReason, reason: holdReason };
  w.emit("PayoutHeld", facts);
}

/** Disputes that nobody decided in time: billed as recorded. */
export function expireDisputes(w: World): void {
  const due = w.disputes.filter((each) => isUndecided(each) && each.expiresAtNs <= w.now);
  due.sort((a, b) => Number(a.expiresAtNs - b.expiresAtNs || a.seq - b.seq));
  for (const dispute of due) {
    const usage = w.usage[Number(dispute.usageSeq) - 1] as Usage;
    w.set(dispute, { status: "expired", closedAtNs: w.now });
    letGo(w, dispute, usage);
    w.emit("DisputeExpired", { dispute_id: disputeId(dispute), usage_id: usageId(usage) });
  }
}
