import type { Context } from "../../baseapp/context.ts";
import { isolated } from "../../baseapp/isolated.ts";
import { type EscrowState, EscrowStatus } from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { subCoins } from "../../types/coins.ts";
import { settleDueEscrows } from "./auto_settle.ts";
import { expireRewards } from "./block_rewards.ts";
import { dueInQueue } from "./block_queue.ts";
import { coinsIn, type Records } from "./records.ts";
import * as events from "./events.ts";
import { escrowId } from "./ids.ts";
import type { EscrowKeeper } from "./keeper_escrow.ts";
import type { RewardKeeper } from "./keeper_reward.ts";
import type { SettlementKeeper } from "./keeper_settlement.ts";
import type { UsageKeeper } from "./keeper_usage.ts";
import { markOverdueInvoices } from "./invoice_due.ts";
import * as keys from "./keys.ts";
import { type ExpiryPart, expiryPart, settleExpired } from "./settle_order.ts";
import { listNewUsage } from "./usage_lists.ts";

/** Bounds of a block's own work (RULES 14). */
const ESCROWS_MAX = 100;
const RECORDS_MAX = 1000;

export interface BlockWorkers {
  readonly records: Records;
  readonly escrows: EscrowKeeper;
  readonly usage: UsageKeeper;
  readonly settlements: SettlementKeeper;
  readonly rewards: RewardKeeper;
}

/** Ends escrows that are past their time, by (expiry, id), each on an overlay of its own. */
export function beginBlock(ctx: Context, workers: BlockWorkers): void {
  const { records } = workers;
  const due = dueInQueue(ctx, {
    ...{ prefix: keys.EXPIRY_QUEUE_PREFIX, most: ESCROWS_MAX },
    isDue: (at) => at < ctx.time,
    itemOf: (key) => escrowOf(ctx, records, keys.seqAtEnd(key)),
    attemptsOf: ({ expiryAttempts }) => expiryAttempts,
  });
  let budget = RECORDS_MAX;
  for (const { seq } of due) {
    if (budget === 0) return;
    const failure = isolated(ctx, (inner) => {
      const part = expiryPart(inner, workers, escrowOf(inner, records, seq), budget);
      // Before it is tried: one that fails has cost the block as much.
      budget -= part.selected.length;
      expire(inner, workers, part);
    });
    if (failure === undefined) continue;
    const escrow = escrowOf(ctx, records, seq);
    const attempts = escrow.expiryAttempts + 1;
    records.setEscrow(ctx, escrow, { ...escrow, expiryAttempts: attempts });
    const error = failure.message;
    ctx.emit(events.escrowExpiryFailed({ escrowId: escrowId(seq), error, attempts }));
  }
}

function escrowOf(ctx: Context, records: Records, seq: bigint): EscrowState {
  return must(records.escrow(ctx, seq), "settlement: a queued escrow exists");
}

function expire(ctx: Context, workers: BlockWorkers, part: ExpiryPart): void {
  const { escrow: before } = part;
  settleExpired(ctx, workers, part);
  const after = escrowOf(ctx, workers.records, before.seq);
  if (after.status !== EscrowStatus.ESCROW_STATUS_EXPIRED) return;
  const { orderId } = after;
  // What went back to the depositor with the expiry, not by a refund before.
  const balance = subCoins(coinsIn(after.refunded), coinsIn(before.refunded));
  ctx.emit(
    events.escrowExpired({ escrowId: escrowId(before.seq), orderId, balance, at: ctx.time }),
  );
}

/**
 * Look-ups of the block's usage, automatic settlement, invoices that are overdue, staking rewards at
 * the end of an epoch, and rewards that nobody claimed in time.
 */
export function endBlock(ctx: Context, workers: BlockWorkers): void {
  listNewUsage(ctx, workers.records);
  settleDueEscrows(ctx, workers);
  markOverdueInvoices(ctx, workers.records);
  // A reward that cannot be booked is no reason to halt: it is not given.
  isolated(ctx, (inner) => workers.rewards.distributeStaking(inner));
  expireRewards(ctx, workers.records, workers.rewards);
}
