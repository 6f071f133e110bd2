import type * as own from "../../../src/gen/settled/settlement/v1/tx.ts";
import { amountOf, coin, type Coins, least, lower, minus, ONE, per, plus } from "./coins.ts";
import { priceText, SECOND } from "./coins.ts";
import { isHeld } from "./payouts.ts";
import { type Escrow, isSame, refuse, type Row, type Usage } from "./records.ts";
import { Refunds } from "./refunds.ts";

// README, "Disputes of records".

type Dispute = Row<"dispute">;
type Resolution = NonNullable<Dispute["resolution"]>;

export const isUndecided = ({ status }: Dispute): boolean =>
  status === "open" || status === "reviewing";

export class Disputes extends Refunds {
  MsgDisputeUsage({ sender, usageId, reason, evidenceHash }: own.MsgDisputeUsage): void {
    const usage = this.find("usage", usageId, 1513);
    const escrow = this.escrowOf(usage);
    const [isOpen, afterSettlement] = [usage.status === "open", usage.status === "settled"];
    const issuedAtNs = this.nth("invoice", usage.invoiceSeq)?.issuedAtNs ?? 0n;
    const settledAtNs = this.settlementOf(usage)?.settledAtNs ?? issuedAtNs;
    const window = this.windowOf(usage);
    const isLate = !afterSettlement || this.now > settledAtNs + window * SECOND;
    this.only(sender, escrow.depositor);
    refuse([1535, usage.disputed], [1503, usage.disputeSeq > 0n], [1515, !isOpen && isLate]);
    refuse([1518, isOpen && this.isPast(escrow)], [1503, window === 0n]);
    const { charge } = this.bill(escrow, [usage]);
    const keeps = least(charge, minus(escrow.balance, escrow.reserved));
    const reserved = isOpen ? amountOf(keeps, usage.denom) : 0n;
    const of = { usageSeq: usage.seq, escrowSeq: escrow.seq, reason, evidenceHash, reserved };
    const rest = { expiresAtNs: this.after(window), afterSettlement, status: "open" };
    const dispute = this.add("dispute", { ...of, ...rest });
    this.change(usage, { disputed: true, disputeSeq: dispute.seq });
    if (isOpen) this.reserve(escrow, 1, plus(escrow.reserved, coin(usage.denom, reserved)));
    this.emit("UsageDisputed", dispute, { usageId });
    const payout = this.nth("payout", this.settlementOf(usage)?.payoutSeq);
    if (isOpen || payout === undefined) return;
    this.change(payout, { openDisputes: payout.openDisputes + 1, disputeSeq: dispute.seq });
    if (isHeld(payout) || !this.hold(payout, dispute.id)) return;
    this.change(payout, { heldByDispute: true });
    this.emit("PayoutHeld", payout, { disputeId: dispute.id, reason: dispute.id });
  }

  /** In force when a record was settled, or put on an invoice; of an open one, the one of now. */
  windowOf(usage: Usage): bigint {
    const { status, invoiceSeq } = usage;
    const result = this.settlementOf(usage) ?? this.nth("invoice", invoiceSeq);
    const isSettled = status === "settled" && result !== undefined;
    return (isSettled ? this.paramsWith(result) : this.params).disputeWindowDuration;
  }

  reserve(escrow: Escrow, count: number, reserved: Coins): void {
    this.change(escrow, { openDisputes: escrow.openDisputes + count, reserved });
  }

  MsgResolveDispute(message: own.MsgResolveDispute): void {
    const { sender, disputeId, resolution: status, usageUnits: units } = message;
    const dispute = this.find("dispute", disputeId, 1550);
    const usage = this.nth("usage", dispute.usageSeq) as Usage;
    const escrow = this.escrowOf(dispute);
    this.only(sender, ...this.partiesOf(escrow));
    refuse([1503, !isUndecided(dispute) || this.now >= dispute.expiresAtNs]);
    const { denom = usage.denom, amount = usage.unitPrice } = message.unitPrice ?? {};
    const isAmended = status === "amended";
    const price = isAmended ? BigInt(amount) : 0n;
    const isLess = units > 0n && denom === usage.denom && (price * units) / ONE < usage.cost;
    refuse([1512, isAmended && !isLess]);
    const terms = { status, units: isAmended ? units : 0n, unitPrice: price };
    const resolution = { ...terms, atNs: this.now };
    const isCustomer = sender === escrow.depositor;
    const isParty = sender !== this.params.authority;
    const other = isCustomer ? dispute.providerProposal : dispute.customerProposal;
    const { atNs: _, ...proposed } = other ?? resolution;
    const isAgreed = other !== undefined && isSame(proposed, terms);
    if (!isParty || isAgreed) return this.decide(dispute, usage, resolution, sender, isParty);
    const proposal = { [isCustomer ? "customerProposal" : "providerProposal"]: resolution };
    this.change(dispute, { status: "reviewing", ...proposal });
    this.emit("DisputeProposed", dispute, { ...this.termsText(usage, terms), proposedBy: sender });
  }

  /** A resolution as events show it. */
  termsText({ id, denom }: Usage, { status, units, unitPrice }: Omit<Resolution, "atNs">) {
    const price = units === 0n ? undefined : { denom, amount: `${unitPrice}` };
    const terms = { usageUnits: units || "", unitPrice: priceText(price) };
    return { usageId: id, resolution: status, ...terms };
  }

