import { type Group, secondsOf } from "../harness/bench.ts";
import { benchAccounts } from "../world/accounts.ts";
import { openChain } from "../world/chain.ts";
import { type OpenCopy, openCopy } from "../world/copies.ts";
import { benchGenesis } from "../world/genesis.ts";
import { benchOrders } from "../world/orders.ts";
import { recordBlocks, settleBlocks } from "../world/work.ts";

const SMALL_ORDER_RECORDS = 100;
/** Blocks of 1,000 records for one order that are compared with as many for another. */
const TURN_BLOCKS = 5;
const ROUND_RECORDS = 4000;
const ROUND_ORDERS = 20;

/** Records for an order that holds many, over the same for orders that hold a hundred. */
export const orderGrowthGroup: Group = {
  name: "order_growth",
  figures: [
    {
      ...{ name: "growth_order_x", unit: "x", scale: "plain", better: "lower" },
      target: { of: "value", bound: 1.2 },
    },
  ],
  run: async (bench) => {
    const customers = benchAccounts("customer", 1);
    const providers = benchAccounts("provider", 1);
    const genesis = benchGenesis([...customers, ...providers]);
    const chain = await openChain({ genesis, home: `${bench.folder}/growth` });
    await chain.learn([...customers, ...providers]);
    const large = benchOrders("large", 1, { customers, providers });
    await chain.openOrders(large);
    bench.progress("filling the large order");
    const { orderRecords } = bench.sizes;
    const step = Math.min(1000, orderRecords);
    for (let done = 0; done < orderRecords; done += step)
      await chain.run(recordBlocks(chain, large, step));
    await bench.repeat("growth_order_x", {
      warmUp: 2,
      prepare: async (at) => {
        const small = benchOrders(`small-${at}`, 3 * TURN_BLOCKS, { customers, providers });
        await chain.openOrders(small);
        await chain.run(recordBlocks(chain, small, small.length * SMALL_ORDER_RECORDS));
        // Each block is for one order, be it small or large: nothing but its size differs.
        const few = (turn: number) => small.slice(turn * TURN_BLOCKS, (turn + 1) * TURN_BLOCKS);
        const many = Array.from({ length: TURN_BLOCKS }, () => large).flat();
        return [few(0), many, few(1), many, many, few(2)].map((orders) => {
          const blocks = orders.flatMap((order) => recordBlocks(chain, [order], step));
          return () => chain.run(blocks);
        });
      },
      run: ratioOfTurns,
    });
    await chain.close();
  },
};

/** Records and their settlement over the large home, over the same over the small one. */
export const stateGrowthGroup: Group = {
  name: "state_growth",
  needsHomes: true,
  figures: [
    {
      ...{ name: "growth_state_x", unit: "x", scale: "plain", better: "lower" },
      ...{ target: { of: "value", bound: 1.2 }, atMillion: true },
    },
  ],
  run: async (bench) => {
    const small = await openCopy(bench, bench.homes.small, "small");
    const large = await openCopy(bench, bench.homes.large, "large");
    await bench.repeat("growth_state_x", {
      warmUp: 2,
      prepare: () => [small, large, small, large, large, small].map(nextRound),
      run: ratioOfTurns,
    });
    await small.chain.close();
    await large.chain.close();
  },
};

/** Signs a round of work; calling what it gives does it. */
function nextRound({ chain, cast }: OpenCopy): () => Promise<unknown> {
  const orders = cast.orders.slice(0, ROUND_ORDERS);
  const recording = recordBlocks(chain, orders, ROUND_RECORDS);
  const blocks = [...recording, ...settleBlocks(chain, orders, ROUND_RECORDS / ROUND_ORDERS)];
  return () => chain.run(blocks);
}

/**
 * The time of large over small pieces of work, which come in turns so that a drift of the machine
 * meets both alike: small, large (both untimed: the first to run is slower), small, large, large,
 * small.
 */
async function ratioOfTurns(turns: readonly (() => Promise<unknown>)[]): Promise<number> {
  const seconds: number[] = [];
  for (const turn of turns) seconds.push(await secondsOf(turn));
  const [a = 0, b = 0, c = 0, d = 0] = seconds.slice(2);
  return (b + c) / (a + d);
}
