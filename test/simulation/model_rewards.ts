import {
  ClaimableState,
  DistributionState,
  RewardEntryState,
  RewardRow,
} from "../../src/gen/settled/settlement/v1/state.ts";
import type * as own from "../../src/gen/settled/settlement/v1/tx.ts";
import type * as wire from "../../src/gen/virtengine/settlement/v1/tx.ts";
import type { Taken } from "./model_billing.ts";
import { refundedSoFar } from "./model_payouts.ts";
import { type Claimable, type Distribution, type Entry, type Escrow, made } from "./model_state.ts";
import { need, type Rules, type Settlement, type Usage, usageId } from "./model_state.ts";
import type { World } from "./model_state.ts";
import { type Coins, coin, compareText, idOf, kindOf, less, mapped, min } from "./model_sums.ts";
import { NONE, plus, SECOND, sum, text, UNITS_MAX } from "./model_sums.ts";

// RULES 33 to 35.

/** One coin of a distribution before it is funded. */
interface Row {
  readonly address: string;
  readonly reason: string;
  readonly reference: string;
  readonly coins: Coins;
  readonly usage?: Usage;
  readonly score?: number;
  /** What the line names, if it is not the reference. */
  readonly line?: string;
}

/** RULES 33 */
export function usageReward({ params: p }: World, usage: Usage, settled: bigint): bigint {
  const multipliers: Readonly<Record<string, number>> = {
    memory: p.usageRewardMemoryMultiplierBps,
    storage: p.usageRewardStorageMultiplierBps,
    gpu: p.usageRewardGpuMultiplierBps,
    network: p.usageRewardNetworkMultiplierBps,
  };
  const resource = multipliers[kindOf(usage.usageType)] ?? p.usageRewardCpuMultiplierBps;
  const { usageGracePeriod: grace, usageRewardSlaLateMultiplierBps: late } = p;
  const isLate = grace > 0n && usage.submittedAtNs > (usage.periodEnd + grace) * SECOND;
  const sla = isLate ? late : p.usageRewardSlaOntimeMultiplierBps;
  const { usageRewardAckMultiplierBps: acked, usageRewardUnackMultiplierBps: unacked } = p;
  const factors = [p.usageRewardRateBps, resource, sla, usage.acknowledged ? acked : unacked];
  return factors.reduce((product, factor) => product * BigInt(factor), settled) / 10n ** 16n;
}

/** @returns the number of the distribution; 0n for none */
export function rewardUsage(
  w: World,
  escrow: Escrow,
  settlementSeq: bigint,
  taken: readonly Taken[],
): bigint {
  const rows = taken.map(({ usage, paid }): Row => {
    const reason = `usage_${kindOf(usage.usageType)}_reward`;
    const coins = coin(usage.denom, usageReward(w, usage, paid));
    return { address: escrow.recipient, reason, reference: usageId(usage), usage, coins };
  });
  return distribute(w, "usage", w.epoch().epoch, rows.sort(byKind), { settlementSeq });
}

function byKind({ usage: a, reference }: Row, { usage: b, reference: other }: Row): number {
  const [mine, theirs] = [a, b].map((usage) => kindOf(usage?.usageType ?? ""));
  return compareText(mine ?? "", theirs ?? "") || compareText(reference, other);
}

/** The reward of the epoch that ends with this block. */
export function rewardStaking(w: World): void {
  const { epoch, height } = w.epoch();
  const coins = coin("uve", BigInt(w.params.stakingRewardPerEpoch));
  if (height !== w.height || epoch === 0n) return;
  const address = w.params.rewardPoolAddress || w.module("fee_collector");
  const reference = `epoch-${epoch - 1n}`;
  const row = { address, reason: "staking epoch reward", reference, coins };
  distribute(w, "staking", epoch - 1n, [row], {});
}

