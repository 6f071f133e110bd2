import type * as own from "../../../src/gen/settled/settlement/v1/tx.ts";
import { amountOf, type Coins, covers, higher, least, lower, minus } from "./coins.ts";
import { per, perDenom, plus } from "./coins.ts";
import { type Leg, refuse, type Row, type Settlement, snake } from "./records.ts";
import { Settling } from "./settling.ts";

// README, "Refund of a settlement", "Receivables" and "Cancelled rewards".

type Legs = Record<Leg, Coins>;
type Refund = Row<"refund">;

const LEGS = ["platformFee", "validatorFee", "holdback", "net", "tax"] as const;

export class Refunds extends Settling {
  MsgRefundSettlement({ sender, settlementId, reason, ...of }: own.MsgRefundSettlement): void {
    this.onlyAuthority(sender);
    const settlement = this.find("settlement", settlementId, 1507);
    const left = this.leftOf(settlement);
    refuse([1506, settlement.type === "refund" || left.length === 0]);
    const amount = of.amount.length === 0 ? this.refundable(settlement, left) : plus(of.amount);
    refuse([1506, amount.length === 0], [1522, !covers(left, amount)]);
    refuse([1537, !this.canBePaid(this.escrowOf(settlement).depositor)]);
    this.refund(settlement, amount, { reason, initiator: sender }, false);
  }

  leftOf(settlement: Settlement): Coins {
    return minus(settlement.total, this.givenBy(settlement));
  }

  /** What is left to refund: what the invoice has not credited, less the tax that is left on it. */
  refundable({ invoiceSeq, tax, refunded }: Settlement, left: Coins): Coins {
    const invoice = this.nth("invoice", invoiceSeq);
    if (invoice === undefined) return left;
    const most = minus(invoice.amountPaid, invoice.credited);
    const taxLeft = minus(tax, refunded?.tax ?? []);
    const within = (of: bigint, all: bigint, taxed: bigint) => lower(of, higher(all - taxed, 0n));
    return perDenom(within, left, most, taxLeft);
  }

  /** What each part gives of an amount. @param isAgreed the provider's share only, and the tax */
  legsOf(settlement: Settlement, amount: Coins, isAgreed: boolean): Legs {
    const { platformFee, validatorFee, providerShare, total, tax } = settlement;
    const before = this.givenOf(settlement);
    const holdback = this.nth("payout", settlement.payoutSeq)?.holdback ?? [];
    const whole = { platformFee, validatorFee, holdback, net: minus(providerShare, holdback), tax };
    const gave = isAgreed ? plus(before.holdback, before.net) : this.givenBy(settlement);
    const part = isAgreed ? perDenom(per, amount, providerShare, total) : amount;
    const own = isAgreed ? least(part, minus(providerShare, gave)) : part;
    const back = plus(gave, own);
    const shareOf = (leg: Leg) => {
      const all = isAgreed ? providerShare : total;
      const gives = (of: bigint, part: bigint, sum: bigint, was: bigint) =>
        higher(per(of, part, sum) - was, 0n);
      return perDenom(gives, back, whole[leg], all, before[leg]);
    };
    const legs: Legs = { platformFee: [], validatorFee: [], holdback: [], net: [], tax: [] };
    legs.tax = shareOf("tax").filter(({ denom }) => amountOf(own, denom) > 0n);
    let rest = own;
    const give = (leg: Leg, wanted = minus(whole[leg], before[leg], legs[leg])) => {
      const gives = least(wanted, rest);
      legs[leg] = plus(legs[leg], gives);
      rest = minus(rest, gives);
    };
    if (!isAgreed) for (const leg of LEGS.slice(0, 2)) give(leg, shareOf(leg));
    give("holdback", shareOf("holdback"));
    for (const leg of ["net", "holdback"] as const) give(leg);
    if (!isAgreed) for (const leg of ["validatorFee", "platformFee"] as const) give(leg);
    return legs;
  }

  /** @returns nothing when the parts that give have nothing to give */
  refund(
    settlement: Settlement,
    asked: Coins,
    why: Partial<Refund> & { readonly reason: string },
    isAgreed: boolean,
  ): Refund | undefined {
    const { seq: settlementSeq, escrowSeq, id: settlementId } = settlement;
    const legs = this.legsOf(settlement, asked, isAgreed);
    const invoice = this.nth("invoice", settlement.invoiceSeq);
    const back = plus(...Object.values(legs));
    if (back.length === 0) return undefined;
    const most = invoice && minus(invoice.amountPaid, invoice.credited);
    refuse([1522, most !== undefined && !covers(most, back)]);
    const amount = minus(back, legs.tax);
    const refund = this.add("refund", { settlementSeq, escrowSeq, amount, legs, ...why });
    this.holdAll(refund.id, legs, this.nth("payout", settlement.payoutSeq));
    for (const leg of LEGS) this.payLeg(refund, settlement, leg, legs[leg]);
    const refunded = Object.fromEntries(
      LEGS.map((leg) => [leg, plus((settlement.refunded as Legs)[leg], legs[leg])]),
    );
    this.change(settlement, { refunded: refunded as Legs });
    this.change(settlement, { counted: this.countedOf(settlement, isAgreed) });
    const rewardsCancelled = this.cancelRewards(settlement, refund.id);
    const note = invoice && this.credit(invoice, back, why.reason, refund.id);
    this.change(refund, { rewardsCancelled, creditNoteSeq: note?.seq ?? 0n });
    const facts = { ...legs, returned: minus(back, refund.owed), settlementId };
    this.emit("SettlementRefunded", refund, facts);
    return refund;
  }

