import { type Event, event } from "../../types/event.ts";
import { secondsOf, type TimeNs } from "../../types/time.ts";

/** Events about disputes of usage records. The list with all attributes is in README.md. */

const PREFIX = "virtengine.settlement.v1.Event";

const seconds = (time: TimeNs): string => secondsOf(time).toString();

export function usageDisputed(e: {
  disputeId: string;
  usageId: string;
  orderId: string;
  customer: string;
  reason: string;
  /** Lower-case hex; empty for none. */
  evidenceHash: string;
  expiresAt: TimeNs;
  at: TimeNs;
}): Event {
  return event(`${PREFIX}UsageDisputed`, {
    dispute_id: e.disputeId,
    usage_id: e.usageId,
    order_id: e.orderId,
    customer: e.customer,
    reason: e.reason,
    evidence_hash: e.evidenceHash,
    expires_at: seconds(e.expiresAt),
    disputed_at: seconds(e.at),
  });
}

/** How a dispute is or would be resolved; units and price are empty unless it is amended. */
export interface ResolutionFacts {
  readonly disputeId: string;
  readonly usageId: string;
  /** "accepted", "rejected" or "amended". */
  readonly resolution: string;
  readonly units: string;
  /** "1.500000000000000000uve" */
  readonly unitPrice: string;
  /** Who proposed or decided. */
  readonly sender: string;
  readonly at: TimeNs;
}

export function disputeProposed(e: ResolutionFacts): Event {
  return event(`${PREFIX}DisputeProposed`, {
    ...{ dispute_id: e.disputeId, usage_id: e.usageId, resolution: e.resolution },
    ...{ usage_units: e.units, unit_price: e.unitPrice },
    ...{ proposed_by: e.sender, proposed_at: seconds(e.at) },
  });
}

export function disputeResolved(
  e: ResolutionFacts & { amendedId: string; refundId: string; refunded: string; waived: string },
): Event {
  return event(`${PREFIX}DisputeResolved`, {
    ...{ dispute_id: e.disputeId, usage_id: e.usageId, resolution: e.resolution },
    ...{ usage_units: e.units, unit_price: e.unitPrice },
    ...{ amended_usage_id: e.amendedId, refund_id: e.refundId, refunded_amount: e.refunded },
    ...{ waived_amount: e.waived, resolved_by: e.sender, resolved_at: seconds(e.at) },
  });
}

export function disputeExpired(e: { disputeId: string; usageId: string; at: TimeNs }): Event {
  const values = { dispute_id: e.disputeId, usage_id: e.usageId };
  return event(`${PREFIX}DisputeExpired`, { ...values, expired_at: seconds(e.at) });
}

/** It stays undecided, and a later block tries again. */
export function disputeExpiryFailed(e: {
  disputeId: string;
  error: string;
  attempts: number;
  at: TimeNs;
}): Event {
  const attempts = e.attempts.toString();
  const values = { dispute_id: e.disputeId, error: e.error, attempts, failed_at: seconds(e.at) };
  return event(`${PREFIX}DisputeExpiryFailed`, values);
}
