import type * as own from "../../../src/gen/settled/settlement/v1/tx.ts";
import type { Coin } from "../../../src/gen/cosmos/base/v1beta1/coin.ts";
import { UsageRecords } from "./usage.ts";
import {
  LEGS,
  by,
  snake,
  isSame,
  legsTotal,
  type Row,
  type Escrow,
  type Usage,
  type Settlement,
  type Leg,
} from "./records.ts";
import * as rules from "./rules.ts";
import {
  SECOND,
  ONE,
  refuse,
  amountOf,
  perDenom,
  plus,
  minus,
  least,
  coin,
  covers,
} from "./rules.ts";

// The second model: disputes of records, and refunds of settlements.

export class Disputes extends UsageRecords {
  MsgDisputeUsage({ sender, usageId, reason, evidenceHash }: own.MsgDisputeUsage): void {
    const usage = this.find("usage", usageId, 1513);
    const escrow = this.escrowOf(usage);
    const window = this.params.disputeWindowDuration * SECOND;
    const isOpen = usage.status === "open";
    const invoice = this.tables.invoice[Number(usage.invoiceSeq) - 1];
    const settledAtNs = this.settlementOf(usage)?.settledAtNs ?? invoice?.issuedAtNs ?? 0n;
    refuse(
      [1505, sender !== escrow.depositor],
      [1535, usage.disputed],
      [1503, usage.disputeSeq > 0n],
      [1515, !isOpen && (usage.status !== "settled" || this.now > settledAtNs + window)],
      [1518, isOpen && this.isPast(escrow)],
      [1503, window === 0n],
    );
    const { charge } = this.bill(escrow, [usage]);
    const reserved = isOpen
      ? amountOf(least(charge, minus(escrow.balance, escrow.reserved)), usage.denom)
      : 0n;
    const of = { usageSeq: usage.seq, escrowSeq: escrow.seq, reason, evidenceHash, reserved };
    const times = {
      openedAtNs: this.now,
      expiresAtNs: this.now + window,
      afterSettlement: !isOpen,
    };
    const dispute = this.add("dispute", { ...of, ...times, status: "open" });
    this.change(usage, { disputed: true, disputeSeq: dispute.seq });
    if (isOpen) this.reserve(escrow, 1, coin(usage.denom, reserved));
    this.emit("UsageDisputed", dispute, { usageId, reason });
    const payout = this.payoutOf(usage);
    if (isOpen || payout === undefined) return;
    this.change(payout, { openDisputes: payout.openDisputes + 1, disputeSeq: dispute.seq });
    const isHeld = payout.status === "held" || payout.holdbackHeld;
    if (isHeld || !this.hold(payout, dispute.id)) return;
    this.change(payout, { heldByDispute: true });
    this.emit("PayoutHeld", payout, { disputeId: dispute.id, reason: dispute.id });
  }

  reserve(escrow: Escrow, count: number, amount: Coin[]): void {
    const reserved = count > 0 ? plus(escrow.reserved, amount) : minus(escrow.reserved, amount);
    this.change(escrow, { openDisputes: escrow.openDisputes + count, reserved });
  }

  MsgResolveDispute({
    sender,
    disputeId,
    resolution: wish,
    usageUnits,
    unitPrice,
  }: own.MsgResolveDispute): void {
    const dispute = this.find("dispute", disputeId, 1550);
    const usage = this.tables.usage[Number(dispute.usageSeq) - 1] as Usage;
    const escrow = this.escrowOf(dispute);
    const isUndecided = ["open", "reviewing"].includes(dispute.status);
    refuse([1505, !this.isParty(sender, escrow)]);
    refuse([1503, !isUndecided || this.now >= dispute.expiresAtNs]);
    const isAmended = wish === "amended";
    const price = BigInt(unitPrice?.amount ?? usage.unitPrice);
    const cost = (price * usageUnits) / ONE;
    const isRight =
      usageUnits > 0n && (unitPrice?.denom ?? usage.denom) === usage.denom && cost < usage.cost;
    refuse([1512, isAmended && !isRight]);
    const terms = isAmended
      ? { units: usageUnits, unitPrice: price }
      : { units: 0n, unitPrice: 0n };
    const resolution = { status: wish, ...terms, atNs: this.now };
    const { depositor, recipient } = escrow;
    const other = sender === depositor ? dispute.providerProposal : dispute.customerProposal;
    const isParty =
      sender !== this.params.authority && (sender === depositor || sender === recipient);
    const isAgreed =
      other !== undefined && isSame({ ...other, atNs: 0n }, { ...resolution, atNs: 0n });
    const facts = {
      usageId: usage.id,
      resolution: wish,
      ...this.newTerms(usage, terms),
      proposedBy: sender,
    };
    if (isParty && !isAgreed) {
      const proposal =
        sender === depositor ? { customerProposal: resolution } : { providerProposal: resolution };
      this.change(dispute, { status: "reviewing", ...proposal });
      return this.emit("DisputeProposed", dispute, facts);
    }
    this.decide(dispute, usage, { resolution, decidedBy: sender, isAgreed: isParty });
  }