  /** Fees that stand after an agreement count as if they had gone back with their share. */
  countedOf(settlement: Settlement, isAgreed: boolean): Coins {
    const { holdback, net } = this.givenOf(settlement);
    const { providerShare, total } = settlement;
    const stands = isAgreed ? perDenom(per, plus(holdback, net), total, providerShare) : [];
    const all = [settlement.counted, this.givenBy(settlement), stands];
    return perDenom((...amounts) => amounts.reduce(higher), ...all);
  }

  /** A payout that a refund takes whole before it is paid is held first. */
  holdAll(refundId: string, { net, holdback }: Legs, payout: Row<"payout"> | undefined): void {
    const { status, unpaid, kept } = payout ?? { status: "", unpaid: [], kept: [] };
    const isAll = covers(net, unpaid) && covers(holdback, kept);
    const isHere = unpaid.length + kept.length > 0 && ["pending", "failed"].includes(status);
    if (payout === undefined || !isAll || !isHere) return;
    const held = { status: "held", holdReason: refundId, dueAtNs: 0n, nextAttemptHeight: 0n };
    this.log(payout, "held", { reason: refundId }, held);
  }

  /** From the account that has it, the payout's before the provider's; else it is owed. */
  payLeg(refund: Refund, { payoutSeq }: Settlement, leg: Leg, amount: Coins): void {
    const { seq: refundSeq, id: refundId, escrowSeq } = refund;
    const { depositor: creditor, recipient } = this.escrowOf(refund);
    const payout = this.nth("payout", payoutSeq);
    const isShare = leg === "net" || leg === "holdback";
    const debtor = isShare ? recipient : this.at(`settlement_${snake(leg)}`);
    const { unpaid, kept } = (isShare && payout) || { unpaid: [], kept: [] };
    const here = least(leg === "net" ? unpaid : kept, amount);
    const rest = minus(amount, here);
    const has = isShare && !this.canBePaid(recipient) ? [] : this.coinsOf(debtor).coins;
    const owed = rest.filter((each) => !covers(has, [each]));
    const paid = minus(rest, owed);
    this.move("settlement", creditor, here);
    this.move(debtor, creditor, paid);
    if (payout !== undefined && isShare && here.length + paid.length > 0) {
      const reversed = leg === "net" ? "reversedNet" : "reversedHoldback";
      this.change(payout, { [reversed]: plus(payout[reversed], here) });
      const step = { amount: plus(here, paid), reason: refundId };
      const parts: [Coins, Coins] = leg === "net" ? [here, []] : [[], here];
      this.take(payout, step, ...parts, { dueAtNs: 0n });
    }
    if (owed.length === 0) return;
    const of = { refundSeq, escrowSeq, leg: snake(leg), debtor, creditor, amount: owed };
    const receivable = this.add("receivable", of);
    this.change(refund, { owed: plus(refund.owed, owed) });
    this.emit("ReceivableBooked", receivable, { refundId });
  }

  cancelRewards({ distributionSeq, counted, total }: Settlement, refundId: string): Coins {
    const entries = this.tables.entry.filter((entry) => {
      return entry.distributionSeq === distributionSeq && !entry.isGone && !this.isLapsed(entry);
    });
    const cancels = entries.map((entry) => {
      const { amount: left, cancelled: was, address, minted } = entry;
      const of = (now: bigint, before: bigint, back: bigint, all: bigint) =>
        higher(per(now + before, back, all) - before, 0n);
      const cancel = perDenom(of, left, was, counted, total);
      if (cancel.length === 0) return cancel;
      const amount = minus(left, cancel);
      const isGone = amount.length === 0;
      this.change(entry, { amount, cancelled: plus(was, cancel), isGone });
      const claimable = this.claimableOf(address);
      const cancelled = plus(claimable.cancelled, cancel);
      const sums = { claimable: minus(claimable.claimable, cancel), cancelled };
      this.change(claimable, { ...sums, updatedAtNs: this.now });
      this.move("rewards", minted ? "" : "reward_pool", cancel);
      return cancel;
    });
    const amount = plus(...cancels);
    const address = entries[0]?.address;
    if (amount.length > 0) this.emit("RewardsCancelled", undefined, { refundId, address, amount });
    return amount;
  }

  MsgPayReceivable({ sender: payer, receivableId, ...of }: own.MsgPayReceivable): void {
    const receivable = this.find("receivable", receivableId, 1551);
    const { creditor, amount: all, paid } = receivable;
    const owed = minus(all, paid);
    const amount = of.amount.length === 0 ? owed : plus(of.amount);
    refuse([1505, payer === creditor], [1522, owed.length === 0 || !covers(owed, amount)]);
    this.move(payer, creditor, amount);
    this.change(receivable, { paid: plus(paid, amount) });
    this.emit("ReceivablePaid", receivable, { payer, amount, owed: minus(owed, amount) });
  }
}
