import type { QueryRoute } from "../../baseapp/module.ts";
import type { QueryContext } from "../../baseapp/query_context.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import * as ext from "../../gen/settled/settlement/v1/query.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import { byteKey, joinKeys, type Key } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import { escrowId, escrowSeqOf } from "./ids.ts";
import * as keys from "./keys.ts";
import { openHeadKey, readHead } from "./open_usage.ts";
import { addressAsked, filteredPage, wordAsked } from "./query_page.ts";
import * as records from "./query_records.ts";
import { boundsIn, type Span, spanAsked, type Timed } from "./query_time.ts";
import { readSettlement } from "./query_server.ts";
import { escrowStatusOf, settlementTypeOf, statusName } from "./status_names.ts";
import * as view from "./views.ts";

const QUERY = "/settled.settlement.v1.Query";

/** Orders, their escrows and settlements, by what they say. */
export const orderQueries: readonly QueryRoute[] = [
  queryRoute({
    path: `${QUERY}/Orders`,
    request: ext.QueryOrdersRequest,
    response: ext.QueryOrdersResponse,
    handle: orderPage,
  }),
  queryRoute({
    path: `${QUERY}/Escrows`,
    request: ext.QueryEscrowsRequest,
    response: ext.QueryEscrowsResponse,
    handle: escrowPage,
  }),
  queryRoute({
    path: `${QUERY}/Settlements`,
    request: ext.QuerySettlementsRequest,
    response: ext.QuerySettlementsResponse,
    handle: settlementPage,
  }),
];

export const ESCROW_TIMES: Timed = {
  prefix: keys.ESCROW_PREFIX,
  sequence: "escrow",
  timeOf: (value) => state.EscrowState.decode(value).createdAtNs,
};

export const SETTLEMENT_TIMES: Timed = {
  prefix: keys.SETTLEMENT_PREFIX,
  sequence: "settlement",
  timeOf: (value) => state.SettlementState.decode(value).settledAtNs,
};

/** What is asked of escrows; undefined: anything. */
interface EscrowFilter {
  readonly depositor: string | undefined;
  readonly recipient: string | undefined;
  readonly status: state.EscrowStatus | undefined;
  readonly orderId: string | undefined;
  readonly leaseId: string | undefined;
  readonly span: Span;
}

const ANY_TIME: Span = { from: undefined, to: undefined };

function asked(text: string): string | undefined {
  return text === "" ? undefined : text;
}

/** The look-up that leaves least to look at: of an order, else a lease, a party, a state, or all. */
function escrowLookUp({ orderId, leaseId, depositor, recipient, status }: EscrowFilter): Key {
  if (orderId !== undefined) return keys.textIndexKey(keys.ESCROW_BY_ORDER_PREFIX, orderId);
  if (leaseId !== undefined) return keys.textIndexKey(keys.ESCROW_BY_LEASE_PREFIX, leaseId);
  if (depositor !== undefined) return keys.textIndexKey(keys.ESCROW_BY_DEPOSITOR_PREFIX, depositor);
  if (recipient !== undefined) return keys.textIndexKey(keys.ESCROW_BY_RECIPIENT_PREFIX, recipient);
  if (status === undefined) return keys.ESCROW_PREFIX;
  return joinKeys(keys.ESCROW_BY_STATUS_PREFIX, byteKey(status));
}

function isAsked(escrow: state.EscrowState, filter: EscrowFilter): boolean {
  const { depositor, recipient, status, orderId, leaseId } = filter;
  return (
    (depositor === undefined || escrow.depositor === depositor) &&
    (recipient === undefined || escrow.recipient === recipient) &&
    (status === undefined || escrow.status === status) &&
    (orderId === undefined || escrow.orderId === orderId) &&
    (leaseId === undefined || escrow.leaseId === leaseId)
  );
}

async function escrowPage(
  ctx: QueryContext,
  request: ext.QueryEscrowsRequest,
): Promise<ext.QueryEscrowsResponse> {
  const { reader } = ctx;
  const filter: EscrowFilter = {
    depositor: addressAsked(ctx, request.depositor),
    recipient: addressAsked(ctx, request.recipient),
    status: wordAsked("escrow state", request.state, escrowStatusOf),
    orderId: asked(request.orderId),
    leaseId: asked(request.leaseId),
    span: spanAsked(request.createdFrom, request.createdTo),
  };
  const prefix = escrowLookUp(filter);
  const bounds = await boundsIn(reader, prefix, { of: ESCROW_TIMES, span: filter.span });
  const sections = [{ reader, prefix, ...bounds }];
  const page = await filteredPage(sections, request.pagination, async (key) => {
    const escrow = await records.escrowBySeq(reader, keys.seqAtEnd(key));
    return isAsked(escrow, filter) ? escrow : undefined;
  });
  return {
    escrows: page.rows.map((escrow) => view.escrowView(escrow, reader.time)),
    pagination: page.pagination,
    disputes: page.rows.filter(({ disputedAtNs }) => disputedAtNs > 0n).map(view.escrowDisputeView),
  };
}

