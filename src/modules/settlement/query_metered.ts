import type { QueryRoute } from "../../baseapp/module.ts";
import type { QueryContext } from "../../baseapp/query_context.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import * as ext from "../../gen/settled/settlement/v1/query.ts";
import { type UsageState, UsageStatus } from "../../gen/settled/settlement/v1/state.ts";
import { utf8Length } from "../../lib/bytes.ts";
import { ChainError } from "../../lib/errors.ts";
import type { Key } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import { GrpcInvalidArgument, GrpcResourceExhausted } from "../../types/query_errors.ts";
import * as keys from "./keys.ts";
import { openListKey } from "./open_usage.ts";
import { ListReader } from "./query_lists.ts";
import { addressAsked, filteredPage, type Section, wordAsked } from "./query_page.ts";
import { escrowBySeq, orderById, usageBySeq } from "./query_records.ts";
import { hoursAsked, UsageViews } from "./query_usage.ts";
import { usageStatusOf } from "./status_names.ts";
import { normaliseUsageType, USAGE_TYPE_BYTES_MAX } from "../../types/usage_type.ts";

/** Usage records by what they say. */
export const meteredQueries: readonly QueryRoute[] = [
  queryRoute({
    path: "/settled.settlement.v1.Query/UsageRecords",
    request: ext.QueryUsageRecordsRequest,
    response: ext.QueryUsageRecordsResponse,
    handle: usageRecordPage,
  }),
];

/** What is asked of usage records; undefined: anything. */
interface UsageFilter {
  readonly orderId: string | undefined;
  readonly leaseId: string | undefined;
  readonly provider: string | undefined;
  readonly customer: string | undefined;
  /** Normalised. */
  readonly type: string | undefined;
  readonly status: UsageStatus | undefined;
  readonly dispute: Dispute | undefined;
  /** Unix seconds, both inclusive; 0 or less: no bound. */
  readonly start: bigint;
  readonly end: bigint;
}

const DISPUTES = ["open", "any", "none"] as const;
type Dispute = (typeof DISPUTES)[number];

function filterOf(ctx: QueryContext, request: ext.QueryUsageRecordsRequest): UsageFilter {
  const { orderId, leaseId, usageType } = request;
  if (utf8Length(usageType) > USAGE_TYPE_BYTES_MAX) {
    throw new ChainError(GrpcInvalidArgument, `usage_type has over ${USAGE_TYPE_BYTES_MAX} bytes`);
  }
  return {
    orderId: orderId === "" ? undefined : orderId,
    leaseId: leaseId === "" ? undefined : leaseId,
    provider: addressAsked(ctx, request.provider),
    customer: addressAsked(ctx, request.customer),
    type: usageType === "" ? undefined : normaliseUsageType(usageType),
    status: wordAsked("usage state", request.state, usageStatusOf),
    dispute: wordAsked("dispute", request.dispute, (word) =>
      DISPUTES.find((each) => each === word),
    ),
    start: request.periodStart,
    end: request.periodEnd,
  };
}

async function usageRecordPage(
  ctx: QueryContext,
  request: ext.QueryUsageRecordsRequest,
): Promise<ext.QueryUsageRecordsResponse> {
  const { reader } = ctx;
  const filter = filterOf(ctx, request);
  const views = new UsageViews(reader);
  const sections = await sectionsOf(reader, filter);
  const page = await filteredPage(sections, request.pagination, async (key) => {
    const usage = await usageBySeq(reader, keys.seqAtEnd(key));
    return (await isAsked(usage, filter, views)) ? views.view(usage) : undefined;
  });
  return { usageRecords: page.rows, pagination: page.pagination };
}

async function isAsked(
  usage: UsageState,
  filter: UsageFilter,
  views: UsageViews,
): Promise<boolean> {
  const { status, dispute, type, start, end } = filter;
  if (status !== undefined && usage.status !== status) return false;
  if (dispute === "open" && !usage.disputed) return false;
  if (dispute === "any" && usage.disputeSeq === 0n) return false;
  if (dispute === "none" && usage.disputeSeq !== 0n) return false;
  if (start > 0n && usage.periodEnd < start) return false;
  if (end > 0n && usage.periodStart > end) return false;
  if (type !== undefined && normaliseUsageType(usage.usageType) !== type) return false;
  const { orderId, leaseId, provider, customer } = filter;
  const escrow = await views.escrow(usage.escrowSeq);
  return (
    (orderId === undefined || escrow.orderId === orderId) &&
    (leaseId === undefined || escrow.leaseId === leaseId) &&
    (provider === undefined || escrow.recipient === provider) &&
    (customer === undefined || escrow.depositor === customer)
  );
}

/** Where to look: with an order or a lease in its lists, else in a party's or all by time. */
async function sectionsOf(reader: Reader, filter: UsageFilter): Promise<Section[]> {
  const lists = new ListReader(reader);
  const { orderId, leaseId, provider, customer, status } = filter;
  const isOpen = status === UsageStatus.USAGE_STATUS_OPEN;
  if (orderId !== undefined) {
    // Open records stand under the order's newest escrow: an older one has none.
    const order = isOpen ? await orderById(reader, orderId) : undefined;
    const byOrder = keys.textIndexKey(keys.USAGE_BY_ORDER_PREFIX, orderId);
    return [
      { reader: lists, prefix: order === undefined ? byOrder : openListKey(order.escrowSeq) },
    ];
  }
  if (leaseId !== undefined) {
    const prefixes = await prefixesOfLease(reader, leaseId, isOpen);
    return prefixes.map((prefix) => ({ reader: lists, prefix }));
  }
  const prefix = partyPrefix(customer, provider);
  return [{ reader: lists, prefix, ...(await hoursAsked(reader, prefix, filter)) }];
}

function partyPrefix(customer: string | undefined, provider: string | undefined): Key {
  if (customer !== undefined) return keys.textIndexKey(keys.USAGE_BY_CUSTOMER_PREFIX, customer);
  if (provider !== undefined) return keys.textIndexKey(keys.USAGE_BY_PROVIDER_PREFIX, provider);
  return keys.USAGE_BY_START_PREFIX;
}

/** Escrows of one lease that are looked through. */
const LEASE_ESCROWS_MAX = 1000;

/** The lists of a lease: open ones of its escrows, or all of its orders, each once. */
async function prefixesOfLease(reader: Reader, leaseId: string, isOpen: boolean): Promise<Key[]> {
  const byLease = keys.textIndexKey(keys.ESCROW_BY_LEASE_PREFIX, leaseId);
  const prefixes: Key[] = [];
  let count = 0;
  for await (const [key] of reader.range(byLease)) {
    count += 1;
    if (count > LEASE_ESCROWS_MAX) {
      const detail = `the lease has over ${LEASE_ESCROWS_MAX} escrows: name an order`;
      throw new ChainError(GrpcResourceExhausted, detail);
    }
    const { seq, orderId } = await escrowBySeq(reader, keys.seqAtEnd(key));
    const byOrder = keys.textIndexKey(keys.USAGE_BY_ORDER_PREFIX, orderId);
    const prefix = isOpen ? openListKey(seq) : byOrder;
    if (!prefixes.includes(prefix)) prefixes.push(prefix);
  }
  return prefixes;
}
