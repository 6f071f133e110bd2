import { ChainError } from "../lib/errors.ts";
import type { Event } from "../types/event.ts";
import type { Context } from "./context.ts";

/**
 * Runs one item of a block's own work as a part of its own: its writes and events count when
 * it returns, and leave no trace when it throws a ChainError, which is returned.
 */
export function isolated(ctx: Context, work: (ctx: Context) => void): ChainError | undefined {
  ctx.kv.begin();
  const events: Event[] = [];
  try {
    work({ ...ctx, emit: (emitted) => void events.push(emitted) });
  } catch (error) {
    ctx.kv.drop();
    if (error instanceof ChainError) return error;
    throw error;
  }
  ctx.kv.keep();
  for (const emitted of events) ctx.emit(emitted);
  return undefined;
}
