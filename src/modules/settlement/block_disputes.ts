import type { Context } from "../../baseapp/context.ts";
import { isolated } from "../../baseapp/isolated.ts";
import { i64FromKey } from "../../lib/key.ts";
import { disputeId } from "./dispute_records.ts";
import { disputeExpiryFailed } from "./events_dispute.ts";
import type { DisputeKeeper } from "./keeper_dispute.ts";
import * as keys from "./keys.ts";

/** Disputes that a block ends. */
const DISPUTES_MAX = 1000;

/** Ends the disputes whose time is over, by (time, id), each on an overlay of its own. */
export function expireDisputes(ctx: Context, disputes: DisputeKeeper): void {
  const due: bigint[] = [];
  for (const [key] of ctx.kv.iterate(keys.DISPUTE_QUEUE_PREFIX)) {
    const isDue = i64FromKey(key, keys.DISPUTE_QUEUE_PREFIX.length) <= ctx.time;
    if (!isDue || due.length === DISPUTES_MAX) break;
    due.push(keys.seqAtEnd(key));
  }
  for (const seq of due) {
    const failure = isolated(ctx, (inner) => disputes.expire(inner, seq));
    // It stays in the queue, and the record stays as it is.
    if (failure === undefined) continue;
    const facts = { disputeId: disputeId(seq), error: failure.message, at: ctx.time };
    ctx.emit(disputeExpiryFailed(facts));
  }
}
