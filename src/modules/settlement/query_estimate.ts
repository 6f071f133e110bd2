import type { Context } from "../../baseapp/context.ts";
import type { QueryRoute } from "../../baseapp/module.ts";
import type { QueryContext } from "../../baseapp/query_context.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import * as ext from "../../gen/settled/settlement/v1/query.ts";
import {
  type EscrowState,
  EscrowStatus,
  type UsageState,
  UsageStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import type { Key } from "../../lib/key.ts";
import { parseAddress } from "../../types/address.ts";
import { type Coins, coinsOf, subCoins, wireCoins } from "../../types/coins.ts";
import { CoinSums } from "./coin_sums.ts";
import { escrowId } from "./ids.ts";
import * as keys from "./keys.ts";
import { validateSettleOrder } from "./msg_validate.ts";
import { openListKey } from "./open_usage.ts";
import { dryRun, tooMuchToRead } from "./query_dry.ts";
import { orderById } from "./query_records.ts";
import { coinsIn, type Records } from "./records.ts";
import { rewardFactorsBy, usageReward } from "./reward.ts";
import { seqsOfEntry } from "./seq_list.ts";
import { type SettleKeepers, type SettleRequest, settleOrder } from "./settle_order.ts";
import { NO_PREVIEW, type Preview, previewSettlement } from "./settlement_preview.ts";
import { settlementTypeName } from "./status_names.ts";
import { usageIdOf } from "./usage_facts.ts";

/** Records that are loaded ahead of one that is read. */
const AHEAD = 2500;
/** Open records that are looked at. */
const OPEN_MAX = 10_000;

/**
 * What SettleOrder would do, found by doing it on a copy that is thrown away.
 * @param keepers of their own: nothing of the machine's is touched
 */
export function estimateQuery(keepers: SettleKeepers): QueryRoute {
  return queryRoute({
    path: "/settled.settlement.v1.Query/EstimateSettlement",
    request: ext.QueryEstimateSettlementRequest,
    response: ext.QueryEstimateSettlementResponse,
    handle: async (ctx, request) => {
      const { orderId, usageRecordIds, isFinal } = request;
      const sender = request.sender && parseAddress(request.sender, ctx.chain.bech32Prefix);
      const asked = { sender, orderId, usageIds: usageRecordIds, isFinal };
      const alongWith = await openUsageAhead(ctx, orderId);
      const { result, refusal } = await dryRun(
        ctx,
        (dry) => attempt(dry, keepers, asked),
        alongWith,
      );
      if (result === undefined) throw refusal;
      return result;
    },
  });
}

/** With a usage record that is open go those after it: they are read in that order. */
export async function openUsageAhead(
  { reader }: QueryContext,
  orderId: string,
): Promise<(key: Key) => readonly Key[]> {
  const order = await orderById(reader, orderId);
  if (order === undefined) return () => [];
  const open: Key[] = [];
  for await (const entry of reader.range(openListKey(order.escrowSeq))) {
    for (const seq of seqsOfEntry(entry)) open.push(keys.recordKey(keys.USAGE_PREFIX, seq));
    if (open.length > OPEN_MAX) break;
  }
  const last = open.length > OPEN_MAX ? open.at(-1) : undefined;
  return (key) => {
    if (!key.startsWith(keys.USAGE_PREFIX)) return [];
    if (last !== undefined && key > last) throw tooMuchToRead();
    const place = open.indexOf(key);
    return place < 0 ? [] : open.slice(place + 1, place + 1 + AHEAD);
  };
}

function attempt(
  ctx: Context,
  keepers: SettleKeepers,
  asked: SettleRequest,
): ext.QueryEstimateSettlementResponse {
  const { records } = keepers;
  const order = records.order(ctx, asked.orderId);
  const escrow = order === undefined ? undefined : records.escrow(ctx, order.escrowSeq);
  // Nobody named: as the customer would settle it.
  const request = { ...asked, sender: asked.sender || (escrow?.depositor ?? "") };
  const { orderId, usageIds, ...rest } = request;
  const isActive = escrow?.status === EscrowStatus.ESCROW_STATUS_ACTIVE;
  const preview = isActive ? previewSettlement(ctx, records, escrow, request) : NO_PREVIEW;
  const facts = { escrow, preview, open: isActive ? records.openUsageCount(ctx, escrow.seq) : 0n };
  try {
    validateSettleOrder({ ...rest, orderId, usageRecordIds: [...usageIds] }, ctx.chain);
    settleOrder(ctx, keepers, request);
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    return refused(facts, error);
  }
  return settled(ctx, records, facts);
}

interface Facts {
  /** As it was. */
  readonly escrow: EscrowState | undefined;
  readonly preview: Preview;
  readonly open: bigint;
}

function refused(
  { escrow, preview, open }: Facts,
  { codespace, code, message: error }: ChainError,
): ext.QueryEstimateSettlementResponse {
  const { stoppedAt } = preview.allocation;
  return ext.QueryEstimateSettlementResponse.fromPartial({
    ...{ codespace, code, error },
    escrowId: escrow === undefined ? "" : escrowId(escrow.seq),
    balanceAfter: escrow?.balance ?? [],
    records: preview.records.map(({ usage, left }) => ({
      usageId: usageIdOf(usage),
      left: left ?? "refused",
      cost: coinsOfUsage(usage, usage.cost),
    })),
    stoppedAt: stoppedAt === undefined ? "" : usageIdOf(stoppedAt),
    remaining: open,
  });
}

/** Reads what the settlement wrote. */
function settled(
  ctx: Context,
  records: Records,
  { escrow, preview, open }: Facts,
): ext.QueryEstimateSettlementResponse {
  const before = escrow as EscrowState;
  const after = records.escrow(ctx, before.seq) as EscrowState;
  const lines = preview.records.map(({ usage, left }) => {
    const now = records.usage(ctx, usage.seq) ?? usage;
    return lineOf(ctx, records, now, left ?? "");
  });
  const taken = lines.filter(({ usage }) => isSettled(usage));
  const first = taken[0]?.usage;
  const settlement = first && records.settlement(ctx, first.settlementSeq);
  const invoice = first && records.invoice(ctx, first.invoiceSeq);
  const payout = settlement && records.payout(ctx, settlement.payoutSeq);
  const [total, tax] = [coinsIn(settlement?.total ?? []), coinsIn(settlement?.tax ?? [])];
  const rewards = new CoinSums();
  for (const { usage } of taken) {
    if (usage.reward !== "") rewards.add(usage.denom, BigInt(usage.reward));
  }
  const { stoppedAt } = preview.allocation;
  const isFinal = after.status === EscrowStatus.ESCROW_STATUS_RELEASED;
  const share = coinsIn(settlement?.providerShare ?? []);
  const holdback = coinsIn(payout?.holdback ?? []);
  return {
    ...{ codespace: "", code: 0, error: "", isFinal },
    escrowId: escrowId(before.seq),
    settlementType: settlement === undefined ? "" : settlementTypeName(settlement.type),
    total: wireCoins(total),
    platformFee: settlement?.platformFee ?? [],
    validatorFee: settlement?.validatorFee ?? [],
    providerShare: wireCoins(share),
    holdback: wireCoins(holdback),
    net: wireCoins(subCoins(share, holdback)),
    discount: discountOf(taken.map(({ usage }) => usage)),
    tax: wireCoins(tax),
    invoiceTotal: invoice?.total ?? [],
    invoiceDue: invoice?.amountDue ?? [],
    rewards: wireCoins(rewards.coins()),
    balanceAfter: wireCoins(subCoins(subCoins(coinsIn(before.balance), total), tax)),
    records: lines.map(({ line }) => line),
    stoppedAt: stoppedAt === undefined ? "" : usageIdOf(stoppedAt),
    remaining: open - BigInt(taken.length),
  };
}

function isSettled({ status }: UsageState): boolean {
  return status === UsageStatus.USAGE_STATUS_SETTLED;
}

function lineOf(
  ctx: Context,
  records: Records,
  usage: UsageState,
  left: string,
): { usage: UsageState; line: ext.EstimatedRecord } {
  const amount = isSettled(usage) ? BigInt(usage.settledAmount) : 0n;
  const factors = rewardFactorsBy(records.params(ctx))(usage);
  const reward = usageReward(amount, factors);
  return {
    usage,
    line: {
      ...factors,
      left,
      usageId: usageIdOf(usage),
      cost: coinsOfUsage(usage, usage.cost),
      discount: coinsOfUsage(usage, usage.discount),
      amount: coinsOfUsage(usage, amount.toString()),
      reward: coinsOfUsage(usage, reward.toString()),
      rewardFunded: usage.reward !== "",
    },
  };
}

function coinsOfUsage({ denom }: UsageState, amount: string): ReturnType<typeof wireCoins> {
  return amount === "" ? [] : wireCoins(coinsOf(denom, BigInt(amount)));
}

function discountOf(usage: readonly UsageState[]): ReturnType<typeof wireCoins> {
  const sums = new CoinSums();
  for (const { denom, discount } of usage) if (discount !== "") sums.add(denom, BigInt(discount));
  const coins: Coins = sums.coins();
  return wireCoins(coins);
}
