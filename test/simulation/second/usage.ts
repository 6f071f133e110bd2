import type * as own from "../../../src/gen/settled/settlement/v1/tx.ts";
import type * as wire from "../../../src/gen/virtengine/settlement/v1/tx.ts";
import type { Coin } from "../../../src/gen/cosmos/base/v1beta1/coin.ts";
import { Escrows } from "./escrows.ts";
import {
  isLive,
  by,
  bySeq,
  isSame,
  countableOf,
  gapsOf,
  type Escrow,
  type Usage,
} from "./records.ts";
import * as rules from "./rules.ts";
import { SECOND, ONE, refuse, amountOf, plus, minus, coin, text, share } from "./rules.ts";

// The second model: usage, and its settlement.

export class UsageRecords extends Escrows {
  /** Records of a meter: an order's lease and usage type. */
  meterOf(orderId: string, leaseId: string, usageType: string): Usage[] {
    return this.tables.usage.filter((usage) => {
      const escrow = this.escrowOf(usage);
      const isSame = escrow.orderId === orderId && escrow.leaseId === leaseId;
      return isSame && rules.normalised(usage.usageType) === rules.normalised(usageType);
    });
  }

  checkPrice(
    escrow: Escrow,
    usage: Pick<Usage, "usageType" | "periodStart" | "denom" | "unitPrice" | "cost">,
  ) {
    const type = rules.normalised(usage.usageType);
    const ceiling = this.tables.ceiling.find(
      (each) => each.orderId === escrow.orderId && each.usageType === type,
    );
    const step = ceiling?.steps.findLast(({ from }) => from <= usage.periodStart);
    const isBound = step !== undefined && step.denom !== "";
    refuse(
      [1512, amountOf(escrow.amount, usage.denom) === 0n || usage.cost >= 2n ** 256n],
      [
        1512,
        isBound && (step.denom !== usage.denom || usage.unitPrice > BigInt(step.maxUnitPrice)),
      ],
    );
  }

  checkSignature(
    escrow: Escrow,
    by: { sender: string; signature: Uint8Array },
    usage: Partial<Usage>,
  ): void {
    const { usageType, units: usageUnits, periodStart, periodEnd, denom = "", unitPrice } = usage;
    const { orderId, leaseId } = escrow;
    const price = { denom, amount: `${unitPrice}` };
    const doc = {
      orderId,
      leaseId,
      usageType,
      usageUnits,
      periodStart,
      periodEnd,
      unitPrice: price,
    };
    refuse([1524, this.params.requireUsageSignature && !this.isSigned(by, doc)]);
  }

  /** README, "Flags". @param meter what was recorded of the meter, each place once */
  anomaliesOf(
    usage: Pick<Usage, "periodStart" | "periodEnd" | "units" | "meterPlace">,
    meter: Usage[],
  ) {
    const found: { kind: string; severity: string }[] = [];
    const seconds = usage.periodEnd - usage.periodStart;
    if (seconds < 60n) found.push({ kind: "duration_too_short", severity: "medium" });
    if (seconds > 90_000n) found.push({ kind: "duration_too_long", severity: "high" });
    const highest = meter.reduce(
      (most, { meterPlace }) => (meterPlace > most ? meterPlace : most),
      0n,
    );
    const last = meter.filter(({ status, meterPlace: place }) => {
      return status !== "superseded" && place !== usage.meterPlace && place > highest - 8n;
    });
    const counted = last.filter(({ status }) => status !== "withdrawn");
    if (counted.length < 2) return found;
    const allUnits = counted.reduce((sum, { units }) => sum + units, 0n);
    const allSeconds = counted.reduce((sum, each) => sum + each.periodEnd - each.periodStart, 0n);
    const [rate, mean] = [usage.units * allSeconds, allUnits * seconds];
    const off = (rate > mean ? rate - mean : mean - rate) * 100n;
    const severity = off > mean * 100n ? "critical" : off > mean * 75n ? "high" : "medium";
    if (off > mean * 50n) found.push({ kind: "variance", severity });
    return found;
  }

