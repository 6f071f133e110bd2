import type { Context } from "../../baseapp/context.ts";
import type { Params as ExtendedParams } from "../../gen/settled/settlement/v1/params.ts";
import { AcknowledgeSignDoc, UsageSignDoc } from "../../gen/settled/settlement/v1/sign_doc.ts";
import {
  type Coverage,
  type EscrowState,
  type UsageState,
  UsageStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import type { MsgRecordUsage } from "../../gen/virtengine/settlement/v1/tx.ts";
import { must } from "../../lib/assert.ts";
import { EMPTY_BYTES } from "../../lib/bytes.ts";
import { ChainError } from "../../lib/errors.ts";
import { bytesOfKey } from "../../lib/key.ts";
import { AMOUNT_MAX, coinsOf, formatCoins } from "../../types/coins.ts";
import type { Verifier } from "../../types/crypto.ts";
import { type Dec, mulFloor } from "../../types/dec.ts";
import { addSeconds, formatTime, timeOfSeconds } from "../../types/time.ts";
import * as errors from "./errors.ts";
import * as events from "./events.ts";
import type { AccountKeeper } from "./expected_keepers.ts";
import { timedId, timedSeqOf } from "./ids.ts";
import {
  type EscrowKeeper,
  quote,
  requireActive,
  requireUnexpired,
  unauthorized,
} from "./keeper_escrow.ts";
import { MeterKeys, naturalKey, numberAt, seqKey } from "./keys.ts";
import { coinsIn, type Records } from "./records.ts";

/** Disjoint periods that one meter may have (RULES 17). */
const INTERVALS_MAX = 256;

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
  readonly #accounts: AccountKeeper;
  readonly #verifier: Verifier;
  readonly #meters = new MeterKeys();

  constructor(parts: {
    records: Records;
    escrows: EscrowKeeper;
    accounts: AccountKeeper;
    verifier: Verifier;
  }) {
    this.#records = parts.records;
    this.#escrows = parts.escrows;
    this.#accounts = parts.accounts;
    this.#verifier = parts.verifier;
  }

  /** @param price atomics, not negative: checked by the message's own validation */
  record(ctx: Context, msg: MsgRecordUsage, price: Dec): RecordedUsage {
    const escrow = this.#escrows.ofOrder(ctx, msg.orderId);
    const denom = msg.unitPrice?.denom ?? "";
    const meter = this.#meters.of(msg.orderId, msg.leaseId, msg.usageType);
    const period = { start: msg.periodStart, end: msg.periodEnd };
    const coverage = this.#records.coverage(ctx, meter);
    const { place, meets } = placeIn(coverage, period);
    // First of all: a repeat is told so whatever it says and whatever has become of the escrow. A
    // period that meets no recorded one cannot be a repeat.
    if (meets) this.#requireNew(ctx, coverage, { msg, price, denom });
    requireActive(ctx, escrow);
    if (msg.sender !== escrow.recipient)
      throw unauthorized(msg.sender, `recipient ${escrow.recipient}`);
    const { extended } = this.#records.params(ctx);
    checkFacts(ctx, extended, { msg, escrow, denom });
    const cost = mulFloor(price, msg.usageUnits);
    if (cost > AMOUNT_MAX) throw invalid(`total cost is above 2^256 - 1: ${cost}`);
    if (extended.requireUsageSignature) this.#verifyUsage(ctx, msg);
    const covered = cover(coverage, period, place);
    if (coverage === undefined) covered.meter = this.#records.take(ctx, "meter");
    const seq = this.#records.take(ctx, "usage");
    this.#records.setCoverage(ctx, meter, covered);
    ctx.kv.create(naturalKey(covered.meter, period.start), bytesOfKey(seqKey(seq)));
    this.#records.addUsage(ctx, newUsage(ctx, { seq, escrow, msg, price, denom, cost }));
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
    if (usage.status !== UsageStatus.USAGE_STATUS_OPEN) {
      const how =
        usage.status === UsageStatus.USAGE_STATUS_SETTLED ? "is settled" : "is written off";
      throw new ChainError(errors.ErrUsageAlreadySettled, `usage ${usageId} ${how}`);
    }
    requireUnexpired(ctx, escrow);
    if (this.#records.params(ctx).extended.requireUsageSignature) {
      const totalCost = formatCoins(coinsOf(usage.denom, BigInt(usage.cost)));
      const doc = AcknowledgeSignDoc.encode({ chainId: ctx.chain.chainId, usageId, totalCost });
      this.#verify(ctx, sender, { doc: doc.finish(), signature });
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

  #verifyUsage(ctx: Context, msg: MsgRecordUsage): void {
    const { orderId, leaseId, usageType, usageUnits, periodStart, periodEnd, unitPrice } = msg;
    const { chainId } = ctx.chain;
    const doc = {
      chainId,
      orderId,
      leaseId,
      usageType,
      usageUnits,
      periodStart,
      periodEnd,
      unitPrice,
    };
    const signed = { doc: UsageSignDoc.encode(doc).finish(), signature: msg.signature };
    this.#verify(ctx, msg.sender, signed);
  }

  #verify(ctx: Context, signer: string, signed: { doc: Uint8Array; signature: Uint8Array }): void {
    const publicKey = this.#accounts.account(ctx, signer)?.publicKey;
    const digest = ctx.hasher.sha256(signed.doc);
    const good =
      publicKey !== undefined &&
      this.#verifier.verifySecp256k1(signed.signature, digest, publicKey);
    if (good) return;
    const detail = `expected 64 bytes r‖s with low s by ${signer} over sha256 of the sign doc`;
    throw new ChainError(errors.ErrInvalidSignature, detail);
  }
}

