import type { Context } from "../../baseapp/context.ts";
import type { EscrowStatus } from "../../gen/settled/settlement/v1/state.ts";
import {
  type EscrowState,
  type SettlementState,
  SettlementType,
  type UsageState,
  UsageStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { maxBigint, minBigint } from "../../lib/int.ts";
import {
  addCoins,
  type Coins,
  coinsOf,
  isZeroCoins,
  NO_COINS,
  subCoins,
  wireCoins,
} from "../../types/coins.ts";
import type { Dec } from "../../types/dec.ts";
import { secondsOf, type TimeNs } from "../../types/time.ts";
import type { Accounts } from "./accounts.ts";
import { type Allocation, type Allotment, costOf, type Shares, splitFees } from "./allocate.ts";
import { useUpDiscounts } from "./billing_terms.ts";
import * as events from "./events.ts";
import type { BankKeeper } from "./expected_keepers.ts";
import { escrowId, timedId } from "./ids.ts";
import type { EscrowKeeper } from "./keeper_escrow.ts";
import { issueInvoice } from "./keeper_invoice.ts";
import { PayoutKeeper } from "./keeper_payout.ts";
import type { RewardKeeper, UsageReward } from "./keeper_reward.ts";
import { coinsIn, type Records } from "./records.ts";
import { rewardFactorsBy, usageReward } from "./reward.ts";
import { assertReward } from "./reward_check.ts";
import { settlementTypeName } from "./status_names.ts";
import { usageIdOf } from "./usage_facts.ts";
import { listSettled } from "./usage_lists.ts";
import { normaliseUsageType } from "../../types/usage_type.ts";

/** Gas of each record that a settlement takes. */
export const SETTLED_RECORD_GAS = 1000n;

export interface SettlementPlan {
  readonly escrow: EscrowState;
  readonly allocation: Allocation;
  readonly type: SettlementType;
  /** Whether the escrow ends with this settlement. */
  readonly isFinal: boolean;
  /** Open records of the escrow that this settlement leaves. */
  readonly remaining: bigint;
  /** Who asked for it; empty for the chain itself. */
  readonly initiator: string;
}

export interface SettlementOutcome {
  /** Empty when nothing was paid. */
  readonly settlementId: string;
  readonly total: Coins;
  readonly shares: Shares;
  readonly escrow: EscrowState;
}

/** Turns usage records and an escrow's coins into settlement, invoice, payout and rewards. */
export class SettlementKeeper {
  readonly #records: Records;
  readonly #bank: BankKeeper;
  readonly #accounts: Accounts;
  readonly #escrows: EscrowKeeper;
  readonly #rewards: RewardKeeper;
  readonly #payouts: PayoutKeeper;

  constructor(parts: {
    records: Records;
    bank: BankKeeper;
    accounts: Accounts;
    escrows: EscrowKeeper;
    rewards: RewardKeeper;
  }) {
    this.#records = parts.records;
    this.#bank = parts.bank;
    this.#accounts = parts.accounts;
    this.#escrows = parts.escrows;
    this.#rewards = parts.rewards;
    this.#payouts = new PayoutKeeper(parts.records, parts.bank, parts.accounts);
  }

  /** Settles the records of a plan. The escrow stays open: ending it is the caller's. */
  settle(ctx: Context, plan: SettlementPlan): SettlementOutcome {
    const { allocation, escrow: before } = plan;
    const { bill } = allocation;
    const rules = this.#records.params(ctx);
    const hasTotal = !isZeroCoins(allocation.total);
    // Rounded up, the tax within a price of one unit can be all of it.
    const paid = hasTotal || (bill !== undefined && !isZeroCoins(bill.tax));
    const shares = this.#shares(ctx, allocation.total, true);
    const settlementSeq = paid ? this.#records.take(ctx, "settlement") : 0n;
    const billing = rules.extended.billingEnabled;
    const invoiceSeq = billing ? this.#records.take(ctx, "invoice") : 0n;
    const payoutSeq = billing && hasTotal ? this.#records.take(ctx, "payout") : 0n;
    if (bill !== undefined) useUpDiscounts(ctx, this.#records, before.orderId, bill);
    const funded = this.#fundRewards(ctx, plan);
    const distributionSeq = funded.length > 0 ? this.#rewards.takeDistributionSeq(ctx) : 0n;
    const links = { settlementSeq, invoiceSeq, payoutSeq, distributionSeq };
    this.#closeRecords(ctx, plan, links, funded);
    const journalSeq = paid ? this.#pay(ctx, plan, shares, links) : 0n;
    if (billing) this.#invoice(ctx, plan, links);
    if (payoutSeq !== 0n) this.#payOut(ctx, plan, shares, links);
    if (distributionSeq !== 0n) {
      const provider = plan.escrow.recipient;
      this.#rewards.distributeUsage(ctx, { seq: distributionSeq, settlementSeq, provider, funded });
    }
    if (!paid && !billing) tellUnpaid(ctx, plan);
    const booking = { ...links, journalSeq };
    const escrow = paid ? this.#book(ctx, plan, shares, booking) : before;
    const settlementId = paid ? timedId("settle", ctx.time, settlementSeq) : "";
    return { settlementId, total: allocation.total, shares, escrow };
  }

  /**
   * Pays coins of an escrow to its recipient without usage: same fee split, no reward, no invoice.
   */
  release(
    ctx: Context,
    request: { escrow: EscrowState; amount: Coins; isFinal: boolean },
  ): SettlementOutcome {
    const { escrow, amount, isFinal } = request;
    const shares = this.#shares(ctx, amount, this.#records.params(ctx).extended.releaseFees);
    const seq = this.#records.take(ctx, "settlement");
    const type = isFinal
      ? SettlementType.SETTLEMENT_TYPE_FINAL
      : SettlementType.SETTLEMENT_TYPE_PERIODIC;
    const none = { taken: [], total: amount, stoppedAt: undefined };
    const plan = { escrow, allocation: none, type, isFinal, remaining: 0n, initiator: "" };
    const links = { settlementSeq: seq, invoiceSeq: 0n, payoutSeq: 0n, distributionSeq: 0n };
    const journalSeq = this.#pay(ctx, plan, shares, links);
    const booked = this.#book(ctx, plan, shares, { ...links, journalSeq });
    const settlementId = timedId("settle", ctx.time, seq);
    return { settlementId, total: amount, shares, escrow: booked };
  }

  /** The record that the deployed module writes of a refund; it counts in no total. */
  recordRefund(ctx: Context, before: EscrowState, refunded: Coins): void {
    if (isZeroCoins(refunded)) return;
    const seq = this.#records.take(ctx, "settlement");
    const settlement: SettlementState = {
      ...this.#settlementFacts(ctx, before),
      seq,
      provider: before.depositor,
      total: wireCoins(refunded),
      providerShare: wireCoins(refunded),
      type: SettlementType.SETTLEMENT_TYPE_REFUND,
      // One with disputed records goes on.
      isFinal: before.openDisputes === 0,
    };
    this.#records.setSettlement(ctx, settlement, before);
  }

  #shares(ctx: Context, total: Coins, withFees: boolean): Shares {
    const { platformFeeRate, validatorFeeRate } = this.#records.params(ctx);
    const none = 0n as Dec;
    const rates = withFees
      ? { platform: platformFeeRate, validator: validatorFeeRate }
      : { platform: none, validator: none };
    return splitFees(total, rates);
  }

  /** Rewards of the records, as far as they can be funded. */
  #fundRewards(ctx: Context, plan: SettlementPlan): UsageReward[] {
    const rules = this.#records.params(ctx);
    const factorsOf = rewardFactorsBy(rules);
    const due: UsageReward[] = [];
    for (const { usage, amount } of plan.allocation.taken) {
      const reward = usageReward(amount, factorsOf(usage));
      assertReward(usage, { amount, reward }, rules);
      if (reward === 0n) continue;
      const usageId = timedId("usage", usage.submittedAtNs, usage.seq);
      due.push({ usage, usageId, type: normaliseUsageType(usage.usageType), amount: reward });
    }
    return due.length === 0 ? [] : this.#rewards.fundUsage(ctx, due);
  }

  #closeRecords(
    ctx: Context,
    { escrow, allocation: { taken } }: SettlementPlan,
    links: Links,
    funded: readonly UsageReward[],
  ): void {
    const rewards = [...funded].sort(bySeq);
    const closed: UsageState[] = [];
    let at = 0;
    for (const { usage, amount, discount } of taken) {
      ctx.gas.consume(SETTLED_RECORD_GAS, "settle record");
      if (usage.status !== UsageStatus.USAGE_STATUS_OPEN) {
        assert(false, "I-12 settlement: settled twice", { usage: usage.seq });
      }
      const reward = rewards[at]?.usage.seq === usage.seq ? rewards[at] : undefined;
      if (reward !== undefined) at += 1;
      const rewarded = reward === undefined ? "" : reward.amount.toString();
      const reduced = discount === undefined || discount === 0n ? "" : discount.toString();
      const facts = { amount: amount.toString(), reward: rewarded, discount: reduced };
      closed.push(settled(usage, links, facts));
    }
    const seqs = this.#records.closeUsage(ctx, escrow.seq, closed);
    listSettled(ctx, links, seqs);
    assert(at === rewards.length, "settlement: every reward is of a settled record");
  }

  /**
   * Moves the total out of the escrow: fees to their accounts, the share towards the provider; and
   * the tax besides it.
   * @returns the number of the journal's entry
   */
  #pay(ctx: Context, plan: SettlementPlan, shares: Shares, links: Links): bigint {
    const { escrow: source, settlement, platformFee, validatorFee } = this.#accounts;
    const { bill } = plan.allocation;
    const tax =
      bill === undefined ? [] : [{ source, destination: this.#accounts.tax, coins: bill.tax }];
    const share = links.payoutSeq === 0n ? plan.escrow.recipient : settlement;
    return this.#bank.post(ctx, {
      kind: "settlement",
      reference: timedId("settle", ctx.time, links.settlementSeq),
      movements: [
        { source, destination: platformFee, coins: shares.platformFee },
        { source, destination: validatorFee, coins: shares.validatorFee },
        { source, destination: share, coins: shares.providerShare },
        ...tax,
      ],
    });
  }

  #invoice(ctx: Context, plan: SettlementPlan, links: Links): void {
    const { taken, total, bill } = plan.allocation;
    issueInvoice(ctx, this.#records, {
      escrow: plan.escrow,
      seq: links.invoiceSeq,
      settlementSeq: links.settlementSeq,
      subtotal: bill?.subtotal ?? costOf(taken.map(({ usage }) => usage)),
      paid: bill === undefined ? total : addCoins(total, bill.tax),
      bill,
      lineCount: taken.length,
      period: periodOf(taken),
      initiator: plan.initiator,
    });
  }

  /** Pays the provider's share out at once, or when its time has come (RULES 32). */
  #payOut(ctx: Context, plan: SettlementPlan, shares: Shares, links: Links): void {
    const { payoutSeq: seq, invoiceSeq, settlementSeq } = links;
    const { escrow, allocation } = plan;
    const numbers = { seq, invoiceSeq, settlementSeq };
    this.#payouts.open(ctx, { ...numbers, escrow, gross: allocation.total, shares });
  }

  /** Writes the settlement record and takes its total out of the escrow's balance. */
  #book(
    ctx: Context,
    plan: SettlementPlan,
    shares: Shares,
    links: Links & { journalSeq: bigint },
  ): EscrowState {
    const { escrow: before, allocation } = plan;
    const { total, taken, bill } = allocation;
    const tax = bill?.tax ?? NO_COINS;
    const settlement: SettlementState = {
      ...this.#settlementFacts(ctx, before),
      ...links,
      ...(taken.length === 0 ? {} : periodOf(taken)),
      seq: links.settlementSeq,
      total: wireCoins(total),
      providerShare: wireCoins(shares.providerShare),
      platformFee: wireCoins(shares.platformFee),
      validatorFee: wireCoins(shares.validatorFee),
      units: taken.reduce((sum, { usage }) => sum + usage.units, 0n),
      type: plan.type,
      isFinal: plan.isFinal,
      recordCount: taken.length,
      tax: wireCoins(tax),
      discount: wireCoins(bill?.discount ?? NO_COINS),
    };
    this.#records.setSettlement(ctx, settlement, before);
    const escrow: EscrowState = {
      ...before,
      balance: wireCoins(subCoins(subCoins(coinsIn(before.balance), total), tax)),
      totalSettled: wireCoins(addCoins(coinsIn(before.totalSettled), total)),
      taxPaid: isZeroCoins(tax)
        ? before.taxPaid
        : wireCoins(addCoins(coinsIn(before.taxPaid), tax)),
      settlementCount: before.settlementCount + 1,
      lastSettledAtNs: ctx.time,
      autoSettleAtNs: this.#records.nextAutoSettle(ctx),
      autoSettleAttempts: 0,
      autoSettleFrom: 0n,
      autoSettleSpent: [],
    };
    this.#records.setEscrow(ctx, before, escrow);
    this.#emitSettled(ctx, plan, shares, links);
    return escrow;
  }

  #settlementFacts(ctx: Context, escrow: EscrowState): SettlementState {
    return {
      seq: 0n,
      escrowSeq: escrow.seq,
      provider: escrow.recipient,
      total: [],
      providerShare: [],
      platformFee: [],
      validatorFee: [],
      settledAtNs: ctx.time,
      units: 0n,
      periodStart: secondsOf(escrow.activatedAtNs as TimeNs),
      periodEnd: secondsOf(ctx.time),
      height: ctx.height,
      type: SettlementType.SETTLEMENT_TYPE_UNSPECIFIED,
      isFinal: false,
      recordCount: 0,
      invoiceSeq: 0n,
      payoutSeq: 0n,
      distributionSeq: 0n,
      paramsVersion: this.#records.paramsVersion(ctx),
      tax: [],
      discount: [],
      journalSeq: 0n,
      refunded: undefined,
    };
  }

  #emitSettled(ctx: Context, plan: SettlementPlan, shares: Shares, links: Links): void {
    const { escrow, allocation } = plan;
    const stopped = allocation.stoppedAt;
    ctx.emit(
      events.orderSettled({
        settlementId: timedId("settle", ctx.time, links.settlementSeq),
        orderId: escrow.orderId,
        escrowId: escrowId(escrow.seq),
        provider: escrow.recipient,
        customer: escrow.depositor,
        total: allocation.total,
        ...shares,
        discount: allocation.bill?.discount,
        tax: allocation.bill?.tax,
        type: settlementTypeName(plan.type),
        isFinal: plan.isFinal,
        records: allocation.taken.length,
        remaining: plan.remaining,
        stoppedAt:
          stopped === undefined ? undefined : timedId("usage", stopped.submittedAtNs, stopped.seq),
        at: ctx.time,
      }),
    );
  }

  /** Ends an escrow whose usage is settled: what is left goes where the params say. */
  finish(
    ctx: Context,
    escrow: EscrowState,
    end: { status: EscrowStatus; reason: string },
  ): EscrowState {
    const { finalRemainder } = this.#records.params(ctx).extended;
    const rest = coinsIn(escrow.balance);
    const toProvider = finalRemainder === "provider" && !isZeroCoins(rest);
    const paid = toProvider
      ? this.release(ctx, { escrow, amount: rest, isFinal: true }).escrow
      : escrow;
    const closed = this.#escrows.close(ctx, paid, { ...end, kind: "escrow_remainder" });
    ctx.emit(
      events.escrowReleased({
        escrowId: escrowId(escrow.seq),
        orderId: escrow.orderId,
        party: escrow.recipient,
        amount: toProvider ? rest : [],
        reason: end.reason,
        at: ctx.time,
      }),
    );
    return closed;
  }
}