  MsgRecordUsage(message: wire.MsgRecordUsage): void {
    const { sender, orderId, leaseId, usageUnits: units, usageType, signature } = message;
    const { periodStart, periodEnd, unitPrice } = message;
    const escrow = this.newest(orderId);
    const meter = this.meterOf(orderId, leaseId, usageType);
    const live = meter.filter(({ status }) => status !== "superseded" && status !== "withdrawn");
    refuse(
      [1514, live.some((each) => each.periodStart === periodStart && each.periodEnd === periodEnd)],
      [1523, escrow.status === "disputed"],
      [1519, escrow.status !== "active"],
      [1518, this.isPast(escrow)],
      [1505, sender !== escrow.recipient],
    );
    const { maxClockDrift, maxUsagePeriod } = this.params;
    const { denom = "", amount = "0" } = unitPrice ?? {};
    const price = { denom, unitPrice: BigInt(amount), cost: (BigInt(amount) * units) / ONE };
    const meterPlace = BigInt(new Set(meter.map(({ meterPlace: place }) => place)).size + 1);
    const report = { units, usageType, periodStart, periodEnd, ...price, meterPlace };
    refuse(
      [1512, leaseId !== escrow.leaseId || periodEnd * SECOND > this.now + maxClockDrift * SECOND],
      [1512, periodEnd - periodStart > maxUsagePeriod],
    );
    this.checkPrice(escrow, report);
    this.checkSignature(escrow, { sender, signature }, report);
    refuse(
      [1512, live.some((each) => each.periodStart < periodEnd && each.periodEnd > periodStart)],
      [1512, gapsOf([...live, report]) > 256],
    );
    const usage = this.addUsage(
      escrow,
      { ...report, providerSignature: signature, submittedAtNs: this.now },
      meter,
    );
    this.emit("UsageRecorded", usage, { totalCost: coin(denom, usage.cost), usageUnits: units });
    this.flag(usage);
    this.countUnits(escrow, units);
  }

  addUsage(escrow: Escrow, fields: Partial<Usage>, meter: Usage[]): Usage {
    const none = { settledAmount: 0n, reward: 0n, discount: 0n, status: "open" };
    const anomalies = this.anomaliesOf(fields as Usage, meter);
    return this.add("usage", { ...none, ...fields, escrowSeq: escrow.seq, anomalies });
  }

  flag(usage: Usage): void {
    const anomalies = usage.anomalies.map(({ kind, severity }) => `${kind}:${severity}`).join(",");
    if (anomalies !== "") this.emit("UsageFlagged", usage, { anomalies });
  }

  countUnits(escrow: Escrow, units: bigint): void {
    const { release } = escrow;
    const asks = ({ kind, satisfiedAtNs }: { kind: string; satisfiedAtNs: bigint }) =>
      kind === "usage_threshold" && satisfiedAtNs === 0n;
    if (!release?.conditions.some(asks)) return;
    this.change(release, {
      recordedUnits: rules.lower(release.recordedUnits + units, 2n ** 64n - 1n),
    });
    this.areConditionsMet(escrow, "usage_threshold");
  }

  MsgCorrectUsage({
    sender,
    usageId,
    usageUnits: units,
    unitPrice,
    reason,
    signature,
  }: own.MsgCorrectUsage): void {
    const old = this.find("usage", usageId, 1513);
    const escrow = this.escrowOf(old);
    const isWithdrawn = units === 0n;
    const denom = isWithdrawn ? old.denom : (unitPrice?.denom ?? "");
    const atomics = isWithdrawn ? old.unitPrice : BigInt(unitPrice?.amount ?? 0);
    const price = { units, denom, unitPrice: atomics, cost: (atomics * units) / ONE };
    refuse(
      [1505, sender !== escrow.recipient],
      [1515, old.status !== "open"],
      [1535, old.disputed],
      [1523, escrow.status === "disputed"],
      [1519, escrow.status !== "active"],
      [1518, isWithdrawn ? this.isOver(escrow) : this.isPast(escrow)],
      [1512, units === old.units && atomics === old.unitPrice && denom === old.denom],
    );
    const isAmended = this.isAmended(old);
    refuse([1512, isAmended && (isWithdrawn || denom !== old.denom || price.cost > old.cost)]);
    if (!isWithdrawn) this.checkPrice(escrow, { ...old, ...price });
    this.checkSignature(escrow, { sender, signature }, { ...old, ...price });
    if (isWithdrawn) {
      this.countUnits(escrow, -old.units);
      this.change(old, { status: "withdrawn" });
      this.emit("UsageWithdrawn", old, {
        usageUnits: old.units,
        totalCost: coin(old.denom, old.cost),
        reason,
      });
      return;
    }
    const usage = this.replace(old, { ...price, providerSignature: signature }, false);
    this.countUnits(escrow, units - old.units);
    this.emitCorrected(old, usage, reason);
    this.flag(usage);
  }

