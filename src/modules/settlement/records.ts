import type { Context } from "../../baseapp/context.ts";
import { DecodedCache } from "../../baseapp/decoded_cache.ts";
import { Params as ExtendedParams } from "../../gen/settled/settlement/v1/params.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import { Params as WireParams } from "../../gen/virtengine/settlement/v1/query.ts";
import { EMPTY_BYTES, fromUtf8, utf8 } from "../../lib/bytes.ts";
import { ChainError } from "../../lib/errors.ts";
import { toSafeNumber } from "../../lib/int.ts";
import { joinKeys, type Key, byteKey, u64Bytes, u64OfBytes } from "../../lib/key.ts";
import { ITERABLE_ENTRIES_MAX } from "../../store/kv.ts";
import { type Coins, equalCoins, type WireCoin } from "../../types/coins.ts";
import { Memo } from "../../lib/memo.ts";
import { addSeconds, type TimeNs } from "../../types/time.ts";
import { CoinSums } from "./coin_sums.ts";
import * as errors from "./errors.ts";
import * as keys from "./keys.ts";
import { insertOpen, openCount, openSeqs, removeOpen } from "./open_usage.ts";
import {
  DEFAULT_EXTENDED_PARAMS,
  DEFAULT_WIRE_PARAMS,
  type RuleParams,
  ruleParams,
} from "./params.ts";
import type { BothParams } from "./params_change.ts";
import { writeParamsVersion } from "./params_versions.ts";
import { lookUpEscrow, lookUpSettlement } from "./party_lookups.ts";
import { type PayoutParties, unpaid, writePayout } from "./payout_state.ts";
import {
  assertEscrowAdds,
  assertPayoutAdds,
  assertPayoutIsShare,
  assertRefundedWithin,
  assertSharesSum,
} from "./record_checks.ts";
import { SeqCache } from "./seq_cache.ts";
import { listNewUsage } from "./usage_lists.ts";

/** Records of one kind that are kept decoded. */
const DECODED_MAX = 4096;

/**
 * New records are listed at each number that this divides, if not before: so what a settlement has
 * to list first, even one that then fails, has a bound.
 */
const UNLISTED_MAX = 2048;

/** Lists of open records that there may be, so that those of the records above have room. */
const OPEN_LISTS_MAX = ITERABLE_ENTRIES_MAX - UNLISTED_MAX;

/** Coins of a stored record: they were checked when it was written. */
export function coinsIn(wire: readonly WireCoin[]): Coins {
  return wire.map(({ denom, amount }) => ({ denom, amount: BigInt(amount) }));
}

type Bytes = Uint8Array | undefined;

interface StoredCodec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/**
 * The records of the module by number, each with the indexes and running totals that follow from
 * it: nothing else writes them.
 */
export class Records {
  // What every usage record of an order asks for again.
  readonly #orders = new DecodedCache(state.OrderState, DECODED_MAX);
  readonly #escrows = new DecodedCache(state.EscrowState, DECODED_MAX);
  readonly #usage = new SeqCache(keys.USAGE_PREFIX, state.UsageState, DECODED_MAX);
  readonly #coverages = new DecodedCache(state.Coverage, DECODED_MAX);
  readonly #orderKeys = new Memo<Key>(DECODED_MAX);
  readonly #escrowKeys = new keys.RecordKeys(keys.ESCROW_PREFIX);
  #decoded: { wire: Bytes; extended: Bytes; rules: RuleParams } | undefined;

  params(ctx: Context): RuleParams {
    const wire = ctx.kv.get(keys.PARAMS_KEY);
    const extended = ctx.kv.get(keys.EXTENDED_PARAMS_KEY);
    // The same bytes give the same params, so the cache cannot be told from decoding again.
    const known = this.#decoded;
    if (known !== undefined && known.wire === wire && known.extended === extended)
      return known.rules;
    const rules = ruleParams(
      wire === undefined ? DEFAULT_WIRE_PARAMS : WireParams.decode(wire),
      extended === undefined ? DEFAULT_EXTENDED_PARAMS : ExtendedParams.decode(extended),
    );
    this.#decoded = { wire, extended, rules };
    return rules;
  }

  /** Puts params into force, and keeps them for what is computed with them. */
  setParams(ctx: Context, version: bigint, params: BothParams): void {
    ctx.kv.set(keys.PARAMS_KEY, WireParams.encode(params.wire).finish());
    ctx.kv.set(keys.EXTENDED_PARAMS_KEY, ExtendedParams.encode(params.extended).finish());
    ctx.kv.set(keys.PARAMS_VERSION_KEY, u64Bytes(version));
    writeParamsVersion(ctx, version, params);
  }

