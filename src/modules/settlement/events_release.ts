import { type Event, event } from "../../types/event.ts";
import { secondsOf, type TimeNs } from "../../types/time.ts";

/** Events about the conditions of a release. The list with all attributes is in README.md. */

const PREFIX = "virtengine.settlement.v1.Event";

export function releaseConditionsSet(e: {
  escrowId: string;
  orderId: string;
  names: readonly string[];
}): Event {
  const { escrowId: escrow_id, orderId: order_id } = e;
  const conditions = e.names.join(",");
  return event(`${PREFIX}ReleaseConditionsSet`, { escrow_id, order_id, conditions });
}

export function releaseSigned(e: { escrowId: string; signer: string; at: TimeNs }): Event {
  const { escrowId: escrow_id, signer } = e;
  const signed_at = secondsOf(e.at).toString();
  return event(`${PREFIX}ReleaseSigned`, { escrow_id, signer, signed_at });
}

export function verificationAttested(e: { escrowId: string; score: number; at: TimeNs }): Event {
  const attested_at = secondsOf(e.at).toString();
  const score = e.score.toString();
  return event(`${PREFIX}VerificationAttested`, { escrow_id: e.escrowId, score, attested_at });
}

export function releaseConditionSatisfied(e: {
  escrowId: string;
  condition: string;
  at: TimeNs;
}): Event {
  const { escrowId: escrow_id, condition } = e;
  const satisfied_at = secondsOf(e.at).toString();
  return event(`${PREFIX}ReleaseConditionSatisfied`, { escrow_id, condition, satisfied_at });
}
