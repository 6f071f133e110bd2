import type { Context } from "../../baseapp/context.ts";
import type { EscrowState, UsageState } from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import type { BillingRules } from "./bill.ts";
import { BilledMeans } from "./billed_means.ts";
import { Means, type Purse } from "./means.ts";
import { Part, type PartRecords } from "./part.ts";
import type { Records } from "./records.ts";
import { spendable } from "./spendable.ts";

/** Open records of an escrow for one settlement. */
export interface Selection extends PartRecords {
  /** Open records that were read for it. */
  readonly read: number;
  /** Whether the limits of a settlement left something out: there may be more. */
  readonly isCut: boolean;
  /** The first that was not read for `readMax`; 0 when that ended nothing. */
  readonly unreadFrom: bigint;
}

export const NOTHING_SELECTED: Selection = {
  ...{ selected: [], passedOver: [], spent: [] },
  ...{ read: 0, isCut: false, unreadFrom: 0n },
};

interface Rules {
  /** Records that the settlement takes at most. */
  readonly limit: number;
  readonly eligible: (usage: UsageState) => boolean;
  /** A final settlement takes what is not covered too, and has no minimum. */
  readonly isFinal: boolean;
  /** Undefined for an order without discounts and tax. */
  readonly billing: BillingRules | undefined;
  /** The first open record to read; 0 or absent: the first that there is. */
  readonly from?: bigint;
  /** Denoms of which a record before `from` was not covered. */
  readonly spent?: readonly string[];
  /** Open records to read at most. */
  readonly readMax?: number;
  /** Called for each record that is read and left. */
  readonly onLeft?: () => void;
}

/**
 * Selects records until a settlement is full; those of a denom that is spent, those that are
 * disputed, and those that would fill it though their denom is below the minimum, are passed over.
 */
export function selectOpen(
  ctx: Context,
  records: Records,
  escrow: EscrowState,
  { limit, eligible, isFinal, billing, from, spent = [], readMax, onLeft = () => undefined }: Rules,
): Selection {
  const purse = isFinal ? undefined : purseOf(escrow, billing);
  const minimum = records.params(ctx).minSettlementAmount;
  const part = new Part({ limit, purse, spent, minimum, onPassed: onLeft });
  let read = 0;
  let unreadFrom = 0n;
  for (const seq of records.openUsage(ctx, escrow.seq, from)) {
    if (read === readMax) {
      unreadFrom = seq;
      break;
    }
    read += 1;
    const usage = must(records.usage(ctx, seq), "settlement: open usage has a record");
    if (usage.disputed || !eligible(usage) || part.isSpent(usage.denom)) onLeft();
    else if (!part.add(usage)) return { ...part.records(), read, isCut: true, unreadFrom };
  }
  return { ...part.records(), read, isCut: part.hasPassedOver, unreadFrom };
}

function purseOf(escrow: EscrowState, billing: BillingRules | undefined): Purse {
  const balance = spendable(escrow);
  return billing === undefined ? new Means(balance) : new BilledMeans(billing, balance);
}
