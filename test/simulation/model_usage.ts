import { PriceCeilingState, UsageState } from "../../src/gen/settled/settlement/v1/state.ts";
import type * as own from "../../src/gen/settled/settlement/v1/tx.ts";
import type * as wire from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { countUnits } from "./model_escrow.ts";
import { type Ceiling, costOf, type Escrow, isExpired, isTerminal, made } from "./model_state.ts";
import { need, needActive, needInTime, type Rules, type Usage, usageId } from "./model_state.ts";
import type { World } from "./model_state.ts";
import { kindOf, ONE, SECOND, sum, text, type WireCoin } from "./model_sums.ts";

// RULES 15 to 20 and 23; README, "Corrections" to "Flags".

export const usageRules: Rules = {
  MsgRecordUsage: (w, { sender, orderId, leaseId, signature, ...m }: wire.MsgRecordUsage) => {
    const price = m.unitPrice as WireCoin;
    const { usageType, usageUnits: units, periodStart, periodEnd } = m;
    const escrow = w.newest(orderId);
    need(escrow !== undefined, 1501);
    const meter = meterOf(w, { orderId, leaseId }, usageType);
    const held = meter.filter(holdsPeriod);
    need(!held.some((u) => u.periodStart === periodStart && u.periodEnd === periodEnd), 1514);
    needActive(w, escrow);
    needInTime(w, escrow);
    need(sender === escrow.recipient, 1505);
    const { maxClockDrift: drift, maxUsagePeriod: longest } = w.params;
    need(leaseId === escrow.leaseId && escrow.amount.has(price.denom), 1512);
    need(periodEnd * SECOND <= w.after(drift) && periodEnd - periodStart <= longest, 1512);
    need(isBelowCeiling(w, orderId, m, price), 1512);
    const cost = priced(price, units);
    const doc = { orderId, leaseId, usageType, usageUnits: units, periodStart, periodEnd };
    needSigned(w, { sender, signature }, { ...doc, unitPrice: price });
    need(!held.some((u) => u.periodStart < periodEnd && periodStart < u.periodEnd), 1512);
    need(intervals([...held, m]) <= 256, 1512);
    const reports = sum(meter, ({ correctsSeq }) => (correctsSeq === 0n ? 1n : 0n));
    const usage = made<Usage>(UsageState, {
      ...{ seq: w.next("usage"), escrowSeq: escrow.seq, units, usageType, periodStart, periodEnd },
      ...{
        denom: price.denom,
        unitPrice: BigInt(price.amount),
        cost,
        providerSignature: signature,
      },
      ...{ status: "open", submittedAtNs: w.now, height: w.height, meterPlace: reports + 1n },
      ...{ settledAmount: 0n, reward: 0n, discount: 0n },
      anomalies: anomaliesOf(meter, reports + 1n, m, units),
    });
    w.push(w.usage, usage);
    countUnits(w, escrow, units);
    const facts = { usage_id: usageId(usage), lease_id: leaseId, usage_units: units };
    const total_cost = costOf(usage);
    w.emit("UsageRecorded", { ...facts, usage_type: usageType, total_cost }, escrow);
    flag(w, usage, escrow);
    return { usageId: usageId(usage), totalCost: text(total_cost), recordedAt: w.seconds };
  },
  MsgAcknowledgeUsage: (w, { sender, usageId: usage_id, signature }: wire.MsgAcknowledgeUsage) => {
    const usage = w.usageById(usage_id);
    const escrow = w.escrowOf(usage);
    need(sender === escrow.depositor, 1505);
    need(usage.status === "open", 1515);
    need(!usage.disputed, 1535);
    need(!isExpired(w, escrow), 1518);
    const doc = { usageId: usage_id, totalCost: text(costOf(usage)) };
    needSigned(w, { sender, signature }, doc);
    if (!usage.acknowledged) {
      w.set(usage, { acknowledged: true, customerSignature: signature });
      w.emit("UsageAcknowledged", { usage_id }, escrow);
    }
    return { acknowledgedAt: w.seconds };
  },
  MsgCorrectUsage: (w, { sender, signature, reason, ...m }: own.MsgCorrectUsage) => {
    const before = w.usageById(m.usageId);
    const escrow = w.escrowOf(before);
    const { orderId, leaseId } = escrow;
    need(sender === escrow.recipient, 1505);
    need(before.status === "open", 1515);
    need(!before.disputed, 1535);
    needActive(w, escrow);
    const { usageUnits: units, usageId: old_id } = m;
    // What a dispute came to stays a bound (RULES 21).
    const dispute = w.disputes[Number(before.disputeSeq) - 1];
    const isAmended = dispute !== undefined && dispute.amendedSeq > 0n;
    const { usageType, periodStart, periodEnd } = before;
    const doc = { orderId, leaseId, usageType, usageUnits: units, periodStart, periodEnd };
    const meter = meterOf(w, escrow, usageType);
    if (units === 0n) {
      need(!isAmended, 1512);
      const unitPrice = { denom: before.denom, amount: `${before.unitPrice}` };
      needSigned(w, { sender, signature }, { ...doc, unitPrice });
      const left = meter.filter((each) => holdsPeriod(each) && each !== before);
      need(intervals(left) <= 256, 1512);
      w.set(before, { status: "withdrawn" });
      countUnits(w, escrow, -before.units);
      const facts = { usage_id: old_id, usage_units: before.units, total_cost: costOf(before) };
      w.emit("UsageWithdrawn", { ...facts, reason }, escrow);
      return { usageId: "", totalCost: "", correctedAt: w.seconds };
    }
    needInTime(w, escrow);
    const price = m.unitPrice as WireCoin;
    const { denom, unitPrice: was } = before;
    need(units !== before.units || price.denom !== denom || BigInt(price.amount) !== was, 1512);
    need(escrow.amount.has(price.denom) && isBelowCeiling(w, orderId, before, price), 1512);
    const cost = priced(price, units);
    need(!isAmended || (price.denom === denom && cost <= before.cost), 1512);
    needSigned(w, { sender, signature }, { ...doc, unitPrice: price });
    const to = { units, denom: price.denom, unitPrice: BigInt(price.amount), cost };
    const disputeSeq = isAmended ? before.disputeSeq : 0n;
    const own = { providerSignature: signature, acknowledged: false, disputeSeq };
    const usage = replace(w, before, { ...to, ...own }, reason);
    return { usageId: usageId(usage), totalCost: text(costOf(usage)), correctedAt: w.seconds };
  },
  MsgClearAnomaly: (w, { sender, usageId: usage_id }: own.MsgClearAnomaly) => {
    w.needAuthority(sender);
    const usage = w.usageById(usage_id);
    need(usage.status === "open", 1515);
    need(usage.anomalies.length > 0, 1512);
    if (!usage.anomalyCleared) w.emit("UsageAnomalyCleared", { usage_id, cleared_by: sender });
    w.set(usage, { anomalyCleared: true });
    return {};
  },
  MsgSetPriceCeiling: (
    w,
    { sender, orderId, usageType: type, maxUnitPrice }: own.MsgSetPriceCeiling,
  ) => {
    const escrow = w.newest(orderId);
    need(escrow !== undefined, 1501);
    need(sender === escrow.depositor, 1505);
    need(!isTerminal(escrow), 1519);
    need(!isExpired(w, escrow), 1518);
    const [usageType, from] = [kindOf(type), w.seconds];
    const { denom = "", amount = "" } = maxUnitPrice ?? {};
    const steps = ceilingOf(w, orderId, type)?.steps ?? [];
    const last = steps.at(-1);
    need((last?.denom ?? "") !== denom || (last?.maxUnitPrice ?? "") !== amount, 1512);
    const later = [...steps.filter((s) => s.from < from), { from, denom, maxUnitPrice: amount }];
    const ceiling = { orderId, usageType, steps: later.slice(-64) };
    w.put(w.ceilings, `${orderId}|${usageType}`, made<Ceiling>(PriceCeilingState, ceiling));
    const max_unit_price = amount && priceText(amount, denom);
    const facts = { usage_type: usageType, max_unit_price, effective_from: from };
    w.emit("PriceCeilingSet", facts, escrow);
    return { effectiveFrom: from };
  },
};

