import type { QueryRoute } from "../../baseapp/module.ts";
import type { QueryContext } from "../../baseapp/query_context.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import type * as state from "../../gen/settled/settlement/v1/state.ts";
import * as wire from "../../gen/virtengine/settlement/v1/query.ts";
import { ChainError } from "../../lib/errors.ts";
import { byteKey, joinKeys, type Key } from "../../lib/key.ts";
import { compareKeys } from "../../lib/key_map.ts";
import type { Reader } from "../../store/read_view.ts";
import { RowBudget, readAll } from "../../store/reader.ts";
import { parseAddress } from "../../types/address.ts";
import { GrpcInvalidArgument, GrpcUnimplemented } from "../../types/query_errors.ts";
import { timedId } from "./ids.ts";
import * as keys from "./keys.ts";
import { readParams } from "./query_params.ts";
import { ListReader } from "./query_lists.ts";
import * as records from "./query_records.ts";
import { claimableRewards, readDistribution, rewardHistory } from "./query_rewards.ts";
import { usageSummary, UsageViews } from "./query_usage.ts";
import { escrowStatusOf } from "./status_names.ts";
import * as view from "./views.ts";

const QUERY = "/virtengine.settlement.v1.Query";
/** Answers in pages what is too long for one reply (RULES 36). */
const PAGED = "/settled.settlement.v1.Query";

/** The deployed query service: fifteen answers, and three that are not part of Settled. */
export const settlementQueries: readonly QueryRoute[] = [
  queryRoute({
    path: `${QUERY}/Escrow`,
    request: wire.QueryEscrowRequest,
    response: wire.QueryEscrowResponse,
    handle: async ({ reader }, { escrowId }) => {
      return { escrow: view.escrowView(await records.escrowById(reader, escrowId), reader.time) };
    },
  }),
  queryRoute({
    path: `${QUERY}/EscrowsByOrder`,
    request: wire.QueryEscrowsByOrderRequest,
    response: wire.QueryEscrowsByOrderResponse,
    handle: async ({ reader }, { orderId }) => {
      const prefix = keys.textIndexKey(keys.ESCROW_BY_ORDER_PREFIX, orderId);
      return { escrows: await escrowsUnder(reader, prefix) };
    },
  }),
  queryRoute({
    path: `${QUERY}/EscrowsByState`,
    request: wire.QueryEscrowsByStateRequest,
    response: wire.QueryEscrowsByStateResponse,
    handle: async ({ reader }, { state: name }) => {
      const status = escrowStatusOf(name);
      if (status === undefined) {
        throw new ChainError(GrpcInvalidArgument, `unknown escrow state "${name.slice(0, 64)}"`);
      }
      const prefix = joinKeys(keys.ESCROW_BY_STATUS_PREFIX, byteKey(status));
      return { escrows: await escrowsUnder(reader, prefix) };
    },
  }),
  queryRoute({
    path: `${QUERY}/Settlement`,
    request: wire.QuerySettlementRequest,
    response: wire.QuerySettlementResponse,
    handle: async ({ reader }, { settlementId }) => {
      const found = await records.settlementById(reader, settlementId);
      return { settlement: await readSettlement(reader, found) };
    },
  }),
  queryRoute({
    path: `${QUERY}/SettlementsByOrder`,
    request: wire.QuerySettlementsByOrderRequest,
    response: wire.QuerySettlementsByOrderResponse,
    handle: async ({ reader }, { orderId }) => {
      const prefix = keys.textIndexKey(keys.SETTLEMENT_BY_ORDER_PREFIX, orderId);
      const settlements: wire.SettlementRecord[] = [];
      const budget = new RowBudget(`use ${PAGED}/Settlements`);
      for (const seq of await seqsUnder(reader, prefix, `${PAGED}/Settlements`)) {
        const found = await records.settlementBySeq(reader, seq);
        if (found === undefined) continue;
        budget.take(found.recordCount);
        settlements.push(await readSettlement(reader, found));
      }
      return { settlements };
    },
  }),
  queryRoute({
    path: `${QUERY}/UsageRecord`,
    request: wire.QueryUsageRecordRequest,
    response: wire.QueryUsageRecordResponse,
    handle: async ({ reader }, { usageId }) => {
      const usage = await records.usageById(reader, usageId);
      return { usageRecord: await new UsageViews(reader).view(usage) };
    },
  }),
  queryRoute({
    path: `${QUERY}/UsageRecordsByOrder`,
    request: wire.QueryUsageRecordsByOrderRequest,
    response: wire.QueryUsageRecordsByOrderResponse,
    handle: async ({ reader }, { orderId }) => {
      const prefix = keys.textIndexKey(keys.USAGE_BY_ORDER_PREFIX, orderId);
      const views = new UsageViews(reader);
      const usageRecords: wire.UsageRecord[] = [];
      const lists = new ListReader(reader);
      for (const seq of await seqsUnder(lists, prefix, `${PAGED}/Usage`)) {
        usageRecords.push(await views.view(await records.usageBySeq(reader, seq)));
      }
      return { usageRecords };
    },
  }),
  queryRoute({
    path: `${QUERY}/UsageSummary`,
    request: wire.QueryUsageSummaryRequest,
    response: wire.QueryUsageSummaryResponse,
    handle: async (ctx, request) => ({ summary: await usageSummary(ctx, request) }),
  }),
  queryRoute({
    path: `${QUERY}/RewardDistribution`,
    request: wire.QueryRewardDistributionRequest,
    response: wire.QueryRewardDistributionResponse,
    handle: async ({ reader }, { distributionId }) => {
      const found = await records.distributionById(reader, distributionId);
      return { distribution: await readDistribution(reader, found) };
    },
  }),
  queryRoute({
    path: `${QUERY}/RewardsByEpoch`,
    request: wire.QueryRewardsByEpochRequest,
    response: wire.QueryRewardsByEpochResponse,
    handle: async ({ reader }, { epochNumber }) => {
      const prefix = keys.epochIndexKey(epochNumber);
      const distributions: wire.RewardDistribution[] = [];
      const budget = new RowBudget(`use ${PAGED}/Distributions`);
      for (const seq of await seqsUnder(reader, prefix, `${PAGED}/Distributions`)) {
        const found = await records.distributionBySeq(reader, seq);
        budget.take(found.rowCount);
        distributions.push(await readDistribution(reader, found));
      }
      return { distributions };
    },
  }),
  queryRoute({
    path: `${QUERY}/RewardHistory`,
    request: wire.QueryRewardHistoryRequest,
    response: wire.QueryRewardHistoryResponse,
    handle: async (ctx, request) => ({ entries: await rewardHistory(ctx, request) }),
  }),
  queryRoute({
    path: `${QUERY}/ClaimableRewards`,
    request: wire.QueryClaimableRewardsRequest,
    response: wire.QueryClaimableRewardsResponse,
    handle: async (ctx, { address }) => ({ rewards: await claimableRewards(ctx, address) }),
  }),
  queryRoute({
    path: `${QUERY}/Payout`,
    request: wire.QueryPayoutRequest,
    response: wire.QueryPayoutResponse,
    handle: async ({ reader }, { payoutId }) => {
      return { payout: await readPayout(reader, await records.payoutById(reader, payoutId)) };
    },
  }),
  queryRoute({
    path: `${QUERY}/PayoutsByProvider`,
    request: wire.QueryPayoutsByProviderRequest,
    response: wire.QueryPayoutsByProviderResponse,
    handle: payoutsByProvider,
  }),
  queryRoute({
    path: `${QUERY}/Params`,
    request: wire.QueryParamsRequest,
    response: wire.QueryParamsResponse,
    handle: async ({ reader }) => ({ params: (await readParams(reader)).wire }),
  }),
  queryRoute({
    path: `${QUERY}/FiatConversion`,
    request: wire.QueryFiatConversionRequest,
    response: wire.QueryFiatConversionResponse,
    handle: noFiat,
  }),
  queryRoute({
    path: `${QUERY}/FiatConversionsByProvider`,
    request: wire.QueryFiatConversionsByProviderRequest,
    response: wire.QueryFiatConversionsByProviderResponse,
    handle: noFiat,
  }),
  queryRoute({
    path: `${QUERY}/FiatPayoutPreference`,
    request: wire.QueryFiatPayoutPreferenceRequest,
    response: wire.QueryFiatPayoutPreferenceResponse,
    handle: noFiat,
  }),
];

