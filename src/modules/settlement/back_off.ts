import type { Context } from "../../baseapp/context.ts";

/** Blocks to wait after a failure: 2^attempts, at most 2^10. */
const DOUBLINGS_MAX = 10;

/** After n failures, work of the block is tried at every 2^n-th block only. */
export function mayRetry(ctx: Context, attempts: number): boolean {
  const doublings = attempts > DOUBLINGS_MAX ? DOUBLINGS_MAX : attempts;
  return ctx.height % (1n << BigInt(doublings)) === 0n;
}