/** Puts another record in the place of an open one. */
export function replace(
  w: World,
  before: Usage,
  to: Partial<Usage> & { units: bigint },
  reason: string,
): Usage {
  const [escrow, { units }] = [w.escrowOf(before), to];
  const meter = meterOf(w, escrow, before.usageType);
  const usage: Usage = {
    ...{ ...before, ...to, seq: w.next("usage"), height: w.height, correctsSeq: before.seq },
    ...{ customerSignature: new Uint8Array(0), correctedAtNs: w.now, disputed: false },
    ...{ anomalyCleared: false, anomalies: anomaliesOf(meter, before.meterPlace, before, units) },
  };
  w.push(w.usage, usage);
  w.set(before, { status: "superseded", correctedBySeq: usage.seq, disputed: false });
  countUnits(w, escrow, units - before.units);
  const ids = { usage_id: usageId(usage), corrects: usageId(before), reason };
  const sizes = { old_units: before.units, new_units: units };
  const costs = { old_cost: costOf(before), new_cost: costOf(usage) };
  w.emit("UsageCorrected", { ...ids, ...sizes, ...costs }, escrow);
  flag(w, usage, escrow);
  return usage;
}

function meterOf(w: World, of: Pick<Escrow, "orderId" | "leaseId">, usageType: string): Usage[] {
  const kind = kindOf(usageType);
  return w.usage.filter((each) => {
    const { orderId, leaseId } = w.escrowOf(each);
    return orderId === of.orderId && leaseId === of.leaseId && kindOf(each.usageType) === kind;
  });
}