  paramsVersion(ctx: Context): bigint {
    return readU64(ctx, keys.PARAMS_VERSION_KEY, 1n);
  }

  /** Takes the next number of a sequence, from 1. */
  take(ctx: Context, name: keys.SequenceName): bigint {
    const key = keys.sequenceKey(name);
    const next = readU64(ctx, key, 1n);
    ctx.kv.set(key, u64Bytes(next + 1n));
    return next;
  }

  peek(ctx: Context, name: keys.SequenceName): bigint {
    return readU64(ctx, keys.sequenceKey(name), 1n);
  }

  setSequence(ctx: Context, name: keys.SequenceName, next: bigint): void {
    ctx.kv.set(keys.sequenceKey(name), u64Bytes(next));
  }

  total(ctx: Context, name: keys.TotalName, denom: string): bigint {
    const bytes = ctx.kv.get(keys.totalKey(name, denom));
    return bytes === undefined ? 0n : BigInt(fromUtf8(bytes) ?? "");
  }

  addTotal(ctx: Context, name: keys.TotalName, coins: Coins, sign: 1n | -1n = 1n): void {
    for (const { denom, amount } of coins) {
      const key = keys.totalKey(name, denom);
      const sum = this.total(ctx, name, denom) + sign * amount;
      if (sum === 0n) ctx.kv.delete(key);
      else ctx.kv.set(key, utf8(sum.toString()));
    }
  }

  order(ctx: Context, orderId: string): state.OrderState | undefined {
    return this.#orders.read(ctx.kv, this.#orderKey(orderId));
  }

  setOrder(ctx: Context, orderId: string, order: state.OrderState): void {
    this.#orders.write(ctx.kv, this.#orderKey(orderId), order);
  }