  /** Units and price of an amendment as its events show them. */
  newTerms({ denom }: Usage, { units, unitPrice }: { units: bigint; unitPrice: bigint }) {
    if (units === 0n) return { usageUnits: "", unitPrice: "" };
    return { usageUnits: units, unitPrice: rules.priceText({ denom, amount: `${unitPrice}` }) };
  }

  decide(
    dispute: Row<"dispute">,
    usage: Usage,
    {
      resolution,
      decidedBy,
      isAgreed,
    }: {
      resolution: NonNullable<Row<"dispute">["resolution"]>;
      decidedBy: string;
      isAgreed: boolean;
    },
  ): void {
    const { units, unitPrice, status } = resolution;
    this.endDispute(dispute, usage, { status, resolution, decidedBy });
    const news = { units, unitPrice, denom: usage.denom, cost: (unitPrice * units) / ONE };
    const result = {
      amendedUsageId: "",
      refundId: "",
      refundedAmount: [] as Coin[],
      waivedAmount: [] as Coin[],
    };
    if (dispute.afterSettlement && status !== "rejected") {
      Object.assign(result, this.undo(usage, dispute, news.cost, isAgreed));
    } else if (status === "accepted") this.writeOff(usage);
    else if (status === "amended") {
      const amended = this.replace(usage, news, isAgreed);
      this.change(dispute, { amendedSeq: amended.seq });
      this.change(amended, { disputeSeq: dispute.seq });
      result.amendedUsageId = amended.id;
      this.countUnits(this.escrowOf(usage), units - usage.units);
      this.emitCorrected(usage, amended, dispute.id);
      this.flag(amended);
    }
    const facts = {
      usageId: usage.id,
      resolution: status,
      ...this.newTerms(usage, resolution),
      resolvedBy: decidedBy,
    };
    this.freePayout(dispute, usage);
    this.emit("DisputeResolved", dispute, { ...facts, ...result });
  }

  /** What every end of a dispute does: reserved coins and the payout are free again. */
  endDispute(dispute: Row<"dispute">, usage: Usage, fields: Partial<Row<"dispute">>): void {
    this.change(dispute, { ...fields, closedAtNs: this.now });
    this.change(usage, { disputed: false });
    if (!dispute.afterSettlement) {
      this.reserve(this.escrowOf(dispute), -1, coin(usage.denom, dispute.reserved));
    }
  }

  /** After its last dispute a payout waits for its own time again. */
  freePayout(dispute: Row<"dispute">, usage: Usage): void {
    const payout = this.payoutOf(usage);
    if (payout === undefined || !dispute.afterSettlement) return;
    this.change(payout, { openDisputes: payout.openDisputes - 1 });
    if (payout.openDisputes > 0 || !payout.heldByDispute) return;
    const isHeld = payout.status === "held";
    this.change(payout, {
      status: isHeld ? "pending" : payout.status,
      ...{ heldByDispute: false, holdbackHeld: false, holdReason: "" },
    });
    if (payout.status === "pending" || payout.kept.length > 0) this.emit("PayoutReleased", payout);
  }

