import type { Context } from "../../baseapp/context.ts";
import { i64FromKey, type Key } from "../../lib/key.ts";
import { mayRetry } from "./back_off.ts";

/** Entries that are read for each one that a block may take: so many that wait do not stop it. */
const SCANNED_PER_ITEM = 10;

/** A queue of a block's own work: prefix, due time, number. */
interface Queue<T> {
  readonly prefix: Key;
  /** Items that a block takes at most. */
  readonly most: number;
  /** @param at nanoseconds since 1970, as the queue has it */
  readonly isDue: (at: bigint) => boolean;
  readonly itemOf: (key: Key) => T;
  /** How often a block has failed with it since it was last done. */
  readonly attemptsOf: (item: T) => number;
}

/** The first items of a queue that are due; those that failed wait for their block. */
export function dueInQueue<T>(ctx: Context, queue: Queue<T>): T[] {
  const { prefix, most } = queue;
  const due: T[] = [];
  let scanned = 0;
  for (const [key] of ctx.kv.iterate(prefix)) {
    const isDue = queue.isDue(i64FromKey(key, prefix.length));
    if (!isDue || due.length === most || scanned === most * SCANNED_PER_ITEM) break;
    scanned += 1;
    const item = queue.itemOf(key);
    if (mayRetry(ctx, queue.attemptsOf(item))) due.push(item);
  }
  return due;
}
