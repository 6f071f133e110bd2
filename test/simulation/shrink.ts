import type { Disagreement } from "./compare.ts";
import type { Plan, PlannedBlock } from "./operations.ts";
import { type RunOptions, runPlan } from "./runs.ts";

/** Trials after which what is left is shown as it is. */
const TRIALS_MAX = 1500;

/**
 * Leaves out of a plan what it disagrees without: blocks in ever smaller pieces, then txs, then
 * messages (delta debugging).
 * @param first what the whole plan disagreed about
 * @returns a shortest plan found, and what it disagrees about
 */
export async function shrink(
  plan: Plan,
  first: Disagreement,
  options: RunOptions = {},
): Promise<Disagreement> {
  const kind = kindOf(first);
  const own = { ...options, stateEvery: 1 };
  let [blocks, best, trials] = [plan.blocks.slice(0, first.blocks.length), first, 0];
  const tries = async (candidate: readonly PlannedBlock[]): Promise<boolean> => {
    if (trials >= TRIALS_MAX) return false;
    trials += 1;
    const found = await runPlan({ ...plan, blocks: candidate }, own);
    if (found === undefined || kindOf(found) !== kind) return false;
    [blocks, best] = [candidate.slice(0, found.blocks.length), found];
    return true;
  };
  for (let size = blocks.length >> 1; size > 0; size >>= 1) {
    for (let at = blocks.length - size; at >= 0; at -= size) {
      await tries([...blocks.slice(0, at), ...blocks.slice(at + size)]);
    }
  }
  for (let at = blocks.length - 1; at >= 0; at -= 1) {
    for (let tx = (blocks[at]?.txs.length ?? 0) - 1; tx >= 0; tx -= 1) {
      if (await tries(without(blocks, at, tx))) continue;
      for (let message = (blocks[at]?.txs[tx]?.length ?? 0) - 1; message >= 0; message -= 1) {
        await tries(without(blocks, at, tx, message));
      }
    }
  }
  return best;
}

/** Shrinking must not slip to another disagreement: digits and ids aside, it stays the same. */
function kindOf({ what }: Disagreement): string {
  return what
    .replace(/; log: .*/s, "")
    .replace(/ve1[a-z0-9]+|[0-9]+/g, "#")
    .replace(/\([A-Za-z, ]*\)/, "")
    .slice(0, 60);
}

function without(
  blocks: readonly PlannedBlock[],
  at: number,
  txAt: number,
  messageAt?: number,
): PlannedBlock[] {
  return blocks.map((block, index) => {
    if (index !== at) return block;
    if (messageAt === undefined) return { ...block, txs: block.txs.filter((_, n) => n !== txAt) };
    const txs = block.txs.map((tx, n) => (n === txAt ? tx.filter((_, m) => m !== messageAt) : tx));
    return { ...block, txs };
  });
}