  /** What a settled record was charged beyond its share of another cost: of what is unpaid first. */
  differenceOf(usage: Usage, cost: bigint) {
    const { denom, settledAmount: paid } = usage;
    const invoice = this.tables.invoice[Number(usage.invoiceSeq) - 1];
    const [total, tax, due, settled] = [
      ...[invoice?.total, invoice?.tax, invoice?.amountDue, this.settlementOf(usage)?.total],
    ].map((coins) => amountOf(coins ?? [], denom)) as [bigint, bigint, bigint, bigint];
    const net = total - tax;
    const price = usage.cost - usage.discount;
    const isWithin = invoice?.taxTerms?.mode === "inclusive";
    const charged = isWithin && total > 0n ? (price * net) / total : price;
    const unpaid = charged > paid ? rules.lower(charged - paid, net - settled) : 0n;
    const most = invoice === undefined ? paid : paid + unpaid;
    const off = most - (usage.cost === 0n ? 0n : (most * cost) / usage.cost);
    const waived = rules.lower(off, most - paid);
    const taxed = net === 0n ? waived : waived + (waived * tax) / net;
    const isAll = total > 0n && waived >= (due * net) / total;
    const waivedAmount = coin(denom, isAll ? due : rules.lower(taxed, due));
    return { amount: coin(denom, off - waived), waivedAmount };
  }

  /** A decision against a settled record: the difference goes back, or is no longer due. */
  undo(usage: Usage, dispute: Row<"dispute">, cost: bigint, isAgreed: boolean) {
    const settlement = this.settlementOf(usage);
    const invoice = this.tables.invoice[Number(usage.invoiceSeq) - 1];
    const { amount, waivedAmount } = this.differenceOf(usage, cost);
    if (invoice !== undefined && waivedAmount.length > 0) {
      const amountDue = minus(invoice.amountDue, waivedAmount);
      this.change(invoice, { waived: plus(invoice.waived, waivedAmount), amountDue });
      if (amountDue.length === 0) this.endInvoice(invoice);
    }
    if (amount.length === 0 || settlement === undefined) return { waivedAmount };
    const left = minus(settlement.total, legsTotal(this.givenOf(settlement)));
    const most = invoice && minus(invoice.amountPaid, invoice.credited);
    const back = this.refundable(settlement, least(amount, left), most);
    if (back.length === 0) return { waivedAmount };
    const refund = this.refund(settlement, back, {
      reason: dispute.id,
      initiator: dispute.decidedBy,
      dispute,
      isAgreed,
    });
    if (refund === undefined) return { waivedAmount };
    this.change(dispute, { refundSeq: refund.seq });
    return {
      waivedAmount,
      refundId: refund.id,
      refundedAmount: refund.amount,
    };
  }

  MsgRefundSettlement({
    sender,
    settlementId,
    amount: asked,
    reason,
  }: own.MsgRefundSettlement): void {
    refuse([1505, sender !== this.params.authority]);
    const settlement = this.find("settlement", settlementId, 1507);
    const left = minus(settlement.total, legsTotal(this.givenOf(settlement)));
    refuse([1506, settlement.type === "refund" || left.length === 0]);
    const invoice = this.tables.invoice[Number(settlement.invoiceSeq) - 1];
    const most = invoice && minus(invoice.amountPaid, invoice.credited);
    const amount = asked.length === 0 ? this.refundable(settlement, left, most) : plus(asked);
    refuse([1506, amount.length === 0]);
    refuse(
      [1522, !covers(left, amount)],
      [1537, !this.canBePaid(this.escrowOf(settlement).depositor)],
    );
    this.refund(settlement, amount, {
      reason,
      initiator: sender,
      dispute: undefined,
      isAgreed: false,
    });
  }

  /** What is left to refund: what the invoice has not credited, less the tax that is left on it. */
  refundable(settlement: Settlement, left: Coin[], most: Coin[] | undefined): Coin[] {
    if (most === undefined) return left;
    const taxLeft = minus(settlement.tax, settlement.refunded?.tax ?? []);
    return perDenom(
      (of = 0n, all = 0n, tax = 0n) => (all > tax ? rules.lower(of, all - tax) : 0n),
      left,
      most,
      taxLeft,
    );
  }