  /** Whether a dispute amended it, or what it corrects. */
  isAmended({ disputeSeq, seq }: Usage): boolean {
    return disputeSeq > 0n && this.tables.dispute[Number(disputeSeq) - 1]?.usageSeq !== seq;
  }

  emitCorrected(old: Usage, usage: Usage, reason: string): void {
    const [oldCost, newCost] = [old, usage].map(({ denom, cost }) => coin(denom, cost));
    const change = { oldUnits: old.units, newUnits: usage.units, oldCost, newCost };
    this.emit("UsageCorrected", usage, { ...change, reason, corrects: old.id });
  }

  /** Puts another record in the place of an open one. */
  replace(old: Usage, price: Partial<Usage>, acknowledged: boolean): Usage {
    const { usageType, periodStart, periodEnd, submittedAtNs, meterPlace } = old;
    const escrow = this.escrowOf(old);
    const kept = this.isAmended(old) ? { disputeSeq: old.disputeSeq } : {};
    const same = { usageType, periodStart, periodEnd, submittedAtNs, meterPlace, ...kept };
    const meter = this.meterOf(escrow.orderId, escrow.leaseId, usageType);
    const news = { ...price, acknowledged, correctsSeq: old.seq, correctedAtNs: this.now };
    const usage = this.addUsage(escrow, { ...same, ...news }, meter);
    this.change(old, { status: "superseded", correctedBySeq: usage.seq });
    return usage;
  }

  MsgSetPriceCeiling({ sender, orderId, usageType, maxUnitPrice }: own.MsgSetPriceCeiling): void {
    const escrow = this.newest(orderId);
    refuse(
      [1505, sender !== escrow.depositor],
      [1519, !isLive(escrow)],
      [1518, this.isOver(escrow)],
    );
    const type = rules.normalised(usageType);
    const { ceiling: ceilings } = this.tables;
    const found = ceilings.find((each) => each.orderId === orderId && each.usageType === type);
    const { denom = "", amount = "" } = maxUnitPrice ?? {};
    const last = found?.steps.at(-1);
    refuse([1512, denom === (last?.denom ?? "") && amount === (last?.maxUnitPrice ?? "")]);
    const ceiling = found ?? this.add("ceiling", { orderId, usageType: type });
    const kept = ceiling.steps.filter(({ from }) => from < this.second);
    const steps = [...kept, { from: this.second, denom, maxUnitPrice: amount }].slice(-64);
    this.change(ceiling, { steps });
    this.emit("PriceCeilingSet", escrow, {
      customer: sender,
      usageType: type,
      maxUnitPrice: rules.priceText(maxUnitPrice),
      effectiveFrom: this.second,
    });
  }

  MsgClearAnomaly({ sender, usageId }: own.MsgClearAnomaly): void {
    refuse([1505, sender !== this.params.authority]);
    const usage = this.find("usage", usageId, 1513);
    refuse([1515, usage.status !== "open"], [1512, usage.anomalies.length === 0]);
    if (usage.anomalyCleared) return;
    this.change(usage, { anomalyCleared: true });
    this.emit("UsageAnomalyCleared", usage, { clearedBy: sender });
  }

  MsgAcknowledgeUsage({ sender, usageId, signature }: wire.MsgAcknowledgeUsage): void {
    const usage = this.find("usage", usageId, 1513);
    const escrow = this.escrowOf(usage);
    const doc = { usageId, totalCost: text(coin(usage.denom, usage.cost)) };
    refuse(
      [1505, sender !== escrow.depositor],
      [1515, usage.status !== "open"],
      [1535, usage.disputed],
      [1518, this.isOver(escrow)],
      [1524, this.params.requireUsageSignature && !this.isSigned({ sender, signature }, doc)],
    );
    if (usage.acknowledged) return;
    this.change(usage, { acknowledged: true, customerSignature: signature });
    this.emit("UsageAcknowledged", usage);
  }

