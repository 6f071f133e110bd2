import type { Context } from "../../baseapp/context.ts";
import {
  type ClaimableState,
  type DistributionState,
  type RewardEntryState,
  type RewardRow,
  RewardSource,
  type UsageState,
} from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { ChainError } from "../../lib/errors.ts";
import { maxBigint, minBigint } from "../../lib/int.ts";
import type { Key } from "../../lib/key.ts";
import { compareKeys, KeyMap } from "../../lib/key_map.ts";
import {
  AMOUNT_MAX,
  addCoins,
  type Coins,
  coinsOf,
  isZeroCoins,
  NO_COINS,
  subCoins,
  wireCoins,
} from "../../types/coins.ts";
import { CoinSums } from "./coin_sums.ts";
import { addSeconds } from "../../types/time.ts";
import type { Accounts } from "./accounts.ts";
import * as errors from "./errors.ts";
import * as events from "./events.ts";
import { epochOf } from "./epoch.ts";
import { type BankKeeper, BURN, MINT } from "./expected_keepers.ts";
import { timedId } from "./ids.ts";
import { REWARD_ENTRY_PREFIX, textIndexKey } from "./keys.ts";
import { coinsIn, type Records } from "./records.ts";
import { sourceName } from "./status_names.ts";
import { RewardEntryState as RewardEntryCodec } from "../../gen/settled/settlement/v1/state.ts";

/** Entries that one claim pays, oldest first; a longer list takes another claim. */
export const CLAIM_ENTRIES_MAX = 10_000;
/** Gas of each entry that a claim pays. */
export const CLAIM_ENTRY_GAS = 200n;

/** A reward that is due to a usage record, before funding. */
export interface UsageReward {
  readonly usage: UsageState;
  readonly usageId: string;
  /** Normalised usage type. */
  readonly type: string;
  readonly amount: bigint;
}

/** A distribution that is to be booked: what it says, and who may claim how much of it. */
export interface DistributionPlan {
  readonly seq: bigint;
  readonly source: RewardSource;
  readonly epoch: bigint;
  /** 0 unless it is of usage. */
  readonly settlementSeq: bigint;
  /** Lines that do not follow from records. */
  readonly rows: RewardRow[];
  readonly rowCount: number;
  readonly claims: readonly {
    readonly address: string;
    readonly coins: Coins;
    readonly reason: string;
  }[];
  /** Of the authority, once per source. */
  readonly reference?: string;
  /** Of a provider distribution, ascending. */
  readonly usageSeqs?: readonly bigint[];
}

/** Distributions, what may be claimed of them, and the coins behind it. */
export class RewardKeeper {
  readonly #records: Records;
  readonly #bank: BankKeeper;
  readonly #accounts: Accounts;

  constructor(records: Records, bank: BankKeeper, accounts: Accounts) {
    this.#records = records;
    this.#bank = bank;
    this.#accounts = accounts;
  }