  /** README, "Refund of a settlement": what each part gives of an amount. */
  legsOf(settlement: Settlement, amount: Coin[], own?: Coin[]): Record<Leg, Coin[]> {
    const { platformFee, validatorFee, providerShare, total, tax } = settlement;
    const before = this.givenOf(settlement);
    const holdback = this.tables.payout[Number(settlement.payoutSeq) - 1]?.holdback ?? [];
    const net = minus(providerShare, holdback);
    const [back, of] =
      own === undefined
        ? [plus(legsTotal(before), amount), total]
        : [plus(before.holdback, before.net, own), providerShare];
    const given = (part: Coin[], was: Coin[]) =>
      perDenom(
        (all = 0n, of = 0n, whole = 0n, gave = 0n) => {
          const gives = whole === 0n ? 0n : (all * of) / whole - gave;
          return gives > 0n ? gives : 0n;
        },
        back,
        part,
        of,
        was,
      );
    const legs: Record<Leg, Coin[]> = {
      platformFee: [],
      validatorFee: [],
      holdback: [],
      net: [],
      tax: [],
    };
    legs.tax = given(tax, before.tax).filter(({ denom }) => amountOf(amount, denom) > 0n);
    let rest = own ?? amount;
    const give = (leg: Leg, wanted: Coin[]) => {
      const gives = least(wanted, rest);
      legs[leg] = plus(legs[leg], gives);
      rest = minus(rest, gives);
    };
    if (own === undefined) {
      give("platformFee", given(platformFee, before.platformFee));
      give("validatorFee", given(validatorFee, before.validatorFee));
    }
    give("holdback", given(holdback, before.holdback));
    give("net", minus(net, before.net));
    give("holdback", minus(holdback, before.holdback, legs.holdback));
    if (own !== undefined) return legs;
    give("validatorFee", minus(validatorFee, before.validatorFee, legs.validatorFee));
    give("platformFee", minus(platformFee, before.platformFee, legs.platformFee));
    return legs;
  }

  /** @returns nothing when the parts that give have nothing to give */
  refund(
    settlement: Settlement,
    amount: Coin[],
    by: {
      reason: string;
      initiator: string;
      dispute: Row<"dispute"> | undefined;
      isAgreed: boolean;
    },
  ): Row<"refund"> | undefined {
    const { providerShare, total } = settlement;
    const own = perDenom(
      (part = 0n, of = 0n, all = 0n) => (all === 0n ? 0n : (part * of) / all),
      amount,
      providerShare,
      total,
    );
    const legs = this.legsOf(settlement, amount, by.isAgreed ? own : undefined);
    const invoice = this.tables.invoice[Number(settlement.invoiceSeq) - 1];
    const back = plus(...Object.values(legs));
    if (back.length === 0) return undefined;
    if (invoice !== undefined)
      refuse([1522, !covers(minus(invoice.amountPaid, invoice.credited), back)]);
    const escrow = this.escrowOf(settlement);
    const of = {
      settlementSeq: settlement.seq,
      escrowSeq: escrow.seq,
      disputeSeq: by.dispute?.seq ?? 0n,
    };
    const { reason, initiator } = by;
    const sum = minus(back, legs.tax);
    const refund = this.add("refund", {
      ...of,
      amount: sum,
      legs,
      reason,
      initiator,
      refundedAtNs: this.now,
    });
    for (const leg of LEGS) this.payLeg(refund, settlement, leg);
    const before = settlement.refunded as Record<Leg, Coin[]>;
    const after = LEGS.map((leg) => [leg, plus(before[leg], legs[leg])]);
    this.change(settlement, { refunded: Object.fromEntries(after) });
    const given = this.givenOf(settlement);
    const stands = perDenom(
      (part = 0n, of = 0n, all = 0n) => (of === 0n ? 0n : (part * all) / of),
      ...[by.isAgreed ? plus(given.holdback, given.net) : [], providerShare, total],
    );
    const counted = perDenom(
      (...amounts) => amounts.reduce((a, b) => (a > b ? a : b), 0n),
      ...[settlement.counted, legsTotal(given), stands],
    );
    this.change(settlement, { counted });
    const rewardsCancelled = this.cancelRewards(settlement, refund);
    const creditNote = invoice === undefined ? undefined : this.credit(invoice, back, reason);
    this.change(refund, { rewardsCancelled, creditNoteSeq: creditNote?.seq ?? 0n });
    const returned = minus(back, refund.owed);
    const ids = { settlementId: settlement.id, refundId: refund.id };
    const facts = { ...legs, amount: sum, returned, ...ids };
    this.emit("SettlementRefunded", refund, facts);
    return refund;
  }

