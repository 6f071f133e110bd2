import type { Context } from "../../baseapp/context.ts";
import {
  type EscrowState,
  type UsageState,
  UsageStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import type { Key } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { toSafeNumber } from "../../lib/int.ts";
import type { Kv } from "../../store/kv.ts";
import * as keys from "./keys.ts";
import { appendOpen } from "./open_usage.ts";
import { writeSeqList } from "./seq_list.ts";

/** Numbers by the prefix of their list. */
class Lists {
  readonly #byPrefix = new KeyMap<number[]>();
  /** In the order in which they were begun. */
  readonly #all: { prefix: Key; seqs: number[] }[] = [];

  of(prefix: Key): number[] {
    const found = this.#byPrefix.get(prefix);
    if (found !== undefined) return found;
    const seqs: number[] = [];
    this.#byPrefix.set(prefix, seqs);
    this.#all.push({ prefix, seqs });
    return seqs;
  }

  write(kv: Kv): void {
    for (const { prefix, seqs } of this.#all) writeSeqList(kv, prefix, seqs);
  }
}

/** Where the records of one escrow go, and those of one hour. */
interface Place {
  readonly escrow: EscrowState;
  readonly byOrder: number[];
  readonly open: number[];
  /** Seconds: the hour from `start` to before `end`. */
  start: bigint;
  end: bigint;
  byProvider: number[];
  byCustomer: number[];
  byHour: number[];
}

/**
 * The lists that usage records are added to: look-ups for queries by order, by provider and time, by
 * customer and time, by time; and which are open, by escrow.
 */
export class UsageLists {
  readonly #lists = new Lists();
  readonly #byEscrow = new KeyMap<Place>();
  readonly #places: Place[] = [];
  readonly #escrowOf: (seq: bigint) => EscrowState;
  #last: Place | undefined;

  constructor(escrowOf: (seq: bigint) => EscrowState) {
    this.#escrowOf = escrowOf;
  }

  /** Records come ascending by number. */
  add(usage: UsageState): void {
    // Neighbours mostly belong to the same lists.
    const last = this.#last;
    const place = last?.escrow.seq === usage.escrowSeq ? last : this.#placeOf(usage.escrowSeq);
    if (usage.periodStart < place.start || usage.periodStart >= place.end) {
      this.#moveTo(place, keys.hourOf(usage.periodStart));
    }
    const seq = toSafeNumber(usage.seq);
    place.byOrder.push(seq);
    place.byProvider.push(seq);
    place.byCustomer.push(seq);
    place.byHour.push(seq);
    if (usage.status === UsageStatus.USAGE_STATUS_OPEN) place.open.push(seq);
  }

  write(kv: Kv): void {
    this.#lists.write(kv);
    for (const { escrow, open } of this.#places) {
      if (open.length > 0) appendOpen(kv, escrow.seq, open);
    }
  }

  #placeOf(escrowSeq: bigint): Place {
    const key = escrowSeq.toString();
    let place = this.#byEscrow.get(key);
    if (place === undefined) {
      const escrow = this.#escrowOf(escrowSeq);
      const byOrder = keys.textIndexKey(keys.USAGE_BY_ORDER_PREFIX, escrow.orderId);
      const none: number[] = [];
      const byParty = { byProvider: none, byCustomer: none };
      const lists = { byOrder: this.#lists.of(byOrder), ...byParty, byHour: none, open: [] };
      place = { escrow, start: 0n, end: 0n, ...lists };
      this.#byEscrow.set(key, place);
      this.#places.push(place);
    }
    this.#last = place;
    return place;
  }

  #moveTo(place: Place, hour: bigint): void {
    const { recipient, depositor } = place.escrow;
    const byProvider = keys.textIndexKey(keys.USAGE_BY_PROVIDER_PREFIX, recipient);
    place.byProvider = this.#lists.of(keys.hourIndexKey(byProvider, hour));
    const byCustomer = keys.textIndexKey(keys.USAGE_BY_CUSTOMER_PREFIX, depositor);
    place.byCustomer = this.#lists.of(keys.hourIndexKey(byCustomer, hour));
    place.byHour = this.#lists.of(keys.hourIndexKey(keys.USAGE_BY_START_PREFIX, hour));
    place.start = hour * keys.HOUR;
    place.end = place.start + keys.HOUR;
  }
}

/** What the lists are made of: `Records`. */
interface Source {
  firstUnlisted(ctx: Context): bigint;
  setFirstUnlisted(ctx: Context, seq: bigint): void;
  peek(ctx: Context, name: "usage"): bigint;
  usage(ctx: Context, seq: bigint): UsageState | undefined;
  escrow(ctx: Context, seq: bigint): EscrowState | undefined;
}

/**
 * Lists what is recorded and not listed yet: at the end of the block, once for all of it, as a list
 * of many records is one entry; earlier, when something in the block asks which records are open.
 * What a failing tx has listed so is undone with it, and listed later. It costs nothing when there
 * is nothing new.
 */
export function listNewUsage(ctx: Context, source: Source): void {
  const first = source.firstUnlisted(ctx);
  const next = source.peek(ctx, "usage");
  if (first === next) return;
  const lists = new UsageLists((seq) => {
    return must(source.escrow(ctx, seq), "settlement: usage has an escrow");
  });
  for (let seq = first; seq < next; seq += 1n) {
    lists.add(must(source.usage(ctx, seq), "settlement: usage is there"));
  }
  lists.write(ctx.kv);
  source.setFirstUnlisted(ctx, next);
}

/** Writes which records a settlement took, or an invoice that nothing was paid of. */
export function listSettled(
  ctx: Context,
  by: { settlementSeq: bigint; invoiceSeq: bigint },
  seqs: readonly number[],
): void {
  const prefix = settledListKey(by);
  if (prefix !== undefined) writeSeqList(ctx.kv, prefix, seqs);
}

/** Where the records of a settlement, or of an invoice without one, are listed. */
export function settledListKey(by: { settlementSeq: bigint; invoiceSeq: bigint }): Key | undefined {
  if (by.settlementSeq !== 0n) {
    return keys.recordKey(keys.USAGE_BY_SETTLEMENT_PREFIX, by.settlementSeq);
  }
  return by.invoiceSeq === 0n
    ? undefined
    : keys.recordKey(keys.USAGE_BY_INVOICE_PREFIX, by.invoiceSeq);
}
