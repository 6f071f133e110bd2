import type { Context } from "../../baseapp/context.ts";
import { isolated } from "../../baseapp/isolated.ts";
import {
  type EscrowState,
  SettlementType,
  type UsageState,
} from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { minSize } from "../../lib/int.ts";
import { dropBelowMinimum } from "./allocate.ts";
import { allocateUnder } from "./allocate_billed.ts";
import { isFlagged } from "./anomaly.ts";
import { dueInQueue } from "./block_queue.ts";
import type { BillingRules } from "./bill.ts";
import { billingRules } from "./billing_terms.ts";
import { autoSettleFailed } from "./events_invoice.ts";
import { escrowId } from "./ids.ts";
import { isExpired } from "./keeper_escrow.ts";
import type { SettlementKeeper } from "./keeper_settlement.ts";
import * as keys from "./keys.ts";
import type { Records } from "./records.ts";
import { NOTHING_SELECTED, type Selection, selectOpen } from "./select_open.ts";
import { spendable } from "./spendable.ts";
import { settleableFrom } from "./usage_facts.ts";

/** Bounds of a block's automatic settlement (RULES 32). */
const ESCROWS_MAX = 100;
const RECORDS_MAX = 1000;
/** Open records that are read, those that have to wait included; the next block reads on. */
const READ_MAX = 10_000;
/** After so many failures in a row it is left until the next period. */
const ATTEMPTS_MAX = 10;

export interface AutoSettlers {
  readonly records: Records;
  readonly settlements: SettlementKeeper;
}

/**
 * Settles what may be settled of the escrows whose period is over, by (due time, id), each on an
 * overlay of its own. What does not fit into the block's bounds stays queued for the next one.
 * @param readMax open records that are read
 */
export function settleDueEscrows(
  ctx: Context,
  keepers: AutoSettlers,
  readMax: number = READ_MAX,
): void {
  const { records } = keepers;
  if (!records.params(ctx).extended.autoSettleEnabled) return;
  const left = { records: RECORDS_MAX, read: readMax };
  const due = dueInQueue(ctx, {
    ...{ prefix: keys.AUTO_SETTLE_QUEUE_PREFIX, most: ESCROWS_MAX },
    isDue: (at) => at <= ctx.time,
    itemOf: (key) => {
      return must(records.escrow(ctx, keys.seqAtEnd(key)), "settlement: a queued escrow exists");
    },
    attemptsOf: ({ autoSettleAttempts }) => autoSettleAttempts,
  });
  for (const [index, escrow] of due.entries()) {
    const billing = billingRules(ctx, records, escrow.orderId);
    const selection = select(ctx, records, escrow, { billing, readMax });
    // The first one always fits: a settlement's limit is at most the block's.
    const fits = selection.selected.length <= left.records && selection.read <= left.read;
    if (index > 0 && !fits) return;
    left.records -= selection.selected.length;
    left.read -= selection.read;
    const facts = { ...selection, escrow, billing };
    const failure = isolated(ctx, (inner) => settleEscrow(inner, keepers, facts));
    if (failure !== undefined) noteFailure(ctx, records, { escrow, error: failure.message });
  }
}

/** As for a provider: acknowledged, or the customer has had the time to look. Not flagged ones. */
function select(
  ctx: Context,
  records: Records,
  escrow: EscrowState,
  { billing, readMax }: { billing: BillingRules | undefined; readMax: number },
): Selection {
  const { extended, autoSettleAfter } = records.params(ctx);
  const limit = minSize(extended.maxRecordsPerSettlement, RECORDS_MAX);
  // An expired one is ended by BeginBlock.
  if (isExpired(ctx, escrow)) return NOTHING_SELECTED;
  const eligible = (usage: UsageState): boolean =>
    !isFlagged(usage) && (usage.acknowledged || ctx.time >= settleableFrom(usage, autoSettleAfter));
  const rules = { limit, eligible, isFinal: false, billing, readMax };
  const place = { from: escrow.autoSettleFrom, spent: escrow.autoSettleSpent };
  return selectOpen(ctx, records, escrow, { ...rules, ...place });
}

function settleEscrow(
  ctx: Context,
  { records, settlements }: AutoSettlers,
  facts: Selection & {
    readonly escrow: EscrowState;
    readonly billing: BillingRules | undefined;
  },
): void {
  const { escrow, billing, selected, isCut } = facts;
  const all = allocateUnder(billing, selected, spendable(escrow), false);
  const allocation = dropBelowMinimum(all, records.params(ctx).minSettlementAmount);
  const count = allocation.taken.length;
  if (count === 0) {
    const place = placeAfter(ctx, records, facts);
    records.setEscrow(ctx, escrow, { ...escrow, ...place, autoSettleAttempts: 0 });
    return;
  }
  const remaining = records.openUsageCount(ctx, escrow.seq) - BigInt(count);
  // What the deployed module calls a settlement of usage that ends nothing, asked for or not.
  const type = SettlementType.SETTLEMENT_TYPE_USAGE_BASED;
  const plan = { escrow, allocation, type, isFinal: false, remaining, initiator: "" };
  const { escrow: after } = settlements.settle(ctx, plan);
  const { autoSettleFrom, autoSettleSpent } = escrow;
  // The next part may have what this one had to leave: it begins where this one did.
  const place = isCut
    ? { autoSettleAtNs: ctx.time, autoSettleFrom, autoSettleSpent }
    : placeAfter(ctx, records, facts);
  records.setEscrow(ctx, after, { ...after, ...place });
}

type Place = Pick<EscrowState, "autoSettleAtNs" | "autoSettleFrom" | "autoSettleSpent">;

/** Those that wait must not hide what comes after them: what was not read is the next block's. */
function placeAfter(ctx: Context, records: Records, { unreadFrom, spent }: Selection): Place {
  if (unreadFrom === 0n) return { autoSettleAtNs: records.nextAutoSettle(ctx), ...FROM_FIRST };
  return { autoSettleAtNs: ctx.time, autoSettleFrom: unreadFrom, autoSettleSpent: [...spent] };
}

const FROM_FIRST = { autoSettleFrom: 0n, autoSettleSpent: [] };

function noteFailure(
  ctx: Context,
  records: Records,
  { escrow, error }: { escrow: EscrowState; error: string },
): void {
  const attempts = escrow.autoSettleAttempts + 1;
  const isLast = attempts === ATTEMPTS_MAX;
  records.setEscrow(ctx, escrow, {
    ...escrow,
    autoSettleAttempts: isLast ? 0 : attempts,
    ...(isLast ? { autoSettleAtNs: records.nextAutoSettle(ctx), ...FROM_FIRST } : {}),
  });
  const { seq, orderId } = escrow;
  ctx.emit(autoSettleFailed({ escrowId: escrowId(seq), orderId, error, attempts }));
}
