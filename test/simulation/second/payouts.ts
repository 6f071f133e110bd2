import type * as own from "../../../src/gen/settled/settlement/v1/tx.ts";
import type { Coin } from "../../../src/gen/cosmos/base/v1beta1/coin.ts";
import { State } from "./state.ts";
import type { Row, Escrow, Settlement, Payout } from "./records.ts";
import * as rules from "./rules.ts";
import { SECOND, refuse, perDenom, plus, minus, least, covers, share } from "./rules.ts";

// The second model: payouts and invoices.

export class Payouts extends State {
  payOut(
    escrow: Escrow,
    of: { readonly settlementSeq?: bigint; readonly invoiceSeq: bigint },
    parts: { gross: Coin[]; platformFee: Coin[]; validatorFee: Coin[]; holdback: Coin[] },
  ): Payout {
    const net = minus(parts.gross, parts.platformFee, parts.validatorFee, parts.holdback);
    const { payoutDelay, disputeWindowDuration } = this.params;
    const dueAtNs = payoutDelay === 0n ? 0n : this.now + payoutDelay * SECOND;
    const hasHoldback = parts.holdback.length > 0;
    const holdbackDueAtNs = hasHoldback ? this.now + disputeWindowDuration * SECOND : 0n;
    const times = { createdAtNs: this.now, dueAtNs, holdbackDueAtNs, status: "pending" };
    const here = { net, unpaid: net, kept: parts.holdback };
    const payout = this.add("payout", {
      ...of,
      ...parts,
      ...times,
      ...here,
      escrowSeq: escrow.seq,
    });
    if (of.settlementSeq !== undefined) {
      this.change(this.tables.settlement[Number(of.settlementSeq) - 1] as Settlement, {
        payoutSeq: payout.seq,
      });
    }
    if (payoutDelay === 0n) this.pay(payout);
    else
      this.emit("PayoutPending", payout, {
        settlementId: this.idOf("settlement", payout.settlementSeq),
        netAmount: net,
      });
    return payout;
  }

  /** Pays what is unpaid of the net. */
  pay(payout: Payout): void {
    const attempts = payout.attempts + 1;
    this.change(payout, {
      attempts,
      lastAttemptAtNs: this.now,
      processedAtNs: this.now,
      nextAttemptHeight: 0n,
    });
    const { recipient } = this.escrowOf(payout);
    if (!this.canBePaid(recipient))
      return this.fail(
        payout,
        { status: "failed", dueAtNs: 0n },
        this.params.maxPayoutRetries || 3,
      );
    this.move(this.at("settlement"), recipient, payout.unpaid);
    const netAmount = payout.unpaid;
    this.change(payout, {
      status: "completed",
      completedAtNs: this.now,
      unpaid: [],
      dueAtNs: 0n,
      lastError: "",
    });
    const ids = {
      settlementId: this.idOf("settlement", payout.settlementSeq),
      invoiceId: this.idOf("invoice", payout.invoiceSeq),
    };
    this.emit("PayoutCompleted", payout, { ...ids, netAmount, paid: netAmount });
  }

  fail(payout: Payout, fields: Partial<Payout>, most: number): void {
    const { attempts } = payout;
    const nextAttemptHeight = attempts > most ? 0n : this.height + 2n ** BigInt(attempts);
    this.change(payout, { ...fields, nextAttemptHeight });
    this.emit("PayoutFailed", payout, { nextAttemptHeight: nextAttemptHeight || "", paid: [] });
  }

  /** Gives the holdback to the provider. */
  payHoldback(payout: Payout): void {
    const { recipient } = this.escrowOf(payout);
    const { kept: amount } = payout;
    if (!this.canBePaid(recipient)) {
      this.change(payout, { attempts: payout.attempts + 1 });
      return this.fail(payout, { lastAttemptAtNs: this.now }, Number.POSITIVE_INFINITY);
    }
    this.move(this.at("settlement"), recipient, amount);
    this.change(payout, {
      kept: [],
      lastAttemptAtNs: this.now,
      holdbackDueAtNs: 0n,

      holdbackReleased: plus(payout.holdbackReleased, amount),
      holdbackHeld: false,
      nextAttemptHeight: 0n,
    });
    this.emit("HoldbackReleased", payout, { amount, paid: amount });
  }

