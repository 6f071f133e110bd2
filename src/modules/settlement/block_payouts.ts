import type { Context } from "../../baseapp/context.ts";
import { isolated } from "../../baseapp/isolated.ts";
import { i64FromKey, type Key } from "../../lib/key.ts";
import type { PayoutKeeper } from "./keeper_payout.ts";
import * as keys from "./keys.ts";

/** Payouts that a block looks at in each of the three queues. */
const PAYOUTS_MAX = 100;

/**
 * Payouts that have waited their time, those that failed and are tried again, and holdbacks whose
 * dispute window is over: each on its own, oldest first.
 */
export function advancePayouts(ctx: Context, payouts: PayoutKeeper): void {
  const due = [
    ...dueUnder(ctx, keys.PAYOUT_QUEUE_PREFIX, ctx.time),
    ...dueUnder(ctx, keys.PAYOUT_RETRY_QUEUE_PREFIX, ctx.height),
    ...dueUnder(ctx, keys.HOLDBACK_QUEUE_PREFIX, ctx.time),
  ];
  for (const seq of due) {
    const failure = isolated(ctx, (inner) => payouts.advance(inner, seq));
    if (failure === undefined) continue;
    // Not the transfer, which fails inside: the state would not take what came of it.
    payouts.putOff(ctx, seq, failure);
  }
}

/** Numbers of the entries up to a time or height. */
function dueUnder(ctx: Context, prefix: Key, limit: bigint): bigint[] {
  const due: bigint[] = [];
  for (const [key] of ctx.kv.iterate(prefix)) {
    if (i64FromKey(key, prefix.length) > limit || due.length === PAYOUTS_MAX) break;
    due.push(keys.seqAtEnd(key));
  }
  return due;
}
