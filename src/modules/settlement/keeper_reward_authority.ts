import type { Context } from "../../baseapp/context.ts";
import {
  type DistributionState,
  type RewardRow,
  RewardSource,
  type UsageState,
  UsageStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { ChainError } from "../../lib/errors.ts";
import { minBigint, UINT64_MAX } from "../../lib/int.ts";
import { compareKeys } from "../../lib/key_map.ts";
import { parseAddress } from "../../types/address.ts";
import { coinsOf, wireCoins } from "../../types/coins.ts";
import type { Accounts } from "./accounts.ts";
import { CoinSums } from "./coin_sums.ts";
import * as errors from "./errors.ts";
import { quote } from "./keeper_escrow.ts";
import {
  byTypeThenId,
  distributionId,
  type DistributionPlan,
  type RewardKeeper,
  type UsageReward,
} from "./keeper_reward.ts";
import { requireAuthority } from "./keeper_treasury.ts";
import type { UsageKeeper } from "./keeper_usage.ts";
import { coinsIn, type Records } from "./records.ts";
import { rewardFactorsBy, usageReward, verificationReward } from "./reward.ts";
import { assertReward } from "./reward_check.ts";
import { sourceName, usageStatusName } from "./status_names.ts";
import { requireUndisputed } from "./usage_facts.ts";
import { normaliseUsageType } from "../../types/usage_type.ts";

/** Gas of each record that a provider distribution names. */
export const REWARDED_RECORD_GAS = 1000n;

interface ProviderReward extends UsageReward {
  readonly provider: string;
  readonly orderId: string;
}

/** Rewards that the authority gives, once per reference (RULES 35). */
export class AuthorityRewardKeeper {
  readonly #records: Records;
  readonly #rewards: RewardKeeper;
  readonly #usage: UsageKeeper;
  readonly #accounts: Accounts;

  constructor(parts: {
    records: Records;
    rewards: RewardKeeper;
    usage: UsageKeeper;
    accounts: Accounts;
  }) {
    this.#records = parts.records;
    this.#rewards = parts.rewards;
    this.#usage = parts.usage;
    this.#accounts = parts.accounts;
  }

  /**
   * Rewards settled records that have no reward, by the params of now. What cannot be funded is
   * skipped, and can be named again under another reference.
   * @param request ids are distinct
   * @throws ChainError settlement/1505, 1527, 1513, 1509, or 1528 when nothing can be funded
   */
  distributeProvider(
    ctx: Context,
    request: { sender: string; reference: string; usageIds: readonly string[] },
  ): DistributionState {
    requireAuthority(ctx, this.#records, request.sender);
    const source = RewardSource.REWARD_SOURCE_PROVIDER;
    const { reference } = request;
    this.#requireFresh(ctx, source, reference);
    const due = this.#due(ctx, request.usageIds);
    const funded = this.#rewards.fundRows(ctx, due);
    if (funded.length === 0) throw this.#unfunded(ctx, due[0] as ProviderReward);
    for (const { usage, amount } of funded) {
      const rewarded = { ...usage, reward: amount.toString(), rewardSource: source };
      this.#records.setUsage(ctx, usage, rewarded);
    }
    const rows = linesOf(funded);
    return this.#distribute(ctx, {
      source,
      reference,
      rows,
      claims: rows.map(({ address, amount, reason }) => ({
        address,
        coins: coinsIn(amount),
        reason,
      })),
      usageSeqs: funded.map(({ usage }) => usage.seq).sort((a, b) => (a < b ? -1 : 1)),
    });
  }

  /**
   * Rewards whoever verified something, in the bond denom.
   * @param request score from 0 to 100
   * @throws ChainError settlement/1505, 1521, 1527, 1509 (the reward is 0) or 1528
   */
  distributeVerification(
    ctx: Context,
    request: { sender: string; validator: string; reference: string; score: number },
  ): DistributionState {
    requireAuthority(ctx, this.#records, request.sender);
    const source = RewardSource.REWARD_SOURCE_VERIFICATION;
    const { reference, score } = request;
    const address = parseAddress(request.validator, ctx.chain.bech32Prefix);
    if (Object.values(this.#accounts).includes(address)) {
      const detail = `the validator must not be a module account: ${address}`;
      throw new ChainError(errors.ErrInvalidAddress, detail);
    }
    this.#requireFresh(ctx, source, reference);
    const amount = verificationReward(this.#records.params(ctx), score);
    if (amount === 0n) {
      const detail = "the reward is 0: raise the param verification_reward_amount";
      throw new ChainError(errors.ErrInvalidReward, detail);
    }
    const denom = ctx.chain.bondDenom;
    if (amount > this.#rewards.available(ctx, denom)) {
      throw this.#lack(ctx, { what: reference, denom, amount });
    }
    const coins = coinsOf(denom, amount);
    const reason = "verification reward";
    const facts = { amount: wireCoins(coins), reason, referenceId: reference };
    return this.#distribute(ctx, {
      source,
      reference,
      rows: [{ address, ...facts, usageUnits: 0n, verificationScore: score }],
      claims: [{ address, coins, reason }],
      usageSeqs: [],
    });
  }

  #distribute(
    ctx: Context,
    plan: Pick<DistributionPlan, "source" | "reference" | "rows" | "claims" | "usageSeqs">,
  ): DistributionState {
    return this.#rewards.distribute(ctx, {
      ...plan,
      seq: this.#rewards.takeDistributionSeq(ctx),
      epoch: this.#rewards.epoch(ctx),
      settlementSeq: 0n,
      rowCount: plan.rows.length,
    });
  }

  #requireFresh(ctx: Context, source: RewardSource, reference: string): void {
    const first = this.#records.distributionByReference(ctx, source, reference);
    if (first === undefined) return;
    const detail = `reference ${quote(reference)} was used for ${distributionId(first)}: choose another`;
    throw new ChainError(errors.ErrInvalidEpoch, detail);
  }

  /** Rewards of the records above 0, in the order of the rows: provider, type, id. */
  #due(ctx: Context, usageIds: readonly string[]): ProviderReward[] {
    const rules = this.#records.params(ctx);
    const factorsOf = rewardFactorsBy(rules);
    const due: ProviderReward[] = [];
    for (const usageId of usageIds) {
      ctx.gas.consume(REWARDED_RECORD_GAS, "reward record");
      const usage = this.#usage.byId(ctx, usageId);
      requireUnrewarded(usage, usageId);
      this.#requireKept(ctx, usage, usageId);
      const settled = BigInt(usage.settledAmount);
      const amount = usageReward(settled, factorsOf(usage));
      assertReward(usage, { amount: settled, reward: amount }, rules);
      if (amount === 0n) continue;
      const escrow = must(
        this.#records.escrow(ctx, usage.escrowSeq),
        "settlement: usage has an escrow",
      );
      const type = normaliseUsageType(usage.usageType);
      const { recipient: provider, orderId } = escrow;
      due.push({ usage, usageId, type, amount, provider, orderId });
    }
    if (due.length === 0) {
      const detail = `expected records with a reward above 0, found ${usageIds.length} with none`;
      throw new ChainError(errors.ErrInvalidReward, detail);
    }
    return due.sort((a, b) => {
      const providers = compareKeys(a.provider, b.provider);
      return providers === 0 ? byTypeThenId(a, b) : providers;
    });
  }

  /** @throws ChainError settlement/1509 when its settlement gave anything back. */
  #requireKept(ctx: Context, { settlementSeq }: UsageState, usageId: string): void {
    const settlement = this.#records.settlement(ctx, settlementSeq);
    const payout = this.#records.payout(ctx, settlement?.payoutSeq ?? 0n);
    if (settlement?.refunded === undefined && (payout?.refunded.length ?? 0) === 0) return;
    const detail = `${usageId}: its settlement was refunded, whole or in part`;
    throw new ChainError(errors.ErrInvalidReward, detail);
  }

  #unfunded(ctx: Context, { usage: { denom }, usageId, amount }: ProviderReward): ChainError {
    return this.#lack(ctx, { what: usageId, denom, amount });
  }

  #lack(ctx: Context, reward: { what: string; denom: string; amount: bigint }): ChainError {
    const { what, denom, amount } = reward;
    const left = this.#rewards.available(ctx, denom);
    const lack = this.#rewards.lackOf(ctx, denom);
    const detail = `nothing can be funded: ${amount}${denom} for ${quote(what)} ${lack}, ${left}${denom}; try again when there is more`;
    return new ChainError(errors.ErrDistributionFailed, detail);
  }
}

