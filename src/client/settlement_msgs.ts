import {
  QueryParamsRequest,
  QueryParamsResponse,
  QueryRewardEntriesRequest,
  QueryRewardEntriesResponse,
  QueryUsageRequest,
  QueryUsageResponse,
} from "../gen/settled/settlement/v1/query.ts";
import { AcknowledgeSignDoc, UsageSignDoc } from "../gen/settled/settlement/v1/sign_doc.ts";
import { MsgDisputeUsage } from "../gen/settled/settlement/v1/tx.ts";
import {
  QueryEscrowsByOrderRequest,
  QueryEscrowsByOrderResponse,
  QueryUsageRecordsByOrderRequest,
  QueryUsageRecordsByOrderResponse,
  type UsageRecord,
} from "../gen/virtengine/settlement/v1/query.ts";
import {
  MsgAcknowledgeUsage,
  MsgActivateEscrow,
  MsgClaimRewards,
  MsgClaimRewardsResponse,
  MsgCreateEscrow,
  MsgCreateEscrowResponse,
  MsgRecordUsage,
  MsgRecordUsageResponse,
  MsgSettleOrder,
  MsgSettleOrderResponse,
} from "../gen/virtengine/settlement/v1/tx.ts";
import type { Client } from "./client.ts";
import { QueryError } from "./errors.ts";
import type { EncodedMessage, MessageCodec } from "./wire.ts";

const PACKAGE = "virtengine.settlement.v1";

function builder<T>(
  name: string,
  codec: MessageCodec<T>,
  messages = PACKAGE,
): (message: T) => EncodedMessage {
  const typeUrl = `/${messages}.${name}`;
  return (message) => ({ typeUrl, value: codec.encode(message).finish() });
}

/** Settlement messages as they go into a tx, by name. Every field is given: none has a default. */
export const createEscrow = builder("MsgCreateEscrow", MsgCreateEscrow);
export const activateEscrow = builder("MsgActivateEscrow", MsgActivateEscrow);
export const recordUsage = builder("MsgRecordUsage", MsgRecordUsage);
export const acknowledgeUsage = builder("MsgAcknowledgeUsage", MsgAcknowledgeUsage);
export const settleOrder = builder("MsgSettleOrder", MsgSettleOrder);
export const claimRewards = builder("MsgClaimRewards", MsgClaimRewards);
export const disputeUsage = builder("MsgDisputeUsage", MsgDisputeUsage, "settled.settlement.v1");

/** What the chain answered to each message, from the data of a tx. */
export const readCreateEscrow = (value: Uint8Array) => MsgCreateEscrowResponse.decode(value);
export const readRecordUsage = (value: Uint8Array) => MsgRecordUsageResponse.decode(value);
export const readSettleOrder = (value: Uint8Array) => MsgSettleOrderResponse.decode(value);
export const readClaimRewards = (value: Uint8Array) => MsgClaimRewardsResponse.decode(value);

/** An escrow, as far as a daemon needs it. */
export interface OrderEscrow {
  readonly escrowId: string;
  readonly leaseId: string;
  readonly depositor: string;
  /** Empty while pending. */
  readonly recipient: string;
  /** "pending", "active", "released", "refunded", "disputed" or "expired". */
  readonly state: string;
  /** Coins as text, "15uve". */
  readonly totalSettled: string;
}

/** All escrows of an order, oldest first. */
export async function escrowsByOrder(client: Client, orderId: string): Promise<OrderEscrow[]> {
  const path = `/${PACKAGE}.Query/EscrowsByOrder`;
  const [request, response] = [QueryEscrowsByOrderRequest, QueryEscrowsByOrderResponse];
  try {
    const { escrows } = await client.query(path, request, { orderId }, response);
    return escrows.map(({ escrowId, leaseId, depositor, recipient, state, ...rest }) => {
      const totalSettled = coinsText(rest.totalSettled);
      return { escrowId, leaseId, depositor, recipient, state, totalSettled };
    });
  } catch (error) {
    if (error instanceof QueryError && error.notFound) return [];
    throw error;
  }
}

