import type { Context } from "../../baseapp/context.ts";
import { fieldError } from "../../baseapp/genesis_error.ts";
import {
  type DisputeState,
  DisputeStatus,
  type GenesisState,
  UsageStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { KeyMap } from "../../lib/key_map.ts";
import {
  addCoins,
  type Coins,
  coinsOf,
  coversCoins,
  equalCoins,
  formatCoins,
} from "../../types/coins.ts";
import { disputeId, isUndecided, writeDispute } from "./dispute_records.ts";
import { payoutOf } from "./dispute_outcome.ts";
import { bySeq, escrowOf, writeEach } from "./genesis_lists.ts";
import { coinsIn, type Records } from "./records.ts";
import { disputeStatusName, usageStatusName } from "./status_names.ts";

interface Kept {
  readonly count: number;
  readonly coins: Coins;
}

const NOTHING: Kept = { count: 0, coins: [] };

/** Disputes, and whether records, escrows and payouts say of them what they are. */
export function writeDisputes(ctx: Context, records: Records, genesis: GenesisState): void {
  const escrows = new KeyMap<Kept>();
  const payouts = new KeyMap<number>();
  const open = new KeyMap<true>();
  const list = { name: "disputes", records: genesis.disputes, keyOf: bySeq };
  writeEach(list, (dispute, field) => {
    const escrow = escrowOf(ctx, records, dispute, field);
    requireRecord(ctx, records, dispute, field);
    writeDispute(ctx, undefined, dispute, escrow);
    if (!isUndecided(dispute)) return;
    const usage = records.usage(ctx, dispute.usageSeq);
    if (usage === undefined) return;
    open.set(usage.seq.toString(), true);
    if (dispute.afterSettlement) {
      const seq = payoutOf(ctx, records, usage)?.seq;
      if (seq !== undefined) payouts.set(`${seq}`, (payouts.get(`${seq}`) ?? 0) + 1);
      return;
    }
    const { count, coins } = escrows.get(`${escrow.seq}`) ?? NOTHING;
    const reserved = coinsOf(usage.denom, BigInt(dispute.reserved));
    escrows.set(`${escrow.seq}`, { count: count + 1, coins: addCoins(coins, reserved) });
  });
  genesis.usage.forEach(({ seq, disputed }, index) => {
    if (disputed === (open.get(`${seq}`) ?? false)) return;
    throw fieldError(`settlement.usage[${index}].disputed`, `is ${disputed}, its dispute is not`);
  });
  genesis.payouts.forEach(({ seq, openDisputes }, index) => {
    const expected = payouts.get(`${seq}`) ?? 0;
    if (openDisputes === expected) return;
    const field = `settlement.payouts[${index}].open_disputes`;
    throw fieldError(field, `expected ${expected}, found ${openDisputes}`);
  });
  requireReserves(genesis, escrows);
}

function requireRecord(ctx: Context, records: Records, dispute: DisputeState, field: string): void {
  const { seq, usageSeq, escrowSeq, afterSettlement } = dispute;
  const usage = records.usage(ctx, usageSeq);
  if (usage?.disputeSeq !== seq || usage.escrowSeq !== escrowSeq) {
    throw fieldError(`${field}.usage_seq`, `record ${usageSeq} is not of ${disputeId(seq)}`);
  }
  const isSettled = usage.status === UsageStatus.USAGE_STATUS_SETTLED;
  const isOpen = usage.status === UsageStatus.USAGE_STATUS_OPEN;
  if (afterSettlement ? !isSettled : isUndecided(dispute) && !isOpen) {
    const detail = `is ${afterSettlement}, record ${usageSeq} is ${usageStatusName(usage.status)}`;
    throw fieldError(`${field}.after_settlement`, detail);
  }
  const resolved = isResolved(dispute);
  if (resolved === (dispute.resolution !== undefined)) return;
  throw fieldError(
    `${field}.resolution`,
    `${disputeId(seq)} is ${disputeStatusName(dispute.status)}`,
  );
}

function isResolved({ status, resolution }: DisputeState): boolean {
  return (
    status === resolution?.status ||
    status === DisputeStatus.DISPUTE_STATUS_ACCEPTED ||
    status === DisputeStatus.DISPUTE_STATUS_REJECTED ||
    status === DisputeStatus.DISPUTE_STATUS_AMENDED
  );
}

function requireReserves({ escrows }: GenesisState, kept: KeyMap<Kept>): void {
  escrows.forEach(({ seq, openDisputes, reserved, balance }, index) => {
    const { count, coins } = kept.get(`${seq}`) ?? NOTHING;
    const field = `settlement.escrows[${index}]`;
    if (openDisputes !== count) {
      throw fieldError(`${field}.open_disputes`, `expected ${count}, found ${openDisputes}`);
    }
    const [found, most] = [coinsIn(reserved), coinsIn(balance)];
    if (!equalCoins(found, coins)) {
      const detail = `expected ${formatCoins(coins) || "0"}, found ${formatCoins(found) || "0"}`;
      throw fieldError(`${field}.reserved`, detail);
    }
    if (!coversCoins(most, found)) {
      throw fieldError(`${field}.reserved`, `is more than the balance ${formatCoins(most) || "0"}`);
    }
  });
}
