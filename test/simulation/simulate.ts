import type { Disagreement, Tally } from "./compare.ts";
import { planOf } from "./operations.ts";
import { runPlan } from "./runs.ts";
import { shrink } from "./shrink.ts";
import { asSource } from "./source.ts";

/** Operations on one chain; the next one has other params. */
const PER_CHAIN = 250;

export interface Simulation {
  readonly seed: number;
  /** Messages. */
  readonly operations: number;
  /** Blocks between two comparisons of all records, on chains whose blocks have several messages. */
  readonly stateEvery?: number;
  /** Called after each chain with the operations run so far. */
  readonly onProgress?: (done: number) => void;
  /** Called when a disagreement is found, before it is shrunk. */
  readonly onDisagreement?: (found: Disagreement) => void;
}

/**
 * Runs random operations on the module and on the model.
 * @returns what came of them, and a shrunk disagreement with the source of a test, if there is one
 */
export async function simulate(
  options: Simulation,
): Promise<{ tally: Tally; disagreement: string | undefined }> {
  const { seed, operations, stateEvery = 8 } = options;
  const tally: Tally = { accepted: 0, refused: new Map() };
  for (let done = 0, chain = 0; done < operations; chain += 1) {
    const count = Math.min(PER_CHAIN, operations - done);
    const plan = planOf(seed * 1_000_003 + chain, count);
    const found = await runPlan(plan, { tally, stateEvery });
    if (found !== undefined) {
      options.onDisagreement?.(found);
      const least = await shrink(plan, found);
      const disagreement = `seed ${seed}, chain ${chain}: ${least.what}\n\n${asSource(least)}`;
      return { tally, disagreement };
    }
    done += count;
    options.onProgress?.(done);
  }
  return { tally, disagreement: undefined };
}
