import type { Context } from "../../baseapp/context.ts";
import type { EscrowState } from "../../gen/settled/settlement/v1/state.ts";
import { EMPTY_BYTES } from "../../lib/bytes.ts";
import { joinKeys, type Key } from "../../lib/key.ts";
import * as keys from "./keys.ts";

/** Look-ups of escrows and settlements by who they are of: for queries alone. */

/** The depositor is known from the start, recipient and lease from the activation on. */
export function lookUpEscrow(
  ctx: Context,
  before: EscrowState | undefined,
  { seq, depositor, recipient, leaseId }: EscrowState,
): void {
  if (before === undefined) add(ctx, keys.ESCROW_BY_DEPOSITOR_PREFIX, depositor, seq);
  if ((before?.recipient ?? "") === "") add(ctx, keys.ESCROW_BY_RECIPIENT_PREFIX, recipient, seq);
  if ((before?.leaseId ?? "") === "") add(ctx, keys.ESCROW_BY_LEASE_PREFIX, leaseId, seq);
}

/** The parties of a settlement are those of its escrow; a refund of one never activated has one. */
export function lookUpSettlement(
  ctx: Context,
  seq: bigint,
  { recipient, depositor }: Pick<EscrowState, "recipient" | "depositor">,
): void {
  add(ctx, keys.SETTLEMENT_BY_PROVIDER_PREFIX, recipient, seq);
  add(ctx, keys.SETTLEMENT_BY_CUSTOMER_PREFIX, depositor, seq);
}

function add(ctx: Context, prefix: Key, text: string, seq: bigint): void {
  if (text === "") return;
  ctx.kv.create(joinKeys(keys.textIndexKey(prefix, text), keys.seqKey(seq)), EMPTY_BYTES);
}