  #orderKey(orderId: string): Key {
    const known = this.#orderKeys.get(orderId);
    if (known !== undefined) return known;
    const key = keys.textIndexKey(keys.ORDER_PREFIX, orderId);
    this.#orderKeys.set(orderId, key);
    return key;
  }

  escrow(ctx: Context, seq: bigint): state.EscrowState | undefined {
    return this.#escrows.read(ctx.kv, this.#escrowKeys.of(seq));
  }

  /** Writes an escrow that replaces `before` (undefined for a new one). */
  setEscrow(ctx: Context, before: state.EscrowState | undefined, after: state.EscrowState): void {
    assertEscrowAdds(after);
    const { seq, status } = after;
    this.#escrows.write(ctx.kv, this.#escrowKeys.of(seq), after);
    this.#changeTotal(ctx, "escrowed", before?.balance, after.balance);
    this.#changeTotal(ctx, "escrowSettled", before?.totalSettled, after.totalSettled);
    if (after.taxPaid.length > 0) {
      this.#changeTotal(ctx, "escrowTax", before?.taxPaid, after.taxPaid);
    }
    queueAutoSettle(ctx, before, after);
    queueExpiry(ctx, before, after);
    if (before?.status === status) return;
    if (before === undefined) {
      const byOrder = keys.textIndexKey(keys.ESCROW_BY_ORDER_PREFIX, after.orderId);
      ctx.kv.set(joinKeys(byOrder, keys.seqKey(seq)), EMPTY_BYTES);
    } else ctx.kv.delete(statusIndexKey(before.status, seq));
    lookUpEscrow(ctx, before, after);
    ctx.kv.set(statusIndexKey(status, seq), EMPTY_BYTES);
  }

  /** When an escrow that is settled now is looked at for automatic settlement. */
  nextAutoSettle(ctx: Context): TimeNs {
    return addSeconds(ctx.time, this.params(ctx).wire.settlementPeriod);
  }

  usage(ctx: Context, seq: bigint): state.UsageState | undefined {
    return this.#usage.read(ctx.kv, seq);
  }

  /**
   * Writes a usage record with a fresh number, open. It is listed later, with its neighbours.
   * @throws ChainError settlement/1517 when there are too many lists of open records.
   */
  addUsage(ctx: Context, usage: state.UsageState): void {
    const { seq } = usage;
    if (ctx.kv.countUnder(keys.OPEN_USAGE_PREFIX) >= OPEN_LISTS_MAX) {
      const detail = "too much open usage: settle or refund some of it first";
      throw new ChainError(errors.ErrConditionsNotMet, detail);
    }
    this.#usage.create(ctx.kv, seq, usage);
    if (toSafeNumber(seq) % UNLISTED_MAX === 0) listNewUsage(ctx, this);
  }

  /** Writes a usage record of genesis, with its own number. Listing it is the caller's. */
  importUsage(ctx: Context, usage: state.UsageState): void {
    write(ctx, keys.recordKey(keys.USAGE_PREFIX, usage.seq), state.UsageState, usage);
    this.#changeTotal(ctx, "usageSettled", undefined, settledCoins(usage));
  }

  /**
   * Writes records of one escrow that were open and now are closed. What follows from all of them
   * together is written once.
   * @param closed ascending by number
   * @returns their numbers
   */
  closeUsage(ctx: Context, escrowSeq: bigint, closed: readonly state.UsageState[]): number[] {
    listNewUsage(ctx, this);
    const settled = new CoinSums();
    const seqs: number[] = [];
    for (const usage of closed) {
      write(ctx, keys.recordKey(keys.USAGE_PREFIX, usage.seq), state.UsageState, usage);
      seqs.push(toSafeNumber(usage.seq));
      if (usage.settledAmount !== "") settled.add(usage.denom, BigInt(usage.settledAmount));
    }
    this.addTotal(ctx, "usageSettled", settled.coins());
    removeOpen(ctx.kv, escrowSeq, seqs);
    return seqs;
  }

  /** Writes a usage record that replaces `before`. */
  setUsage(ctx: Context, before: state.UsageState, after: state.UsageState): void {
    const opened = isOpen(after) && !isOpen(before);
    const closed = isOpen(before) && !isOpen(after);
    // First of all: what is not listed yet is listed as open.
    if (opened || closed) listNewUsage(ctx, this);
    write(ctx, keys.recordKey(keys.USAGE_PREFIX, after.seq), state.UsageState, after);
    this.#changeTotal(ctx, "usageSettled", settledCoins(before), settledCoins(after));
    const seq = toSafeNumber(after.seq);
    if (opened) insertOpen(ctx.kv, after.escrowSeq, seq);
    if (closed) removeOpen(ctx.kv, after.escrowSeq, [seq]);
  }

  /** The first usage record that no list has yet. */
  firstUnlisted(ctx: Context): bigint {
    return readU64(ctx, keys.LISTED_KEY, 1n);
  }

  setFirstUnlisted(ctx: Context, seq: bigint): void {
    ctx.kv.set(keys.LISTED_KEY, u64Bytes(seq));
  }

  openUsageCount(ctx: Context, escrowSeq: bigint): bigint {
    listNewUsage(ctx, this);
    return BigInt(openCount(ctx.kv, escrowSeq));
  }

  /**
   * Numbers of the records of an escrow that are not settled, in recording order. Nothing that the
   * caller writes meanwhile shows in it.
   * @param from lower ones are left out
   */
  *openUsage(ctx: Context, escrowSeq: bigint, from = 0n): Generator<bigint> {
    listNewUsage(ctx, this);
    yield* openSeqs(ctx.kv, escrowSeq, from);
  }

  /** @param key what `meterKey` gives */
  coverage(ctx: Context, key: Key): state.Coverage | undefined {
    return this.#coverages.read(ctx.kv, key);
  }

  setCoverage(ctx: Context, key: Key, coverage: state.Coverage): void {
    this.#coverages.write(ctx.kv, key, coverage);
  }

  settlement(ctx: Context, seq: bigint): state.SettlementState | undefined {
    return read(ctx, keys.recordKey(keys.SETTLEMENT_PREFIX, seq), state.SettlementState);
  }

  /** Writes a settlement of an escrow with a fresh number. */
  setSettlement(ctx: Context, settlement: state.SettlementState, escrow: state.EscrowState): void {
    const { seq, type, payoutSeq } = settlement;
    assertSharesSum(settlement);
    assertRefundedWithin(settlement);
    // Of genesis, payouts are written later, and compared there.
    const payout = payoutSeq === 0n ? undefined : this.payout(ctx, payoutSeq);
    if (payout !== undefined) assertPayoutIsShare(settlement, payout);
    create(ctx, keys.recordKey(keys.SETTLEMENT_PREFIX, seq), state.SettlementState, settlement);
    const byOrder = keys.textIndexKey(keys.SETTLEMENT_BY_ORDER_PREFIX, escrow.orderId);
    ctx.kv.create(joinKeys(byOrder, keys.seqKey(seq)), EMPTY_BYTES);
    lookUpSettlement(ctx, seq, escrow);
    if (type === state.SettlementType.SETTLEMENT_TYPE_REFUND) return;
    const total = coinsIn(settlement.total);
    this.addTotal(ctx, "settled", total);
    this.addTotal(ctx, "platformFees", coinsIn(settlement.platformFee));
    this.addTotal(ctx, "validatorFees", coinsIn(settlement.validatorFee));
    const tax = coinsIn(settlement.tax);
    this.addTotal(ctx, "taxes", tax);
    this.addTotal(ctx, "settledTax", tax);
    if (settlement.recordCount > 0) this.addTotal(ctx, "settledWithUsage", total);
  }

  /** Writes a settlement again, with more of it refunded. */
  changeSettlement(ctx: Context, settlement: state.SettlementState): void {
    assertSharesSum(settlement);
    assertRefundedWithin(settlement);
    const key = keys.recordKey(keys.SETTLEMENT_PREFIX, settlement.seq);
    write(ctx, key, state.SettlementState, settlement);
  }

  invoice(ctx: Context, seq: bigint): state.InvoiceState | undefined {
    return read(ctx, keys.recordKey(keys.INVOICE_PREFIX, seq), state.InvoiceState);
  }

  payout(ctx: Context, seq: bigint): state.PayoutState | undefined {
    return read(ctx, keys.recordKey(keys.PAYOUT_PREFIX, seq), state.PayoutState);
  }

  /** Writes a payout that replaces `before` (undefined for one with a fresh number). */
  setPayout(
    ctx: Context,
    before: state.PayoutState | undefined,
    after: state.PayoutState,
    parties: PayoutParties,
  ): void {
    assertPayoutAdds(after);
    const { settlementSeq } = after;
    const settlement = settlementSeq === 0n ? undefined : this.settlement(ctx, settlementSeq);
    if (settlement !== undefined) assertPayoutIsShare(settlement, after);
    writePayout(ctx, before, after, parties);
    const [old, now] = [unpaid(before), unpaid(after)];
    if (equalCoins(old, now)) return;
    this.addTotal(ctx, "payoutsUnfinished", now);
    this.addTotal(ctx, "payoutsUnfinished", old, -1n);
  }

  distribution(ctx: Context, seq: bigint): state.DistributionState | undefined {
    return read(ctx, keys.recordKey(keys.DISTRIBUTION_PREFIX, seq), state.DistributionState);
  }

  /** The distribution of a source that a reference of the authority was used for. */
  distributionByReference(
    ctx: Context,
    source: state.RewardSource,
    reference: string,
  ): state.DistributionState | undefined {
    const seq = readU64(ctx, keys.distributionReferenceKey(source, reference), 0n);
    return seq === 0n ? undefined : this.distribution(ctx, seq);
  }

  /**
   * Writes a distribution with a fresh number.
   * @param recipients each once
   */
  setDistribution(
    ctx: Context,
    distribution: state.DistributionState,
    recipients: readonly string[],
  ): void {
    const { seq, epoch, source, reference } = distribution;
    const key = keys.recordKey(keys.DISTRIBUTION_PREFIX, seq);
    create(ctx, key, state.DistributionState, distribution);
    if (reference !== "") {
      ctx.kv.create(keys.distributionReferenceKey(source, reference), u64Bytes(seq));
    }
    ctx.kv.create(joinKeys(keys.epochIndexKey(epoch), keys.seqKey(seq)), EMPTY_BYTES);
    for (const address of recipients) {
      const byRecipient = keys.textIndexKey(keys.DISTRIBUTION_BY_RECIPIENT_PREFIX, address);
      ctx.kv.create(joinKeys(byRecipient, keys.seqKey(seq)), EMPTY_BYTES);
    }
    this.addTotal(ctx, "distributed", coinsIn(distribution.total));
  }

  claimable(ctx: Context, address: string): state.ClaimableState | undefined {
    return read(ctx, keys.textIndexKey(keys.CLAIMABLE_PREFIX, address), state.ClaimableState);
  }

  setClaimable(
    ctx: Context,
    before: state.ClaimableState | undefined,
    after: state.ClaimableState,
  ): void {
    const key = keys.textIndexKey(keys.CLAIMABLE_PREFIX, after.address);
    write(ctx, key, state.ClaimableState, after);
    this.#changeTotal(ctx, "claimable", before?.claimable, after.claimable);
    this.#changeTotal(ctx, "claimed", before?.claimed, after.claimed);
    this.#changeTotal(ctx, "expired", before?.expired, after.expired);
    this.#changeTotal(ctx, "cancelled", before?.cancelled, after.cancelled);
  }

  /** Writes an entry with a fresh number. */
  setRewardEntry(ctx: Context, entry: state.RewardEntryState): void {
    const key = keys.rewardEntryKey(entry.address, entry.seq);
    create(ctx, key, state.RewardEntryState, entry);
    if (entry.expiresAtNs === 0n) return;
    const due = entry.expiresAtNs as TimeNs;
    ctx.kv.create(keys.rewardQueueKey(due, entry.address, entry.seq), EMPTY_BYTES);
  }

  /** Writes an entry with another amount. */
  changeRewardEntry(ctx: Context, entry: state.RewardEntryState): void {
    write(ctx, keys.rewardEntryKey(entry.address, entry.seq), state.RewardEntryState, entry);
  }

  deleteRewardEntry(ctx: Context, entry: state.RewardEntryState): void {
    ctx.kv.delete(keys.rewardEntryKey(entry.address, entry.seq));
    const due = entry.expiresAtNs as TimeNs;
    ctx.kv.delete(keys.rewardQueueKey(due, entry.address, entry.seq));
  }

  epochMint(ctx: Context): state.EpochMint {
    return read(ctx, keys.EPOCH_MINT_KEY, state.EpochMint) ?? { epoch: 0n, minted: "0" };
  }

  setEpochMint(ctx: Context, mint: state.EpochMint): void {
    write(ctx, keys.EPOCH_MINT_KEY, state.EpochMint, mint);
  }

  #changeTotal(
    ctx: Context,
    name: keys.TotalName,
    before: readonly WireCoin[] | undefined,
    after: readonly WireCoin[],
  ): void {
    const [old, now] = [coinsIn(before ?? []), coinsIn(after)];
    if (equalCoins(old, now)) return;
    this.addTotal(ctx, name, now);
    this.addTotal(ctx, name, old, -1n);
  }
}

