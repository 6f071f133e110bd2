import {
  type EscrowState,
  type UsageState,
  UsageStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import { maxBigint } from "../../lib/int.ts";
import { AMOUNT_MAX, formatCoins } from "../../types/coins.ts";
import { type Dec, mulFloor } from "../../types/dec.ts";
import { addSeconds, type TimeNs } from "../../types/time.ts";
import * as errors from "./errors.ts";
import { timedId } from "./ids.ts";
import { coinsIn } from "./records.ts";

/** What holds for a usage record however it came to be: reported, or corrected. */

export function usageIdOf({ submittedAtNs, seq }: UsageState): string {
  return timedId("usage", submittedAtNs, seq);
}

export function invalidUsage(detail: string): ChainError {
  return new ChainError(errors.ErrInvalidUsageRecord, detail);
}

/** floor(price × units), base units. @throws ChainError settlement/1512 above 2^256 − 1. */
export function costOf(price: Dec, units: bigint): bigint {
  const cost = mulFloor(price, units);
  if (cost > AMOUNT_MAX) throw invalidUsage(`total cost is above 2^256 - 1: ${cost}`);
  return cost;
}

/** @throws ChainError settlement/1512 */
export function requireDenomHeld(escrow: EscrowState, denom: string): void {
  if (escrow.amount.some((coin) => coin.denom === denom)) return;
  const held = formatCoins(coinsIn(escrow.amount));
  throw invalidUsage(`price denom ${denom} is not in the escrow, which holds ${held}`);
}

/** Whether the natural key of its period, and the coverage, are this record's. */
export function holdsKey({ status }: UsageState): boolean {
  return (
    status !== UsageStatus.USAGE_STATUS_SUPERSEDED && status !== UsageStatus.USAGE_STATUS_WITHDRAWN
  );
}

/** @throws ChainError settlement/1515 saying what has become of the record. */
export function requireOpen(usage: UsageState): void {
  if (usage.status === UsageStatus.USAGE_STATUS_OPEN) return;
  throw new ChainError(errors.ErrUsageAlreadySettled, `usage ${usageIdOf(usage)} ${endOf(usage)}`);
}

/** @throws ChainError settlement/1535 while a dispute of the record is undecided. */
export function requireUndisputed(usage: UsageState): void {
  if (!usage.disputed) return;
  const detail = `usage ${usageIdOf(usage)} is disputed: resolve dispute-${usage.disputeSeq} first`;
  throw new ChainError(errors.ErrDisputeActive, detail);
}

function endOf({ status, submittedAtNs, correctedBySeq }: UsageState): string {
  if (status === UsageStatus.USAGE_STATUS_SETTLED) return "is settled";
  if (status === UsageStatus.USAGE_STATUS_WRITTEN_OFF) return "is written off";
  if (status === UsageStatus.USAGE_STATUS_WITHDRAWN) return "was withdrawn";
  // Corrections keep the time that is part of the id.
  return `was corrected: use ${timedId("usage", submittedAtNs, correctedBySeq)}`;
}

/** From when on a record may be settled without its customer's word (RULES 22). */
export function settleableFrom(usage: UsageState, autoSettleAfter: bigint): TimeNs {
  // A correction keeps the time of the report, and the customer has the whole time to look at it.
  const shownAt = maxBigint(usage.submittedAtNs, usage.correctedAtNs) as TimeNs;
  return addSeconds(shownAt, autoSettleAfter);
}
