import type * as own from "../../../src/gen/settled/settlement/v1/tx.ts";
import type * as wire from "../../../src/gen/virtengine/settlement/v1/tx.ts";
import { amountOf, coin, higher, ONE, priceText, SECOND, text } from "./coins.ts";
import { Escrows } from "./escrows.ts";
import { type Escrow, normalised, refuse, type Usage } from "./records.ts";

// README, "Once for ever", "Corrections", "Price ceilings" and "Flags".

type Signed = { readonly sender: string; readonly signature: Uint8Array };

/** Intervals that periods merge to. */
const gapsOf = (periods: readonly Pick<Usage, "periodStart" | "periodEnd">[]): number =>
  periods.filter((each) => !periods.some(({ periodEnd }) => periodEnd === each.periodStart)).length;

export class UsageRecords extends Escrows {
  /** Records of a meter: an order's lease and usage type. */
  meterOf(orderId: string, leaseId: string, usageType: string): Usage[] {
    return this.tables.usage.filter((usage) => {
      const escrow = this.escrowOf(usage);
      const isSame = escrow.orderId === orderId && escrow.leaseId === leaseId;
      return isSame && normalised(usage.usageType) === normalised(usageType);
    });
  }

  checkPrice(escrow: Escrow, usage: Partial<Usage>): void {
    const { usageType = "", periodStart = 0n, denom = "", unitPrice = 0n, cost = 0n } = usage;
    const type = normalised(usageType);
    const ceiling = this.tables.ceiling.find((each) => {
      return each.orderId === escrow.orderId && each.usageType === type;
    });
    const step = ceiling?.steps.findLast(({ from }) => from <= periodStart);
    const isBound = step !== undefined && step.denom !== "";
    refuse([1512, amountOf(escrow.amount, denom) === 0n || cost >= 2n ** 256n]);
    refuse([1512, isBound && (step.denom !== denom || unitPrice > BigInt(step.maxUnitPrice))]);
  }

  checkSignature({ orderId, leaseId }: Escrow, by: Signed, usage: Partial<Usage>): void {
    const { usageType, units: usageUnits, periodStart, periodEnd, denom = "", unitPrice } = usage;
    const price = { unitPrice: { denom, amount: `${unitPrice}` } };
    const doc = { orderId, leaseId, usageType, usageUnits, periodStart, periodEnd, ...price };
    this.onlySigned(by, doc);
  }

  onlySigned({ sender, signature }: Signed, doc: Record<string, unknown>): void {
    const isWanted = this.params.requireUsageSignature;
    refuse([1524, isWanted && !this.origin.isSigned({ sender, signature }, doc)]);
  }

  /** @param meter what was recorded of the meter, each place once */
  anomaliesOf(usage: Usage, meter: readonly Usage[]) {
    const found: { kind: string; severity: string }[] = [];
    const seconds = usage.periodEnd - usage.periodStart;
    if (seconds < 60n) found.push({ kind: "duration_too_short", severity: "medium" });
    if (seconds > 90_000n) found.push({ kind: "duration_too_long", severity: "high" });
    const last = meter.map(({ meterPlace }) => meterPlace).reduce(higher, 0n);
    const counted = meter.filter(({ status, meterPlace: place }) => {
      const isCounted = status !== "superseded" && status !== "withdrawn";
      return isCounted && place !== usage.meterPlace && place > last - 8n;
    });
    if (counted.length < 2) return found;
    const units = counted.reduce((sum, each) => sum + each.units, 0n);
    const time = counted.reduce((sum, each) => sum + each.periodEnd - each.periodStart, 0n);
    const [rate, mean] = [usage.units * time, units * seconds];
    const off = rate > mean ? rate - mean : mean - rate;
    const severity = off > mean ? "critical" : off * 4n > mean * 3n ? "high" : "medium";
    if (off * 2n > mean) found.push({ kind: "variance", severity });
    return found;
  }