/** @throws ChainError settlement/1535, or 1509 saying what the record is instead. */
function requireUnrewarded(usage: UsageState, usageId: string): void {
  requireUndisputed(usage);
  const { status, reward, rewardSource, denom } = usage;
  if (status !== UsageStatus.USAGE_STATUS_SETTLED) {
    const detail = `expected settled records, found ${usageId}, which is ${usageStatusName(status)}`;
    throw new ChainError(errors.ErrInvalidReward, detail);
  }
  if (reward === "") return;
  const isProviders = rewardSource === RewardSource.REWARD_SOURCE_PROVIDER;
  const source = sourceName(isProviders ? rewardSource : RewardSource.REWARD_SOURCE_USAGE);
  const detail = `${usageId} has its reward, ${reward}${denom} of source ${source}: a record is rewarded once`;
  throw new ChainError(errors.ErrInvalidReward, detail);
}

/** One line per provider. @param funded those of one provider follow one another */
function linesOf(funded: readonly ProviderReward[]): RewardRow[] {
  const groups: { first: ProviderReward; sums: CoinSums; units: bigint }[] = [];
  for (const each of funded) {
    let group = groups.at(-1);
    if (group?.first.provider !== each.provider) {
      group = { first: each, sums: new CoinSums(), units: 0n };
      groups.push(group);
    }
    group.sums.add(each.usage.denom, each.amount);
    group.units += each.usage.units;
  }
  return groups.map(({ first, sums, units }) => ({
    address: first.provider,
    amount: wireCoins(sums.coins()),
    reason: "provider usage reward",
    referenceId: first.orderId,
    usageUnits: minBigint(units, UINT64_MAX),
    verificationScore: 0,
  }));
}