/** Numbers of what one settlement made; 0 for what it did not make. */
interface Links {
  readonly settlementSeq: bigint;
  readonly invoiceSeq: bigint;
  readonly payoutSeq: bigint;
  readonly distributionSeq: bigint;
}

function periodOf(taken: readonly Allotment[]): { periodStart: bigint; periodEnd: bigint } {
  const first = taken[0]?.usage;
  let [periodStart, periodEnd] = [first?.periodStart ?? 0n, first?.periodEnd ?? 0n];
  for (const { usage } of taken) {
    periodStart = minBigint(periodStart, usage.periodStart);
    periodEnd = maxBigint(periodEnd, usage.periodEnd);
  }
  return { periodStart, periodEnd };
}

/** Property by property: a spread of so many costs as much as all else that is done to a record. */
function settled(
  usage: UsageState,
  { settlementSeq, invoiceSeq }: Links,
  { amount, reward, discount }: { amount: string; reward: string; discount: string },
): UsageState {
  return {
    seq: usage.seq,
    escrowSeq: usage.escrowSeq,
    units: usage.units,
    usageType: usage.usageType,
    periodStart: usage.periodStart,
    periodEnd: usage.periodEnd,
    denom: usage.denom,
    unitPrice: usage.unitPrice,
    cost: usage.cost,
    providerSignature: usage.providerSignature,
    acknowledged: usage.acknowledged,
    customerSignature: usage.customerSignature,
    status: UsageStatus.USAGE_STATUS_SETTLED,
    submittedAtNs: usage.submittedAtNs,
    height: usage.height,
    settlementSeq,
    invoiceSeq,
    settledAmount: amount,
    reward,
    correctsSeq: usage.correctsSeq,
    correctedBySeq: usage.correctedBySeq,
    anomalies: usage.anomalies,
    anomalyCleared: usage.anomalyCleared,
    correctedAtNs: usage.correctedAtNs,
    meterPlace: usage.meterPlace,
    disputeSeq: usage.disputeSeq,
    disputed: usage.disputed,
    discount,
    rewardSource: usage.rewardSource,
  };
}

function bySeq(a: UsageReward, b: UsageReward): number {
  return a.usage.seq < b.usage.seq ? -1 : 1;
}

/** Says of each record that it is closed, where neither a settlement nor an invoice does. */
function tellUnpaid(ctx: Context, { escrow, allocation }: SettlementPlan): void {
  for (const { usage } of allocation.taken) {
    const cost = coinsOf(usage.denom, BigInt(usage.cost));
    const ids = { usageId: usageIdOf(usage), orderId: escrow.orderId };
    ctx.emit(events.usageUnpaid({ ...ids, cost, at: ctx.time }));
  }
}
