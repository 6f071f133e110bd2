import { Comparison, type ConcreteBlock, type Disagreement, type Setting } from "./compare.ts";
import type { Tally } from "./compare.ts";
import type { Model } from "./model/model.ts";
import { messagesOf, misdirectedBy, paramsOf, type Plan, type PlannedBlock } from "./operations.ts";
import { timeAfter } from "./operations.ts";

// Runs of module and model: from a plan, or from blocks as they are.

/** Blocks between two checks of all invariants. */
const INVARIANTS_EVERY = 40;
/** The same for as many messages. */
const INVARIANTS_EVERY_SINGLE = 120;

export interface RunOptions {
  /** Blocks between two comparisons of all records, where blocks have several messages. */
  readonly stateEvery?: number;
  readonly tally?: Tally;
  /** Makes the model wrong, so that a test sees a disagreement. */
  readonly meddle?: (model: Model) => void;
}

/**
 * Runs a plan on both sides. All records are compared at the end and every `stateEvery` blocks, or,
 * where these have one message at most, those that changed after each.
 * @returns the first disagreement; a halt is one too
 */
export async function runPlan(
  plan: Plan,
  options: RunOptions = {},
): Promise<Disagreement | undefined> {
  const both = await Comparison.open(paramsOf(plan.seed));
  const { setting, blocks, model } = both;
  options.meddle?.(model);
  for (const at of plan.blocks.keys()) {
    const what = await runBlock(both, plan, at, options).catch((error: unknown) => {
      return `it stops: ${error instanceof Error ? error.stack : error}`;
    });
    if (what !== undefined) return { what, setting, blocks };
  }
  return undefined;
}

async function runBlock(
  both: Comparison,
  { blocks, isSingle }: Plan,
  at: number,
  { stateEvery = 8, tally }: RunOptions,
): Promise<string | undefined> {
  const { model } = both;
  const { step, txs, restart } = blocks[at] as PlannedBlock;
  const drawTx = (index: number) => {
    const seeds = txs[index];
    return seeds === undefined ? undefined : messagesOf(model, seeds);
  };
  const misdirected = restart === undefined ? restart : misdirectedBy(model, restart);
  const what = await both.block(timeAfter(model, step), drawTx, tally, misdirected);
  const isLast = at === blocks.length - 1;
  const isDue = at % (isSingle ? INVARIANTS_EVERY_SINGLE : INVARIANTS_EVERY) === 0;
  if (isDue || isLast) await both.chain.checkFullInvariants();
  if (what !== undefined) return what;
  if (isLast || (!isSingle && at % stateEvery === 0)) return both.state();
  return isSingle ? both.changes() : undefined;
}

/** Runs blocks as they are, everything compared after each. @returns the first disagreement */
export async function runBlocks(
  setting: Setting,
  blocks: readonly ConcreteBlock[],
  tally?: Tally,
): Promise<string | undefined> {
  const both = await Comparison.open(setting);
  for (const { timeNs, txs, misdirected } of blocks) {
    const drawTx = (at: number) => txs[at];
    const ran = await both.block(timeNs, drawTx, tally, misdirected);
    const what = ran ?? (await both.state());
    if (what !== undefined) return what;
  }
  await both.chain.checkFullInvariants();
  return undefined;
}
