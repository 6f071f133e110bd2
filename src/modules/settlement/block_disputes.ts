import type { Context } from "../../baseapp/context.ts";
import { isolated } from "../../baseapp/isolated.ts";
import { must } from "../../lib/assert.ts";
import { dueInQueue } from "./block_queue.ts";
import { changeDispute, disputeId, readDispute } from "./dispute_records.ts";
import { disputeExpiryFailed } from "./events_dispute.ts";
import type { DisputeKeeper } from "./keeper_dispute.ts";
import * as keys from "./keys.ts";

/** Disputes that a block ends. */
const DISPUTES_MAX = 1000;

/** Ends the disputes whose time is over, by (time, id), each on an overlay of its own. */
export function expireDisputes(ctx: Context, disputes: DisputeKeeper): void {
  const due = dueInQueue(ctx, {
    ...{ prefix: keys.DISPUTE_QUEUE_PREFIX, most: DISPUTES_MAX },
    isDue: (at) => at <= ctx.time,
    itemOf: (key) => {
      return must(readDispute(ctx, keys.seqAtEnd(key)), "settlement: a queued dispute exists");
    },
    attemptsOf: ({ expiryAttempts }) => expiryAttempts,
  });
  for (const dispute of due) {
    const { seq } = dispute;
    const failure = isolated(ctx, (inner) => disputes.expire(inner, seq));
    // It stays undecided, and the record stays as it is.
    if (failure === undefined) continue;
    const attempts = dispute.expiryAttempts + 1;
    changeDispute(ctx, { ...dispute, expiryAttempts: attempts });
    const facts = { disputeId: disputeId(seq), error: failure.message, attempts, at: ctx.time };
    ctx.emit(disputeExpiryFailed(facts));
  }
}
