import {
  type Dispute,
  type PayoutLedgerLine,
  QueryDisputesRequest,
  QueryDisputesResponse,
  QueryPayoutLedgerRequest,
  QueryPayoutLedgerResponse,
  QueryPayoutsRequest,
  QueryPayoutsResponse,
  QuerySettlementsRequest,
  QuerySettlementsResponse,
  QueryUsageByNaturalKeyRequest,
  QueryUsageByNaturalKeyResponse,
  QueryUsageRecordsRequest,
  QueryUsageRecordsResponse,
} from "../gen/settled/settlement/v1/query.ts";
import {
  type PayoutRecord,
  QueryPayoutRequest,
  QueryPayoutResponse,
  QuerySettlementRequest,
  QuerySettlementResponse,
  QueryUsageRecordRequest,
  QueryUsageRecordResponse,
  type SettlementRecord,
  type UsageRecord,
} from "../gen/virtengine/settlement/v1/query.ts";
import { EMPTY_BYTES } from "../lib/bytes.ts";
import type { Client } from "./client.ts";
import { QueryError } from "./errors.ts";

const OWN = "/settled.settlement.v1.Query";
const DEPLOYED = "/virtengine.settlement.v1.Query";
const PAGE_ROWS = 500n;

/** What identifies a usage record on the chain. Times are unix seconds. */
export interface UsageKey {
  readonly orderId: string;
  readonly leaseId: string;
  readonly usageType: string;
  readonly periodStart: bigint;
  readonly periodEnd: bigint;
}

/** A usage record as the chain has it. */
export interface ChainUsage extends UsageKey {
  readonly usageId: string;
  readonly provider: string;
  readonly usageUnits: bigint;
  readonly denom: string;
  /** Atomics: 10^-18 of the denom per unit. */
  readonly unitPrice: bigint;
  readonly isAcknowledged: boolean;
  readonly isSettled: boolean;
  /** "open", "settled", "written_off", "superseded" or "withdrawn". */
  readonly status: string;
}

/** undefined: the chain has no record of this period. Withdrawn ones do not count. */
export function usageByNaturalKey(client: Client, key: UsageKey): Promise<ChainUsage | undefined> {
  const { orderId, leaseId, usageType, periodStart, periodEnd } = key;
  const input = { orderId, leaseId, usageType, periodStart, periodEnd };
  const [request, response] = [QueryUsageByNaturalKeyRequest, QueryUsageByNaturalKeyResponse];
  return orAbsent(async () => {
    const path = `${OWN}/UsageByNaturalKey`;
    const { usageRecord } = await client.query(path, request, input, response);
    return usageRecord === undefined ? undefined : chainUsage(usageRecord);
  });
}

/** undefined: there is no such record. */
export function usageById(client: Client, usageId: string): Promise<ChainUsage | undefined> {
  const [request, response] = [QueryUsageRecordRequest, QueryUsageRecordResponse];
  return orAbsent(async () => {
    const path = `${DEPLOYED}/UsageRecord`;
    const { usageRecord } = await client.query(path, request, { usageId }, response);
    return usageRecord === undefined ? undefined : chainUsage(usageRecord);
  });
}

/** All usage records of a provider as of a height (0: the last one), page by page. */
export async function* usageOfProvider(
  client: Client,
  provider: string,
  height: bigint,
): AsyncGenerator<ChainUsage[]> {
  const [request, response] = [QueryUsageRecordsRequest, QueryUsageRecordsResponse];
  for (let key: Uint8Array | undefined = EMPTY_BYTES; key !== undefined; ) {
    const input = { provider, pagination: { key, limit: PAGE_ROWS } };
    const page = await client.query(`${OWN}/UsageRecords`, request, input, response, { height });
    yield page.usageRecords.map(chainUsage);
    key = next(page.pagination);
  }
}