/** @returns the number of the distribution; 0n when nothing was funded */
function distribute(
  w: World,
  source: string,
  epoch: bigint,
  rows: readonly Row[],
  more: Partial<Distribution>,
): bigint {
  const stopped: string[] = [];
  const funded = rows.filter(({ coins, reference: reference_id }) => {
    const [denom] = coins.keys();
    if (denom === undefined) return false;
    if (!stopped.includes(denom) && fund(w, coins)) return true;
    stopped.push(denom);
    w.emit("RewardSkipped", { reference_id, amount: coins, reason: "*" });
    return false;
  });
  if (funded.length === 0) return 0n;
  const same = (a: Row, b: Row): boolean => a.reason === b.reason && a.address === b.address;
  const heads = funded.filter((row, at) => funded.findIndex((each) => same(each, row)) === at);
  const lines = heads.map((head) => {
    const of = funded.filter((row) => same(row, head));
    const usageUnits = sum(of, ({ usage }) => usage?.units ?? 0n);
    const { address, reason, line, score: verificationScore = 0, reference: own } = head;
    const amount = plus(...of.map(({ coins }) => coins));
    const facts = { address, amount, reason, verificationScore, referenceId: line ?? own };
    return made<RowRecord>(RewardRow, { ...facts, usageUnits: min(usageUnits, UNITS_MAX) });
  });
  const total = plus(...funded.map(({ coins }) => coins));
  const seq = w.next("distribution");
  const rowCount = source === "usage" ? funded.length : lines.length;
  const { paramsVersion, now: distributedAtNs, height } = w;
  const distribution: Partial<Distribution> = {
    ...{ seq, source, epoch, total, distributedAtNs, height, paramsVersion, rowCount, ...more },
    ...{ firstEntrySeq: (w.seqs.get("rewardEntry") ?? 0n) + 1n, entryCount: lines.length },
    rows: source === "usage" ? [] : lines,
  };
  const record = w.push(w.distributions, made<Distribution>(DistributionState, distribution));
  for (const { usage, coins } of funded) {
    if (usage !== undefined) w.set(usage, { reward: coins.get(usage.denom) as bigint });
  }
  for (const { address, reason, amount } of lines) {
    accrue(w, { address, reason, amount, distributionSeq: seq, source });
  }
  const facts = { distribution_id: distributionId(record), epoch_number: epoch, source };
  w.emit("RewardsDistributed", { ...facts, total_rewards: total, recipient_count: rowCount });
  return seq;
}

/** Of a verification "verify-…": no document says so. */
function distributionId({ source, distributedAtNs, seq }: Distribution): string {
  return idOf(source === "verification" ? "verify" : source, distributedAtNs, seq);
}

type RowRecord = Distribution["rows"][number];

/** RULES 34: coins for a reward, minted under the epoch's cap or from the pool. */
function fund(w: World, coins: Coins): boolean {
  const isMint = w.params.rewardFunding === "mint";
  const { epoch } = w.epoch();
  const before = w.epochMint.epoch === epoch ? w.epochMint.minted : 0n;
  const minted = before + (coins.get("uve") ?? 0n);
  const pool = w.module("reward_pool");
  const isCovered = coins.has("uve") && minted <= BigInt(w.params.rewardEpochMintCap);
  if (isMint ? !isCovered : !w.has(pool, coins)) return false;
  if (isMint) w.set(w.epochMint, { epoch, minted });
  w.move(isMint ? "" : pool, w.module("rewards"), coins);
  return true;
}

function accrue(w: World, facts: Partial<Entry> & { address: string; amount: Coins }): void {
  const { rewardClaimExpiry: expiry, rewardFunding } = w.params;
  const expiresAtNs = expiry === 0n ? 0n : w.after(expiry);
  const own = { seq: w.next("rewardEntry"), createdAtNs: w.now, expiresAtNs };
  const entry = { ...facts, ...own, minted: rewardFunding === "mint" };
  w.put(w.entries, own.seq, made(RewardEntryState, entry));
  const { address, amount } = facts;
  const fresh = made<Claimable>(ClaimableState, { address });
  if (!w.claimables.has(address)) w.put(w.claimables, address, fresh);
  const owner = w.claimables.get(address) as Claimable;
  w.set(owner, { claimable: plus(owner.claimable, amount), updatedAtNs: w.now });
}

export const rewardRules: Rules = {
  MsgClaimRewards: (w, { sender, source }: wire.MsgClaimRewards) => {
    const due = [...w.entries.values()].filter((entry) => {
      const isLive = entry.expiresAtNs === 0n || w.now < entry.expiresAtNs;
      return entry.address === sender && isLive && (source === "" || entry.source === source);
    });
    need(due.length > 0, 1511);
    const amount = plus(...due.slice(0, 10_000).map((entry) => take(w, entry)));
    const owner = w.claimables.get(sender) as Claimable;
    w.set(owner, { claimed: plus(owner.claimed, amount) });
    w.move(w.module("rewards"), sender, amount);
    const facts = { claimer: sender, claimed_amount: amount, source: source || undefined };
    w.emit("RewardsClaimed", facts);
    return { claimedAmount: text(amount), claimedAt: w.seconds };
  },
};

/** One distribution of the authority, once per reference. */
function byAuthority(
  w: World,
  source: string,
  reference: string,
  rows: readonly Row[],
): { distributionId: string; totalRewards: string } {
  need(plus(...rows.map(({ coins }) => coins)).size > 0, 1509);
  const seq = distribute(w, source, w.epoch().epoch, rows, { reference });
  need(seq > 0n, 1528);
  const distribution = w.distributions.at(-1) as Distribution;
  const seqs = w.usage.filter((u) => rows.some(({ usage }) => usage === u) && u.reward > 0n);
  for (const usage of seqs) w.set(usage, { rewardSource: source });
  w.set(distribution, { usageSeqs: seqs.map((each) => each.seq) });
  const totalRewards = text(distribution.total);
  return { distributionId: distributionId(distribution), totalRewards };
}