  MsgSettleOrder({ sender, orderId, usageRecordIds, isFinal }: wire.MsgSettleOrder): void {
    const escrow = this.newest(orderId);
    refuse(
      [1505, !this.isParty(sender, escrow)],
      [1523, escrow.status === "disputed"],
      [1519, escrow.status !== "active"],
      [1518, this.isOver(escrow)],
    );
    refuse([1506, usageRecordIds.length > this.params.maxRecordsPerSettlement]);
    const isProvider = sender === escrow.recipient;
    const named = usageRecordIds.map((id) => {
      const usage = this.find("usage", id, 1513);
      refuse(
        [1512, usage.escrowSeq !== escrow.seq],
        [1515, usage.status !== "open"],
        [1535, usage.disputed],
        [1506, isProvider && !this.isReady(usage)],
      );
      return usage;
    });
    refuse([1506, countableOf(named) < named.length]);
    const open = named.length > 0 ? named.sort(bySeq) : this.openOf(escrow);
    refuse([1535, open.length > 0 && open.every(({ disputed }) => disputed)]);
    const asked = open.filter((usage) => !usage.disputed && (!isProvider || this.isReady(usage)));
    const next = open.slice(0, this.params.maxRecordsPerSettlement);
    const waits = next.some((usage) => isProvider && !usage.disputed && !this.isReady(usage));
    const isWhole = named.length === 0 || named.length === this.openOf(escrow).length;
    const isEnd = isFinal && isWhole && escrow.openDisputes === 0;
    refuse([1506, isEnd && waits]);
    if (this.settle(escrow, asked, isEnd).isLast)
      this.finish(escrow, "released", "final settlement");
  }

  /** README, "A provider": what it may settle. */
  isReady({ acknowledged, correctedAtNs, submittedAtNs }: Usage): boolean {
    const { autoSettleAfter, settlementPeriod } = this.params;
    const wait = (autoSettleAfter || settlementPeriod) * SECOND;
    return acknowledged || this.now >= (correctedAtNs || submittedAtNs) + wait;
  }

  /** @param isEnd whether its last part ends the escrow */
  settle(escrow: Escrow, asked: Usage[], isEnd: boolean) {
    const part = asked.slice(0, this.params.maxRecordsPerSettlement);
    const available = minus(escrow.balance, escrow.reserved);
    const { covered, stoppedAt, isMore } = this.covered(escrow, asked, available);
    const countable = part.slice(0, countableOf(part));
    const taken = isEnd ? countable : this.worthwhile(escrow, covered, available);
    const { net } = this.paidOf(escrow, taken, available);
    refuse([1506, !isEnd && net.length === 0]);
    const isLast = isEnd && countable.length === this.openOf(escrow).length;
    if (taken.length > 0) this.settleTaken(escrow, taken, isLast, isEnd ? undefined : stoppedAt);
    return { isLast, isMore };
  }

  /** Records until, per denom, the first that is not covered. */
  covered(escrow: Escrow, asked: Usage[], available: Coin[]) {
    let covered: Usage[] = [];
    const stopped: Usage[] = [];
    const most = this.params.maxRecordsPerSettlement;
    for (const usage of asked) {
      if (stopped.some(({ denom }) => denom === usage.denom)) continue;
      if (covered.length === most) return { covered, stoppedAt: stopped[0], isMore: true };
      const more = [...covered, usage];
      const isCountable = countableOf(more) === more.length;
      const { charge } = this.bill(escrow, more);
      const isCovered = amountOf(charge, usage.denom) <= amountOf(available, usage.denom);
      if (isCovered && !isCountable) return { covered, stoppedAt: stopped[0], isMore: true };
      if (isCovered) covered = more;
      else stopped.push(usage);
    }
    return { covered, stoppedAt: stopped[0], isMore: false };
  }