function statusIndexKey(status: state.EscrowStatus, seq: bigint): Key {
  return joinKeys(keys.ESCROW_BY_STATUS_PREFIX, byteKey(status), keys.seqKey(seq));
}

/** When an escrow is looked at for automatic settlement; undefined when it is not. */
export function autoSettleDue(escrow: state.EscrowState | undefined): TimeNs | undefined {
  if (escrow?.status !== state.EscrowStatus.ESCROW_STATUS_ACTIVE) return undefined;
  return escrow.autoSettleAtNs === 0n ? undefined : (escrow.autoSettleAtNs as TimeNs);
}

function queueAutoSettle(
  ctx: Context,
  before: state.EscrowState | undefined,
  after: state.EscrowState,
): void {
  const [old, due] = [autoSettleDue(before), autoSettleDue(after)];
  if (old === due) return;
  if (old !== undefined) ctx.kv.delete(keys.autoSettleKey(old, after.seq));
  if (due !== undefined) ctx.kv.set(keys.autoSettleKey(due, after.seq), EMPTY_BYTES);
}

/** Whether an escrow ends when its time is over: one with disputed records waits for them. */
export function expires(escrow: state.EscrowState | undefined): boolean {
  if (escrow === undefined || escrow.openDisputes > 0) return false;
  return (
    escrow.status === state.EscrowStatus.ESCROW_STATUS_PENDING ||
    escrow.status === state.EscrowStatus.ESCROW_STATUS_ACTIVE
  );
}

