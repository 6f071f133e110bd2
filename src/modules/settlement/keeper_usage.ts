import type { Context } from "../../baseapp/context.ts";
import type { Params as ExtendedParams } from "../../gen/settled/settlement/v1/params.ts";
import {
  type Coverage,
  type EscrowState,
  RewardSource,
  type UsageAnomaly,
  type UsageState,
  UsageStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import type { MsgRecordUsage } from "../../gen/virtengine/settlement/v1/tx.ts";
import { must } from "../../lib/assert.ts";
import { EMPTY_BYTES } from "../../lib/bytes.ts";
import { ChainError } from "../../lib/errors.ts";
import { bytesOfKey } from "../../lib/key.ts";
import { coinsOf, formatCoins } from "../../types/coins.ts";
import type { Verifier } from "../../types/crypto.ts";
import type { Dec } from "../../types/dec.ts";
import { addSeconds, formatTime, timeOfSeconds } from "../../types/time.ts";
import { anomaliesOf } from "./anomaly.ts";
import { cover, placeIn, requireFewGaps } from "./coverage.ts";
import * as errors from "./errors.ts";
import * as events from "./events.ts";
import { usageFlagged } from "./events_usage.ts";
import type { AccountKeeper } from "./expected_keepers.ts";
import { timedId, timedSeqOf } from "./ids.ts";
import { CeilingKeeper } from "./keeper_ceiling.ts";
import {
  type EscrowKeeper,
  quote,
  requireActive,
  requireTimeLeft,
  requireUnexpired,
  unauthorized,
} from "./keeper_escrow.ts";
import { countUnits } from "./keeper_release.ts";
import { MeterKeys, naturalKey, numberAt, seqKey } from "./keys.ts";
import { addRecent } from "./recent_records.ts";
import type { Records } from "./records.ts";
import {
  costOf,
  invalidUsage,
  requireDenomHeld,
  requireOpen,
  requireUndisputed,
} from "./usage_facts.ts";
import { UsageSignatures } from "./usage_signature.ts";

/** What the provider is told of a recorded report. */
export interface RecordedUsage {
  readonly usageId: string;
  /** "10uve"; empty for a cost of 0. */
  readonly totalCost: string;
}

/** Usage records: recorded once for every period, acknowledged by the customer. */
export class UsageKeeper {
  readonly #records: Records;
  readonly #escrows: EscrowKeeper;
  readonly #meters = new MeterKeys();
  readonly signatures: UsageSignatures;
  readonly ceilings: CeilingKeeper;

  constructor(parts: {
    records: Records;
    escrows: EscrowKeeper;
    accounts: AccountKeeper;
    verifier: Verifier;
  }) {
    this.#records = parts.records;
    this.#escrows = parts.escrows;
    this.signatures = new UsageSignatures(parts.accounts, parts.verifier);
    this.ceilings = new CeilingKeeper(parts.records, parts.escrows);
  }

  /** @param price atomics, not negative: checked by the message's own validation */
  record(ctx: Context, msg: MsgRecordUsage, price: Dec): RecordedUsage {
    const order = this.#records.order(ctx, msg.orderId);
    const escrow = this.#escrows.ofOrder(ctx, msg.orderId, order);
    const denom = msg.unitPrice?.denom ?? "";
    const meter = this.#meters.of(msg.orderId, msg.leaseId, msg.usageType);
    const period = { start: msg.periodStart, end: msg.periodEnd };
    const coverage = this.#records.coverage(ctx, meter);
    const { place, meets } = placeIn(coverage, period);
    // First of all: a repeat is told so whatever it says and whatever has become of the escrow. A
    // period that meets no recorded one cannot be a repeat.
    if (meets) this.#requireNew(ctx, coverage, { msg, price, denom });
    requireActive(ctx, escrow);
    requireTimeLeft(ctx, escrow);
    if (msg.sender !== escrow.recipient)
      throw unauthorized(msg.sender, `recipient ${escrow.recipient}`);
    const { extended } = this.#records.params(ctx);
    checkFacts(ctx, extended, { msg, escrow, denom });
    if (order !== undefined && order.priceCeilings > 0) {
      this.ceilings.requireBelow(ctx, { ...msg, denom, price });
    }
    const cost = costOf(price, msg.usageUnits);
    if (extended.requireUsageSignature) {
      this.signatures.verifyUsage(ctx, msg.sender, msg, msg.signature);
    }
    const covered = cover(coverage, period, place);
    requireFewGaps(covered);
    if (coverage === undefined) covered.meter = this.#records.take(ctx, "meter");
    const seq = this.#records.take(ctx, "usage");
    const report = { units: msg.usageUnits, seconds: period.end - period.start };
    const anomalies = anomaliesOf(report, coverage);
    addRecent(covered, report);
    this.#records.setCoverage(ctx, meter, covered);
    ctx.kv.create(naturalKey(covered.meter, period.start), bytesOfKey(seqKey(seq)));
    if (escrow.release !== undefined) countUnits(ctx, this.#records, escrow, msg.usageUnits);
    const facts = { seq, escrow, msg, price, denom, cost, anomalies, place: covered.reports };
    this.#records.addUsage(ctx, newUsage(ctx, facts));
    const usageId = timedId("usage", ctx.time, seq);
    const totalCost = formatCoins(coinsOf(denom, cost));
    ctx.emit(
      events.usageRecorded({
        usageId,
        orderId: escrow.orderId,
        leaseId: escrow.leaseId,
        provider: escrow.recipient,
        units: msg.usageUnits,
        usageType: msg.usageType,
        totalCost,
        at: ctx.time,
      }),
    );
    if (anomalies.length > 0) {
      ctx.emit(usageFlagged({ usageId, orderId: escrow.orderId, anomalies, at: ctx.time }));
    }
    return { usageId, totalCost };
  }

  /** A repeat changes nothing; after settlement it is refused. */
  acknowledge(
    ctx: Context,
    request: { sender: string; usageId: string; signature: Uint8Array },
  ): void {
    const { sender, usageId, signature } = request;
    const usage = this.byId(ctx, usageId);
    const escrow = must(
      this.#records.escrow(ctx, usage.escrowSeq),
      "settlement: usage has an escrow",
    );
    if (sender !== escrow.depositor) throw unauthorized(sender, `customer ${escrow.depositor}`);
    requireOpen(usage);
    requireUndisputed(usage);
    requireUnexpired(ctx, escrow);
    if (this.#records.params(ctx).extended.requireUsageSignature) {
      const totalCost = formatCoins(coinsOf(usage.denom, BigInt(usage.cost)));
      this.signatures.verifyAcknowledgement(ctx, sender, { usageId, totalCost }, signature);
    }
    if (usage.acknowledged) return;
    const acknowledged = { ...usage, acknowledged: true, customerSignature: signature };
    this.#records.setUsage(ctx, usage, acknowledged);
    ctx.emit(events.usageAcknowledged({ usageId, customer: sender, at: ctx.time }));
  }

  /** @throws ChainError settlement/1513 */
  byId(ctx: Context, id: string): UsageState {
    const seq = timedSeqOf("usage", id);
    const usage = seq === undefined ? undefined : this.#records.usage(ctx, seq);
    if (usage === undefined || timedId("usage", usage.submittedAtNs, usage.seq) !== id) {
      throw new ChainError(errors.ErrUsageRecordNotFound, `usage ${quote(id)}`);
    }
    return usage;
  }

  /** Another end of the same start is no repeat: it overlaps. */
  #requireNew(
    ctx: Context,
    coverage: Coverage | undefined,
    { msg, price, denom }: { msg: MsgRecordUsage; price: Dec; denom: string },
  ): void {
    const bytes = ctx.kv.get(naturalKey(coverage?.meter ?? 0n, msg.periodStart));
    if (bytes === undefined) return;
    const seq = BigInt(numberAt(bytes, 0));
    const first = must(this.#records.usage(ctx, seq), "settlement: a natural key has a record");
    if (first.periodEnd !== msg.periodEnd) return;
    const id = timedId("usage", first.submittedAtNs, seq);
    const identical =
      first.units === msg.usageUnits &&
      first.unitPrice === price.toString() &&
      first.denom === denom;
    const how = identical ? "identical" : "different";
    const detail = `this period is recorded as ${id}; the repeat is ${how}`;
    throw new ChainError(errors.ErrUsageRecordExists, detail, { usage_id: id, identical });
  }
}

function checkFacts(
  ctx: Context,
  { maxClockDrift, maxUsagePeriod }: ExtendedParams,
  { msg, escrow, denom }: { msg: MsgRecordUsage; escrow: EscrowState; denom: string },
): void {
  if (msg.leaseId !== escrow.leaseId) {
    throw invalidUsage(`lease: expected ${quote(escrow.leaseId)}, found ${quote(msg.leaseId)}`);
  }
  requireDenomHeld(escrow, denom);
  const latest = addSeconds(ctx.time, maxClockDrift);
  const end = timeOfSeconds(msg.periodEnd);
  if (end > latest) {
    const detail = `period ends at ${formatTime(end)}, more than ${maxClockDrift} s after block time ${formatTime(ctx.time)}`;
    throw invalidUsage(detail);
  }
  const duration = msg.periodEnd - msg.periodStart;
  if (duration > maxUsagePeriod) {
    throw invalidUsage(`period lasts ${duration} s, at most ${maxUsagePeriod} s are allowed`);
  }
}

function newUsage(
  ctx: Context,
  facts: {
    seq: bigint;
    escrow: EscrowState;
    msg: MsgRecordUsage;
    price: Dec;
    denom: string;
    cost: bigint;
    anomalies: UsageAnomaly[];
    place: bigint;
  },
): UsageState {
  const { msg } = facts;
  return {
    seq: facts.seq,
    escrowSeq: facts.escrow.seq,
    units: msg.usageUnits,
    usageType: msg.usageType,
    periodStart: msg.periodStart,
    periodEnd: msg.periodEnd,
    denom: facts.denom,
    unitPrice: facts.price.toString(),
    cost: facts.cost.toString(),
    // A copy: that of the tx is a view, and the record is kept in memory, so the whole tx would be.
    providerSignature: new Uint8Array(msg.signature),
    acknowledged: false,
    customerSignature: EMPTY_BYTES,
    status: UsageStatus.USAGE_STATUS_OPEN,
    submittedAtNs: ctx.time,
    height: ctx.height,
    settlementSeq: 0n,
    invoiceSeq: 0n,
    settledAmount: "",
    reward: "",
    correctsSeq: 0n,
    correctedBySeq: 0n,
    anomalies: facts.anomalies,
    anomalyCleared: false,
    correctedAtNs: 0n,
    meterPlace: facts.place,
    disputeSeq: 0n,
    disputed: false,
    discount: "",
    rewardSource: RewardSource.REWARD_SOURCE_UNSPECIFIED,
  };
}
