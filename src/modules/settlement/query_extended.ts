import type { QueryRoute } from "../../baseapp/module.ts";
import type { QueryContext } from "../../baseapp/query_context.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import * as ext from "../../gen/settled/settlement/v1/query.ts";
import type * as wire from "../../gen/virtengine/settlement/v1/query.ts";
import type * as state from "../../gen/settled/settlement/v1/state.ts";
import type { Coin } from "../../gen/cosmos/base/v1beta1/coin.ts";
import { utf8Length } from "../../lib/bytes.ts";
import { ChainError } from "../../lib/errors.ts";
import { type Key, keyOfBytes, u64FromKey } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import { RowBudget, readPage } from "../../store/reader.ts";
import { GrpcInvalidArgument, GrpcNotFound } from "../../types/query_errors.ts";
import { escrowId } from "./ids.ts";
import * as keys from "./keys.ts";
import { openListKey } from "./open_usage.ts";
import { readParams } from "./query_params.ts";
import { ListReader } from "./query_lists.ts";
import * as records from "./query_records.ts";
import { UsageViews } from "./query_usage.ts";
import { readDistribution, rewardEntryPage, rewardRowPage } from "./query_rewards.ts";
import { totalOf } from "./query_totals.ts";
import { usageStatusName } from "./status_names.ts";
import { normaliseUsageType, USAGE_TYPE_BYTES_MAX } from "../../types/usage_type.ts";
import * as view from "./views.ts";

const QUERY = "/settled.settlement.v1.Query";

/** What Settled answers besides the deployed queries. */
export const extendedQueries: readonly QueryRoute[] = [
  queryRoute({
    path: `${QUERY}/UsageByNaturalKey`,
    request: ext.QueryUsageByNaturalKeyRequest,
    response: ext.QueryUsageByNaturalKeyResponse,
    handle: usageByNaturalKey,
  }),
  queryRoute({
    path: `${QUERY}/UsageDetail`,
    request: ext.QueryUsageDetailRequest,
    response: ext.QueryUsageDetailResponse,
    handle: async ({ reader }, { usageId }) => {
      const usage = await records.usageById(reader, usageId);
      return {
        usageRecord: await new UsageViews(reader).view(usage),
        status: usageStatusName(usage.status),
        submittedAtNs: usage.submittedAtNs,
        settledAmount: view.usageSettledView(usage),
        reward: view.usageRewardView(usage),
        escrowId: escrowId(usage.escrowSeq),
        invoiceId: await records.invoiceIdBySeq(reader, usage.invoiceSeq),
        discount: view.usageDiscountView(usage),
      };
    },
  }),
  queryRoute({
    path: `${QUERY}/Usage`,
    request: ext.QueryUsageRequest,
    response: ext.QueryUsageResponse,
    handle: usagePage,
  }),
  queryRoute({
    path: `${QUERY}/Invoice`,
    request: ext.QueryInvoiceRequest,
    response: ext.QueryInvoiceResponse,
    handle: async ({ reader }, { invoiceId }) => {
      const invoice = await records.invoiceById(reader, invoiceId);
      return { invoice: await readInvoice(reader, invoice, await linesOf(reader, invoice)) };
    },
  }),
  queryRoute({
    path: `${QUERY}/InvoicesByOrder`,
    request: ext.QueryInvoicesByOrderRequest,
    response: ext.QueryInvoicesByOrderResponse,
    handle: async ({ reader }, { orderId, pagination }) => {
      const prefix = keys.textIndexKey(keys.INVOICE_BY_ORDER_PREFIX, orderId);
      const page = await readPage(reader, prefix, pagination);
      const invoices: ext.Invoice[] = [];
      for (const [key] of page.entries) {
        const found = await records.invoiceBySeq(reader, keys.seqAtEnd(key));
        if (found !== undefined) invoices.push(await readInvoice(reader, found, []));
      }
      return { invoices, pagination: page };
    },
  }),
  queryRoute({
    path: `${QUERY}/RewardEntries`,
    request: ext.QueryRewardEntriesRequest,
    response: ext.QueryRewardEntriesResponse,
    handle: rewardEntryPage,
  }),
  queryRoute({
    path: `${QUERY}/RewardRows`,
    request: ext.QueryRewardRowsRequest,
    response: ext.QueryRewardRowsResponse,
    handle: rewardRowPage,
  }),
  queryRoute({
    path: `${QUERY}/Distributions`,
    request: ext.QueryDistributionsRequest,
    response: ext.QueryDistributionsResponse,
    handle: async ({ reader }, { epochNumber, pagination }) => {
      const page = await readPage(reader, keys.epochIndexKey(epochNumber), pagination);
      const distributions: wire.RewardDistribution[] = [];
      const budget = new RowBudget("ask for a smaller page");
      for (const [key] of page.entries) {
        const found = await records.distributionBySeq(reader, keys.seqAtEnd(key));
        budget.take(found.rowCount);
        distributions.push(await readDistribution(reader, found));
      }
      return { distributions, pagination: page };
    },
  }),
  queryRoute({
    path: `${QUERY}/Params`,
    request: ext.QueryParamsRequest,
    response: ext.QueryParamsResponse,
    handle: async ({ reader }) => {
      const { extended, version, pending } = await readParams(reader);
      return { params: extended, paramsVersion: version, pending };
    },
  }),
  queryRoute({
    path: `${QUERY}/Totals`,
    request: ext.QueryTotalsRequest,
    response: ext.QueryTotalsResponse,
    handle: ({ reader }) => totals(reader),
  }),
];