  MsgRecordUsage(message: wire.MsgRecordUsage): void {
    const { orderId, leaseId, usageUnits: units, usageType, periodStart, periodEnd } = message;
    const escrow = this.newest(orderId);
    const meter = this.meterOf(orderId, leaseId, usageType);
    const live = meter.filter(({ status }) => status !== "superseded" && status !== "withdrawn");
    const isKnown = (usage: Usage) =>
      usage.periodStart === periodStart && usage.periodEnd === periodEnd;
    refuse([1514, live.some(isKnown)]);
    this.onlyActive(escrow, this.isPast(escrow));
    this.only(message.sender, escrow.recipient);
    const { maxClockDrift, maxUsagePeriod } = this.params;
    const { denom = "", amount = "0" } = message.unitPrice ?? {};
    const price = { denom, unitPrice: BigInt(amount), cost: (BigInt(amount) * units) / ONE };
    const meterPlace = BigInt(new Set(meter.map((usage) => usage.meterPlace)).size + 1);
    const report = { units, usageType, periodStart, periodEnd, ...price, meterPlace };
    refuse([1512, leaseId !== escrow.leaseId || periodEnd * SECOND > this.after(maxClockDrift)]);
    refuse([1512, periodEnd - periodStart > maxUsagePeriod]);
    this.checkPrice(escrow, report);
    this.checkSignature(escrow, message, report);
    const isMet = live.some((each) => each.periodStart < periodEnd && each.periodEnd > periodStart);
    refuse([1512, isMet || gapsOf([...live, report]) > 256]);
    const usage = this.addUsage(escrow, { ...report, providerSignature: message.signature }, meter);
    this.emit("UsageRecorded", usage, { totalCost: coin(denom, usage.cost), usageUnits: units });
    this.flag(usage);
    this.countUnits(escrow, units);
  }

  addUsage(escrow: Escrow, fields: Partial<Usage>, meter: readonly Usage[]): Usage {
    const none = { settledAmount: 0n, reward: 0n, discount: 0n, status: "open" };
    const anomalies = this.anomaliesOf(fields as Usage, meter);
    return this.add("usage", { ...none, ...fields, escrowSeq: escrow.seq, anomalies });
  }

  flag(usage: Usage): void {
    const anomalies = usage.anomalies.map(({ kind, severity }) => `${kind}:${severity}`).join(",");
    if (anomalies !== "") this.emit("UsageFlagged", usage, { anomalies });
  }

  MsgCorrectUsage(message: own.MsgCorrectUsage): void {
    const { sender, usageId, usageUnits: units, reason, signature } = message;
    const old = this.find("usage", usageId, 1513);
    const escrow = this.escrowOf(old);
    const isWithdrawn = units === 0n;
    const denom = isWithdrawn ? old.denom : (message.unitPrice?.denom ?? "");
    const unitPrice = isWithdrawn ? old.unitPrice : BigInt(message.unitPrice?.amount ?? 0);
    const price = { units, denom, unitPrice, cost: (unitPrice * units) / ONE };
    this.only(sender, escrow.recipient);
    refuse([1515, old.status !== "open"], [1535, old.disputed]);
    this.onlyActive(escrow, isWithdrawn ? this.isOver(escrow) : this.isPast(escrow));
    refuse([1512, units === old.units && unitPrice === old.unitPrice && denom === old.denom]);
    const isMore = isWithdrawn || denom !== old.denom || price.cost > old.cost;
    refuse([1512, this.isAmended(old) && isMore]);
    if (!isWithdrawn) this.checkPrice(escrow, { ...old, ...price });
    this.checkSignature(escrow, { sender, signature }, { ...old, ...price });
    if (isWithdrawn) {
      this.countUnits(escrow, -old.units);
      this.change(old, { status: "withdrawn" });
      const totalCost = coin(old.denom, old.cost);
      return this.emit("UsageWithdrawn", old, { usageUnits: old.units, totalCost, reason });
    }
    this.replace(old, { ...price, providerSignature: signature }, reason);
  }

