import type { Context } from "../../baseapp/context.ts";
import type { QueryRoute } from "../../baseapp/module.ts";
import type { QueryContext } from "../../baseapp/query_context.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import * as ext from "../../gen/settled/settlement/v1/query.ts";
import {
  type EscrowState,
  EscrowStatus,
  type UsageState,
} from "../../gen/settled/settlement/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import type { Reader } from "../../store/read_view.ts";
import {
  amountOf,
  type Coins,
  coinsOf,
  isZeroCoins,
  mapCoins,
  wireCoins,
} from "../../types/coins.ts";
import { maxBigint } from "../../lib/int.ts";
import { GrpcNotFound } from "../../types/query_errors.ts";
import { dropBelowMinimum } from "./allocate.ts";
import { isFlagged } from "./anomaly.ts";
import { CoinSums } from "./coin_sums.ts";
import * as errors from "./errors.ts";
import { escrowId } from "./ids.ts";
import * as keys from "./keys.ts";
import { openHeadKey, openListKey, readHead } from "./open_usage.ts";
import { ruleParams, type RuleParams } from "./params.ts";
import { dryRun } from "./query_dry.ts";
import { openUsageAhead } from "./query_estimate.ts";
import { ListReader } from "./query_lists.ts";
import { filteredPage } from "./query_page.ts";
import { readParams } from "./query_params.ts";
import { escrowBySeq, orderById, usageBySeq } from "./query_records.ts";
import { autoSettleDue, type Records } from "./records.ts";
import { NO_PREVIEW, previewSettlement } from "./settlement_preview.ts";
import { spendable } from "./spendable.ts";
import { statusName } from "./status_names.ts";
import { settleableFrom, usageIdOf } from "./usage_facts.ts";

/** Open records that are counted. */
const COUNTED_MAX = 10_000;

/** What the next settlement of an order lacks. */
export function nextQuery(records: Records): QueryRoute {
  return queryRoute({
    path: "/settled.settlement.v1.Query/NextSettlement",
    request: ext.QueryNextSettlementRequest,
    response: ext.QueryNextSettlementResponse,
    handle: (ctx, request) => nextSettlement(ctx, records, request),
  });
}

async function nextSettlement(
  ctx: QueryContext,
  records: Records,
  { orderId, pagination }: ext.QueryNextSettlementRequest,
): Promise<ext.QueryNextSettlementResponse> {
  const { reader } = ctx;
  const order = await orderById(reader, orderId);
  if (order === undefined) {
    const { codespace, code, text } = errors.ErrEscrowNotFound;
    const detail = `${text}: order "${orderId.slice(0, 140)}" (${codespace}/${code})`;
    throw new ChainError(GrpcNotFound, detail);
  }
  const escrow = await escrowBySeq(reader, order.escrowSeq);
  const { wire, extended } = await readParams(reader);
  const rules = ruleParams(wire, extended);
  const counts = await countOpen(reader, escrow);
  const amounts = await amountNow(ctx, records, escrow);
  const balance = spendable(escrow);
  const page = await waitingPage(reader, { escrow, rules, pagination });
  return {
    escrowId: escrowId(escrow.seq),
    escrowState: statusName(escrow.status),
    expiresAtNs: escrow.expiresAtNs,
    lacks: lacksOf(reader, escrow, { counts, amounts, rules }),
    openUsage: counts.open,
    unacknowledged: counts.unacknowledged,
    flagged: counts.flagged,
    disputed: counts.disputed,
    amount: wireCoins(amounts.total),
    minSettlementAmount: rules.minSettlementAmount.toString(),
    balance: wireCoins(balance),
    cost: wireCoins(counts.cost),
    missing: wireCoins(missing(counts.cost, balance)),
    autoSettleAtNs: autoSettleDue(escrow) ?? 0n,
    autoSettleEnabled: extended.autoSettleEnabled,
    counted: counts.counted,
    waiting: page.rows,
    pagination: page.pagination,
  };
}

interface Counts {
  /** All of them; the others are of those that are counted. */
  readonly open: bigint;
  counted: bigint;
  unacknowledged: bigint;
  flagged: bigint;
  disputed: bigint;
  cost: Coins;
}