function queueExpiry(
  ctx: Context,
  before: state.EscrowState | undefined,
  after: state.EscrowState,
): void {
  const [was, is] = [expires(before), expires(after)];
  if (was === is) return;
  const key = keys.expiryQueueKey(after.expiresAtNs as TimeNs, after.seq);
  if (is) ctx.kv.set(key, EMPTY_BYTES);
  else ctx.kv.delete(key);
}

function isOpen({ status }: state.UsageState): boolean {
  return status === state.UsageStatus.USAGE_STATUS_OPEN;
}

function settledCoins(usage: state.UsageState): WireCoin[] {
  const amount = usage.settledAmount;
  if (amount === "" || amount === "0") return [];
  return [{ denom: usage.denom, amount }];
}

function read<T>(ctx: Context, key: Key, codec: StoredCodec<T>): T | undefined {
  const bytes = ctx.kv.get(key);
  return bytes === undefined ? undefined : codec.decode(bytes);
}

function write<T>(ctx: Context, key: Key, codec: StoredCodec<T>, record: T): void {
  ctx.kv.set(key, codec.encode(record).finish());
}

/** Writes a record whose number is fresh. */
function create<T>(ctx: Context, key: Key, codec: StoredCodec<T>, record: T): void {
  ctx.kv.create(key, codec.encode(record).finish());
}

function readU64(ctx: Context, key: Key, absent: bigint): bigint {
  const bytes = ctx.kv.get(key);
  return bytes === undefined ? absent : u64OfBytes(bytes);
}
