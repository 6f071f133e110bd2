import type * as wire from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { failsAlone } from "./model_check.ts";
import { RewardRules, type Taken } from "./model_rewards.ts";
import { type Done, type Escrow, type Facts, need, SECOND } from "./model_state.ts";
import { type Invoice, isTerminal } from "./model_state.ts";
import { type ModelEvent, type ModelMessage, Refusal, type Usage } from "./model_state.ts";
import { type Coins, ids, kindOf, limited, minus, NONE, of, parsed, plus } from "./model_sums.ts";
import { rateOf, seqOf, split, text } from "./model_sums.ts";

// The settlement module again, from its documents alone: plain Maps and BigInt. A comment "no
// document says so" marks what was learnt by comparing.

const PRICE_ONE = 10n ** 18n;

export class Model extends RewardRules {
  /** RULES 14: what is due before the txs. @returns the events */
  begin(timeNs: bigint): readonly ModelEvent[] {
    this.height += 1n;
    this.now = timeNs;
    this.start();
    this.#expireEscrows();
    return this.events;
  }

  /** RULES 34 and 35: what is due after the txs. @returns the events */
  end(): readonly ModelEvent[] {
    this.start();
    this.rewardStaking();
    this.expireRewards();
    this.#overdueInvoices();
    return this.events;
  }

  /** One tx: all its messages happen or none. @returns what each did, or why not */
  deliver(messages: readonly ModelMessage[]): readonly Done[] | Refusal {
    for (const { type, value } of messages) {
      const code = failsAlone(type, value);
      if (code !== undefined) return new Refusal(code, true);
    }
    this.start();
    const done: Done[] = [];
    try {
      for (const message of messages) {
        this.events = [];
        const response = this.#handle(message);
        done.push({ response, events: this.events });
      }
      return done;
    } catch (error) {
      for (const undo of this.undo.reverse()) undo();
      if (error instanceof Refusal) return error;
      throw error;
    }
  }

