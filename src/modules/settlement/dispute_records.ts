import type { Context } from "../../baseapp/context.ts";
import {
  DisputeState,
  DisputeStatus,
  type EscrowState,
} from "../../gen/settled/settlement/v1/state.ts";
import { EMPTY_BYTES } from "../../lib/bytes.ts";
import { byteKey, i64Key, joinKeys, type Key } from "../../lib/key.ts";
import * as keys from "./keys.ts";

/** Disputes of usage records as the state keeps them, with their look-ups and their queue entry. */

const DISPUTE_ID = /^dispute-([1-9][0-9]{0,13})$/;

export function disputeId(seq: bigint): string {
  return `dispute-${seq}`;
}

/** undefined for what cannot be the id of a dispute. */
export function disputeSeqOf(id: string): bigint | undefined {
  const match = DISPUTE_ID.exec(id);
  return match === null ? undefined : BigInt(match[1] as string);
}

/** Nobody has decided it, and its time is not over. */
export function isUndecided({ status }: DisputeState): boolean {
  return (
    status === DisputeStatus.DISPUTE_STATUS_OPEN ||
    status === DisputeStatus.DISPUTE_STATUS_REVIEWING
  );
}

export function readDispute(ctx: Context, seq: bigint): DisputeState | undefined {
  const bytes = ctx.kv.get(keys.recordKey(keys.DISPUTE_PREFIX, seq));
  return bytes === undefined ? undefined : DisputeState.decode(bytes);
}

/** Writes a dispute whose state, and so whatever finds it, stays as it was. */
export function changeDispute(ctx: Context, after: DisputeState): void {
  ctx.kv.set(keys.recordKey(keys.DISPUTE_PREFIX, after.seq), DisputeState.encode(after).finish());
}

/** Writes a dispute that replaces `before` (undefined for a new one). */
export function writeDispute(
  ctx: Context,
  before: DisputeState | undefined,
  after: DisputeState,
  { depositor, recipient }: EscrowState,
): void {
  const seq = keys.seqKey(after.seq);
  ctx.kv.set(keys.recordKey(keys.DISPUTE_PREFIX, after.seq), DisputeState.encode(after).finish());
  if (before === undefined) {
    const byCustomer = keys.textIndexKey(keys.DISPUTE_BY_CUSTOMER_PREFIX, depositor);
    ctx.kv.create(joinKeys(byCustomer, seq), EMPTY_BYTES);
    const byProvider = keys.textIndexKey(keys.DISPUTE_BY_PROVIDER_PREFIX, recipient);
    ctx.kv.create(joinKeys(byProvider, seq), EMPTY_BYTES);
  }
  if (before?.status !== after.status) {
    if (before !== undefined) ctx.kv.delete(disputeStatusKey(before));
    ctx.kv.set(disputeStatusKey(after), EMPTY_BYTES);
  }
  const [old, now] = [before && disputeQueueKey(before), disputeQueueKey(after)];
  if (old === now) return;
  if (old !== undefined) ctx.kv.delete(old);
  if (now !== undefined) ctx.kv.set(now, EMPTY_BYTES);
}

export function disputeStatusKey({ status, seq }: DisputeState): Key {
  return joinKeys(keys.DISPUTE_BY_STATUS_PREFIX, byteKey(status), keys.seqKey(seq));
}

/** The entry by which a block ends a dispute; undefined for one that is decided. */
export function disputeQueueKey(dispute: DisputeState): Key | undefined {
  if (!isUndecided(dispute)) return undefined;
  return joinKeys(keys.DISPUTE_QUEUE_PREFIX, i64Key(dispute.expiresAtNs), keys.seqKey(dispute.seq));
}