  /** Whether a dispute amended it, or what it corrects. */
  isAmended({ disputeSeq, seq }: Usage): boolean {
    const dispute = this.nth("dispute", disputeSeq);
    return disputeSeq > 0n && dispute?.usageSeq !== seq;
  }

  /** Puts another record in the place of an open one. */
  replace(old: Usage, news: Partial<Usage>, reason: string): Usage {
    const { usageType, periodStart, periodEnd, submittedAtNs, meterPlace } = old;
    const escrow = this.escrowOf(old);
    const kept = this.isAmended(old) ? { disputeSeq: old.disputeSeq } : {};
    const same = { usageType, periodStart, periodEnd, submittedAtNs, meterPlace, ...kept };
    const link = { correctsSeq: old.seq, correctedAtNs: this.now };
    const meter = this.meterOf(escrow.orderId, escrow.leaseId, usageType);
    const usage = this.addUsage(escrow, { ...same, ...news, ...link }, meter);
    this.change(old, { status: "superseded", correctedBySeq: usage.seq });
    this.countUnits(escrow, usage.units - old.units);
    const costs = { oldCost: coin(old.denom, old.cost), newCost: coin(usage.denom, usage.cost) };
    const units = { oldUnits: old.units, newUnits: usage.units };
    this.emit("UsageCorrected", usage, { ...units, ...costs, reason, corrects: old.id });
    this.flag(usage);
    return usage;
  }

  MsgSetPriceCeiling({ sender, orderId, ...of }: own.MsgSetPriceCeiling): void {
    const escrow = this.newest(orderId);
    this.only(sender, escrow.depositor);
    refuse([1519, !this.isLive(escrow)], [1518, this.isOver(escrow)]);
    const usageType = normalised(of.usageType);
    const found = this.tables.ceiling.find((each) => {
      return each.orderId === orderId && each.usageType === usageType;
    });
    const { denom = "", amount: maxUnitPrice = "" } = of.maxUnitPrice ?? {};
    const last = found?.steps.at(-1) ?? { denom: "", maxUnitPrice: "" };
    refuse([1512, denom === last.denom && maxUnitPrice === last.maxUnitPrice]);
    const ceiling = found ?? this.add("ceiling", { orderId, usageType });
    const from = this.second + 1n;
    const kept = ceiling.steps.filter((each) => each.from < from);
    const steps = [...kept, { from, denom, maxUnitPrice }].slice(-64);
    this.change(ceiling, { steps });
    const price = { maxUnitPrice: priceText(of.maxUnitPrice), effectiveFrom: from };
    this.emit("PriceCeilingSet", escrow, { usageType, ...price });
  }

  MsgClearAnomaly({ sender, usageId }: own.MsgClearAnomaly): void {
    this.onlyAuthority(sender);
    const usage = this.find("usage", usageId, 1513);
    refuse([1515, usage.status !== "open"], [1512, usage.anomalies.length === 0]);
    if (usage.anomalyCleared) return;
    this.change(usage, { anomalyCleared: true });
    this.emit("UsageAnomalyCleared", usage, { clearedBy: sender });
  }

  MsgAcknowledgeUsage({ sender, usageId, signature }: wire.MsgAcknowledgeUsage): void {
    const usage = this.find("usage", usageId, 1513);
    const escrow = this.escrowOf(usage);
    this.only(sender, escrow.depositor);
    refuse([1515, usage.status !== "open"], [1535, usage.disputed], [1518, this.isOver(escrow)]);
    const totalCost = text(coin(usage.denom, usage.cost));
    this.onlySigned({ sender, signature }, { usageId, totalCost });
    if (usage.acknowledged) return;
    this.change(usage, { acknowledged: true, customerSignature: signature });
    this.emit("UsageAcknowledged", usage);
  }
}