  /** A new message has its line here. */
  #handle(message: ModelMessage): Facts {
    const value = message.value as never;
    if (message.type === "MsgCreateEscrow") return this.#createEscrow(value);
    if (message.type === "MsgActivateEscrow") return this.#activateEscrow(value);
    if (message.type === "MsgReleaseEscrow") return this.#releaseEscrow(value);
    if (message.type === "MsgRefundEscrow") return this.#refundEscrow(value);
    if (message.type === "MsgDisputeEscrow") return this.#disputeEscrow(value);
    if (message.type === "MsgSettleOrder") return this.#settleOrder(value);
    if (message.type === "MsgRecordUsage") return this.#recordUsage(value);
    if (message.type === "MsgAcknowledgeUsage") return this.#acknowledgeUsage(value);
    if (message.type === "MsgClaimRewards") return this.claimRewards(value);
    throw new Error(`the model has no ${message.type}`);
  }

  // Escrow: RULES 10 to 14.

  #createEscrow(m: wire.MsgCreateEscrow): Facts {
    const amount = parsed(m.amount) as Coins;
    const former = this.newest(m.orderId);
    const isOver = former === undefined || isTerminal(former);
    need(isOver && (former === undefined || this.openOf(former).length === 0), 1502);
    const { min_escrow_duration: least, max_escrow_duration: most } = this.params;
    need(m.expiresIn >= of(least) && m.expiresIn <= of(most), 1500);
    need(this.has(m.sender, amount), 1504);
    const escrow: Escrow = {
      ...{ seq: this.next("escrow"), orderId: m.orderId, leaseId: "", depositor: m.sender },
      ...{ recipient: "", amount, balance: amount, totalSettled: NONE, refunded: NONE },
      ...{ status: "pending", createdAtNs: this.now, activatedAtNs: 0n, closedAtNs: 0n },
      ...{ expiresAtNs: this.now + m.expiresIn * SECOND, closureReason: "", settlementCount: 0n },
      ...{ height: this.height, disputedAtNs: 0n, disputeEvidence: "" },
    };
    this.push(this.escrows, escrow);
    this.move(m.sender, this.module("settlement_escrow"), amount);
    this.emit("EscrowCreated", {
      ...{ escrow_id: ids.escrow(escrow), order_id: m.orderId, depositor: m.sender },
      ...{ amount: text(amount), expires_at: `${escrow.expiresAtNs / SECOND}` },
      block_height: `${this.height}`,
    });
    return { escrowId: ids.escrow(escrow), createdAt: this.seconds };
  }

  #activateEscrow(m: wire.MsgActivateEscrow): Facts {
    const escrow = this.escrowById(m.escrowId);
    need(m.sender === escrow.depositor || m.sender === this.params.authority, 1505);
    need(!this.#isExpired(escrow), 1518);
    need(escrow.status === "pending" && m.recipient !== escrow.depositor, 1503);
    need(!Object.values(this.modules).includes(m.recipient), 1521);
    this.set(escrow, { status: "active", recipient: m.recipient, leaseId: m.leaseId });
    this.set(escrow, { activatedAtNs: this.now });
    const recipient = m.recipient;
    this.#ofEscrow("Activated", escrow, { lease_id: m.leaseId, recipient }, "activated_at");
    return { activatedAt: this.seconds };
  }

  #releaseEscrow(m: wire.MsgReleaseEscrow): Facts {
    const wanted = parsed(m.amount) as Coins;
    const escrow = this.escrowById(m.escrowId);
    need(m.sender === escrow.depositor || m.sender === this.params.authority, 1505);
    need(!this.#isExpired(escrow), 1518);
    need(escrow.status === "active" || escrow.status === "disputed", 1519);
    need(this.openOf(escrow).length === 0, 1517);
    const amount = m.amount.length === 0 ? escrow.balance : wanted;
    need(minus(escrow.balance, amount) !== undefined, 1504);
    this.#release(escrow, amount, m.reason);
    return { releasedAmount: text(amount), releasedAt: this.seconds };
  }

  /** RULES 13: a settlement without usage. */
  #release(escrow: Escrow, amount: Coins, reason: string): void {
    const isFinal = minus(escrow.balance, amount)?.size === 0;
    const fees = this.params.release_fees;
    if (amount.size > 0) {
      const type = isFinal ? "final" : "periodic";
      const shares = this.#pay(escrow, amount, fees);
      const [periodStart, periodEnd] = [escrow.activatedAtNs / SECOND, this.seconds];
      const period = { periodStart, periodEnd };
      const facts = { ...shares, ...period, type, isFinal, units: 0n, recordCount: 0n };
      this.#ordered(escrow, facts, 0);
    }
    if (isFinal) this.#close(escrow, "released", reason || "released");
    const attributes = { recipient: escrow.recipient, amount: text(amount), reason };
    this.#ofEscrow("Released", escrow, attributes, "released_at");
  }

  #refundEscrow(m: wire.MsgRefundEscrow): Facts {
    const escrow = this.escrowById(m.escrowId);
    const parties = [escrow.depositor, escrow.recipient, this.params.authority];
    need(parties.includes(m.sender), 1505);
    need(!isTerminal(escrow), 1503);
    need(!this.#isExpired(escrow), 1518);
    const open = this.openOf(escrow);
    // Of a depositor who is the authority, too: no document says so.
    need(m.sender !== escrow.depositor || open.length === 0, 1517);
    for (const usage of open) {
      this.set(usage, { status: "written_off" });
      const total_cost = text(new Map([[usage.denom, usage.cost]]));
      const facts = { usage_id: ids.usage(usage), total_cost };
      this.emit("UsageWrittenOff", { ...facts, written_off_at: `${this.seconds}` });
    }
    const amount = escrow.balance;
    this.#giveBack(escrow);
    if (amount.size > 0) {
      const shares = { total: amount, providerShare: amount, platformFee: NONE };
      const facts = { ...shares, validatorFee: NONE, type: "refund", isFinal: true, units: 0n };
      this.#settlement(escrow, { ...facts, provider: escrow.depositor, recordCount: 0n });
    }
    this.#close(escrow, "refunded", m.reason);
    const attributes = { depositor: escrow.depositor, amount: text(amount), reason: m.reason };
    this.#ofEscrow("Refunded", escrow, attributes, "refunded_at");
    return { refundedAmount: text(amount), refundedAt: this.seconds };
  }

  #disputeEscrow(m: wire.MsgDisputeEscrow): Facts {
    const escrow = this.escrowById(m.escrowId);
    need(m.sender === escrow.depositor || m.sender === escrow.recipient, 1505);
    need(!this.#isExpired(escrow), 1518);
    need(escrow.status === "active", 1503);
    this.set(escrow, { status: "disputed", closureReason: m.reason, disputedAtNs: this.now });
    this.set(escrow, { disputeEvidence: m.evidence });
    this.#ofEscrow("Disputed", escrow, { reason: m.reason }, "disputed_at");
    return { disputedAt: this.seconds };
  }

  #expireEscrows(): void {
    const due = this.escrows.filter((each) => this.#isExpired(each));
    due.sort((a, b) => Number(a.expiresAtNs - b.expiresAtNs || a.seq - b.seq));
    let records = 1000;
    for (const escrow of due.slice(0, 100)) {
      const open = this.openOf(escrow);
      const taken = limited(
        open,
        Math.min(records, Number(this.params.max_records_per_settlement)),
      );
      records -= taken.length;
      if (open.length > 0 && taken.length === 0) return;
      const isFinal = taken.length === open.length;
      this.#settle(escrow, payAll(escrow.balance, taken), { isFinal, remaining: open.length });
      if (!isFinal) continue;
      const balance = text(escrow.balance);
      this.#giveBack(escrow);
      this.#close(escrow, "expired", "expired");
      this.#ofEscrow("Expired", escrow, { balance }, "expired_at");
    }
  }

  // Usage: RULES 15 to 20.

  #recordUsage(m: wire.MsgRecordUsage): Facts {
    const { denom, amount } = m.unitPrice as { denom: string; amount: string };
    const escrow = this.newest(m.orderId);
    need(escrow !== undefined, 1501);
    const kind = kindOf(m.usageType);
    const others = this.usage.filter((each) => {
      const { orderId, leaseId } = this.escrowOf(each);
      return orderId === m.orderId && leaseId === m.leaseId && kindOf(each.usageType) === kind;
    });
    need(!others.some((u) => u.periodStart === m.periodStart && u.periodEnd === m.periodEnd), 1514);
    need(escrow.status !== "disputed", 1523);
    need(escrow.status === "active", 1519);
    need(!this.#isExpired(escrow), 1518);
    need(m.sender === escrow.recipient, 1505);
    const { max_clock_drift: drift, max_usage_period: longest } = this.params;
    need(m.leaseId === escrow.leaseId && escrow.amount.has(denom), 1512);
    need(m.periodEnd * SECOND <= this.now + of(drift) * SECOND, 1512);
    need(m.periodEnd - m.periodStart <= of(longest), 1512);
    const cost = (BigInt(amount) * m.usageUnits) / PRICE_ONE;
    need(cost < 2n ** 256n, 1512);
    need(!this.params.require_usage_signature || this.#signed("MsgRecordUsage", m), 1524);
    need(!others.some((u) => u.periodStart < m.periodEnd && m.periodStart < u.periodEnd), 1512);
    need(intervals([...others, m]) <= 256, 1512);
    const usage: Usage = {
      ...{ seq: this.next("usage"), escrowSeq: escrow.seq, units: m.usageUnits },
      ...{ usageType: m.usageType, periodStart: m.periodStart, periodEnd: m.periodEnd, denom },
      ...{ unitPrice: BigInt(amount), cost, acknowledged: false, status: "open" },
      ...{ submittedAtNs: this.now, height: this.height, settlementSeq: 0n, invoiceSeq: 0n },
      ...{ settledAmount: 0n, reward: 0n },
    };
    this.push(this.usage, usage);
    const total_cost = text(new Map([[denom, cost]]));
    this.emit("UsageRecorded", {
      ...{ usage_id: ids.usage(usage), order_id: m.orderId, lease_id: m.leaseId, total_cost },
      ...{ provider: m.sender, usage_units: `${m.usageUnits}`, usage_type: m.usageType },
      recorded_at: `${this.seconds}`,
    });
    const anomalies = anomaliesOf(m, others.slice(-8)).join(",");
    const flag = { usage_id: ids.usage(usage), order_id: m.orderId, anomalies };
    if (anomalies !== "") this.emit("UsageFlagged", { ...flag, flagged_at: `${this.seconds}` });
    return { usageId: ids.usage(usage), totalCost: total_cost, recordedAt: this.seconds };
  }

  #acknowledgeUsage(m: wire.MsgAcknowledgeUsage): Facts {
    const usage = this.usageById(m.usageId);
    const escrow = this.escrowOf(usage);
    need(m.sender === escrow.depositor, 1505);
    need(usage.status === "open", 1515);
    need(!this.#isExpired(escrow), 1518);
    need(!this.params.require_usage_signature || this.#signed("MsgAcknowledgeUsage", m), 1524);
    if (usage.acknowledged) return { acknowledgedAt: this.seconds };
    this.set(usage, { acknowledged: true });
    const acknowledged_at = `${this.seconds}`;
    this.emit("UsageAcknowledged", { usage_id: m.usageId, customer: m.sender, acknowledged_at });
    return { acknowledgedAt: this.seconds };
  }

  // Settlement: RULES 22 to 28.

  #settleOrder(m: wire.MsgSettleOrder): Facts {
    const escrow = this.newest(m.orderId);
    need(escrow !== undefined, 1501);
    const { authority, max_records_per_settlement: most } = this.params;
    need([escrow.depositor, escrow.recipient, authority].includes(m.sender), 1505);
    need(escrow.status !== "disputed", 1523);
    need(escrow.status === "active", 1519);
    need(!this.#isExpired(escrow), 1518);
    need(m.usageRecordIds.length <= Number(most), 1506);
    const isProvider = m.sender === escrow.recipient && m.sender !== authority;
    const named = m.usageRecordIds.map((id) => {
      const usage = this.usageById(id);
      need(usage.escrowSeq === escrow.seq, 1512);
      need(usage.status === "open", 1515);
      need(!isProvider || this.#isReady(usage), 1506);
      return usage;
    });
    const open = this.openOf(escrow);
    let chosen = named.length === 0 ? open : open.filter((each) => named.includes(each));
    const coversAll = m.isFinal && chosen.length === open.length;
    if (isProvider && named.length === 0) {
      const ready = (m.isFinal ? chosen.slice(0, Number(most)) : chosen).filter(
        this.#isReady,
        this,
      );
      if (m.isFinal) need(ready.length === Math.min(chosen.length, Number(most)), 1506);
      else chosen = ready;
    }
    if (coversAll) {
      const part = limited(chosen, Number(most));
      need(named.length === 0 || part.length === chosen.length, 1506);
      const isFinal = part.length === chosen.length;
      const plan = { isFinal, remaining: open.length };
      const shares = this.#settle(escrow, payAll(escrow.balance, part), plan);
      if (isFinal) this.#finish(escrow);
      return this.#answer(shares);
    }
    const isAll = named.length === 0;
    need(isAll || limited(chosen, Number(most)).length === chosen.length, 1506);
    const { taken, stoppedAt } = this.#affordable(escrow, chosen, isAll ? Number(most) : Infinity);
    const total = sumOf(taken, ({ paid }) => paid);
    need(total.size > 0, 1506);
    const plan = { isFinal: false, remaining: open.length, stoppedAt };
    return this.#answer(this.#settle(escrow, taken, plan));
  }

  /** RULES 24, 26 and 27 for a settlement that is not final. */
  #affordable(escrow: Escrow, chosen: readonly Usage[], most: number) {
    const left = new Map(escrow.balance);
    const stopped = new Map<string, string>();
    const taken: Taken[] = [];
    for (const usage of chosen) {
      const { denom, cost } = usage;
      if (stopped.has(denom)) continue;
      const rest = (left.get(denom) ?? 0n) - cost;
      const more = [...taken.map((each) => each.usage), ...(rest < 0n ? [] : [usage])];
      if (taken.length === most || limited(more, Infinity).length < more.length) break;
      if (rest < 0n) stopped.set(denom, ids.usage(usage));
      if (rest < 0n) continue;
      left.set(denom, rest);
      taken.push({ usage, paid: cost });
    }
    const total = sumOf(taken, ({ paid }) => paid);
    const least = of(this.params.min_settlement_amount);
    // A denom that comes to 0 is left out even where the minimum is 0: no document says so.
    const enough = taken.filter(({ usage }) => (total.get(usage.denom) ?? -1n) >= least);
    return { taken: enough, stoppedAt: [...stopped.values()][0] };
  }

  /** RULES 25 to 28: closes records, moves coins, writes what follows. @returns undefined for none */
  #settle(
    escrow: Escrow,
    taken: readonly Taken[],
    plan: { isFinal: boolean; remaining: number; stoppedAt?: string | undefined },
  ): Facts | undefined {
    const total = sumOf(taken, ({ paid }) => paid);
    const cost = sumOf(taken, ({ usage }) => usage.cost);
    const periodStart = taken.reduce((min, { usage: u }) => least(min, u.periodStart), -1n);
    const periodEnd = taken.reduce(
      (max, { usage: u }) => (max > u.periodEnd ? max : u.periodEnd),
      0n,
    );
    const period = { periodStart, periodEnd };
    const hasInvoice = this.params.billing_enabled && taken.length > 0;
    const invoiceSeq = hasInvoice ? this.next("invoice") : 0n;
    let facts: Facts | undefined;
    if (total.size > 0) {
      const type = plan.isFinal ? "final" : "usage_based";
      const units = taken.reduce((sum, { usage }) => sum + usage.units, 0n);
      const shares = this.#pay(escrow, total, true);
      const { isFinal } = plan;
      facts = { ...shares, ...period, type, isFinal, units, recordCount: BigInt(taken.length) };
      const remaining = plan.remaining - taken.length;
      const short = taken.find(({ usage, paid }) => paid < usage.cost)?.usage;
      const stoppedAt = plan.stoppedAt ?? (short && ids.usage(short));
      facts = this.#ordered(escrow, { ...facts, invoiceSeq }, remaining, stoppedAt);
    }
    const settlementSeq = (facts?.["seq"] ?? 0n) as bigint;
    for (const { usage, paid } of taken) {
      this.set(usage, { status: "settled", settlementSeq, invoiceSeq, settledAmount: paid });
    }
    const lines = { ...period, lineCount: BigInt(taken.length) };
    if (hasInvoice)
      this.#invoice(escrow, { ...lines, seq: invoiceSeq, settlementSeq }, cost, total);
    if (hasInvoice && facts !== undefined) this.#payout(escrow, facts);
    if (facts !== undefined) this.rewardUsage(escrow, settlementSeq, taken);
    return facts;
  }

  /** RULES 24 and 25: the end of a final settlement. */
  #finish(escrow: Escrow): void {
    const reason = "final settlement";
    if (this.params.final_remainder === "provider") {
      return this.#release(escrow, escrow.balance, reason);
    }
    this.#giveBack(escrow);
    this.#close(escrow, "released", reason);
    const attributes = { recipient: escrow.recipient, amount: "", reason };
    this.#ofEscrow("Released", escrow, attributes, "released_at");
  }

  /** RULES 28: takes coins out of an escrow and splits them. */
  #pay(escrow: Escrow, total: Coins, withFees: boolean) {
    const { platform_fee_rate: platform, validator_fee_rate: validator } = this.params;
    const platformFee = withFees ? split(total, rateOf(platform, "0.05")) : NONE;
    const validatorFee = withFees ? split(total, rateOf(validator, "0.01")) : NONE;
    const providerShare = minus(total, plus(platformFee, validatorFee)) as Coins;
    const from = this.module("settlement_escrow");
    this.move(from, this.module("settlement_platform_fee"), platformFee);
    this.move(from, this.module("settlement_validator_fee"), validatorFee);
    this.move(from, escrow.recipient, providerShare);
    this.set(escrow, { balance: minus(escrow.balance, total) as Coins });
    this.set(escrow, { totalSettled: plus(escrow.totalSettled, total) });
    this.set(escrow, { settlementCount: escrow.settlementCount + 1n });
    return { total, platformFee, validatorFee, providerShare };
  }

  #settlement(escrow: Escrow, facts: Facts): Facts {
    const seq = this.next("settlement");
    const own = { seq, escrowSeq: escrow.seq, settledAtNs: this.now, height: this.height };
    this.push(this.settlements, { ...own, ...facts });
    return { ...own, ...facts };
  }

  /** A settlement with its event. */
  #ordered(escrow: Escrow, facts: Facts, remaining: number, stoppedAt?: string): Facts {
    const settlement = this.#settlement(escrow, { ...facts, provider: escrow.recipient });
    const coins = (name: string): string => text(settlement[name] as Coins);
    this.emit("OrderSettled", {
      ...{ settlement_id: this.id("settle", settlement), order_id: escrow.orderId },
      ...{ escrow_id: ids.escrow(escrow), provider: escrow.recipient },
      ...{ customer: escrow.depositor, total_amount: coins("total") },
      ...{ provider_share: coins("providerShare"), platform_fee: coins("platformFee") },
      ...{ validator_fee: coins("validatorFee"), settlement_type: `${settlement["type"]}` },
      ...{ is_final: `${settlement["isFinal"]}`, settled_at: `${this.seconds}` },
      ...{ records: `${settlement["recordCount"]}`, records_remaining: `${remaining}` },
      ...(stoppedAt === undefined ? {} : { stopped_at: stoppedAt }),
    });
    return settlement;
  }

  #invoice(
    escrow: Escrow,
    facts: Pick<Invoice, "seq" | "settlementSeq" | "lineCount" | "periodStart" | "periodEnd">,
    total: Coins,
    paid: Coins,
  ): void {
    const due = minus(total, paid) as Coins;
    const status = due.size === 0 ? "paid" : paid.size === 0 ? "pending" : "partially_paid";
    const invoice = {
      ...{ ...facts, escrowSeq: escrow.seq, status, total, amountPaid: paid, amountDue: due },
      ...{ number: this.next(`invoices of ${escrow.recipient}`), issuedAtNs: this.now },
      ...{ dueAtNs: this.now + of(this.params.invoice_due_after) * SECOND, height: this.height },
      paidAtNs: status === "paid" ? this.now : 0n,
    };
    this.push(this.invoices, invoice);
    const { settlementSeq: seq } = facts;
    this.emit("InvoiceIssued", {
      ...{ invoice_id: this.id("invoice", { seq: facts.seq }), order_id: escrow.orderId, status },
      settlement_id: seq === 0n ? "" : this.id("settle", { seq }),
      ...{ total: text(total), amount_due: text(due) },
    });
  }

  /** README, "Invoices": once, strictly after the due date. */
  #overdueInvoices(): void {
    for (const invoice of this.invoices) {
      const due = invoice.amountDue;
      const isDue = due.size > 0 && invoice.status !== "overdue" && this.now > invoice.dueAtNs;
      if (!isDue) continue;
      this.set(invoice, { status: "overdue" });
      const { orderId: order_id, depositor: customer } = this.escrowOf(invoice);
      const amounts = { amount_due: text(due), due_at: `${invoice.dueAtNs / SECOND}` };
      const invoice_id = `invoice-${invoice.issuedAtNs / SECOND}-${invoice.seq}`;
      const facts = { invoice_id, order_id, customer, ...amounts };
      this.emit("InvoiceOverdue", { ...facts, overdue_at: `${this.seconds}` });
    }
  }

  #payout(escrow: Escrow, s: Facts): void {
    const seq = this.next("payout");
    const payout = {
      ...{ seq, invoiceSeq: s["invoiceSeq"], settlementSeq: s["seq"], escrowSeq: escrow.seq },
      ...{ gross: s["total"], platformFee: s["platformFee"], validatorFee: s["validatorFee"] },
      ...{ holdback: NONE, net: s["providerShare"], status: "completed", attempts: 1n },
      ...{ createdAtNs: this.now, completedAtNs: this.now, height: this.height },
    };
    this.push(this.payouts, payout);
    this.emit("PayoutCompleted", {
      ...{ payout_id: this.id("payout", payout), settlement_id: this.id("settle", s) },
      ...{ invoice_id: this.id("invoice", { seq: s["invoiceSeq"] }) },
      ...{ provider: escrow.recipient, net_amount: text(payout.net as Coins) },
      ...{ platform_fee: text(payout.platformFee as Coins), completed_at: `${this.seconds}` },
    });
  }

  // Rewards: RULES 33 to 35.

  // Parts of the rules.

  #answer(shares: Facts | undefined): Facts {
    const coins = (name: string): string => text((shares?.[name] ?? NONE) as Coins);
    return {
      ...{ settlementId: shares === undefined ? "" : this.id("settle", shares) },
      ...{ totalAmount: coins("total"), providerShare: coins("providerShare") },
      ...{ platformFee: coins("platformFee"), settledAt: this.seconds },
    };
  }

  /** RULES 22: whether its provider may have it settled. */
  #isReady(usage: Usage): boolean {
    const after = of(this.params.auto_settle_after) || of(this.params.settlement_period);
    return usage.acknowledged || this.now >= usage.submittedAtNs + after * SECOND;
  }

  #isExpired({ status, expiresAtNs }: Escrow): boolean {
    return (status === "pending" || status === "active") && this.now > expiresAtNs;
  }

  protected escrowById(id: string): Escrow {
    const found = this.escrows[seqOf(id) - 1];
    need(found !== undefined && ids.escrow(found) === id, 1501);
    return found;
  }

  protected usageById(id: string): Usage {
    const found = this.usage[seqOf(id) - 1];
    need(found !== undefined && ids.usage(found) === id, 1513);
    return found;
  }

  #signed(type: string, value: { readonly sender: string }): boolean {
    return this.isSigned({ type, value });
  }

  #giveBack(escrow: Escrow): void {
    this.move(this.module("settlement_escrow"), escrow.depositor, escrow.balance);
    this.set(escrow, { refunded: plus(escrow.refunded, escrow.balance), balance: NONE });
  }

  #close(escrow: Escrow, status: string, closureReason: string): void {
    this.set(escrow, { status, closureReason, closedAtNs: this.now });
  }

  // Events, and changes that can be taken back.

  #ofEscrow(what: string, escrow: Escrow, more: Record<string, string>, at: string): void {
    const own = { escrow_id: ids.escrow(escrow), order_id: escrow.orderId };
    this.emit(`Escrow${what}`, { ...own, ...more, [at]: `${this.seconds}` });
  }
}

