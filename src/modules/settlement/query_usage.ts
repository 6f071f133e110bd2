import type { QueryContext } from "../../baseapp/query_context.ts";
import type * as state from "../../gen/settled/settlement/v1/state.ts";
import type * as wire from "../../gen/virtengine/settlement/v1/query.ts";
import { ChainError } from "../../lib/errors.ts";
import { type Key, prefixEnd } from "../../lib/key.ts";
import { INT64_MAX, UINT64_MAX } from "../../lib/int.ts";
import { compareKeys, KeyMap } from "../../lib/key_map.ts";
import type { Reader } from "../../store/read_view.ts";
import { REPLY_ROWS_MAX } from "../../store/reader.ts";
import { parseAddress } from "../../types/address.ts";
import { addCoins, type Coins, coinsOf, NO_COINS, wireCoins } from "../../types/coins.ts";
import { GrpcFailedPrecondition } from "../../types/query_errors.ts";
import { secondsOf } from "../../types/time.ts";
import { timedId } from "./ids.ts";
import * as keys from "./keys.ts";
import { longestUsagePeriod } from "./query_params.ts";
import { ListReader } from "./query_lists.ts";
import { escrowBySeq, settlementIdBySeq, usageBySeq } from "./query_records.ts";
import { seqsOfEntry } from "./seq_list.ts";
import { holdsKey } from "./usage_facts.ts";
import { usageView } from "./views.ts";

/** Usage records as queries show them, with what they have in common read once. */
export class UsageViews {
  readonly #reader: Reader;
  readonly #escrows = new KeyMap<state.EscrowState>();
  readonly #settlementIds = new KeyMap<string>();

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async escrow(seq: bigint): Promise<state.EscrowState> {
    const key = seq.toString();
    const found = this.#escrows.get(key) ?? (await escrowBySeq(this.#reader, seq));
    this.#escrows.set(key, found);
    return found;
  }

  async view(usage: state.UsageState): Promise<wire.UsageRecord> {
    return usageView(
      usage,
      await this.escrow(usage.escrowSeq),
      await this.#settlementId(usage.settlementSeq),
    );
  }

  async #settlementId(seq: bigint): Promise<string> {
    const key = seq.toString();
    const found = this.#settlementIds.get(key) ?? (await settlementIdBySeq(this.#reader, seq));
    this.#settlementIds.set(key, found);
    return found;
  }
}

interface Filter {
  readonly orderId: string;
  readonly provider: string;
  /** Unix seconds; 0 or less: no bound. */
  readonly start: bigint;
  readonly end: bigint;
}

interface Group {
  units: bigint;
  cost: Coins;
}

/**
 * Totals of all records that match: overlap with the time range, inclusive at both ends, records
 * counted whole, grouped by the type as it was sent.
 */
export async function usageSummary(
  ctx: QueryContext,
  request: wire.QueryUsageSummaryRequest,
): Promise<wire.UsageSummary> {
  const { orderId, periodStart: start, periodEnd: end } = request;
  const { bech32Prefix } = ctx.chain;
  const provider = request.provider && parseAddress(request.provider, bech32Prefix);
  const groups = new KeyMap<Group>();
  const ids: string[] = [];
  let count = 0;
  let [first, last] = [0n, 0n];
  for await (const usage of matching(ctx.reader, { orderId, provider, start, end })) {
    const group = groups.get(usage.usageType) ?? { units: 0n, cost: NO_COINS };
    group.units += usage.units;
    group.cost = addCoins(group.cost, coinsOf(usage.denom, BigInt(usage.cost)));
    groups.set(usage.usageType, group);
    if (count === 0 || usage.periodStart < first) first = usage.periodStart;
    if (count === 0 || usage.periodEnd > last) last = usage.periodEnd;
    count += 1;
    if (count <= REPLY_ROWS_MAX) ids.push(timedId("usage", usage.submittedAtNs, usage.seq));
  }
  return {
    ...totalsOf(groups),
    provider,
    orderId,
    periodStart: start > 0n ? start : first,
    periodEnd: end > 0n ? end : last,
    generatedAt: secondsOf(ctx.reader.time),
    blockHeight: ctx.reader.height,
    // Above 10,000 records the totals still stand; the ids are in the paginated query.
    usageRecordIds: count > REPLY_ROWS_MAX ? [] : ids.sort(compareKeys),
  };
}

function totalsOf(
  groups: KeyMap<Group>,
): Pick<wire.UsageSummary, "totalUsageUnits" | "totalCost" | "byUsageType"> {
  const entries = groups.sortedEntries();
  const totalUsageUnits = entries.reduce((sum, [, { units }]) => sum + units, 0n);
  if (totalUsageUnits > UINT64_MAX) {
    throw new ChainError(GrpcFailedPrecondition, `units sum to ${totalUsageUnits}, above 2^64 - 1`);
  }
  const totalCost = entries.reduce<Coins>((sum, [, { cost }]) => addCoins(sum, cost), NO_COINS);
  const byUsageType = entries.map(([usageType, { units, cost }]) => {
    return { usageType, usageUnits: units, totalCost: wireCoins(cost) };
  });
  return { totalUsageUnits, totalCost: wireCoins(totalCost), byUsageType };
}

/** Records that match a filter, read through the index that bounds the walk best. */
async function* matching(reader: Reader, filter: Filter): AsyncGenerator<state.UsageState> {
  const views = new UsageViews(reader);
  for await (const seq of candidates(reader, filter)) {
    const usage = await usageBySeq(reader, seq);
    // What was corrected counts once, as it is now; what was withdrawn does not.
    if (!holdsKey(usage)) continue;
    if (filter.start > 0n && usage.periodEnd < filter.start) continue;
    if (filter.end > 0n && usage.periodStart > filter.end) continue;
    if (filter.orderId !== "" && filter.provider !== "") {
      const escrow = await views.escrow(usage.escrowSeq);
      if (escrow.recipient !== filter.provider) continue;
    }
    yield usage;
  }
}

async function* candidates(reader: Reader, filter: Filter): AsyncGenerator<bigint> {
  const lists = new ListReader(reader);
  if (filter.orderId !== "") {
    const prefix = keys.textIndexKey(keys.USAGE_BY_ORDER_PREFIX, filter.orderId);
    for await (const [key] of lists.range(prefix)) yield keys.seqAtEnd(key);
    return;
  }
  const prefix =
    filter.provider === ""
      ? keys.USAGE_BY_START_PREFIX
      : keys.textIndexKey(keys.USAGE_BY_PROVIDER_PREFIX, filter.provider);
  const { from, to } = await hoursAsked(reader, prefix, filter);
  // Whole lists: each stands under the hour that its periods start in.
  for await (const entry of reader.range(prefix, { from, to })) yield* seqsOfEntry(entry);
}

/** The keys of a look-up by hour between which all periods stand that meet a time, inclusive. */
export async function hoursAsked(
  reader: Reader,
  prefix: Key,
  { start, end }: { start: bigint; end: bigint },
): Promise<{ from: Key | undefined; to: Key | undefined }> {
  const isBounded = end > 0n && end < INT64_MAX;
  const to = isBounded ? prefixEnd(keys.hourIndexKey(prefix, keys.hourOf(end))) : undefined;
  return { from: start > 0n ? await earliestStart(reader, prefix, start) : undefined, to };
}

/** A record lasts at most the longest period of this chain, so it cannot start before that. */
async function earliestStart(reader: Reader, prefix: Key, start: bigint): Promise<Key> {
  return keys.hourIndexKey(prefix, keys.hourOf(start - (await longestUsagePeriod(reader))));
}
