import type * as wire from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { type Claimable, type Entry, type Facts, ModelState, need, SECOND } from "./model_state.ts";
import type { Escrow, Usage } from "./model_state.ts";
import { type Coins, compareText, ids, kindOf, minus, NONE, of, plus, text } from "./model_sums.ts";
import { usageReward } from "./model_sums.ts";

/** A record that is settled, and what it is paid. */
export interface Taken {
  readonly usage: Usage;
  readonly paid: bigint;
}

/** One coin of a distribution before it is funded. */
interface Row {
  readonly address: string;
  readonly reason: string;
  readonly reference: string;
  readonly denom: string;
  readonly amount: bigint;
  readonly usage?: Usage;
}

/** RULES 33 to 35. */
export class RewardRules extends ModelState {
  protected rewardUsage(escrow: Escrow, settlementSeq: bigint, taken: readonly Taken[]): void {
    const rows = taken.flatMap(({ usage, paid }): Row[] => {
      const amount = usageReward(this.params, usage, paid);
      const reason = `usage_${kindOf(usage.usageType)}_reward`;
      const row = { address: escrow.recipient, reason, reference: ids.usage(usage), usage };
      return amount === 0n ? [] : [{ ...row, denom: usage.denom, amount }];
    });
    rows.sort((a, b) => compareText(a.reason, b.reason) || compareText(a.reference, b.reference));
    this.#distribute("usage", this.epoch, rows, settlementSeq);
  }

  protected rewardStaking(): void {
    const length = of(this.params.staking_reward_epoch_length);
    const amount = of(this.params.staking_reward_per_epoch);
    if (this.height % length !== 0n || this.epoch === 0n || amount === 0n) return;
    const address = this.params.reward_pool_address || this.module("fee_collector");
    const before = this.epoch - 1n;
    const row = { address, reason: "*", reference: `epoch-${before}`, denom: "uve", amount };
    this.#distribute("staking", before, [row], 0n);
  }

  #distribute(source: string, epoch: bigint, rows: readonly Row[], settlementSeq: bigint): void {
    const stopped = new Set<string>();
    const funded = rows.filter((row) => {
      if (!stopped.has(row.denom) && this.#fund(row.denom, row.amount)) return true;
      stopped.add(row.denom);
      const amount = `${row.amount}${row.denom}`;
      this.emit("RewardSkipped", { reference_id: row.reference, amount, reason: "*" });
      return false;
    });
    if (funded.length === 0) return;
    const seq = this.next("distribution");
    const total = sumRows(funded);
    const rowCount = BigInt(funded.length);
    const facts = { seq, source, epoch, total, settlementSeq, rowCount, height: this.height };
    this.push(this.distributions, { ...facts, distributedAtNs: this.now });
    for (const { usage, amount } of funded)
      if (usage !== undefined) this.set(usage, { reward: amount });
    for (const { address, reason } of firstOf(funded)) {
      const amount = sumRows(funded.filter((row) => row.reason === reason));
      this.#accrue({ address, reason, amount, distributionSeq: seq, source });
    }
    this.emit("RewardsDistributed", {
      ...{ distribution_id: this.id(source, facts), epoch_number: `${epoch}`, source },
      ...{ total_rewards: text(total), recipient_count: `${rowCount}` },
      distributed_at: `${this.seconds}`,
    });
  }

  /** RULES 34: coins for a reward, minted under the epoch's cap or from the pool. */
  #fund(denom: string, amount: bigint): boolean {
    const coins = new Map([[denom, amount]]);
    if (this.params.reward_funding === "pool") {
      const pool = this.module("reward_pool");
      if (!this.has(pool, coins)) return false;
      this.move(pool, this.module("rewards"), coins);
      return true;
    }
    const minted = (this.minted.get(this.epoch) ?? 0n) + amount;
    if (denom !== "uve" || minted > of(this.params.reward_epoch_mint_cap)) return false;
    this.put(this.minted, this.epoch, minted);
    this.move("", this.module("rewards"), coins);
    return true;
  }

  #accrue(facts: Omit<Entry, "seq" | "createdAtNs" | "expiresAtNs" | "minted">): void {
    const expiry = of(this.params.reward_claim_expiry) * SECOND;
    const entry = {
      ...{ ...facts, seq: this.next("entry"), createdAtNs: this.now },
      ...{ expiresAtNs: expiry === 0n ? 0n : this.now + expiry },
      minted: this.params.reward_funding !== "pool",
    };
    this.put(this.entries, entry.seq, entry);
    const { address } = facts;
    const fresh = { address, claimable: NONE, claimed: NONE, expired: NONE };
    if (!this.claimables.has(address)) this.put(this.claimables, address, fresh);
    const owner = this.claimables.get(address) as Claimable;
    this.set(owner, { claimable: plus(owner.claimable, facts.amount) });
  }

  protected claimRewards(m: wire.MsgClaimRewards): Facts {
    const due = [...this.entries.values()].filter((entry) => {
      const isLive = entry.expiresAtNs === 0n || this.now < entry.expiresAtNs;
      return entry.address === m.sender && isLive && (m.source === "" || entry.source === m.source);
    });
    need(due.length > 0, 1511);
    const amount = due.slice(0, 10_000).reduce((sum, entry) => this.#take(entry, sum), NONE);
    const owner = this.claimables.get(m.sender) as Claimable;
    this.set(owner, { claimed: plus(owner.claimed, amount) });
    this.move(this.module("rewards"), m.sender, amount);
    const source = m.source === "" ? {} : { source: m.source };
    const facts = { claimer: m.sender, claimed_amount: text(amount), ...source };
    this.emit("RewardsClaimed", { ...facts, claimed_at: `${this.seconds}` });
    return { claimedAmount: text(amount), claimedAt: this.seconds };
  }

  protected expireRewards(): void {
    for (const entry of [...this.entries.values()]) {
      if (entry.expiresAtNs === 0n || this.now < entry.expiresAtNs) continue;
      this.#take(entry, NONE);
      const owner = this.claimables.get(entry.address) as Claimable;
      this.set(owner, { expired: plus(owner.expired, entry.amount) });
      const to = entry.minted ? "" : this.module("reward_pool");
      this.move(this.module("rewards"), to, entry.amount);
      const facts = { address: entry.address, amount: text(entry.amount) };
      this.emit("RewardsExpired", { ...facts, expired_at: `${this.seconds}` });
    }
  }

  /** Takes an entry out of what is claimable. @returns its amount and `sum` */
  #take(entry: Entry, sum: Coins): Coins {
    this.put(this.entries, entry.seq, undefined);
    const owner = this.claimables.get(entry.address) as Claimable;
    this.set(owner, { claimable: minus(owner.claimable, entry.amount) as Coins });
    return plus(sum, entry.amount);
  }
}

function sumRows(rows: readonly Row[]): Coins {
  return rows.reduce((sum, row) => plus(sum, new Map([[row.denom, row.amount]])), NONE);
}

/** The first row of each reason. */
function firstOf(rows: readonly Row[]): Row[] {
  return rows.filter((row, at) => rows.findIndex(({ reason }) => reason === row.reason) === at);
}
