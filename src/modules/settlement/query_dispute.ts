import type { QueryRoute } from "../../baseapp/module.ts";
import type { QueryContext } from "../../baseapp/query_context.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import * as ext from "../../gen/settled/settlement/v1/query.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import { byteKey, joinKeys, type Key } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import { coinsOf, wireCoins } from "../../types/coins.ts";
import { GrpcInvalidArgument, GrpcNotFound } from "../../types/query_errors.ts";
import { disputeId, disputeSeqOf } from "./dispute_records.ts";
import { escrowId, timedId } from "./ids.ts";
import * as keys from "./keys.ts";
import { addressAsked, filteredPage } from "./query_page.ts";
import { escrowBySeq, usageBySeq } from "./query_records.ts";
import { disputeStatusName, disputeStatusOf } from "./status_names.ts";
import { usageIdOf } from "./usage_facts.ts";

const QUERY = "/settled.settlement.v1.Query";

/** Disputes of usage records: one, or those of a party or in a state. */
export const disputeQueries: readonly QueryRoute[] = [
  queryRoute({
    path: `${QUERY}/Dispute`,
    request: ext.QueryDisputeRequest,
    response: ext.QueryDisputeResponse,
    handle: async ({ reader }, { disputeId: id }) => {
      const seq = disputeSeqOf(id);
      const dispute = seq === undefined ? undefined : await disputeBySeq(reader, seq);
      if (dispute !== undefined) return { dispute: await viewOf(reader, dispute) };
      throw new ChainError(GrpcNotFound, `dispute not found: "${id.slice(0, 140)}"`);
    },
  }),
  queryRoute({
    path: `${QUERY}/Disputes`,
    request: ext.QueryDisputesRequest,
    response: ext.QueryDisputesResponse,
    handle: disputePage,
  }),
];

async function disputePage(
  ctx: QueryContext,
  request: ext.QueryDisputesRequest,
): Promise<ext.QueryDisputesResponse> {
  const { reader } = ctx;
  const customer = addressAsked(ctx, request.customer);
  const provider = addressAsked(ctx, request.provider);
  const status = statusAsked(request.state);
  const prefix = prefixOf({ customer, provider, status });
  const page = await filteredPage([{ reader, prefix }], request.pagination, async (key) => {
    const dispute = await disputeBySeq(reader, keys.seqAtEnd(key));
    if (dispute === undefined || (status !== undefined && dispute.status !== status)) {
      return undefined;
    }
    const view = await viewOf(reader, dispute);
    const isOf = (address: string | undefined, party: string): boolean =>
      address === undefined || address === party;
    return isOf(customer, view.customer) && isOf(provider, view.provider) ? view : undefined;
  });
  return { disputes: page.rows, pagination: page.pagination };
}

function statusAsked(name: string): state.DisputeStatus | undefined {
  if (name === "") return undefined;
  const status = disputeStatusOf(name);
  if (status !== undefined) return status;
  throw new ChainError(GrpcInvalidArgument, `unknown dispute state "${name.slice(0, 64)}"`);
}

function prefixOf(filter: {
  customer: string | undefined;
  provider: string | undefined;
  status: state.DisputeStatus | undefined;
}): Key {
  const { customer, provider, status } = filter;
  if (customer !== undefined) return keys.textIndexKey(keys.DISPUTE_BY_CUSTOMER_PREFIX, customer);
  if (provider !== undefined) return keys.textIndexKey(keys.DISPUTE_BY_PROVIDER_PREFIX, provider);
  if (status === undefined) return keys.DISPUTE_PREFIX;
  return joinKeys(keys.DISPUTE_BY_STATUS_PREFIX, byteKey(status));
}

async function disputeBySeq(reader: Reader, seq: bigint): Promise<state.DisputeState | undefined> {
  const bytes = await reader.get(keys.recordKey(keys.DISPUTE_PREFIX, seq));
  return bytes === undefined ? undefined : state.DisputeState.decode(bytes);
}

async function viewOf(reader: Reader, dispute: state.DisputeState): Promise<ext.Dispute> {
  const usage = await usageBySeq(reader, dispute.usageSeq);
  const { orderId, depositor, recipient } = await escrowBySeq(reader, dispute.escrowSeq);
  const { amendedSeq, refundSeq, reserved, closedAtNs } = dispute;
  const resolution = (it: state.DisputeResolution | undefined) => it && resolutionView(it, usage);
  return {
    disputeId: disputeId(dispute.seq),
    usageId: usageIdOf(usage),
    escrowId: escrowId(dispute.escrowSeq),
    orderId,
    customer: depositor,
    provider: recipient,
    state: disputeStatusName(dispute.status),
    reason: dispute.reason,
    evidenceHash: dispute.evidenceHash,
    openedAtNs: dispute.openedAtNs,
    expiresAtNs: dispute.expiresAtNs,
    blockHeight: dispute.height,
    afterSettlement: dispute.afterSettlement,
    customerProposal: resolution(dispute.customerProposal),
    providerProposal: resolution(dispute.providerProposal),
    resolution: resolution(dispute.resolution),
    decidedBy: dispute.decidedBy,
    closedAtNs,
    amendedUsageId: amendedSeq === 0n ? "" : usageIdOf(await usageBySeq(reader, amendedSeq)),
    // A refund of a dispute is made when that is decided.
    refundId: refundSeq === 0n ? "" : timedId("refund", closedAtNs, refundSeq),
    reserved: wireCoins(coinsOf(usage.denom, BigInt(reserved))),
  };
}

function resolutionView(
  { status, units, unitPrice, atNs }: state.DisputeResolution,
  { denom }: state.UsageState,
): ext.DisputeResolutionView {
  return {
    resolution: disputeStatusName(status),
    usageUnits: units,
    unitPrice: unitPrice === "" ? undefined : { denom, amount: unitPrice },
    atNs,
  };
}