async function countOpen(reader: Reader, { seq }: EscrowState): Promise<Counts> {
  const open = BigInt(readHead(await reader.get(openHeadKey(seq))).count);
  const none = { counted: 0n, unacknowledged: 0n, flagged: 0n, disputed: 0n };
  const counts: Counts = { open, ...none, cost: [] };
  const cost = new CoinSums();
  const limited = { limit: COUNTED_MAX };
  for await (const [key] of new ListReader(reader).range(openListKey(seq), limited)) {
    const usage = await usageBySeq(reader, keys.seqAtEnd(key));
    counts.counted += 1n;
    if (!usage.acknowledged) counts.unacknowledged += 1n;
    if (isFlagged(usage)) counts.flagged += 1n;
    // What a disputed one costs is kept apart from the balance, too.
    if (usage.disputed) counts.disputed += 1n;
    else cost.add(usage.denom, BigInt(usage.cost));
  }
  counts.cost = cost.coins();
  return counts;
}

interface Amounts {
  /** What could be settled before the minimum is looked at. */
  readonly total: Coins;
  readonly takes: number;
  readonly kept: number;
  readonly isStopped: boolean;
  /** Whether any record was eligible. */
  readonly hasEligible: boolean;
}

/** What its provider's settlement would take now, by the machine's own functions. */
async function amountNow(
  ctx: QueryContext,
  records: Records,
  escrow: EscrowState,
): Promise<Amounts> {
  const { orderId, recipient: sender } = escrow;
  const isActive = escrow.status === EscrowStatus.ESCROW_STATUS_ACTIVE;
  const work = (dry: Context): Amounts => {
    const request = { sender, orderId, usageIds: [], isFinal: false, readMax: COUNTED_MAX };
    const { allocation, records: looked } = isActive
      ? previewSettlement(dry, records, escrow, request)
      : NO_PREVIEW;
    const minimum = isActive ? records.params(dry).minSettlementAmount : 0n;
    return {
      total: allocation.total,
      takes: allocation.taken.length,
      kept: dropBelowMinimum(allocation, minimum).taken.length,
      isStopped: allocation.stoppedAt !== undefined,
      hasEligible: looked.some(({ left }) => left !== "unacknowledged" && left !== "disputed"),
    };
  };
  const { result, refusal } = await dryRun(ctx, work, await openUsageAhead(ctx, orderId));
  if (result === undefined) throw refusal;
  return result;
}

function lacksOf(
  reader: Reader,
  escrow: EscrowState,
  { counts, amounts }: { counts: Counts; amounts: Amounts; rules: RuleParams },
): string[] {
  const lacks: string[] = [];
  if (escrow.status !== EscrowStatus.ESCROW_STATUS_ACTIVE) lacks.push("escrow_not_active");
  else if (reader.time > escrow.expiresAtNs && escrow.openDisputes === 0)
    lacks.push("escrow_expired");
  if (counts.open === 0n) return [...lacks, "no_open_usage"];
  if (lacks.length > 0 || amounts.kept > 0) return lacks;
  if (!amounts.hasEligible) return ["all_wait"];
  if (amounts.takes === 0 && amounts.isStopped) return ["balance"];
  return [isZeroCoins(amounts.total) ? "zero_cost" : "below_minimum"];
}

/** What costs are above the balance, by denom. */
function missing(cost: Coins, balance: Coins): Coins {
  return mapCoins(cost, (amount, denom) => maxBigint(amount - amountOf(balance, denom), 0n));
}

/** Open records that the provider, or the chain unasked, cannot settle yet. */
async function waitingPage(
  reader: Reader,
  {
    escrow,
    rules,
    pagination,
  }: {
    escrow: EscrowState;
    rules: RuleParams;
    pagination: ext.QueryNextSettlementRequest["pagination"];
  },
): ReturnType<typeof filteredPage<ext.WaitingRecord>> {
  const sections = [{ reader: new ListReader(reader), prefix: openListKey(escrow.seq) }];
  return filteredPage(sections, pagination, async (key) => {
    const usage = await usageBySeq(reader, keys.seqAtEnd(key));
    const from = settleableFrom(usage, rules.autoSettleAfter);
    const waitsFor = reasonsOf(usage, reader.time < from);
    if (waitsFor.length === 0) return undefined;
    return {
      usageId: usageIdOf(usage),
      cost: wireCoins(coinsOf(usage.denom, BigInt(usage.cost))),
      waitsFor,
      settleableAtNs: usage.disputed ? 0n : from,
    };
  });
}

function reasonsOf(usage: UsageState, isEarly: boolean): string[] {
  const reasons: string[] = [];
  if (!usage.acknowledged && isEarly) reasons.push("unacknowledged");
  if (isFlagged(usage)) reasons.push("flagged");
  if (usage.disputed) reasons.push("disputed");
  return reasons;
}
