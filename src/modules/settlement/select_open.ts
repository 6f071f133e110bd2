import type { Context } from "../../baseapp/context.ts";
import type { EscrowState, UsageState } from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { UINT64_MAX } from "../../lib/int.ts";
import type { BillingRules } from "./bill.ts";
import { BilledMeans } from "./billed_means.ts";
import { Means, type Purse } from "./means.ts";
import type { Records } from "./records.ts";
import { spendable } from "./spendable.ts";

/** Open records of an escrow for one settlement, in recording order. */
export interface Selection {
  /** With the first of each denom that the balance does not cover. */
  readonly selected: readonly UsageState[];
  /** Open records that were read for it. */
  readonly read: number;
  /** Whether the limits of a settlement ended it: there may be more. */
  readonly isCut: boolean;
}

interface Rules {
  /** Records that the settlement takes at most. */
  readonly limit: number;
  readonly eligible: (usage: UsageState) => boolean;
  /** A final settlement takes what is not covered too. */
  readonly isFinal: boolean;
  /** Undefined for an order without discounts and tax. */
  readonly billing: BillingRules | undefined;
  /** Open records to read at most. */
  readonly readMax?: number;
  /** Called for each record that is read and left. */
  readonly onLeft?: () => void;
}

/**
 * Selects records until a settlement is full; those of a denom that is spent, and those that are
 * disputed, are passed over.
 */
export function selectOpen(
  ctx: Context,
  records: Records,
  escrow: EscrowState,
  { limit, eligible, isFinal, billing, readMax, onLeft }: Rules,
): Selection {
  const selected: UsageState[] = [];
  const means = isFinal ? undefined : purseOf(escrow, billing);
  let units = 0n;
  let taken = 0;
  let read = 0;
  for (const seq of records.openUsage(ctx, escrow.seq)) {
    if (read === readMax) break;
    read += 1;
    const usage = must(records.usage(ctx, seq), "settlement: open usage has a record");
    if (usage.disputed || !eligible(usage) || means?.isSpent(usage.denom) === true) {
      onLeft?.();
      continue;
    }
    const isTaken = means === undefined || means.covers(usage);
    if (isTaken) units += usage.units;
    // The units of a settlement are one 64-bit field: what does not fit waits for the next part.
    if (taken === limit || units > UINT64_MAX) return { selected, read, isCut: true };
    if (isTaken) taken += 1;
    selected.push(usage);
  }
  return { selected, read, isCut: false };
}

function purseOf(escrow: EscrowState, billing: BillingRules | undefined): Purse {
  const balance = spendable(escrow);
  return billing === undefined ? new Means(balance) : new BilledMeans(billing, balance);
}