  MsgHoldPayout({ sender, payoutId, reason }: own.MsgHoldPayout): void {
    refuse([1505, sender !== this.params.authority]);
    const payout = this.find("payout", payoutId, 1531);
    const isHeld = payout.status === "held" || payout.holdbackHeld;
    refuse([1534, isHeld && !payout.heldByDispute]);
    refuse([1503, !this.hold(payout, reason, payout.heldByDispute ? {} : { dueAtNs: 0n })]);
    this.change(payout, { heldByDispute: false });
    this.emit("PayoutHeld", payout, { reason, disputeId: "" });
  }

  /** @returns whether anything of it can be held */
  hold(payout: Payout, holdReason: string, due: Partial<Payout> = {}): boolean {
    const isOpen = ["pending", "failed", "held"].includes(payout.status);
    if (isOpen ? plus(payout.unpaid, payout.kept).length === 0 : payout.kept.length === 0)
      return false;
    this.change(payout, {
      holdReason,
      nextAttemptHeight: 0n,
      ...(isOpen ? { status: "held", ...due } : { holdbackHeld: true }),
    });
    return true;
  }

  MsgReleasePayout({ sender, payoutId }: own.MsgReleasePayout): void {
    refuse([1505, sender !== this.params.authority]);
    const payout = this.find("payout", payoutId, 1531);
    const isOpen = ["pending", "failed", "held"].includes(payout.status);
    refuse([1503, !isOpen && payout.kept.length === 0]);
    refuse([1535, this.escrowOf(payout).status === "disputed" || payout.openDisputes > 0]);
    const wasHeld = payout.status === "held" || payout.holdbackHeld;
    this.change(payout, { holdReason: "", holdbackHeld: false });
    if (wasHeld) this.emit("PayoutReleased", payout);
    if (isOpen) this.pay(payout);
    else this.payHoldback(payout);
  }

  MsgRefundPayout({ sender, payoutId, amount: asked, reason }: own.MsgRefundPayout): void {
    refuse([1505, sender !== this.params.authority]);
    const payout = this.find("payout", payoutId, 1531);
    const escrow = this.escrowOf(payout);
    const held = payout.status === "held" ? plus(payout.unpaid, payout.kept) : payout.kept;
    const amount = asked.length === 0 ? held : plus(asked);
    refuse(
      [1503, payout.status !== "held" && !payout.holdbackHeld],
      [1535, escrow.status === "disputed" || payout.openDisputes > 0],
      [1504, !covers(held, amount)],
      [1537, !this.canBePaid(escrow.depositor)],
    );
    const ofHoldback = least(payout.kept, amount);
    const ofNet = minus(amount, ofHoldback);
    this.move(this.at("settlement"), escrow.depositor, amount);
    const left = { kept: minus(payout.kept, ofHoldback), unpaid: minus(payout.unpaid, ofNet) };
    this.change(payout, { ...left, refunded: plus(payout.refunded, amount) });
    this.endPayout(payout);
    this.emit("PayoutRefunded", payout, { customer: escrow.depositor, amount, reason });
  }

  /** A payout of which nothing is here any more. */
  endPayout(payout: Payout, reason = ""): void {
    const { status, unpaid, kept } = payout;
    if (kept.length === 0) this.change(payout, { holdbackHeld: false, holdbackDueAtNs: 0n });
    if (kept.length === 0 && status === "completed") this.change(payout, { nextAttemptHeight: 0n });
    if (unpaid.length > 0 || kept.length > 0) return;
    if (status !== "completed")
      this.change(payout, {
        status: "refunded",
        nextAttemptHeight: 0n,
        dueAtNs: reason === "" ? payout.dueAtNs : 0n,
        holdReason: payout.holdReason || reason,
      });
  }