  /** Without denoms that are below the minimum. */
  worthwhile(escrow: Escrow, taken: Usage[], available: Coin[]): Usage[] {
    const { net } = this.paidOf(escrow, taken, available);
    const minimum = BigInt(this.params.minSettlementAmount || 0) || 1n;
    return taken.filter(({ denom }) => amountOf(net, denom) >= minimum);
  }

  settleTaken(
    escrow: Escrow,
    taken: readonly Usage[],
    isFinal: boolean,
    stoppedAt: Usage | undefined,
  ): void {
    const type = isFinal ? "final" : "usage_based";
    const bill = this.bill(escrow, taken);
    const { net: total, tax } = this.paidOf(escrow, taken, minus(escrow.balance, escrow.reserved));
    const { platformFee, validatorFee } = this.feesOf(total);
    const providerShare = minus(total, platformFee, validatorFee);
    const period = {
      periodStart: taken.map(({ periodStart }) => periodStart).reduce(rules.lower),
      periodEnd: taken.map(({ periodEnd }) => periodEnd).reduce((a, b) => (a > b ? a : b)),
    };
    const { billingEnabled } = this.params;
    const parts = { total, providerShare, platformFee, validatorFee, tax, ...period };
    const discount = plus(...bill.given);
    const facts = {
      ...parts,
      discount,
      units: bill.units,
      type,
      isFinal,
      recordCount: taken.length,
    };
    const isPaid = plus(total, tax).length > 0;
    const settlement = isPaid ? this.addSettlement(escrow, facts) : undefined;
    const of = { settlementSeq: settlement?.seq ?? 0n, total, tax };
    const invoice = billingEnabled
      ? this.issue(escrow, { ...of, ...period }, bill, taken.length)
      : undefined;
    if (settlement !== undefined) this.change(settlement, { invoiceSeq: invoice?.seq ?? 0n });
    const short = this.closeUsage(taken, bill, { ...of, invoiceSeq: invoice?.seq ?? 0n });
    this.useFixed(escrow, bill.given);
    if (settlement === undefined) return;
    this.moveFees("settlement_escrow", platformFee, validatorFee, tax);
    this.spend(escrow, total, tax);
    const account = billingEnabled ? this.at("settlement") : escrow.recipient;
    this.move(this.at("settlement_escrow"), account, providerShare);
    this.reward(escrow, settlement, taken);
    const counts = { records: taken.length, recordsRemaining: this.openOf(escrow).length };
    const sums = {
      totalAmount: total,
      settlementType: type,
      stoppedAt: (short ?? stoppedAt)?.id ?? "",
    };
    this.emit("OrderSettled", settlement, { ...sums, ...counts });
    if (invoice === undefined || total.length === 0) return;
    const holdback = share(
      providerShare.length > 0 ? total : [],
      rules.rateOf(this.params.payoutHoldbackRate, "0"),
    );
    this.payOut(
      escrow,
      { settlementSeq: settlement.seq, invoiceSeq: invoice.seq },
      { gross: total, platformFee, validatorFee, holdback },
    );
  }

  /** @returns the first record that is not paid whole */
  closeUsage(
    taken: readonly Usage[],
    bill: { off: bigint[]; isWithin: boolean },
    settlement: { total: Coin[]; tax: Coin[]; settlementSeq: bigint; invoiceSeq: bigint },
  ) {
    const { total, tax, ...of } = settlement;
    let left = bill.isWithin ? plus(total, tax) : total;
    const gross = taken.map(({ denom, cost }, at) => {
      const paid = rules.lower(cost - (bill.off[at] ?? 0n), amountOf(left, denom));
      left = minus(left, coin(denom, paid));
      return { denom, amount: `${paid}` };
    });
    const taxes = rules.spread(bill.isWithin ? tax : [], gross);
    const short = taken.find((usage, at) => {
      return BigInt(gross[at]?.amount ?? 0) < usage.cost - (bill.off[at] ?? 0n);
    });
    for (const [at, usage] of taken.entries()) {
      const settledAmount = BigInt(gross[at]?.amount ?? 0) - (taxes[at] ?? 0n);
      this.change(usage, { status: "settled", settledAmount, discount: bill.off[at] ?? 0n, ...of });
    }
    return short;
  }
}