function holdsPeriod({ status }: Usage): boolean {
  return status !== "superseded" && status !== "withdrawn";
}

/** How many disjoint intervals periods cover, touching ones merged. */
function intervals(periods: readonly { periodStart: bigint; periodEnd: bigint }[]): number {
  const starts = new Set(periods.map(({ periodStart }) => periodStart));
  return periods.filter(({ periodEnd }) => !starts.has(periodEnd)).length;
}

export function priced({ amount }: WireCoin, units: bigint): bigint {
  const cost = (BigInt(amount) * units) / ONE;
  need(cost < 2n ** 256n, 1512);
  return cost;
}

function needSigned(w: World, by: { sender: string; signature: Uint8Array }, doc: object): void {
  need(!w.params.requireUsageSignature || w.isSigned(by, { ...doc }), 1524);
}

/** 18 decimals and the denom: no document says so. */
export function priceText(atomics: string, denom: string): string {
  const digits = atomics.padStart(19, "0");
  return `${digits.slice(0, -18)}.${digits.slice(-18)}${denom}`;
}

function ceilingOf(w: World, orderId: string, usageType: string): Ceiling | undefined {
  return w.ceilings.get(`${orderId}|${kindOf(usageType)}`);
}

function isBelowCeiling(
  w: World,
  orderId: string,
  { usageType, periodStart }: { usageType: string; periodStart: bigint },
  { denom, amount }: WireCoin,
): boolean {
  const step = ceilingOf(w, orderId, usageType)?.steps.findLast(({ from }) => from <= periodStart);
  if (step === undefined || step.maxUnitPrice === "") return true;
  return denom === step.denom && BigInt(amount) <= BigInt(step.maxUnitPrice);
}

/** RULES 23: off the mean of the meter's last eight places but its own. */
function anomaliesOf(
  meter: readonly Usage[],
  place: bigint,
  { periodStart, periodEnd }: { periodStart: bigint; periodEnd: bigint },
  units: bigint,
): Usage["anomalies"] {
  const seconds = periodEnd - periodStart;
  const found: Usage["anomalies"] = [];
  if (seconds < 60n) found.push({ kind: "duration_too_short", severity: "medium" });
  if (seconds > 25n * 3600n) found.push({ kind: "duration_too_long", severity: "high" });
  const first = sum(meter, ({ correctsSeq }) => (correctsSeq === 0n ? 1n : 0n)) - 8n;
  const former = meter.filter(
    (u) => holdsPeriod(u) && u.meterPlace > first && u.meterPlace !== place,
  );
  if (former.length < 2) return found;
  // Both rates times both lengths.
  const mean = sum(former, (u) => u.units) * seconds;
  const own = units * sum(former, (u) => u.periodEnd - u.periodStart);
  const off = (own > mean ? own - mean : mean - own) * 100n;
  const levels = [
    ["critical", 100n],
    ["high", 75n],
    ["medium", 50n],
  ] as const;
  const [severity] = levels.find(([, percent]) => off > mean * percent) ?? [];
  if (severity !== undefined) found.push({ kind: "variance", severity });
  return found;
}

function flag(w: World, usage: Usage, escrow: Escrow): void {
  const anomalies = usage.anomalies.map(({ kind, severity }) => `${kind}:${severity}`).join(",");
  if (anomalies !== "") w.emit("UsageFlagged", { usage_id: usageId(usage), anomalies }, escrow);
}