/** An order is found where its newest escrow is, so that it is found once. */
async function orderPage(
  ctx: QueryContext,
  request: ext.QueryOrdersRequest,
): Promise<ext.QueryOrdersResponse> {
  const { reader } = ctx;
  const filter: EscrowFilter = {
    depositor: addressAsked(ctx, request.customer),
    recipient: addressAsked(ctx, request.provider),
    status: wordAsked("escrow state", request.escrowState, escrowStatusOf),
    orderId: asked(request.orderId),
    leaseId: undefined,
    span: ANY_TIME,
  };
  const sections = [{ reader, prefix: escrowLookUp(filter) }];
  const page = await filteredPage(sections, request.pagination, async (key) => {
    const escrow = await records.escrowBySeq(reader, keys.seqAtEnd(key));
    if (!isAsked(escrow, filter)) return undefined;
    const order = await records.orderById(reader, escrow.orderId);
    return order?.escrowSeq === escrow.seq ? orderView(reader, order, escrow) : undefined;
  });
  return { orders: page.rows, pagination: page.pagination };
}

async function orderView(
  reader: Reader,
  order: state.OrderState,
  escrow: state.EscrowState,
): Promise<ext.Order> {
  const { count } = readHead(await reader.get(openHeadKey(escrow.seq)));
  return {
    orderId: escrow.orderId,
    escrowId: escrowId(escrow.seq),
    escrowState: statusName(escrow.status),
    escrowCount: order.escrowCount,
    leaseId: escrow.leaseId,
    customer: escrow.depositor,
    provider: escrow.recipient,
    balance: escrow.balance,
    openUsage: BigInt(count),
    settlementCount: escrow.settlementCount,
    priceCeilings: order.priceCeilings,
    hasBillingTerms: order.hasBillingTerms,
  };
}

/** What is asked of settlements; undefined: anything. Parties are those of the escrow. */
interface SettlementFilter {
  readonly orderId: string | undefined;
  readonly escrowSeq: bigint | undefined;
  readonly provider: string | undefined;
  readonly customer: string | undefined;
  readonly type: state.SettlementType | undefined;
}

async function settlementPage(
  ctx: QueryContext,
  request: ext.QuerySettlementsRequest,
): Promise<ext.QuerySettlementsResponse> {
  const { reader } = ctx;
  const escrowSeq = wordAsked("escrow", request.escrowId, escrowSeqOf);
  const ofEscrow =
    escrowSeq === undefined ? undefined : await records.escrowById(reader, request.escrowId);
  const filter: SettlementFilter = {
    orderId: asked(request.orderId),
    escrowSeq,
    provider: addressAsked(ctx, request.provider),
    customer: addressAsked(ctx, request.customer),
    type: wordAsked("settlement type", request.type, settlementTypeOf),
  };
  const prefix = settlementLookUp({ ...filter, orderId: filter.orderId ?? ofEscrow?.orderId });
  const span = spanAsked(request.settledFrom, request.settledTo);
  const bounds = await boundsIn(reader, prefix, { of: SETTLEMENT_TIMES, span });
  const page = await filteredPage(
    [{ reader, prefix, ...bounds }],
    request.pagination,
    async (key) => {
      const found = await records.settlementBySeq(reader, keys.seqAtEnd(key));
      if (found === undefined || !(await isSettlementAsked(reader, found, filter)))
        return undefined;
      return readSettlement(reader, found);
    },
    ({ usageRecordIds }) => usageRecordIds.length,
  );
  return { settlements: page.rows, pagination: page.pagination };
}

function settlementLookUp({ orderId, customer, provider }: SettlementFilter): Key {
  if (orderId !== undefined) return keys.textIndexKey(keys.SETTLEMENT_BY_ORDER_PREFIX, orderId);
  if (customer !== undefined) {
    return keys.textIndexKey(keys.SETTLEMENT_BY_CUSTOMER_PREFIX, customer);
  }
  if (provider === undefined) return keys.SETTLEMENT_PREFIX;
  return keys.textIndexKey(keys.SETTLEMENT_BY_PROVIDER_PREFIX, provider);
}

async function isSettlementAsked(
  reader: Reader,
  settlement: state.SettlementState,
  { orderId, escrowSeq, provider, customer, type }: SettlementFilter,
): Promise<boolean> {
  if (type !== undefined && settlement.type !== type) return false;
  if (escrowSeq !== undefined && settlement.escrowSeq !== escrowSeq) return false;
  if (orderId === undefined && provider === undefined && customer === undefined) return true;
  const escrow = await records.escrowBySeq(reader, settlement.escrowSeq);
  return (
    (orderId === undefined || escrow.orderId === orderId) &&
    (provider === undefined || escrow.recipient === provider) &&
    (customer === undefined || escrow.depositor === customer)
  );
}
