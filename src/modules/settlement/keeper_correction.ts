import type { Context } from "../../baseapp/context.ts";
import {
  DisputeStatus,
  type EscrowState,
  type UsageState,
  UsageStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { EMPTY_BYTES } from "../../lib/bytes.ts";
import { bytesOfKey, type Key } from "../../lib/key.ts";
import { coinsOf, formatCoins } from "../../types/coins.ts";
import type { Dec } from "../../types/dec.ts";
import { anomaliesOf } from "./anomaly.ts";
import { requireFewGaps, uncover } from "./coverage.ts";
import { readDispute } from "./dispute_records.ts";
import * as events from "./events_usage.ts";
import { requireActive, requireTimeLeft, unauthorized } from "./keeper_escrow.ts";
import { countUnits } from "./keeper_release.ts";
import type { UnitPrice } from "./keeper_ceiling.ts";
import type { UsageKeeper } from "./keeper_usage.ts";
import { meterKey, naturalKey, seqKey } from "./keys.ts";
import { forgetRecent, replaceRecent } from "./recent_records.ts";
import type { Records } from "./records.ts";
import {
  costOf,
  invalidUsage,
  requireDenomHeld,
  requireOpen,
  requireUndisputed,
  usageIdOf,
} from "./usage_facts.ts";
import { normaliseUsageType } from "../../types/usage_type.ts";

export interface Correction {
  readonly sender: string;
  readonly usageId: string;
  readonly units: bigint;
  readonly unitPrice: UnitPrice;
  readonly reason: string;
  readonly signature: Uint8Array;
}

/** Usage records that were reported wrongly, and those that look as if they were (RULES 19, 23). */
export class CorrectionKeeper {
  readonly #records: Records;
  readonly #usage: UsageKeeper;

  constructor(records: Records, usage: UsageKeeper) {
    this.#records = records;
    this.#usage = usage;
  }

  /** Puts a record with other units or price in the place of an open one, and returns it. */
  correct(ctx: Context, request: Correction): { usageId: string; totalCost: string } {
    const { sender, units, reason } = request;
    const { usage: before, escrow } = this.#ofProvider(ctx, sender, request.usageId);
    const { denom, price } = request.unitPrice;
    requireTimeLeft(ctx, escrow);
    if (before.units === units && before.denom === denom && before.unitPrice === `${price}`) {
      throw invalidUsage(`nothing changes: ${request.usageId} has these units and this price`);
    }
    requireDenomHeld(escrow, denom);
    const isAmended = this.#isAmended(ctx, before);
    if (isAmended && (denom !== before.denom || costOf(price, units) > BigInt(before.cost))) {
      const most = `${before.cost}${before.denom}, to which dispute-${before.disputeSeq} amended it`;
      throw invalidUsage(
        `expected a cost of at most ${most}, found ${costOf(price, units)}${denom}`,
      );
    }
    this.#requireBelowCeiling(ctx, escrow, before, request.unitPrice);
    const unitPrice = { denom, amount: price.toString() };
    this.#requireSigned(ctx, escrow, before, { ...request, unitPrice });
    const after = this.#replace(ctx, escrow, before, {
      ...{ units, denom, price },
      // A copy: that of the tx is a view, and the record is kept in memory.
      providerSignature: new Uint8Array(request.signature),
      // It is another claim than the one that a dispute was about, unless that amended it.
      ...{ acknowledged: false, disputeSeq: isAmended ? before.disputeSeq : 0n, reason },
    });
    const { usageId, cost } = billed(after);
    return { usageId, totalCost: cost };
  }

  /**
   * Puts the record that a dispute came to in the place of the disputed one. Nobody signs it: the
   * dispute says who decided.
   * @param to.acknowledged whether the customer agreed
   */
  amend(
    ctx: Context,
    escrow: EscrowState,
    before: UsageState,
    to: { units: bigint; price: Dec; acknowledged: boolean; reason: string },
  ): UsageState {
    const { denom, disputeSeq } = before;
    const providerSignature = EMPTY_BYTES;
    return this.#replace(ctx, escrow, before, { ...to, denom, disputeSeq, providerSignature });
  }

  #replace(
    ctx: Context,
    escrow: EscrowState,
    before: UsageState,
    to: {
      units: bigint;
      denom: string;
      price: Dec;
      providerSignature: Uint8Array;
      acknowledged: boolean;
      disputeSeq: bigint;
      reason: string;
    },
  ): UsageState {
    const { units, denom, price, providerSignature, acknowledged, disputeSeq, reason } = to;
    const cost = costOf(price, units).toString();
    // Taken once the old record is closed, as that lists all records that have a number.
    const seq = this.#records.peek(ctx, "usage");
    const meter = meterOf(escrow, before);
    const coverage = must(this.#records.coverage(ctx, meter), "settlement: a meter is there");
    const report = { units, seconds: before.periodEnd - before.periodStart };
    const after: UsageState = {
      ...before,
      ...{ seq, units, denom, unitPrice: price.toString(), cost, height: ctx.height },
      ...{ providerSignature, customerSignature: EMPTY_BYTES, acknowledged, anomalyCleared: false },
      ...{ correctsSeq: before.seq, disputeSeq, disputed: false },
      anomalies: anomaliesOf(report, forgetRecent(coverage, before.meterPlace)),
      correctedAtNs: ctx.time,
    };
    const status = UsageStatus.USAGE_STATUS_SUPERSEDED;
    const closed = { ...before, status, correctedBySeq: seq, disputed: false };
    this.#records.setUsage(ctx, before, closed);
    this.#records.take(ctx, "usage");
    this.#records.addUsage(ctx, after);
    this.#records.setCoverage(ctx, meter, replaceRecent(coverage, before.meterPlace, report));
    const key = naturalKey(coverage.meter, before.periodStart);
    ctx.kv.set(key, bytesOfKey(seqKey(seq)));
    countUnits(ctx, this.#records, escrow, units - before.units);
    const [from, now] = [billed(before), billed(after)];
    const { orderId } = escrow;
    ctx.emit(events.usageCorrected({ orderId, from, to: now, reason, at: ctx.time }));
    const { anomalies } = after;
    if (anomalies.length > 0) {
      ctx.emit(events.usageFlagged({ usageId: now.usageId, orderId, anomalies, at: ctx.time }));
    }
    return after;
  }

  /** Takes an open record back: its period can be recorded anew. */
  withdraw(ctx: Context, request: Omit<Correction, "units" | "unitPrice">): void {
    const { usage: before, escrow } = this.#ofProvider(ctx, request.sender, request.usageId);
    if (this.#isAmended(ctx, before)) {
      const dispute = `dispute-${before.disputeSeq}`;
      throw invalidUsage(
        `${request.usageId} is what ${dispute} came to: correct it to less instead`,
      );
    }
    const unitPrice = { denom: before.denom, amount: before.unitPrice };
    this.#requireSigned(ctx, escrow, before, { ...request, units: 0n, unitPrice });
    const meter = meterOf(escrow, before);
    const coverage = must(this.#records.coverage(ctx, meter), "settlement: a meter is there");
    const period = { start: before.periodStart, end: before.periodEnd };
    const uncovered = uncover(coverage, period);
    requireFewGaps(uncovered);
    const status = UsageStatus.USAGE_STATUS_WITHDRAWN;
    this.#records.setUsage(ctx, before, { ...before, status });
    this.#records.setCoverage(ctx, meter, forgetRecent(uncovered, before.meterPlace));
    ctx.kv.delete(naturalKey(coverage.meter, before.periodStart));
    countUnits(ctx, this.#records, escrow, -before.units);
    const { orderId } = escrow;
    const { reason } = request;
    const record = billed(before);
    ctx.emit(events.usageWithdrawn({ orderId, record, reason, at: ctx.time }));
  }

  /** Lifts the flags of an open record. A repeat changes nothing. */
  clearAnomaly(ctx: Context, { sender, usageId }: { sender: string; usageId: string }): void {
    const { authority } = this.#records.params(ctx).extended;
    if (authority === "") throw unauthorized(sender, "an authority, which only genesis can set");
    if (sender !== authority) throw unauthorized(sender, `authority ${authority}`);
    const usage = this.#usage.byId(ctx, usageId);
    requireOpen(usage);
    if (usage.anomalies.length === 0) throw invalidUsage(`usage ${usageId} has no flags to lift`);
    if (usage.anomalyCleared) return;
    this.#records.setUsage(ctx, usage, { ...usage, anomalyCleared: true });
    ctx.emit(events.usageAnomalyCleared({ usageId, sender, at: ctx.time }));
  }

  /** Whether a dispute put it in the place of another: its period is not to be billed higher again. */
  #isAmended(ctx: Context, { disputeSeq }: UsageState): boolean {
    if (disputeSeq === 0n) return false;
    return readDispute(ctx, disputeSeq)?.status === DisputeStatus.DISPUTE_STATUS_AMENDED;
  }

  /** An open record of an active escrow that this provider may change. */
  #ofProvider(
    ctx: Context,
    sender: string,
    usageId: string,
  ): { usage: UsageState; escrow: EscrowState } {
    const usage = this.#usage.byId(ctx, usageId);
    const found = this.#records.escrow(ctx, usage.escrowSeq);
    const escrow = must(found, "settlement: usage has an escrow");
    if (sender !== escrow.recipient) throw unauthorized(sender, `provider ${escrow.recipient}`);
    requireOpen(usage);
    requireUndisputed(usage);
    requireActive(ctx, escrow);
    return { usage, escrow };
  }

  #requireBelowCeiling(
    ctx: Context,
    { orderId }: EscrowState,
    { usageType, periodStart }: UsageState,
    unitPrice: UnitPrice,
  ): void {
    if (this.#records.order(ctx, orderId)?.priceCeilings === 0) return;
    this.#usage.ceilings.requireBelow(ctx, { ...unitPrice, orderId, usageType, periodStart });
  }

  /** The provider signs the record as it is to be: units 0 and its own price when withdrawn. */
  #requireSigned(
    ctx: Context,
    { orderId, leaseId }: EscrowState,
    { usageType, periodStart, periodEnd }: UsageState,
    to: {
      sender: string;
      units: bigint;
      unitPrice: { denom: string; amount: string };
      signature: Uint8Array;
    },
  ): void {
    if (!this.#records.params(ctx).extended.requireUsageSignature) return;
    const { units: usageUnits, unitPrice } = to;
    const doc = {
      ...{ orderId, leaseId, usageType, usageUnits },
      ...{ periodStart, periodEnd, unitPrice },
    };
    this.#usage.signatures.verifyUsage(ctx, to.sender, doc, to.signature);
  }
}

function meterOf({ orderId, leaseId }: EscrowState, { usageType }: UsageState): Key {
  return meterKey({ orderId, leaseId, type: normaliseUsageType(usageType) });
}

function billed(usage: UsageState): events.Billed {
  const cost = formatCoins(coinsOf(usage.denom, BigInt(usage.cost)));
  return { usageId: usageIdOf(usage), units: usage.units, cost };
}
