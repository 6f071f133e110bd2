import type { Context } from "../../baseapp/context.ts";
import type { EscrowState, UsageState } from "../../gen/settled/settlement/v1/state.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { NO_COINS } from "../../types/coins.ts";
import { type Allocation, dropBelowMinimum } from "./allocate.ts";
import { allocateUnder } from "./allocate_billed.ts";
import { billingRules } from "./billing_terms.ts";
import { timedSeqOf } from "./ids.ts";
import type { Records } from "./records.ts";
import type { PartRecords } from "./part.ts";
import { NOTHING_SELECTED, selectOpen } from "./select_open.ts";
import { eligibleFor, mayEnd, type SettleRequest } from "./settle_order.ts";
import { spendable } from "./spendable.ts";

/** Why a settlement leaves an open record. */
export type LeftBecause =
  | "unacknowledged"
  | "disputed"
  | "not_covered"
  | "below_minimum"
  | "next_part";

export interface PreviewedRecord {
  readonly usage: UsageState;
  /** undefined: it is taken. */
  readonly left: LeftBecause | undefined;
}

/** What a settlement of an active escrow looks at, record by record. */
export interface Preview {
  /** In recording order: those that are read. */
  readonly records: readonly PreviewedRecord[];
  /** Before denoms below the minimum are left out. */
  readonly allocation: Allocation;
}

/**
 * Tells record by record what settling would do with it, by the machine's own functions.
 * @param request.readMax open records to look at, where the answer may be of the first ones
 */
export function previewSettlement(
  ctx: Context,
  records: Records,
  escrow: EscrowState,
  request: SettleRequest & { readonly readMax?: number },
): Preview {
  const { sender, usageIds, readMax } = request;
  const isFinal = mayEnd(escrow, request);
  const { extended, autoSettleAfter, minSettlementAmount } = records.params(ctx);
  const limit = extended.maxRecordsPerSettlement;
  const billing = billingRules(ctx, records, escrow.orderId);
  const eligible = eligibleFor(ctx, escrow, { sender, autoSettleAfter });
  const readAtMost = readMax === undefined ? {} : { readMax };
  const rules = { limit, eligible, isFinal, billing, ...readAtMost };
  const named = usageIds.length > 0;
  const selection = named
    ? { ...NOTHING_SELECTED, selected: namedOpen(ctx, records, escrow, usageIds) }
    : selectOpen(ctx, records, escrow, rules);
  const { selected } = selection;
  const takable = selected.filter((usage) => !usage.disputed && eligible(usage));
  const endsOrder = !named || BigInt(takable.length) === records.openUsageCount(ctx, escrow.seq);
  const final = isFinal && endsOrder;
  const allocation = allocateUnder(billing, takable, spendable(escrow), final);
  const kept = final ? allocation : dropBelowMinimum(allocation, minSettlementAmount);
  const seen = named ? selected : firstOpen(ctx, records, escrow, selection.read);
  const leftOf = reasons({ ...selection, eligible, selected: takable, allocation, kept });
  return { records: seen.map((usage) => ({ usage, left: leftOf(usage) })), allocation };
}

/** Nothing is looked at where the escrow is not active. */
export const NO_PREVIEW: Preview = {
  records: [],
  allocation: { taken: [], total: NO_COINS, stoppedAt: undefined },
};

function reasons({
  eligible,
  selected,
  passedOver,
  spent: spentDenoms,
  allocation,
  kept,
}: PartRecords & {
  eligible: (usage: UsageState) => boolean;
  allocation: Allocation;
  kept: Allocation;
}): (usage: UsageState) => LeftBecause | undefined {
  const inKept = seqsOf(kept.taken.map(({ usage }) => usage));
  const inAll = seqsOf(allocation.taken.map(({ usage }) => usage));
  const passed = seqsOf(passedOver);
  const spent = new KeyMap<true>();
  for (const denom of spentDenoms) spent.set(denom, true);
  for (const { seq, denom } of selected) if (!inAll.has(seq.toString())) spent.set(denom, true);
  return (usage) => {
    const seq = usage.seq.toString();
    if (inKept.has(seq)) return undefined;
    if (usage.disputed) return "disputed";
    if (!eligible(usage)) return "unacknowledged";
    if (inAll.has(seq) || passed.has(seq)) return "below_minimum";
    return spent.has(usage.denom) ? "not_covered" : "next_part";
  };
}

function seqsOf(usage: readonly UsageState[]): KeyMap<true> {
  const seqs = new KeyMap<true>();
  for (const { seq } of usage) seqs.set(seq.toString(), true);
  return seqs;
}

/** Of the named records those that could be settled at all, in recording order. */
function namedOpen(
  ctx: Context,
  records: Records,
  escrow: EscrowState,
  usageIds: readonly string[],
): UsageState[] {
  const wanted = new KeyMap<true>();
  for (const id of usageIds) {
    const seq = timedSeqOf("usage", id);
    if (seq !== undefined) wanted.set(seq.toString(), true);
  }
  const found: UsageState[] = [];
  for (const seq of records.openUsage(ctx, escrow.seq)) {
    if (!wanted.has(seq.toString())) continue;
    const usage = records.usage(ctx, seq);
    if (usage !== undefined) found.push(usage);
  }
  return found;
}

function firstOpen(
  ctx: Context,
  records: Records,
  escrow: EscrowState,
  count: number,
): UsageState[] {
  const found: UsageState[] = [];
  for (const seq of records.openUsage(ctx, escrow.seq)) {
    if (found.length === count) break;
    const usage = records.usage(ctx, seq);
    if (usage !== undefined) found.push(usage);
  }
  return found;
}