function checkFacts(
  ctx: Context,
  { maxClockDrift, maxUsagePeriod }: ExtendedParams,
  { msg, escrow, denom }: { msg: MsgRecordUsage; escrow: EscrowState; denom: string },
): void {
  if (msg.leaseId !== escrow.leaseId) {
    throw invalid(`lease: expected ${quote(escrow.leaseId)}, found ${quote(msg.leaseId)}`);
  }
  if (!escrow.amount.some((coin) => coin.denom === denom)) {
    const held = formatCoins(coinsIn(escrow.amount));
    throw invalid(`price denom ${denom} is not in the escrow, which holds ${held}`);
  }
  const latest = addSeconds(ctx.time, maxClockDrift);
  const end = timeOfSeconds(msg.periodEnd);
  if (end > latest) {
    const detail = `period ends at ${formatTime(end)}, more than ${maxClockDrift} s after block time ${formatTime(ctx.time)}`;
    throw invalid(detail);
  }
  const duration = msg.periodEnd - msg.periodStart;
  if (duration > maxUsagePeriod) {
    throw invalid(`period lasts ${duration} s, at most ${maxUsagePeriod} s are allowed`);
  }
}

function invalid(detail: string): ChainError {
  return new ChainError(errors.ErrInvalidUsageRecord, detail);
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
  };
}

interface Period {
  readonly start: bigint;
  readonly end: bigint;
}

/** Where a period belongs in a meter's coverage, and whether it meets a period that is there. */
export function placeIn(
  coverage: Coverage | undefined,
  { start, end }: Period,
): { place: number; meets: boolean } {
  if (coverage === undefined) return { place: 0, meets: false };
  const { starts, ends } = coverage;
  let place = starts.length;
  // Reports come in order of time almost always: the place is at or near the end.
  while (place > 0 && (starts[place - 1] as bigint) > start) place -= 1;
  const [lowEnd, highStart] = [ends[place - 1], starts[place]];
  const meetsLow = lowEnd !== undefined && lowEnd > start;
  const meetsHigh = highStart !== undefined && highStart < end;
  return { place, meets: meetsLow || meetsHigh };
}

/**
 * Adds [start, end) to a meter's coverage. A new one has no number yet: 0.
 * @param at what `placeIn` gives
 * @throws ChainError settlement/1512 when it meets a period that is there, or makes too many gaps.
 */
export function cover(
  before: Coverage | undefined,
  period: Period,
  at = placeIn(before, period).place,
): Coverage {
  const starts = before === undefined ? [] : before.starts.slice();
  const ends = before === undefined ? [] : before.ends.slice();
  const [lowEnd, highStart] = [ends[at - 1], starts[at]];
  if (lowEnd !== undefined && lowEnd > period.start) throw overlap(period, starts[at - 1], lowEnd);
  if (highStart !== undefined && highStart < period.end) throw overlap(period, highStart, ends[at]);
  const [touchesLow, touchesHigh] = [lowEnd === period.start, highStart === period.end];
  if (touchesLow && touchesHigh) {
    starts.splice(at, 1);
    ends.splice(at - 1, 1);
  } else if (touchesLow) ends[at - 1] = period.end;
  else if (touchesHigh) starts[at] = period.start;
  else {
    starts.splice(at, 0, period.start);
    ends.splice(at, 0, period.end);
  }
  if (starts.length > INTERVALS_MAX) {
    throw invalid(`too many gaps: at most ${INTERVALS_MAX} disjoint periods; report in order`);
  }
  return { starts, ends, meter: before === undefined ? 0n : before.meter };
}

function overlap(
  period: { start: bigint; end: bigint },
  start: bigint | undefined,
  end: bigint | undefined,
): ChainError {
  const detail = `period [${period.start}, ${period.end}) overlaps [${start}, ${end}), which is recorded`;
  return invalid(detail);
}
