import * as state from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { ChainError } from "../../lib/errors.ts";
import { type Key, u64OfBytes } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import { GrpcNotFound } from "../../types/query_errors.ts";
import type { ErrorKind } from "../../lib/errors.ts";
import * as errors from "./errors.ts";
import { escrowSeqOf, timedId, timedSeqOf } from "./ids.ts";
import * as keys from "./keys.ts";
import { distributionId } from "./keeper_reward.ts";
import { seqsOfEntry } from "./seq_list.ts";
import { settledListKey } from "./usage_lists.ts";
import { invoiceIdOf, settlementIdOf } from "./views.ts";

/** Records of one height by number or id, for the query server. */

/** A missing record: NotFound, with the module's own code in the text (DESIGN section 2). */
function missing(kind: ErrorKind, id: string): ChainError {
  const { codespace, code, text } = kind;
  return new ChainError(GrpcNotFound, `${text}: "${id.slice(0, 140)}" (${codespace}/${code})`);
}

async function record<T>(
  reader: Reader,
  key: Key,
  codec: { decode(bytes: Uint8Array): T },
): Promise<T | undefined> {
  const bytes = await reader.get(key);
  return bytes === undefined ? undefined : codec.decode(bytes);
}

/** The number that the next record of a kind gets. */
export async function nextNumber(reader: Reader, name: keys.SequenceName): Promise<bigint> {
  const bytes = await reader.get(keys.sequenceKey(name));
  return bytes === undefined ? 1n : u64OfBytes(bytes);
}

export async function orderById(
  reader: Reader,
  orderId: string,
): Promise<state.OrderState | undefined> {
  return record(reader, keys.textIndexKey(keys.ORDER_PREFIX, orderId), state.OrderState);
}

export async function escrowBySeq(reader: Reader, seq: bigint): Promise<state.EscrowState> {
  const key = keys.recordKey(keys.ESCROW_PREFIX, seq);
  return must(await record(reader, key, state.EscrowState), "settlement: escrow is there");
}

export async function escrowById(reader: Reader, id: string): Promise<state.EscrowState> {
  const seq = escrowSeqOf(id);
  const key = seq === undefined ? undefined : keys.recordKey(keys.ESCROW_PREFIX, seq);
  const found = key === undefined ? undefined : await record(reader, key, state.EscrowState);
  if (found === undefined) throw missing(errors.ErrEscrowNotFound, id);
  return found;
}

export async function usageBySeq(reader: Reader, seq: bigint): Promise<state.UsageState> {
  const key = keys.recordKey(keys.USAGE_PREFIX, seq);
  return must(await record(reader, key, state.UsageState), "settlement: usage is there");
}

/** Number of a meter's record whose period begins at `start`, unix seconds; `meter` is its key. */
export async function usageSeqAt(
  reader: Reader,
  meter: Key,
  start: bigint,
): Promise<bigint | undefined> {
  const coverage = await record(reader, meter, state.Coverage);
  if (coverage === undefined) return undefined;
  const bytes = await reader.get(keys.naturalKey(coverage.meter, start));
  return bytes === undefined ? undefined : BigInt(keys.numberAt(bytes, 0));
}

/** The records that a settlement took, or an invoice without settlement, ascending. */
export async function* settledUsage(
  reader: Reader,
  by: { settlementSeq: bigint; invoiceSeq: bigint },
): AsyncGenerator<state.UsageState> {
  const prefix = settledListKey(by);
  if (prefix === undefined) return;
  for await (const entry of reader.range(prefix)) {
    for (const seq of seqsOfEntry(entry)) yield await usageBySeq(reader, seq);
  }
}

export async function usageById(reader: Reader, id: string): Promise<state.UsageState> {
  const seq = timedSeqOf("usage", id);
  const key = seq === undefined ? undefined : keys.recordKey(keys.USAGE_PREFIX, seq);
  const found = key === undefined ? undefined : await record(reader, key, state.UsageState);
  if (found === undefined || timedId("usage", found.submittedAtNs, found.seq) !== id) {
    throw missing(errors.ErrUsageRecordNotFound, id);
  }
  return found;
}

export async function settlementBySeq(
  reader: Reader,
  seq: bigint,
): Promise<state.SettlementState | undefined> {
  return record(reader, keys.recordKey(keys.SETTLEMENT_PREFIX, seq), state.SettlementState);
}

export async function settlementById(reader: Reader, id: string): Promise<state.SettlementState> {
  const seq = timedSeqOf("settle", id);
  const found = seq === undefined ? undefined : await settlementBySeq(reader, seq);
  if (found === undefined || settlementIdOf(found) !== id) {
    throw missing(errors.ErrSettlementNotFound, id);
  }
  return found;
}

/** "" for no settlement. */
export async function settlementIdBySeq(reader: Reader, seq: bigint): Promise<string> {
  const found = seq === 0n ? undefined : await settlementBySeq(reader, seq);
  return found === undefined ? "" : settlementIdOf(found);
}

export async function invoiceBySeq(
  reader: Reader,
  seq: bigint,
): Promise<state.InvoiceState | undefined> {
  return record(reader, keys.recordKey(keys.INVOICE_PREFIX, seq), state.InvoiceState);
}

export async function invoiceById(reader: Reader, id: string): Promise<state.InvoiceState> {
  const seq = timedSeqOf("invoice", id);
  const found = seq === undefined ? undefined : await invoiceBySeq(reader, seq);
  if (found === undefined || invoiceIdOf(found) !== id) {
    throw new ChainError(GrpcNotFound, `invoice not found: "${id.slice(0, 140)}"`);
  }
  return found;
}

/** "" for no invoice. */
export async function invoiceIdBySeq(reader: Reader, seq: bigint): Promise<string> {
  const found = seq === 0n ? undefined : await invoiceBySeq(reader, seq);
  return found === undefined ? "" : invoiceIdOf(found);
}

export async function payoutBySeq(reader: Reader, seq: bigint): Promise<state.PayoutState> {
  const key = keys.recordKey(keys.PAYOUT_PREFIX, seq);
  return must(await record(reader, key, state.PayoutState), "settlement: payout is there");
}

export async function payoutById(reader: Reader, id: string): Promise<state.PayoutState> {
  const seq = timedSeqOf("payout", id);
  const key = seq === undefined ? undefined : keys.recordKey(keys.PAYOUT_PREFIX, seq);
  const found = key === undefined ? undefined : await record(reader, key, state.PayoutState);
  if (found === undefined || timedId("payout", found.createdAtNs, found.seq) !== id) {
    throw missing(errors.ErrPayoutNotFound, id);
  }
  return found;
}

export async function distributionBySeq(
  reader: Reader,
  seq: bigint,
): Promise<state.DistributionState> {
  const key = keys.recordKey(keys.DISTRIBUTION_PREFIX, seq);
  return must(await record(reader, key, state.DistributionState), "settlement: distribution");
}

export async function distributionById(
  reader: Reader,
  id: string,
): Promise<state.DistributionState> {
  const names = ["usage", "staking", "provider", "verify"] as const;
  const seq = names.map((name) => timedSeqOf(name, id)).find((found) => found !== undefined);
  const key = seq === undefined ? undefined : keys.recordKey(keys.DISTRIBUTION_PREFIX, seq);
  const found = key === undefined ? undefined : await record(reader, key, state.DistributionState);
  if (found === undefined || distributionId(found) !== id) {
    throw missing(errors.ErrRewardNotFound, id);
  }
  return found;
}
