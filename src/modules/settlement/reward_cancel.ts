import type { Context } from "../../baseapp/context.ts";
import { RewardEntryState, type SettlementState } from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { maxBigint, mulDivFloor } from "../../lib/int.ts";
import {
  addCoins,
  amountOf,
  type Coins,
  isZeroCoins,
  mapCoins,
  NO_COINS,
  subCoins,
  wireCoins,
} from "../../types/coins.ts";
import type { Accounts } from "./accounts.ts";
import { rewardsCancelled } from "./events_refund.ts";
import { type BankKeeper, BURN } from "./expected_keepers.ts";
import { rewardEntryKey } from "./keys.ts";
import { coinsIn, type Records } from "./records.ts";

/** Gas of each entry that is looked at. */
const CANCEL_ENTRY_GAS = 200n;

/** What is cancelled of the rewards of a settlement's records, and for which refund. */
export interface CancelRequest {
  readonly settlement: SettlementState;
  /** Of the settlement's total, by all refunds up to this one. */
  readonly refunded: Coins;
  readonly refundId: string;
}

/**
 * Cancels what nobody claimed yet of the rewards that a settlement brought, in the share of it that
 * went back: of each entry floor(what it was × refunded / total) in all. Entries that were claimed,
 * or have expired, stand.
 * @returns what this call cancelled
 */
export function cancelRewards(
  ctx: Context,
  parts: { records: Records; bank: BankKeeper; accounts: Accounts },
  request: CancelRequest,
): Coins {
  const { records, bank, accounts } = parts;
  const { settlement, refundId } = request;
  const { provider: address, distributionSeq } = settlement;
  if (distributionSeq === 0n) return NO_COINS;
  const distribution = records.distribution(ctx, distributionSeq);
  const { firstEntrySeq: first, entryCount } = must(distribution, "settlement: its distribution");
  let [burned, returned]: [Coins, Coins] = [NO_COINS, NO_COINS];
  for (let seq = first; seq < first + BigInt(entryCount); seq += 1n) {
    ctx.gas.consume(CANCEL_ENTRY_GAS, "cancel entry");
    const entry = openEntry(ctx, address, seq);
    if (entry === undefined) continue;
    const cancelled = shareOf(entry, request);
    if (isZeroCoins(cancelled)) continue;
    reduce(ctx, records, entry, cancelled);
    if (entry.minted) burned = addCoins(burned, cancelled);
    else returned = addCoins(returned, cancelled);
  }
  const amount = addCoins(burned, returned);
  if (isZeroCoins(amount)) return NO_COINS;
  const before = must(records.claimable(ctx, address), "settlement: an entry has a claimable");
  records.setClaimable(ctx, before, {
    ...before,
    claimable: wireCoins(subCoins(coinsIn(before.claimable), amount)),
    cancelled: wireCoins(addCoins(coinsIn(before.cancelled), amount)),
    updatedAtNs: ctx.time,
  });
  const { rewards: source, rewardPool } = accounts;
  const movements = [
    { source, destination: BURN, coins: burned },
    { source, destination: rewardPool, coins: returned },
  ];
  bank.post(ctx, { kind: "reward_cancel", reference: refundId, movements });
  ctx.emit(rewardsCancelled({ refundId, address, amount, at: ctx.time }));
  return amount;
}

/** An entry that may still be claimed. */
function openEntry(ctx: Context, address: string, seq: bigint): RewardEntryState | undefined {
  const bytes = ctx.kv.get(rewardEntryKey(address, seq));
  if (bytes === undefined) return undefined;
  const entry = RewardEntryState.decode(bytes);
  return entry.expiresAtNs !== 0n && ctx.time >= entry.expiresAtNs ? undefined : entry;
}

/** What is to be cancelled of an entry now. */
function shareOf(entry: RewardEntryState, { settlement, refunded }: CancelRequest): Coins {
  const [total, cancelled] = [coinsIn(settlement.total), coinsIn(entry.cancelled)];
  const original = addCoins(coinsIn(entry.amount), cancelled);
  const due = mapCoins(original, (amount, denom) => {
    const whole = amountOf(total, denom);
    return whole === 0n ? 0n : mulDivFloor(amount, amountOf(refunded, denom), whole);
  });
  // A refund whose fees stand counts for more than it gave: a later one may find it all cancelled.
  return mapCoins(due, (amount, denom) => maxBigint(amount - amountOf(cancelled, denom), 0n));
}

function reduce(ctx: Context, records: Records, before: RewardEntryState, taken: Coins): void {
  const amount = wireCoins(subCoins(coinsIn(before.amount), taken));
  if (amount.length === 0) {
    records.deleteRewardEntry(ctx, before);
    return;
  }
  const cancelled = wireCoins(addCoins(coinsIn(before.cancelled), taken));
  records.changeRewardEntry(ctx, { ...before, amount, cancelled });
}