async function usageByNaturalKey(
  { reader }: QueryContext,
  request: ext.QueryUsageByNaturalKeyRequest,
): Promise<ext.QueryUsageByNaturalKeyResponse> {
  const { orderId, leaseId, usageType, periodStart: start, periodEnd: end } = request;
  if (utf8Length(usageType) > USAGE_TYPE_BYTES_MAX) {
    throw new ChainError(GrpcInvalidArgument, `usage_type has over ${USAGE_TYPE_BYTES_MAX} bytes`);
  }
  const meter = keys.meterKey({ orderId, leaseId, type: normaliseUsageType(usageType) });
  const seq = await records.usageSeqAt(reader, meter, start);
  const usage = seq === undefined ? undefined : await records.usageBySeq(reader, seq);
  // One meter's periods are disjoint, so no other one begins there.
  if (usage?.periodEnd !== end) {
    throw new ChainError(GrpcNotFound, `no usage of ${orderId} is recorded for [${start}, ${end})`);
  }
  return { usageRecord: await new UsageViews(reader).view(usage) };
}

async function usagePage(
  { reader }: QueryContext,
  { orderId, openOnly, pagination }: ext.QueryUsageRequest,
): Promise<ext.QueryUsageResponse> {
  if (orderId === "") throw new ChainError(GrpcInvalidArgument, "order_id is empty");
  const prefix = openOnly
    ? await openPrefix(reader, orderId)
    : keys.textIndexKey(keys.USAGE_BY_ORDER_PREFIX, orderId);
  const page = await readPage(new ListReader(reader), prefix, pagination);
  const views = new UsageViews(reader);
  const usageRecords = [];
  for (const [key] of page.entries) {
    usageRecords.push(await views.view(await records.usageBySeq(reader, keys.seqAtEnd(key))));
  }
  return { usageRecords, pagination: page };
}

/** Open records stand under the order's newest escrow: an older one has none. */
async function openPrefix(reader: Reader, orderId: string): Promise<Key> {
  const order = await records.orderById(reader, orderId);
  if (order !== undefined) return openListKey(order.escrowSeq);
  throw new ChainError(GrpcNotFound, `order ${orderId} has no escrow`);
}

async function linesOf(reader: Reader, invoice: state.InvoiceState): Promise<ext.InvoiceLine[]> {
  const lines: ext.InvoiceLine[] = [];
  const by = { settlementSeq: invoice.settlementSeq, invoiceSeq: invoice.seq };
  for await (const usage of records.settledUsage(reader, by)) lines.push(view.invoiceLine(usage));
  return lines;
}

async function readInvoice(
  reader: Reader,
  invoice: state.InvoiceState,
  lines: ext.InvoiceLine[],
): Promise<ext.Invoice> {
  const escrow = await records.escrowBySeq(reader, invoice.escrowSeq);
  const settlementId = await records.settlementIdBySeq(reader, invoice.settlementSeq);
  return view.invoiceView(invoice, escrow, { settlementId, lines });
}

async function totals(reader: Reader): Promise<ext.QueryTotalsResponse> {
  const count = async (name: keys.SequenceName): Promise<bigint> => {
    const bytes = await reader.get(keys.sequenceKey(name));
    return bytes === undefined ? 0n : u64FromKey(keyOfBytes(bytes), 0) - 1n;
  };
  const sum = (name: keys.TotalName): Promise<Coin[]> => totalOf(reader, name);
  return {
    escrows: await count("escrow"),
    usageRecords: await count("usage"),
    settlements: await count("settlement"),
    invoices: await count("invoice"),
    payouts: await count("payout"),
    distributions: await count("distribution"),
    escrowed: await sum("escrowed"),
    settled: await sum("settled"),
    platformFees: await sum("platformFees"),
    validatorFees: await sum("validatorFees"),
    taxes: await sum("taxes"),
    rewards: await sum("distributed"),
    rewardsClaimable: await sum("claimable"),
  };
}
