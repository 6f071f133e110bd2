import type { FullInvariant } from "../../baseapp/module.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import type { Key } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import type { Reader } from "../../store/read_view.ts";
import {
  addCoins,
  type Coins,
  coinsOf,
  coversCoins,
  equalCoins,
  formatCoins,
  NO_COINS,
} from "../../types/coins.ts";
import { disputeQueueKey, disputeStatusKey, isUndecided } from "./dispute_records.ts";
import { all, count } from "./full_invariants_sums.ts";
import * as keys from "./keys.ts";
import { coinsIn } from "./records.ts";

/** What records, escrows and payouts say of disputes, against the disputes, on demand. */
export const disputeFullInvariants: readonly FullInvariant[] = [
  { name: "a record is disputed while its dispute is undecided", check: recordsFollow },
  { name: "escrows keep what disputed records cost", check: escrowsFollow },
  { name: "payouts count the disputes of their settlements", check: payoutsFollow },
  { name: "look-ups of disputes are those of the records", check: disputesAreListed },
];

const disputes = (reader: Reader): AsyncGenerator<state.DisputeState> =>
  all(reader, keys.DISPUTE_PREFIX, state.DisputeState);

async function usageOf(reader: Reader, seq: bigint): Promise<state.UsageState | undefined> {
  const bytes = await reader.get(keys.recordKey(keys.USAGE_PREFIX, seq));
  return bytes === undefined ? undefined : state.UsageState.decode(bytes);
}

async function recordsFollow(reader: Reader): Promise<void> {
  let undecided = 0;
  for await (const dispute of disputes(reader)) {
    const { seq, usageSeq } = dispute;
    const usage = await usageOf(reader, usageSeq);
    const isOpen = isUndecided(dispute);
    const follows = usage?.disputeSeq === seq && usage.disputed === isOpen;
    assert(follows, "settlement: a record is not of its dispute", {
      dispute: seq,
      usage: usageSeq,
    });
    if (isOpen) undecided += 1;
  }
  let disputed = 0;
  for await (const [, value] of reader.range(keys.USAGE_PREFIX)) {
    if (state.UsageState.decode(value).disputed) disputed += 1;
  }
  assert(disputed === undecided, "settlement: disputed records", { disputed, undecided });
}

async function escrowsFollow(reader: Reader): Promise<void> {
  const kept = new KeyMap<{ count: number; coins: Coins }>();
  for await (const dispute of disputes(reader)) {
    if (!isUndecided(dispute) || dispute.afterSettlement) continue;
    const usage = await usageOf(reader, dispute.usageSeq);
    const coins = coinsOf(usage?.denom ?? "", BigInt(dispute.reserved));
    const before = kept.get(`${dispute.escrowSeq}`) ?? { count: 0, coins: NO_COINS };
    const sum = { count: before.count + 1, coins: addCoins(before.coins, coins) };
    kept.set(`${dispute.escrowSeq}`, sum);
  }
  for await (const [, value] of reader.range(keys.ESCROW_PREFIX)) {
    const { seq, openDisputes, reserved, balance } = state.EscrowState.decode(value);
    const { count: expected, coins } = kept.get(`${seq}`) ?? { count: 0, coins: NO_COINS };
    const facts = { escrow: seq, found: openDisputes, expected };
    assert(openDisputes === expected, "settlement: disputes of an escrow are miscounted", facts);
    const found = coinsIn(reserved);
    const isKept = equalCoins(found, coins) && coversCoins(coinsIn(balance), found);
    const amounts = { escrow: seq, found: formatCoins(found), expected: formatCoins(coins) };
    assert(isKept, "settlement: an escrow keeps another amount for disputes", amounts);
  }
}

async function payoutsFollow(reader: Reader): Promise<void> {
  const counts = new KeyMap<number>();
  for await (const dispute of disputes(reader)) {
    if (!isUndecided(dispute) || !dispute.afterSettlement) continue;
    const settlementSeq = (await usageOf(reader, dispute.usageSeq))?.settlementSeq ?? 0n;
    const bytes = await reader.get(keys.recordKey(keys.SETTLEMENT_PREFIX, settlementSeq));
    const payoutSeq = bytes === undefined ? 0n : state.SettlementState.decode(bytes).payoutSeq;
    counts.set(`${payoutSeq}`, (counts.get(`${payoutSeq}`) ?? 0) + 1);
  }
  for await (const [, value] of reader.range(keys.PAYOUT_PREFIX)) {
    const { seq, openDisputes, heldByDispute } = state.PayoutState.decode(value);
    const expected = counts.get(`${seq}`) ?? 0;
    const isRight = openDisputes === expected && (expected > 0 || !heldByDispute);
    const facts = { payout: seq, found: openDisputes, expected };
    assert(isRight, "settlement: disputes of a payout are miscounted", facts);
  }
}

async function disputesAreListed(reader: Reader): Promise<void> {
  let entries = 0;
  for await (const dispute of disputes(reader)) {
    entries += 1;
    const found = await reader.get(disputeStatusKey(dispute));
    assert(found !== undefined, "settlement: a dispute is not listed", { seq: dispute.seq });
  }
  for (const prefix of LISTS) {
    const found = await count(reader, prefix);
    assert(found === entries, "settlement: look-ups of disputes", { found, entries });
  }
}

const LISTS: readonly Key[] = [
  keys.DISPUTE_BY_STATUS_PREFIX,
  keys.DISPUTE_BY_CUSTOMER_PREFIX,
  keys.DISPUTE_BY_PROVIDER_PREFIX,
];

/** Keys of the queue that disputes must be in (see `derivedKeysFollow`). */
export async function* disputeQueueKeys(reader: Reader): AsyncGenerator<Key> {
  for await (const dispute of disputes(reader)) {
    const key = disputeQueueKey(dispute);
    if (key !== undefined) yield key;
  }
}