async function noFiat(): Promise<never> {
  throw new ChainError(GrpcUnimplemented, "fiat conversion is not part of Settled");
}

async function seqsUnder(reader: Reader, prefix: Key, instead: string): Promise<bigint[]> {
  const entries = await readAll(reader, prefix, instead);
  return entries.map(([key]) => keys.seqAtEnd(key));
}

async function escrowsUnder(reader: Reader, prefix: Key): Promise<wire.EscrowAccount[]> {
  const escrows: wire.EscrowAccount[] = [];
  for (const seq of await seqsUnder(reader, prefix, `${PAGED}/Escrows`)) {
    escrows.push(view.escrowView(await records.escrowBySeq(reader, seq), reader.time));
  }
  return escrows;
}

export async function readSettlement(
  reader: Reader,
  settlement: state.SettlementState,
): Promise<wire.SettlementRecord> {
  const escrow = await records.escrowBySeq(reader, settlement.escrowSeq);
  const ids: string[] = [];
  const by = { settlementSeq: settlement.seq, invoiceSeq: 0n };
  for await (const usage of records.settledUsage(reader, by)) {
    ids.push(timedId("usage", usage.submittedAtNs, usage.seq));
  }
  return view.settlementView(settlement, escrow, ids);
}

export async function readPayout(
  reader: Reader,
  payout: state.PayoutState,
): Promise<wire.PayoutRecord> {
  const escrow = await records.escrowBySeq(reader, payout.escrowSeq);
  return view.payoutView(payout, escrow, {
    settlementId: await records.settlementIdBySeq(reader, payout.settlementSeq),
    invoiceId: await records.invoiceIdBySeq(reader, payout.invoiceSeq),
  });
}

/** Sorted by id as text, as deployed. */
async function payoutsByProvider(
  ctx: QueryContext,
  { provider }: wire.QueryPayoutsByProviderRequest,
): Promise<wire.QueryPayoutsByProviderResponse> {
  const owner = parseAddress(provider, ctx.chain.bech32Prefix);
  const prefix = keys.textIndexKey(keys.PAYOUT_BY_PROVIDER_PREFIX, owner);
  const payouts: wire.PayoutRecord[] = [];
  for (const seq of await seqsUnder(ctx.reader, prefix, `${PAGED}/Payouts`)) {
    payouts.push(await readPayout(ctx.reader, await records.payoutBySeq(ctx.reader, seq)));
  }
  return { payouts: payouts.sort((a, b) => compareKeys(a.payoutId, b.payoutId)) };
}
