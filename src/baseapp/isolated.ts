import { ChainError } from "../lib/errors.ts";
import { Overlay } from "../store/overlay.ts";
import type { Event } from "../types/event.ts";
import type { Context } from "./context.ts";

/**
 * Runs one item of a block's own work on an overlay of its own: its writes and events count when
 * it returns, and leave no trace when it throws a ChainError, which is returned.
 */
export function isolated(ctx: Context, work: (ctx: Context) => void): ChainError | undefined {
  const overlay = new Overlay(ctx.kv);
  const events: Event[] = [];
  try {
    work({ ...ctx, kv: overlay, emit: (emitted) => void events.push(emitted) });
  } catch (error) {
    if (error instanceof ChainError) return error;
    throw error;
  }
  overlay.mergeInto(ctx.kv);
  for (const emitted of events) ctx.emit(emitted);
  return undefined;
}