  epoch(ctx: Context): bigint {
    return epochOf(ctx, this.#records.params(ctx).wire.stakingRewardEpochLength, ctx.height).epoch;
  }

  /** Decides which rewards of one settlement are funded. */
  fundUsage(ctx: Context, rewards: readonly UsageReward[]): UsageReward[] {
    return this.fundRows(ctx, [...rewards].sort(byTypeThenId));
  }

  /**
   * Decides which rewards are funded, in the order of the rows (RULES 34): per denom, the first
   * that does not fit and all later ones are skipped, each with an event.
   */
  fundRows<T extends UsageReward>(ctx: Context, rows: readonly T[]): T[] {
    const budgets = new KeyMap<{ left: bigint; stopped: boolean }>();
    const funded: T[] = [];
    for (const row of rows) {
      const { denom } = row.usage;
      let budget = budgets.get(denom);
      if (budget === undefined) {
        budget = { left: this.available(ctx, denom), stopped: false };
        budgets.set(denom, budget);
      }
      if (!budget.stopped && row.amount <= budget.left) {
        budget.left -= row.amount;
        funded.push(row);
        continue;
      }
      budget.stopped = true;
      this.#skip(ctx, row.usageId, coinsOf(denom, row.amount));
    }
    return funded;
  }

  /** Books funded usage rewards: coins, distribution, claimable entries. */
  distributeUsage(
    ctx: Context,
    facts: { seq: bigint; settlementSeq: bigint; provider: string; funded: readonly UsageReward[] },
  ): void {
    const { seq, provider, funded } = facts;
    const types = new KeyMap<CoinSums>();
    for (const { usage, type, amount } of funded) {
      const sums = types.get(type) ?? new CoinSums();
      sums.add(usage.denom, amount);
      types.set(type, sums);
    }
    const reasons = new KeyMap<Coins>();
    for (const [type, sums] of types.sortedEntries()) {
      reasons.set(`usage_${type}_reward`, sums.coins());
    }
    this.distribute(ctx, {
      seq,
      source: RewardSource.REWARD_SOURCE_USAGE,
      epoch: this.epoch(ctx),
      settlementSeq: facts.settlementSeq,
      rows: [],
      rowCount: funded.length,
      claims: reasons
        .sortedEntries()
        .map(([reason, coins]) => ({ address: provider, coins, reason })),
    });
  }

  takeDistributionSeq(ctx: Context): bigint {
    return this.#records.take(ctx, "distribution");
  }

  /** The staking reward of the epoch that ends with this block, once (RULES 35). */
  distributeStaking(ctx: Context): void {
    const rules = this.#records.params(ctx);
    if (rules.stakingRewardPerEpoch === 0n) return;
    const next = epochOf(ctx, rules.wire.stakingRewardEpochLength, ctx.height);
    if (next.height !== ctx.height || next.epoch === 0n) return;
    const { bondDenom } = ctx.chain;
    const coins = coinsOf(bondDenom, rules.stakingRewardPerEpoch);
    const epoch = next.epoch - 1n;
    if (rules.stakingRewardPerEpoch > this.available(ctx, bondDenom)) {
      this.#skip(ctx, `epoch-${epoch}`, coins);
      return;
    }
    const pool = rules.extended.rewardPoolAddress;
    const address = pool === "" ? this.#accounts.feeCollector : pool;
    const reason = "staking epoch reward";
    const referenceId = `epoch-${epoch}`;
    const line = { address, amount: wireCoins(coins), reason, referenceId };
    this.distribute(ctx, {
      seq: this.takeDistributionSeq(ctx),
      source: RewardSource.REWARD_SOURCE_STAKING,
      epoch,
      settlementSeq: 0n,
      rows: [{ ...line, usageUnits: 0n, verificationScore: 0 }],
      rowCount: 1,
      claims: [{ address, coins, reason }],
    });
  }

  /** Pays what may be claimed, of all sources or of one. @throws ChainError settlement/1511 */
  claim(ctx: Context, claimer: string, source: RewardSource | undefined): Coins {
    const claimable = this.#records.claimable(ctx, claimer);
    const entries = this.#claimableEntries(ctx, claimer, source);
    if (claimable === undefined || entries.length === 0) {
      const of = source === undefined ? "" : ` of source ${sourceName(source)}`;
      throw new ChainError(errors.ErrNoClaimableRewards, `${claimer} has no rewards${of}`);
    }
    let paid: Coins = NO_COINS;
    for (const entry of entries) {
      ctx.gas.consume(CLAIM_ENTRY_GAS, "claim entry");
      paid = addCoins(paid, coinsIn(entry.amount));
      this.#records.deleteRewardEntry(ctx, entry);
    }
    this.#records.setClaimable(ctx, claimable, {
      ...claimable,
      claimable: wireCoins(subCoins(coinsIn(claimable.claimable), paid)),
      claimed: wireCoins(addCoins(coinsIn(claimable.claimed), paid)),
      updatedAtNs: ctx.time,
    });
    const movements = [{ source: this.#accounts.rewards, destination: claimer, coins: paid }];
    this.#bank.post(ctx, { kind: "reward_claim", reference: claimer, movements });
    const name = source === undefined ? "" : sourceName(source);
    ctx.emit(events.rewardsClaimed({ claimer, amount: paid, source: name, at: ctx.time }));
    return paid;
  }

  /** Takes back an entry that nobody claimed in time: minted coins are burned, others return. */
  expire(ctx: Context, entry: RewardEntryState): void {
    const { address } = entry;
    const coins = coinsIn(entry.amount);
    const before = this.#records.claimable(ctx, address);
    assert(before !== undefined, "settlement: a reward entry has a claimable record", { address });
    this.#records.deleteRewardEntry(ctx, entry);
    this.#records.setClaimable(ctx, before, {
      ...before,
      claimable: wireCoins(subCoins(coinsIn(before.claimable), coins)),
      expired: wireCoins(addCoins(coinsIn(before.expired), coins)),
      updatedAtNs: ctx.time,
    });
    const destination = entry.minted ? BURN : this.#accounts.rewardPool;
    const movements = [{ source: this.#accounts.rewards, destination, coins }];
    this.#bank.post(ctx, { kind: "reward_expiry", reference: address, movements });
    ctx.emit(events.rewardsExpired({ address, amount: coins, at: ctx.time }));
  }

  /** Base units of a denom that rewards may still draw in this epoch. */
  available(ctx: Context, denom: string): bigint {
    const rules = this.#records.params(ctx);
    if (rules.extended.rewardFunding === "pool") {
      return this.#bank.balance(ctx, this.#accounts.rewardPool, denom);
    }
    if (denom !== ctx.chain.bondDenom) return 0n;
    const mint = this.#records.epochMint(ctx);
    const minted = mint.epoch === this.epoch(ctx) ? BigInt(mint.minted) : 0n;
    const left = maxBigint(rules.rewardEpochMintCap - minted, 0n);
    return minBigint(left, AMOUNT_MAX - this.#bank.supply(ctx, denom));
  }

  #skip(ctx: Context, reference: string, amount: Coins): void {
    const reason = this.lackOf(ctx, amount[0]?.denom ?? "");
    ctx.emit(events.rewardSkipped({ reference, amount, reason }));
  }

  /** Why a reward of a denom cannot be funded. */
  lackOf(ctx: Context, denom: string): string {
    const { rewardFunding } = this.#records.params(ctx).extended;
    const isMinted = rewardFunding === "mint";
    if (isMinted && denom !== ctx.chain.bondDenom) return `${denom} is not minted`;
    return `exceeds what is left of ${isMinted ? "the epoch's mint cap" : "the reward pool"}`;
  }

  /** Books a distribution whose coins are there: see `available`. */
  distribute(ctx: Context, plan: DistributionPlan): DistributionState {
    const total = plan.claims.reduce<Coins>((sum, { coins }) => addCoins(sum, coins), NO_COINS);
    assert(!isZeroCoins(total), "settlement: a distribution has rewards", { seq: plan.seq });
    const minted = this.#fund(ctx, total, plan.seq, plan.source);
    const distribution: DistributionState = {
      seq: plan.seq,
      source: plan.source,
      epoch: plan.epoch,
      total: wireCoins(total),
      distributedAtNs: ctx.time,
      height: ctx.height,
      settlementSeq: plan.settlementSeq,
      rows: plan.rows,
      rowCount: plan.rowCount,
      paramsVersion: this.#records.paramsVersion(ctx),
      firstEntrySeq: this.#records.peek(ctx, "rewardEntry"),
      entryCount: plan.claims.length,
      reference: plan.reference ?? "",
      usageSeqs: [...(plan.usageSeqs ?? [])],
    };
    const recipients = [...plan.claims.map(({ address }) => address)];
    this.#records.setDistribution(ctx, distribution, distinct(recipients));
    for (const claim of plan.claims) this.#addClaimable(ctx, claim, { distribution, minted });
    ctx.emit(
      events.rewardsDistributed({
        distributionId: distributionId(distribution),
        epoch: plan.epoch,
        source: sourceName(plan.source),
        total,
        recipients: plan.rowCount,
        at: ctx.time,
      }),
    );
    return distribution;
  }

  /** Brings the coins of new rewards into the rewards account; whether they were minted. */
  #fund(ctx: Context, total: Coins, seq: bigint, source: RewardSource): boolean {
    const minted = this.#records.params(ctx).extended.rewardFunding === "mint";
    if (minted) {
      const epoch = this.epoch(ctx);
      const before = this.#records.epochMint(ctx);
      const sum = total.reduce((amounts, { amount }) => amounts + amount, 0n);
      const base = before.epoch === epoch ? BigInt(before.minted) : 0n;
      this.#records.setEpochMint(ctx, { epoch, minted: (base + sum).toString() });
    }
    const reference = timedId(idNameOf(source), ctx.time, seq);
    const from = minted ? MINT : this.#accounts.rewardPool;
    const movements = [{ source: from, destination: this.#accounts.rewards, coins: total }];
    this.#bank.post(ctx, { kind: "reward_accrual", reference, movements });
    return minted;
  }

  #addClaimable(
    ctx: Context,
    claim: { address: string; coins: Coins; reason: string },
    origin: { distribution: DistributionState; minted: boolean },
  ): void {
    const { address, coins, reason } = claim;
    const before = this.#records.claimable(ctx, address);
    const base: ClaimableState = before ?? {
      address,
      claimable: [],
      claimed: [],
      expired: [],
      cancelled: [],
      updatedAtNs: 0n,
    };
    this.#records.setClaimable(ctx, before, {
      ...base,
      claimable: wireCoins(addCoins(coinsIn(base.claimable), coins)),
      updatedAtNs: ctx.time,
    });
    const expiry = this.#records.params(ctx).wire.rewardClaimExpiry;
    this.#records.setRewardEntry(ctx, {
      seq: this.#records.take(ctx, "rewardEntry"),
      address,
      distributionSeq: origin.distribution.seq,
      source: origin.distribution.source,
      amount: wireCoins(coins),
      createdAtNs: ctx.time,
      expiresAtNs: expiry === 0n ? 0n : addSeconds(ctx.time, expiry),
      reason,
      minted: origin.minted,
      cancelled: [],
      expiryAttempts: 0,
    });
  }

  #claimableEntries(
    ctx: Context,
    claimer: string,
    source: RewardSource | undefined,
  ): RewardEntryState[] {
    const entries: RewardEntryState[] = [];
    const prefix: Key = textIndexKey(REWARD_ENTRY_PREFIX, claimer);
    for (const [, value] of ctx.kv.iterate(prefix)) {
      const entry = RewardEntryCodec.decode(value);
      const expired = entry.expiresAtNs !== 0n && ctx.time >= entry.expiresAtNs;
      if (expired || (source !== undefined && entry.source !== source)) {
        ctx.gas.consume(CLAIM_ENTRY_GAS, "claim entry");
        continue;
      }
      entries.push(entry);
      if (entries.length === CLAIM_ENTRIES_MAX) break;
    }
    return entries;
  }
}

export function distributionId(distribution: DistributionState): string {
  const { source, distributedAtNs, seq } = distribution;
  return timedId(idNameOf(source), distributedAtNs, seq);
}

function idNameOf(source: RewardSource): "usage" | "staking" | "provider" | "verify" {
  switch (source) {
    case RewardSource.REWARD_SOURCE_STAKING:
      return "staking";
    case RewardSource.REWARD_SOURCE_PROVIDER:
      return "provider";
    case RewardSource.REWARD_SOURCE_VERIFICATION:
      return "verify";
    case RewardSource.REWARD_SOURCE_USAGE:
    case RewardSource.REWARD_SOURCE_UNSPECIFIED:
    case RewardSource.UNRECOGNIZED:
      return "usage";
  }
}

/** Rows of one provider (RULES 34). */
export function byTypeThenId(a: UsageReward, b: UsageReward): number {
  const types = compareKeys(a.type, b.type);
  return types === 0 ? compareKeys(a.usageId, b.usageId) : types;
}

function distinct(addresses: readonly string[]): string[] {
  return addresses.filter((address, index) => addresses.indexOf(address) === index);
}