  decide(
    dispute: Dispute,
    usage: Usage,
    resolution: Resolution,
    decidedBy: string,
    acknowledged: boolean,
  ): void {
    const { units, unitPrice, status } = resolution;
    this.endDispute(dispute, usage, { status, resolution, decidedBy });
    const news = { units, unitPrice, denom: usage.denom, cost: (unitPrice * units) / ONE };
    let result: object = {};
    if (dispute.afterSettlement && status !== "rejected") {
      result = this.undo(usage, dispute, news.cost, acknowledged);
    } else if (status === "accepted") this.writeOff(usage);
    else if (status === "amended") {
      const amended = this.replace(usage, { ...news, acknowledged }, dispute.id);
      this.change(dispute, { amendedSeq: amended.seq });
      this.change(amended, { disputeSeq: dispute.seq });
      result = { amendedUsageId: amended.id };
    }
    this.freePayout(dispute, usage);
    const none = { amendedUsageId: "", refundId: "", refundedAmount: [], waivedAmount: [] };
    const facts = { ...this.termsText(usage, resolution), resolvedBy: decidedBy };
    this.emit("DisputeResolved", dispute, { ...facts, ...none, ...result });
  }

  /** What every end of a dispute does: reserved coins and the payout are free again. */
  endDispute(dispute: Dispute, usage: Usage, fields: Partial<Dispute>): void {
    this.change(dispute, { ...fields, closedAtNs: this.now });
    this.change(usage, { disputed: false });
    const escrow = this.escrowOf(dispute);
    const left = minus(escrow.reserved, coin(usage.denom, dispute.reserved));
    if (!dispute.afterSettlement) this.reserve(escrow, -1, left);
  }

  /** After its last dispute a payout waits for its own time again. */
  freePayout(dispute: Dispute, usage: Usage): void {
    const payout = this.nth("payout", this.settlementOf(usage)?.payoutSeq);
    if (payout === undefined || !dispute.afterSettlement) return;
    this.change(payout, { openDisputes: payout.openDisputes - 1 });
    if (payout.openDisputes > 0 || !payout.heldByDispute) return;
    if (payout.status === "held" || payout.kept.length > 0) this.free(payout);
    else this.change(payout, { holdReason: "", holdbackHeld: false, heldByDispute: false });
  }

  expireDispute(dispute: Dispute): void {
    if (!isUndecided(dispute) || this.now < dispute.expiresAtNs) return;
    const usage = this.nth("usage", dispute.usageSeq) as Usage;
    this.endDispute(dispute, usage, { status: "expired" });
    this.freePayout(dispute, usage);
    this.emit("DisputeExpired", dispute, { usageId: usage.id });
  }

  /** What a settled record was charged beyond its share of another cost: of what is unpaid first. */
  differenceOf(usage: Usage, cost: bigint) {
    const { denom, settledAmount: paid } = usage;
    const invoice = this.nth("invoice", usage.invoiceSeq);
    const of = (coins: Coins | undefined) => amountOf(coins ?? [], denom);
    const [total, tax, due] = [of(invoice?.total), of(invoice?.tax), of(invoice?.amountDue)];
    const net = total - tax;
    const price = usage.cost - usage.discount;
    const isWithin = invoice?.taxTerms?.mode === "inclusive" && total > 0n;
    const charged = isWithin ? per(price, net, total) : price;
    const unsettled = net - of(this.settlementOf(usage)?.total);
    const unpaid = charged > paid ? lower(charged - paid, unsettled) : 0n;
    const most = invoice === undefined ? paid : paid + unpaid;
    const off = most - per(most, cost, usage.cost);
    const waived = lower(off, most - paid);
    const isAll = total > 0n && waived >= per(due, net, total);
    const waivedAmount = coin(denom, isAll ? due : lower(waived + per(waived, tax, net), due));
    return { amount: coin(denom, off - waived), waivedAmount };
  }

  /** A decision against a settled record: the difference goes back, or is no longer due. */
  undo(usage: Usage, dispute: Dispute, cost: bigint, isAgreed: boolean) {
    const settlement = this.settlementOf(usage);
    const invoice = this.nth("invoice", usage.invoiceSeq);
    const { amount, waivedAmount } = this.differenceOf(usage, cost);
    if (invoice !== undefined && waivedAmount.length > 0) {
      const amountDue = minus(invoice.amountDue, waivedAmount);
      const fields = { waived: plus(invoice.waived, waivedAmount), amountDue };
      const end = amountDue.length === 0 ? this.ended(invoice) : {};
      const step = { amount: waivedAmount, reference: dispute.id };
      this.log(invoice, "resolved", step, { ...fields, ...end });
      this.emit("InvoiceWaived", invoice, { disputeId: dispute.id, amount: waivedAmount });
    }
    if (amount.length === 0 || settlement === undefined) return { waivedAmount };
    const back = this.refundable(settlement, least(amount, this.leftOf(settlement)));
    const why = { reason: dispute.id, initiator: dispute.decidedBy, disputeSeq: dispute.seq };
    const refund = back.length > 0 && this.refund(settlement, back, why, isAgreed);
    if (!refund) return { waivedAmount };
    this.change(dispute, { refundSeq: refund.seq });
    return { waivedAmount, refundId: refund.id, refundedAmount: refund.amount };
  }
}
