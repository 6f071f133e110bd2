import type { BilledUsage } from "../../client/usage_records.ts";
import { normaliseUsageType } from "../../types/usage_type.ts";
import { priceText } from "../price_text.ts";
import { areAtMost, type Quantity, quantityText, wholeUnits } from "../reconcile/quantity.ts";
import type { Action, Policy } from "./policy.ts";
import type { MeterReading, SecondMeter } from "./second_meter.ts";

/** What a policy says about one record. */
export interface Decision {
  readonly action: Action;
  /** For a person, and the reason of a dispute. */
  readonly why: string;
  /** What the second meter has of the period. */
  readonly reading: MeterReading | undefined;
}

/** Decides about an open record that its customer has not acknowledged. */
export function decide(
  record: BilledUsage,
  policy: Policy,
  meter: SecondMeter | undefined,
): Decision {
  const { orderId, leaseId, usageUnits, periodStart, periodEnd } = record;
  const usageType = normaliseUsageType(record.usageType);
  const reading = meter?.usage({ orderId, leaseId, usageType }, periodStart, periodEnd);
  const as = (action: Action, why: string): Decision => ({ action, why, reading });
  const price = tooDear(record, usageType, policy);
  if (price !== undefined) return as(policy.differs, price);
  if (reading === undefined) {
    return as(policy.unmetered, "the second meter does not have the whole period");
  }
  const units = `${usageUnits} units reported, ${quantityText(reading.units)} by the second meter`;
  if (!agrees(usageUnits, reading.units, policy)) return as(policy.differs, units);
  const { costMax } = policy;
  if (costMax !== undefined && record.denom === costMax.denom && record.cost > costMax.amount) {
    const why = `costs ${record.cost}${record.denom}, more than limits.cost allows by itself`;
    return as("wait", why);
  }
  return as(policy.agrees, units);
}

/** A floored record may be less than a unit below the meter: that is what `tolerance.units` is for. */
function agrees(reported: bigint, metered: Quantity, policy: Policy): boolean {
  const { toleranceShare: share, toleranceUnits } = policy;
  const ofMetered = {
    numerator: metered.numerator * share.numerator,
    denominator: metered.denominator * share.denominator,
  };
  const units = wholeUnits(reported);
  return areAtMost(units, metered, ofMetered) || areAtMost(units, metered, toleranceUnits);
}

function tooDear(record: BilledUsage, usageType: string, policy: Policy): string | undefined {
  const limit = policy.unitPriceMax.get(usageType);
  if (limit === undefined) return undefined;
  const { denom, unitPrice } = record;
  if (denom === limit.denom && unitPrice <= limit.atomics) return undefined;
  const [found, most] = [priceText(unitPrice, denom), priceText(limit.atomics, limit.denom)];
  return `a unit costs ${found}, at most ${most} is agreed`;
}
