import type { Context } from "../../baseapp/context.ts";
import { EpochBase } from "../../gen/settled/settlement/v1/state.ts";
import { divFloor } from "../../lib/int.ts";
import { EPOCH_BASE_KEY } from "./keys.ts";

/**
 * Epochs of `staking_reward_epoch_length` blocks, numbered from 0 at height 0 as deployed. A new
 * length counts from the first block of the running epoch, so that no number is given twice.
 */

/**
 * The epoch that a height is in, and its first height.
 * @param length in blocks, as it is at this height
 */
export function epochOf(ctx: Context, length: bigint, height: bigint): EpochBase {
  const bytes = ctx.kv.get(EPOCH_BASE_KEY);
  const base = bytes === undefined ? { epoch: 0n, height: 0n } : EpochBase.decode(bytes);
  const passed = divFloor(height - base.height, length);
  return { epoch: base.epoch + passed, height: base.height + passed * length };
}

/** Lets the running epoch be the one that a new length counts from. @param length the old one */
export function rebaseEpochs(ctx: Context, length: bigint): void {
  setEpochBase(ctx, epochOf(ctx, length, ctx.height - 1n));
}

export function setEpochBase(ctx: Context, base: EpochBase): void {
  ctx.kv.set(EPOCH_BASE_KEY, EpochBase.encode(base).finish());
}
