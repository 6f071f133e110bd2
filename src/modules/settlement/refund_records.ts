import type { Context } from "../../baseapp/context.ts";
import {
  ReceivableState,
  type RefundedLegs,
  RefundState,
  SettlementLeg,
} from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { EMPTY_BYTES } from "../../lib/bytes.ts";
import { joinKeys, type Key } from "../../lib/key.ts";
import { coversCoins } from "../../types/coins.ts";
import { timedId } from "./ids.ts";
import * as keys from "./keys.ts";
import { coinsIn, type Records } from "./records.ts";
import { assertRefundAdds } from "./record_checks.ts";
import type { LegName } from "./refund_legs.ts";

/**
 * Refunds of settlements and what is owed of them, with their look-ups and what they take off the
 * running totals of fees and taxes: nothing else writes them.
 */

const LEG_OF: Readonly<Record<LegName, SettlementLeg>> = {
  platformFee: SettlementLeg.SETTLEMENT_LEG_PLATFORM_FEE,
  validatorFee: SettlementLeg.SETTLEMENT_LEG_VALIDATOR_FEE,
  holdback: SettlementLeg.SETTLEMENT_LEG_HOLDBACK,
  net: SettlementLeg.SETTLEMENT_LEG_NET,
  tax: SettlementLeg.SETTLEMENT_LEG_TAX,
};

/** The parts that are in accounts of their own, each with its running total. */
const FEES = [
  ["platformFee", "platformFees"],
  ["validatorFee", "validatorFees"],
  ["tax", "taxes"],
] as const satisfies readonly (readonly [LegName, keys.TotalName])[];

export function legNumber(name: LegName): SettlementLeg {
  return LEG_OF[name];
}

export function refundId({ refundedAtNs, seq }: RefundState): string {
  return timedId("refund", refundedAtNs, seq);
}

export function receivableId({ createdAtNs, seq }: ReceivableState): string {
  return timedId("receivable", createdAtNs, seq);
}

/** Under this key: refunds of one settlement. */
export function refundsOfKey(settlementSeq: bigint): Key {
  return keys.recordKey(keys.REFUND_BY_SETTLEMENT_PREFIX, settlementSeq);
}

export function readRefund(ctx: Context, seq: bigint): RefundState | undefined {
  const bytes = ctx.kv.get(keys.recordKey(keys.REFUND_PREFIX, seq));
  return bytes === undefined ? undefined : RefundState.decode(bytes);
}

/** Writes a refund with a fresh number. Its fees count as given back until a receivable is booked. */
export function writeRefund(ctx: Context, records: Records, refund: RefundState): void {
  assertRefundAdds(refund);
  const { seq, settlementSeq, legs } = refund;
  ctx.kv.create(keys.recordKey(keys.REFUND_PREFIX, seq), RefundState.encode(refund).finish());
  ctx.kv.create(joinKeys(refundsOfKey(settlementSeq), keys.seqKey(seq)), EMPTY_BYTES);
  if (legs !== undefined) takeFees(ctx, records, legs);
}

function takeFees(ctx: Context, records: Records, legs: RefundedLegs): void {
  for (const [name, total] of FEES) records.addTotal(ctx, total, coinsIn(legs[name]), -1n);
}

export function readReceivable(ctx: Context, seq: bigint): ReceivableState | undefined {
  const bytes = ctx.kv.get(keys.recordKey(keys.RECEIVABLE_PREFIX, seq));
  return bytes === undefined ? undefined : ReceivableState.decode(bytes);
}

/**
 * Writes what is owed of a refund, in place of `before` (undefined for a fresh number). What is
 * owed of a fee has not left its account, and does not: whoever pays it pays the customer.
 */
export function writeReceivable(
  ctx: Context,
  records: Records,
  { before, after }: { before: ReceivableState | undefined; after: ReceivableState },
): void {
  const { seq, amount, paid, leg, debtor, creditor } = after;
  const covered = coversCoins(coinsIn(amount), coinsIn(paid));
  assert(covered, "I-26 settlement: more is paid of a receivable than is owed", {
    receivable: seq,
  });
  const key = keys.recordKey(keys.RECEIVABLE_PREFIX, seq);
  const bytes = ReceivableState.encode(after).finish();
  if (before !== undefined) {
    ctx.kv.set(key, bytes);
    return;
  }
  ctx.kv.create(key, bytes);
  for (const [prefix, party] of [
    [keys.RECEIVABLE_BY_DEBTOR_PREFIX, debtor],
    [keys.RECEIVABLE_BY_CREDITOR_PREFIX, creditor],
  ] as const) {
    ctx.kv.create(joinKeys(keys.textIndexKey(prefix, party), keys.seqKey(seq)), EMPTY_BYTES);
  }
  for (const [name, total] of FEES) {
    if (leg === LEG_OF[name]) records.addTotal(ctx, total, coinsIn(amount));
  }
}