/** A usage record, as far as a daemon needs it. */
export interface OrderUsage {
  readonly usageId: string;
  readonly leaseId: string;
  readonly usageType: string;
  readonly usageUnits: bigint;
  readonly periodStart: bigint;
  readonly periodEnd: bigint;
  /** Atomics: 10^-18 of the denom per unit. */
  readonly unitPrice: { readonly denom: string; readonly amount: string };
  /** Coins as text, "15uve". */
  readonly totalCost: string;
  readonly acknowledged: boolean;
  readonly settled: boolean;
}

const PAGE_ROWS = 1000n;

/**
 * All usage records of an order that count, in recording order, read page by page; at once from a
 * chain that has no such query, but the one that is deployed.
 */
export async function usageOfOrder(client: Client, orderId: string): Promise<OrderUsage[]> {
  const records = await pagesOfUsage(client, orderId).catch((error: unknown) => {
    if (error instanceof QueryError && error.unknownPath) return allUsage(client, orderId);
    throw error;
  });
  return records.filter(counts).map(orderUsage);
}

async function allUsage(client: Client, orderId: string): Promise<UsageRecord[]> {
  const path = "/virtengine.settlement.v1.Query/UsageRecordsByOrder";
  const [request, response] = [QueryUsageRecordsByOrderRequest, QueryUsageRecordsByOrderResponse];
  return (await client.query(path, request, { orderId }, response)).usageRecords;
}

async function pagesOfUsage(client: Client, orderId: string): Promise<UsageRecord[]> {
  const path = "/settled.settlement.v1.Query/Usage";
  const records: UsageRecord[] = [];
  let key = new Uint8Array(0);
  do {
    const input = { orderId, openOnly: false, pagination: { key, limit: PAGE_ROWS } };
    const page = await client.query(path, QueryUsageRequest, input, QueryUsageResponse);
    records.push(...page.usageRecords);
    key = Uint8Array.from(page.pagination?.nextKey ?? []);
  } while (key.length > 0);
  return records;
}

/** A record that was corrected or withdrawn is history: its period is another's, or free. */
function counts({ metadata }: UsageRecord): boolean {
  return metadata["status"] !== "superseded" && metadata["status"] !== "withdrawn";
}

function orderUsage(record: UsageRecord): OrderUsage {
  const { usageId, leaseId, usageType, usageUnits, periodStart, periodEnd, settled } = record;
  const { denom = "", amount = "0" } = record.unitPrice ?? {};
  return {
    usageId,
    leaseId,
    usageType,
    usageUnits,
    periodStart,
    periodEnd,
    unitPrice: { denom, amount },
    totalCost: coinsText(record.totalCost),
    acknowledged: record.customerAcknowledged,
    settled,
  };
}

function coinsText(coins: readonly { denom: string; amount: string }[]): string {
  return coins.map(({ denom, amount }) => amount + denom).join(",");
}

/** What an address can claim, entry by entry, as coins in text. */
export async function claimableEntries(client: Client, address: string): Promise<string[]> {
  const path = "/settled.settlement.v1.Query/RewardEntries";
  const [request, response] = [QueryRewardEntriesRequest, QueryRewardEntriesResponse];
  const amounts: string[] = [];
  let key = new Uint8Array(0);
  do {
    const input = { address, pagination: { key, limit: PAGE_ROWS } };
    const page = await client.query(path, request, input, response);
    amounts.push(...page.entries.map(({ amount }) => coinsText(amount)));
    key = Uint8Array.from(page.pagination?.nextKey ?? []);
  } while (key.length > 0);
  return amounts;
}

/** How many usage records one settlement takes. */
export async function recordsPerSettlement(client: Client): Promise<number> {
  const path = "/settled.settlement.v1.Query/Params";
  const { params } = await client.query(path, QueryParamsRequest, {}, QueryParamsResponse);
  return params?.maxRecordsPerSettlement ?? 1;
}

/** The bytes that a provider signs for a usage report (their sha256). */
export function usageSignBytes(doc: UsageSignDoc): Uint8Array {
  return UsageSignDoc.encode(doc).finish();
}

/** The bytes that a customer signs to acknowledge a usage record (their sha256). */
export function acknowledgeSignBytes(doc: AcknowledgeSignDoc): Uint8Array {
  return AcknowledgeSignDoc.encode(doc).finish();
}