  payWhenDue(payout: Payout): void {
    const { status, nextAttemptHeight, dueAtNs, kept, holdbackDueAtNs, holdbackHeld } = payout;
    const isAgain = nextAttemptHeight > 0n && this.height >= nextAttemptHeight;
    const isNet = (status === "pending" && this.now >= dueAtNs) || (status === "failed" && isAgain);
    const isKept = status === "completed" && kept.length > 0 && !holdbackHeld;
    const isHoldback = isKept && (nextAttemptHeight > 0n ? isAgain : this.now >= holdbackDueAtNs);
    if (!isNet && !isHoldback) return;
    const escrow = this.escrowOf(payout);
    if (escrow.status === "disputed") {
      const lasted = this.now - escrow.disputedAtNs;
      const wait = lasted < 60n * SECOND ? 60n * SECOND : rules.lower(lasted, 3600n * SECOND);
      const until = this.now + wait;
      const later = isNet ? { dueAtNs: until } : { holdbackDueAtNs: until };
      this.change(payout, isAgain ? { nextAttemptHeight: this.height + 60n } : later);
      return this.emit("PayoutPostponed", payout, {
        until: isAgain ? "" : until / SECOND,
        untilHeight: isAgain ? this.height + 60n : "",
      });
    }
    if (isNet) this.pay(payout);
    else this.payHoldback(payout);
  }

  MsgWithdrawFees({ sender, account, recipient, amount }: own.MsgWithdrawFees): void {
    refuse([1505, sender !== this.params.authority]);
    const isKnown = ["platform_fee", "validator_fee", "tax"].includes(account);
    refuse([1521, !isKnown || !this.canBePaid(recipient)]);
    this.move(this.at(`settlement_${account}`), recipient, plus(amount));
    const before = this.withdrawn.get(account) ?? [];
    this.withdrawn.set(account, plus(before, amount));
    this.undos.push(() => this.withdrawn.set(account, before));
    const { coins } = this.coinsOf(this.at(`settlement_${account}`));
    const balance = coins.filter(({ denom }) => amount.some((each) => each.denom === denom));
    this.emit("FeesWithdrawn", undefined, { account, recipient, amount: plus(amount), balance });
  }

  seriesOf(provider: string): Row<"series"> {
    const found = this.tables.series.find((each) => each.provider === provider);
    return found ?? this.add("series", { provider, next: 1n, nextCreditNote: 0n });
  }

  issue(
    escrow: Escrow,
    settlement: {
      total: Coin[];
      tax: Coin[];
      settlementSeq: bigint;
      periodStart: bigint;
      periodEnd: bigint;
    },
    bill: ReturnType<State["bill"]>,
    lineCount: number,
  ) {
    const { terms, isWithin, costs, charge, given } = bill;
    const { taxRounding } = this.params;
    const net = perDenom((all = 0n) => rules.fitting(terms?.tax, all, all, taxRounding), charge);
    const tax = isWithin ? minus(charge, net) : bill.tax;
    const amountPaid = plus(settlement.total, settlement.tax);
    const amountDue = minus(charge, amountPaid);
    const isPaid = amountDue.length === 0;
    const status = isPaid ? "paid" : amountPaid.length > 0 ? "partially_paid" : "pending";
    const series = this.seriesOf(escrow.recipient);
    const { periodStart, periodEnd, settlementSeq } = settlement;
    const discounts = given.flatMap((amount, at) => {
      const { kind = "", description = "" } = terms?.discounts[at] ?? {};
      return amount.length > 0 ? [{ kind, description, amount }] : [];
    });
    const dueAtNs = this.now + this.params.invoiceDueAfter * SECOND;
    const times = {
      issuedAtNs: this.now,
      dueAtNs,
      paidAtNs: isPaid ? this.now : 0n,
      periodStart,
      periodEnd,
    };
    const sums = { subtotal: costs, discounts, tax, total: charge, amountPaid, amountDue };
    const of = { settlementSeq, escrowSeq: escrow.seq, number: series.next, lineCount };
    const rest = { taxPaid: settlement.tax, taxTerms: terms?.tax };
    const invoice = this.add("invoice", { ...of, ...sums, ...times, ...rest, status });
    this.change(series, { next: series.next + 1n });
    this.emit("InvoiceIssued", invoice, { settlementId: this.idOf("settlement", settlementSeq) });
    return invoice;
  }

