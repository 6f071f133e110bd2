import type { UsageAnomaly } from "../../gen/settled/settlement/v1/state.ts";
import { type Event, event } from "../../types/event.ts";
import { secondsOf, type TimeNs } from "../../types/time.ts";
import { anomalyText } from "./anomaly.ts";

/**
 * Events about usage records after their report, and about what a customer lets them cost. The list
 * with all attributes is in README.md.
 */

const PREFIX = "virtengine.settlement.v1.Event";

const seconds = (time: TimeNs): string => secondsOf(time).toString();

export function usageFlagged(e: {
  usageId: string;
  orderId: string;
  anomalies: readonly UsageAnomaly[];
  at: TimeNs;
}): Event {
  const { usageId: usage_id, orderId: order_id } = e;
  const values = { usage_id, order_id, anomalies: anomalyText(e.anomalies) };
  return event(`${PREFIX}UsageFlagged`, { ...values, flagged_at: seconds(e.at) });
}

export function usageAnomalyCleared(e: { usageId: string; sender: string; at: TimeNs }): Event {
  const values = { usage_id: e.usageId, cleared_by: e.sender, cleared_at: seconds(e.at) };
  return event(`${PREFIX}UsageAnomalyCleared`, values);
}

/** What a correction changes: units, and a cost such as "10uve" that is empty for 0. */
export interface Billed {
  readonly usageId: string;
  readonly units: bigint;
  readonly cost: string;
}

export function usageCorrected(e: {
  orderId: string;
  from: Billed;
  to: Billed;
  reason: string;
  at: TimeNs;
}): Event {
  return event(`${PREFIX}UsageCorrected`, {
    usage_id: e.to.usageId,
    corrects: e.from.usageId,
    order_id: e.orderId,
    old_units: e.from.units.toString(),
    new_units: e.to.units.toString(),
    old_cost: e.from.cost,
    new_cost: e.to.cost,
    reason: e.reason,
    corrected_at: seconds(e.at),
  });
}

export function usageWithdrawn(e: {
  orderId: string;
  record: Billed;
  reason: string;
  at: TimeNs;
}): Event {
  return event(`${PREFIX}UsageWithdrawn`, {
    usage_id: e.record.usageId,
    order_id: e.orderId,
    usage_units: e.record.units.toString(),
    total_cost: e.record.cost,
    reason: e.reason,
    withdrawn_at: seconds(e.at),
  });
}

export function priceCeilingSet(e: {
  orderId: string;
  customer: string;
  usageType: string;
  /** "1.500000000000000000uve"; empty: none any more. */
  maxUnitPrice: string;
  /** Unix seconds. */
  from: bigint;
}): Event {
  return event(`${PREFIX}PriceCeilingSet`, {
    order_id: e.orderId,
    customer: e.customer,
    usage_type: e.usageType,
    max_unit_price: e.maxUnitPrice,
    effective_from: e.from.toString(),
  });
}