  /** From the account that has it, the payout's before the provider's; else it is owed. */
  payLeg(refund: Row<"refund">, settlement: Settlement, leg: Leg): void {
    const amount = (refund.legs as Record<Leg, Coin[]>)[leg];
    const { depositor, recipient } = this.escrowOf(refund);
    const payout = this.tables.payout[Number(settlement.payoutSeq) - 1];
    const accounts = {
      platformFee: "settlement_platform_fee",
      validatorFee: "settlement_validator_fee",
      tax: "settlement_tax",
    };
    const account = leg === "net" || leg === "holdback" ? recipient : this.at(accounts[leg]);
    let rest = amount;
    if (payout !== undefined && (leg === "net" || leg === "holdback")) {
      const here = least(leg === "net" ? payout.unpaid : payout.kept, amount);
      rest = minus(amount, here);
      this.move(this.at("settlement"), depositor, here);
      this.change(
        payout,
        leg === "net"
          ? { unpaid: minus(payout.unpaid, here), reversedNet: plus(payout.reversedNet, here) }
          : {
              kept: minus(payout.kept, here),
              reversedHoldback: plus(payout.reversedHoldback, here),
            },
      );
      if (here.length > 0) this.endPayout(payout, refund.id);
    }
    const has =
      Object.values(this.modules).includes(recipient) && account === recipient
        ? []
        : this.coinsOf(account).coins;
    const paid = rest.filter((each) => covers(has, [each]));
    const owed = minus(rest, paid);
    this.move(account, depositor, paid);
    if (owed.length === 0) return;
    const of = {
      refundSeq: refund.seq,
      escrowSeq: refund.escrowSeq,
      leg: snake(leg),
      createdAtNs: this.now,
    };
    const receivable = this.add("receivable", {
      ...of,
      debtor: account,
      creditor: depositor,
      amount: owed,
    });
    this.change(refund, { owed: plus(refund.owed, owed) });
    this.emit("ReceivableBooked", receivable, { refundId: refund.id });
  }

  cancelRewards(settlement: Settlement, refund: Row<"refund">): Coin[] {
    const refunded = settlement.counted;
    const entries = this.tables.entry.filter((entry) => {
      return (
        entry.distributionSeq === settlement.distributionSeq &&
        !entry.isGone &&
        !this.isLapsed(entry)
      );
    });
    const amounts = entries.map((entry) => {
      const cancel = perDenom(
        (left = 0n, was = 0n, back = 0n, all = 0n) => {
          return all === 0n ? 0n : ((left + was) * back) / all - was;
        },
        entry.amount,
        entry.cancelled,
        refunded,
        settlement.total,
      );
      if (cancel.length === 0) return cancel;
      const amount = minus(entry.amount, cancel);
      this.change(entry, {
        amount,
        cancelled: plus(entry.cancelled, cancel),
        isGone: amount.length === 0,
      });
      const claimable = this.claimableOf(entry.address);
      const sums = {
        claimable: minus(claimable.claimable, cancel),
        cancelled: plus(claimable.cancelled, cancel),
      };
      this.change(claimable, { ...sums, updatedAtNs: this.now });
      this.move(this.at("rewards"), entry.minted ? "" : this.at("reward_pool"), cancel);
      return cancel;
    });
    const amount = plus(...amounts);
    const address = entries[0]?.address;
    if (amount.length > 0)
      this.emit("RewardsCancelled", undefined, { refundId: refund.id, address, amount });
    return amount;
  }

  MsgPayReceivable({ sender, receivableId, amount: asked }: own.MsgPayReceivable): void {
    const receivable = this.find("receivable", receivableId, 1551);
    const { creditor, amount: all, paid } = receivable;
    const owed = minus(all, paid);
    const amount = asked.length === 0 ? owed : plus(asked);
    refuse([1505, sender === creditor], [1522, owed.length === 0 || !covers(owed, amount)]);
    this.move(sender, creditor, amount);
    this.change(receivable, { paid: plus(paid, amount) });
    this.emit("ReceivablePaid", receivable, { payer: sender, amount, owed: minus(owed, amount) });
  }
}