  MsgPayInvoice({ sender, invoiceId, amount: asked }: own.MsgPayInvoice): void {
    const invoice = this.find("invoice", invoiceId, 1549);
    const { amountDue, total, tax, taxPaid } = invoice;
    refuse([1503, amountDue.length === 0]);
    const amount = asked.length === 0 ? amountDue : plus(asked);
    refuse([1522, !covers(amountDue, amount)]);
    refuse([1504, !covers(this.coinsOf(sender).coins, amount)]);
    const amountPaid = plus(invoice.amountPaid, amount);
    const taxNow = perDenom(
      (paid = 0n, of = 0n, all = 0n, before = 0n, now = 0n) => {
        const due = all === 0n || now === 0n ? 0n : (paid * of) / all - before;
        return due > 0n ? due : 0n;
      },
      amountPaid,
      tax,
      total,
      taxPaid,
      amount,
    );
    const gross = minus(amount, taxNow);
    const { platformFee, validatorFee } = this.feesOf(gross);
    this.moveFees(sender, platformFee, validatorFee, taxNow);
    this.move(sender, this.at("settlement"), minus(gross, platformFee, validatorFee));
    const left = minus(amountDue, amount);
    const status = left.length === 0 ? "paid" : "partially_paid";
    const paidAtNs = left.length === 0 ? this.now : 0n;
    this.change(invoice, {
      amountPaid,
      amountDue: left,
      taxPaid: plus(taxPaid, taxNow),
      status,
      paidAtNs,
    });
    const escrow = this.escrowOf(invoice);
    const payout =
      gross.length === 0
        ? undefined
        : this.payOut(
            escrow,
            { invoiceSeq: invoice.seq },
            {
              gross,
              platformFee,
              validatorFee,
              holdback: share(gross, rules.rateOf(this.params.payoutHoldbackRate, "0")),
            },
          );
    const parts = {
      providerShare: minus(gross, platformFee, validatorFee),
      platformFee,
      validatorFee,
    };
    this.emit("InvoicePaid", invoice, {
      payer: sender,
      payoutId: payout?.id ?? "",
      amount,
      ...parts,
      tax: taxNow,
    });
  }

  /** Nothing is due of it any more. */
  endInvoice(invoice: Row<"invoice">): void {
    const { amountPaid, credited } = invoice;
    const isPaid = amountPaid.length > 0;
    const isBack = isPaid && minus(amountPaid, credited).length === 0;
    const status = isBack ? "refunded" : isPaid ? "paid" : "cancelled";
    this.change(invoice, { status, paidAtNs: isPaid ? invoice.paidAtNs || this.now : 0n });
  }

  MsgVoidInvoice({ sender, invoiceId, reason }: own.MsgVoidInvoice): void {
    const invoice = this.find("invoice", invoiceId, 1549);
    const isOpen = ["pending", "overdue"].includes(invoice.status);
    refuse([1505, sender !== this.escrowOf(invoice).recipient]);
    refuse([1503, invoice.amountPaid.length > 0 || !isOpen]);
    const amount = invoice.amountDue;
    this.change(invoice, { status: "cancelled", amountDue: [], voidReason: reason });
    this.emit("InvoiceVoided", invoice, { amount, reason });
  }

  MsgCreditInvoice({ sender, invoiceId, amount, reason }: own.MsgCreditInvoice): void {
    const invoice = this.find("invoice", invoiceId, 1549);
    const { recipient, depositor } = this.escrowOf(invoice);
    refuse(
      [1505, sender !== recipient],
      [1503, ["cancelled", "refunded"].includes(invoice.status)],
      [1536, invoice.amountPaid.length === 0],
      [1522, !covers(minus(invoice.amountPaid, invoice.credited), plus(amount))],
    );
    this.move(sender, depositor, plus(amount));
    this.credit(invoice, plus(amount), reason);
  }

  credit(invoice: Row<"invoice">, amount: Coin[], reason: string): Row<"creditNote"> {
    const series = this.seriesOf(this.escrowOf(invoice).recipient);
    const facts = { number: series.nextCreditNote || 1n, invoiceSeq: invoice.seq, amount, reason };
    const note = this.add("creditNote", { ...facts, issuedAtNs: this.now }, "credit");
    this.change(series, { nextCreditNote: (series.nextCreditNote || 1n) + 1n });
    this.change(invoice, { credited: plus(invoice.credited, amount) });
    if (invoice.status === "paid") this.endInvoice(invoice);
    this.emit("InvoiceCredited", invoice, {
      creditNoteId: note.id,
      creditNoteNumber: `CN-${`${note.number}`.padStart(6, "0")}`,
      amount,
      reason,
    });
    return note;
  }
}