/** What a record was settled for; nothing of its settlement may have gone back. */
function keptOf(w: World, { settlementSeq, settledAmount }: Usage): bigint {
  const settlement = w.settlements.find(({ seq }) => seq === settlementSeq);
  need(settlement === undefined || refundedSoFar(w, settlement).size === 0, 1509);
  return settledAmount;
}

function needFresh(w: World, source: string, reference: string): void {
  const isUsed = w.distributions.some((d) => d.source === source && d.reference === reference);
  need(!isUsed, 1527);
}

export const authorityRewardRules: Rules = {
  MsgDistributeProviderRewards: (w, m: own.MsgDistributeProviderRewards) => {
    w.needAuthority(m.sender);
    needFresh(w, "provider", m.reference);
    const rows = m.usageIds.map((id): Row => {
      const usage = w.usageById(id);
      need(!usage.disputed, 1535);
      need(usage.status === "settled" && usage.reward === 0n, 1509);
      const coins = coin(usage.denom, usageReward(w, usage, keptOf(w, usage)));
      const { recipient: address, orderId: line } = w.escrowOf(usage);
      return { address, reason: "provider usage reward", reference: id, usage, coins, line };
    });
    rows.sort((a, b) => compareText(a.address, b.address) || byKind(a, b));
    return byAuthority(w, "provider", m.reference, rows);
  },
  MsgDistributeVerificationReward: (w, m: own.MsgDistributeVerificationReward) => {
    w.needAuthority(m.sender);
    const { validator: address, reference, score } = m;
    need(!w.isModule(address), 1521);
    needFresh(w, "verification", reference);
    const base = BigInt(w.params.verificationRewardAmount || "100");
    const coins = coin("uve", (base * (100n + BigInt(score))) / 100n);
    const row = { address, reason: "verification reward", reference, coins, score };
    return byAuthority(w, "verification", reference, [row]);
  },
};

/** README, "Cancelled rewards". @param refunded of the settlement's total, by all refunds */
export function cancelRewards(
  w: World,
  { provider: address, distributionSeq, total }: Settlement,
  refunded: Coins,
  refund_id: string,
): Coins {
  const entries = [...w.entries.values()].filter((entry) => {
    const isLive = entry.expiresAtNs === 0n || w.now < entry.expiresAtNs;
    return distributionSeq !== 0n && entry.distributionSeq === distributionSeq && isLive;
  });
  const amounts = entries.map((entry) => {
    const due = mapped(plus(entry.amount, entry.cancelled), (amount, denom) => {
      return (amount * (refunded.get(denom) ?? 0n)) / (total.get(denom) as bigint);
    });
    const cancelled = mapped(due, (each, denom) => each - (entry.cancelled.get(denom) ?? 0n));
    const gone = plus(entry.cancelled, cancelled);
    const after = { ...entry, amount: less(entry.amount, cancelled), cancelled: gone };
    w.put(w.entries, entry.seq, after.amount.size === 0 ? undefined : after);
    w.move(w.module("rewards"), entry.minted ? "" : w.module("reward_pool"), cancelled);
    return cancelled;
  });
  const amount = plus(...amounts);
  if (amount.size === 0) return NONE;
  const owner = w.claimables.get(address) as Claimable;
  const [claimable, cancelled] = [less(owner.claimable, amount), plus(owner.cancelled, amount)];
  w.set(owner, { claimable, cancelled, updatedAtNs: w.now });
  w.emit("RewardsCancelled", { refund_id, address, amount });
  return amount;
}

export function expireRewards(w: World): void {
  for (const entry of [...w.entries.values()]) {
    if (entry.expiresAtNs === 0n || w.now < entry.expiresAtNs) continue;
    const { address } = entry;
    const amount = take(w, entry);
    const owner = w.claimables.get(address) as Claimable;
    w.set(owner, { expired: plus(owner.expired, amount) });
    w.move(w.module("rewards"), entry.minted ? "" : w.module("reward_pool"), amount);
    w.emit("RewardsExpired", { address, amount });
  }
}

/** Takes an entry out of what is claimable. @returns its amount */
function take(w: World, { seq, address, amount }: Entry): Coins {
  w.put(w.entries, seq, undefined);
  const owner = w.claimables.get(address) as Claimable;
  w.set(owner, { claimable: less(owner.claimable, amount), updatedAtNs: w.now });
  return amount;
}