type Metered = Pick<Usage, "units" | "periodStart" | "periodEnd">;

/** RULES 23 and README, "Flags". @param former the last eight records of the meter before it */
function anomaliesOf(m: wire.MsgRecordUsage, former: readonly Metered[]): string[] {
  const seconds = m.periodEnd - m.periodStart;
  const found: string[] = [];
  if (seconds < 60n) found.push("duration_too_short:medium");
  if (seconds > 25n * 3600n) found.push("duration_too_long:high");
  if (former.length < 2) return found;
  const units = former.reduce((sum, each) => sum + each.units, 0n);
  const length = former.reduce((sum, each) => sum + each.periodEnd - each.periodStart, 0n);
  // Both rates times both lengths.
  const [mean, own] = [units * seconds, m.usageUnits * length];
  const off = own > mean ? own - mean : mean - own;
  const [, severity] =
    (
      [
        [100n, "critical"],
        [75n, "high"],
        [50n, "medium"],
      ] as const
    ).find(([p]) => off * 100n > mean * p) ?? [];
  return severity === undefined ? found : [...found, `variance:${severity}`];
}

/** How many disjoint intervals periods cover, touching ones merged. */
function intervals(periods: readonly { periodStart: bigint; periodEnd: bigint }[]): number {
  const starts = new Set(periods.map(({ periodStart }) => periodStart));
  return periods.filter(({ periodEnd }) => !starts.has(periodEnd)).length;
}

/** RULES 24: a final settlement pays each record what is left of its denom. */
function payAll(balance: Coins, records: readonly Usage[]): Taken[] {
  const left = new Map(balance);
  return records.map((usage) => {
    const rest = left.get(usage.denom) ?? 0n;
    const paid = rest < usage.cost ? rest : usage.cost;
    left.set(usage.denom, rest - paid);
    return { usage, paid };
  });
}

function sumOf(taken: readonly Taken[], amount: (each: Taken) => bigint): Coins {
  return taken.reduce((sum, t) => plus(sum, new Map([[t.usage.denom, amount(t)]])), NONE);
}

function least(min: bigint, value: bigint): bigint {
  return min === -1n || value < min ? value : min;
}