/** All settlements that paid a provider as of a height (0: the last one), page by page. */
export async function* settlementsOfProvider(
  client: Client,
  provider: string,
  height: bigint,
): AsyncGenerator<SettlementRecord[]> {
  const [request, response] = [QuerySettlementsRequest, QuerySettlementsResponse];
  for (let key: Uint8Array | undefined = EMPTY_BYTES; key !== undefined; ) {
    const input = { provider, pagination: { key, limit: PAGE_ROWS } };
    const page = await client.query(`${OWN}/Settlements`, request, input, response, { height });
    yield page.settlements;
    key = next(page.pagination);
  }
}

/** All payouts of a provider as of a height (0: the last one), page by page. */
export async function* payoutsOfProvider(
  client: Client,
  provider: string,
  height: bigint,
): AsyncGenerator<PayoutRecord[]> {
  const [request, response] = [QueryPayoutsRequest, QueryPayoutsResponse];
  for (let key: Uint8Array | undefined = EMPTY_BYTES; key !== undefined; ) {
    const input = { provider, pagination: { key, limit: PAGE_ROWS } };
    const page = await client.query(`${OWN}/Payouts`, request, input, response, { height });
    yield page.payouts;
    key = next(page.pagination);
  }
}

/** Disputes of a provider's records that nobody has decided, as of a height, page by page. */
export async function* openDisputesOfProvider(
  client: Client,
  provider: string,
  height: bigint,
): AsyncGenerator<Dispute[]> {
  const [request, response] = [QueryDisputesRequest, QueryDisputesResponse];
  for (const state of ["open", "reviewing"]) {
    for (let key: Uint8Array | undefined = EMPTY_BYTES; key !== undefined; ) {
      const input = { provider, state, pagination: { key, limit: PAGE_ROWS } };
      const path = `${OWN}/Disputes`;
      const page = await client.query(path, request, input, response, { height });
      yield page.disputes;
      key = next(page.pagination);
    }
  }
}

/** What happened to a payout up to a height: few lines. */
export async function payoutLedger(
  client: Client,
  payoutId: string,
  height: bigint,
): Promise<PayoutLedgerLine[]> {
  const [request, response] = [QueryPayoutLedgerRequest, QueryPayoutLedgerResponse];
  const input = { payoutId, pagination: { limit: PAGE_ROWS } };
  const path = `${OWN}/PayoutLedger`;
  return (await client.query(path, request, input, response, { height })).entries;
}

/** undefined: there is no such settlement. */
export function settlementById(
  client: Client,
  settlementId: string,
): Promise<SettlementRecord | undefined> {
  const [request, response] = [QuerySettlementRequest, QuerySettlementResponse];
  return orAbsent(async () => {
    const path = `${DEPLOYED}/Settlement`;
    return (await client.query(path, request, { settlementId }, response)).settlement;
  });
}

/** undefined: there is no such payout. */
export function payoutById(client: Client, payoutId: string): Promise<PayoutRecord | undefined> {
  const [request, response] = [QueryPayoutRequest, QueryPayoutResponse];
  return orAbsent(async () => {
    const path = `${DEPLOYED}/Payout`;
    return (await client.query(path, request, { payoutId }, response)).payout;
  });
}

function chainUsage(record: UsageRecord): ChainUsage {
  const { usageId, orderId, leaseId, usageType, periodStart, periodEnd } = record;
  return {
    ...{ usageId, orderId, leaseId, usageType, periodStart, periodEnd },
    provider: record.provider,
    usageUnits: record.usageUnits,
    denom: record.unitPrice?.denom ?? "",
    unitPrice: BigInt(record.unitPrice?.amount || "0"),
    isAcknowledged: record.customerAcknowledged,
    isSettled: record.settled,
    status: record.metadata["status"] ?? (record.settled ? "settled" : "open"),
  };
}

function next(page: { readonly nextKey: Uint8Array } | undefined): Uint8Array | undefined {
  // A copy: the answer that it is part of may be large.
  return page === undefined || page.nextKey.length === 0 ? undefined : page.nextKey.slice();
}

async function orAbsent<T>(ask: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof QueryError && error.notFound) return undefined;
    throw error;
  }
}
