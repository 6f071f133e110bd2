import type { Context } from "../../baseapp/context.ts";
import type { EscrowState, UsageState } from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import type { Key } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import * as keys from "./keys.ts";
import type { Records } from "./records.ts";
import { writeSeqList } from "./seq_list.ts";

/** Numbers by the prefix of their list. */
class Lists {
  readonly #lists = new KeyMap<bigint[]>();

  of(prefix: Key): bigint[] {
    const found = this.#lists.get(prefix) ?? [];
    this.#lists.set(prefix, found);
    return found;
  }

  write(ctx: Context): void {
    for (const [prefix, seqs] of this.#lists.sortedEntries()) {
      writeSeqList(ctx.kv, prefix as Key, seqs);
    }
  }
}

/**
 * Writes the look-ups of usage records for queries: by order, by provider and time, by time.
 * @param records ascending by number
 */
export function listUsage(
  ctx: Context,
  records: Iterable<{ usage: UsageState; escrow: EscrowState }>,
): void {
  const lists = new Lists();
  // Neighbours mostly belong to the same lists.
  let last: { escrow: EscrowState; hour: bigint; into: readonly bigint[][] } | undefined;
  for (const { usage, escrow } of records) {
    const hour = keys.hourOf(usage.periodStart);
    if (last?.escrow !== escrow || last.hour !== hour) {
      const byOrder = keys.textIndexKey(keys.USAGE_BY_ORDER_PREFIX, escrow.orderId);
      const byProvider = keys.textIndexKey(keys.USAGE_BY_PROVIDER_PREFIX, escrow.recipient);
      const prefixes = [
        byOrder,
        keys.hourIndexKey(byProvider, hour),
        keys.hourIndexKey(keys.USAGE_BY_START_PREFIX, hour),
      ];
      last = { escrow, hour, into: prefixes.map((prefix) => lists.of(prefix)) };
    }
    for (const list of last.into) list.push(usage.seq);
  }
  lists.write(ctx);
}

/**
 * Lists what the block has recorded, once for all of it: a list of many records is one entry, and
 * nothing in the block reads the look-ups.
 */
export function listNewUsage(ctx: Context, records: Records): void {
  const first = records.firstUnlisted(ctx);
  const next = records.peek(ctx, "usage");
  if (first === next) return;
  listUsage(ctx, recordsFrom(ctx, records, { first, next }));
  records.setFirstUnlisted(ctx, next);
}

function* recordsFrom(
  ctx: Context,
  records: Records,
  { first, next }: { first: bigint; next: bigint },
): Generator<{ usage: UsageState; escrow: EscrowState }> {
  for (let seq = first; seq < next; seq += 1n) {
    const usage = must(records.usage(ctx, seq), "settlement: usage is there");
    const escrow = must(records.escrow(ctx, usage.escrowSeq), "settlement: usage has an escrow");
    yield { usage, escrow };
  }
}

/** Writes which records a settlement took, or an invoice that nothing was paid of. */
export function listSettled(
  ctx: Context,
  by: { settlementSeq: bigint; invoiceSeq: bigint },
  seqs: readonly bigint[],
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
