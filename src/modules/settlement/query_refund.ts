import type { QueryRoute } from "../../baseapp/module.ts";
import type { QueryContext } from "../../baseapp/query_context.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import * as ext from "../../gen/settled/settlement/v1/query.ts";
import {
  CreditNoteState,
  ReceivableState,
  RefundState,
} from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { ChainError } from "../../lib/errors.ts";
import type { Key } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import { readPage } from "../../store/reader.ts";
import { subCoins, wireCoins } from "../../types/coins.ts";
import { GrpcNotFound } from "../../types/query_errors.ts";
import { disputeId } from "./dispute_records.ts";
import { escrowId, timedId, timedSeqOf } from "./ids.ts";
import * as keys from "./keys.ts";
import { addressAsked, filteredPage } from "./query_page.ts";
import { escrowBySeq, settlementById, settlementIdBySeq } from "./query_records.ts";
import { coinsIn } from "./records.ts";
import { legsIn, wireLegs } from "./refund_legs.ts";
import { receivableId, refundId, refundsOfKey } from "./refund_records.ts";
import { legName } from "./status_names.ts";

const QUERY = "/settled.settlement.v1.Query";

/** Refunds of settlements, and what is owed of them. */
export const refundQueries: readonly QueryRoute[] = [
  queryRoute({
    path: `${QUERY}/Refund`,
    request: ext.QueryRefundRequest,
    response: ext.QueryRefundResponse,
    handle: async ({ reader }, { refundId: id }) => {
      return { refund: await refundView(reader, await refundById(reader, id)) };
    },
  }),
  queryRoute({
    path: `${QUERY}/RefundsBySettlement`,
    request: ext.QueryRefundsBySettlementRequest,
    response: ext.QueryRefundsBySettlementResponse,
    handle: async ({ reader }, { settlementId, pagination }) => {
      const { seq } = await settlementById(reader, settlementId);
      const page = await readPage(reader, refundsOfKey(seq), pagination);
      const refunds: ext.Refund[] = [];
      for (const [key] of page.entries) {
        const refund = await refundBySeq(reader, keys.seqAtEnd(key));
        refunds.push(await refundView(reader, must(refund, "settlement: refund is there")));
      }
      return { refunds, pagination: page };
    },
  }),
  queryRoute({
    path: `${QUERY}/Receivables`,
    request: ext.QueryReceivablesRequest,
    response: ext.QueryReceivablesResponse,
    handle: receivablePage,
  }),
];

async function refundBySeq(reader: Reader, seq: bigint): Promise<RefundState | undefined> {
  const bytes = await reader.get(keys.recordKey(keys.REFUND_PREFIX, seq));
  return bytes === undefined ? undefined : RefundState.decode(bytes);
}

async function refundById(reader: Reader, id: string): Promise<RefundState> {
  const seq = timedSeqOf("refund", id);
  const found = seq === undefined ? undefined : await refundBySeq(reader, seq);
  if (found !== undefined && refundId(found) === id) return found;
  throw new ChainError(GrpcNotFound, `refund not found: "${id.slice(0, 140)}"`);
}

async function refundView(reader: Reader, refund: RefundState): Promise<ext.Refund> {
  const escrow = await escrowBySeq(reader, refund.escrowSeq);
  const { disputeSeq } = refund;
  return {
    refundId: refundId(refund),
    settlementId: await settlementIdBySeq(reader, refund.settlementSeq),
    escrowId: escrowId(escrow.seq),
    orderId: escrow.orderId,
    customer: escrow.depositor,
    provider: escrow.recipient,
    amount: refund.amount,
    ...wireLegs(legsIn(refund.legs)),
    owed: refund.owed,
    rewardsCancelled: refund.rewardsCancelled,
    reason: refund.reason,
    initiator: refund.initiator,
    disputeId: disputeSeq === 0n ? "" : disputeId(disputeSeq),
    creditNoteId: await creditNoteIdBySeq(reader, refund.creditNoteSeq),
    refundedAtNs: refund.refundedAtNs,
    blockHeight: refund.height,
    paramsVersion: refund.paramsVersion,
  };
}

async function creditNoteIdBySeq(reader: Reader, seq: bigint): Promise<string> {
  if (seq === 0n) return "";
  const bytes = await reader.get(keys.recordKey(keys.CREDIT_NOTE_PREFIX, seq));
  const note = CreditNoteState.decode(must(bytes, "settlement: credit note is there"));
  return timedId("credit", note.issuedAtNs, seq);
}

async function receivablePage(
  ctx: QueryContext,
  request: ext.QueryReceivablesRequest,
): Promise<ext.QueryReceivablesResponse> {
  const { reader } = ctx;
  const debtor = addressAsked(ctx, request.debtor);
  const creditor = addressAsked(ctx, request.creditor);
  const prefix = prefixOf(debtor, creditor);
  const page = await filteredPage([{ reader, prefix }], request.pagination, async (key) => {
    const seq = keys.seqAtEnd(key);
    const bytes = await reader.get(keys.recordKey(keys.RECEIVABLE_PREFIX, seq));
    const found = ReceivableState.decode(must(bytes, "settlement: receivable is there"));
    if (creditor !== undefined && found.creditor !== creditor) return undefined;
    const view = await receivableView(reader, found);
    return request.openOnly && view.owed.length === 0 ? undefined : view;
  });
  return { receivables: page.rows, pagination: page.pagination };
}

/** The look-up that leaves least to look at; all receivables when there is none. */
function prefixOf(debtor: string | undefined, creditor: string | undefined): Key {
  if (debtor !== undefined) return keys.textIndexKey(keys.RECEIVABLE_BY_DEBTOR_PREFIX, debtor);
  if (creditor === undefined) return keys.RECEIVABLE_PREFIX;
  return keys.textIndexKey(keys.RECEIVABLE_BY_CREDITOR_PREFIX, creditor);
}

async function receivableView(
  reader: Reader,
  receivable: ReceivableState,
): Promise<ext.Receivable> {
  const { amount, paid } = receivable;
  const { orderId } = await escrowBySeq(reader, receivable.escrowSeq);
  const refund = await refundBySeq(reader, receivable.refundSeq);
  return {
    receivableId: receivableId(receivable),
    refundId: refundId(must(refund, "settlement: a receivable is of a refund")),
    escrowId: escrowId(receivable.escrowSeq),
    orderId,
    leg: legName(receivable.leg),
    debtor: receivable.debtor,
    creditor: receivable.creditor,
    amount,
    paid,
    owed: wireCoins(subCoins(coinsIn(amount), coinsIn(paid))),
    createdAtNs: receivable.createdAtNs,
    blockHeight: receivable.height,
  };
}
