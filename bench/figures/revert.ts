import { type Bench, type Group, secondsOf } from "../harness/bench.ts";
import { type BenchBlock, PROPOSER, requireOk } from "../world/chain.ts";
import { castMark, type OpenCopy, openCopy } from "../world/copies.ts";
import { recordBlocks } from "../world/work.ts";

const BLOCKS = 10;
const BLOCK_RECORDS = 100;

/** Ten blocks taken back, and ten blocks on a branch, over the large home and the small one. */
export const revertGroup: Group = {
  name: "revert",
  needsHomes: true,
  figures: [
    { name: "snapshot_revert_us", unit: "us", scale: "microseconds", better: "lower" },
    {
      ...{ name: "snapshot_revert_x", unit: "x", scale: "plain", better: "lower" },
      ...{ target: { of: "value", bound: 1.5 }, atMillion: true },
    },
    { name: "branch_us", unit: "us", scale: "microseconds", better: "lower" },
    {
      ...{ name: "branch_x", unit: "x", scale: "plain", better: "lower" },
      ...{ target: { of: "value", bound: 1.5 }, atMillion: true },
    },
  ],
  run: async (bench) => {
    const small = await openCopy(bench, bench.homes.small, "small");
    const large = await openCopy(bench, bench.homes.large, "large");
    await measure(bench, { time: "snapshot_revert_us", ratio: "snapshot_revert_x" }, () =>
      inTurns(small, large, revertTenBlocks),
    );
    await measure(bench, { time: "branch_us", ratio: "branch_x" }, () =>
      inTurns(small, large, branchTenBlocks),
    );
    await small.chain.close();
    await large.chain.close();
  },
};

/** Samples of a time over the large home, and of its ratio to that over the small one. */
async function measure(
  bench: Bench,
  names: { time: string; ratio: string },
  run: () => Promise<{ small: number; large: number }>,
): Promise<void> {
  if (!bench.wants(names.time) && !bench.wants(names.ratio)) return;
  for (let at = -2; at < bench.sizes.repetitions; at += 1) {
    bench.progress(names.time);
    let found = { small: 0, large: 0 };
    const large = async () => {
      found = await run();
      return found.large * 1e6;
    };
    await bench.sample(names.time, large, at < 0);
    if (at >= 0) bench.note(names.ratio, found.large / found.small);
  }
}

/** Seconds over both homes: three times each in turns, the shortest counts. */
async function inTurns(
  small: OpenCopy,
  large: OpenCopy,
  work: (copy: OpenCopy) => Promise<number>,
): Promise<{ small: number; large: number }> {
  const found: { small: number[]; large: number[] } = { small: [], large: [] };
  for (let turn = 0; turn < 3; turn += 1) {
    found.small.push(await work(small));
    found.large.push(await work(large));
  }
  return { small: Math.min(...found.small), large: Math.min(...found.large) };
}

function tenBlocks({ chain, cast }: OpenCopy): BenchBlock[] {
  return Array.from({ length: BLOCKS }, (_, at) => {
    return recordBlocks(chain, cast.orders.slice(at, at + 1), BLOCK_RECORDS);
  }).flat();
}

/** To note a height costs nothing: the seconds are those of going back to it. */
async function revertTenBlocks(copy: OpenCopy): Promise<number> {
  const { chain, cast } = copy;
  const { height } = chain.app.info();
  const takeBack = castMark(cast);
  await chain.run(tenBlocks(copy));
  const seconds = await secondsOf(() => chain.revertTo(height));
  takeBack();
  return seconds;
}

/** Seconds of making a branch, ten blocks on it, and leaving it. */
async function branchTenBlocks(copy: OpenCopy): Promise<number> {
  const { chain, cast } = copy;
  const takeBack = castMark(cast);
  const blocks = chain.aside(() => tenBlocks(copy));
  const seconds = await secondsOf(async () => {
    const { app, close } = chain.app.branch();
    for (const block of blocks) {
      const { txResults } = app.finalizeBlock({ ...block, proposer: PROPOSER });
      txResults.forEach(requireOk);
      await app.commit([]);
    }
    await close();
  });
  takeBack();
  return seconds;
}
