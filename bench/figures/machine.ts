import { type Bench, type Group, secondsOf } from "../harness/bench.ts";
import { benchAccounts } from "../world/accounts.ts";
import { type BenchBlock, type BenchChain, openChain } from "../world/chain.ts";
import { benchGenesis } from "../world/genesis.ts";
import { benchOrders } from "../world/orders.ts";
import { RECORDS_PER_TX, recordBlocks, settleBlocks } from "../world/work.ts";

const PARTIES = 20;

/** Records in txs of 100, and their settlement: each with a root and a synced write per block. */
export const machineGroup: Group = {
  name: "machine",
  figures: [
    {
      ...{ name: "batch_records_s", unit: "records/s", scale: "rate", better: "higher" },
      target: { of: "ratio", bound: 8 },
    },
    {
      ...{ name: "settle_records_s", unit: "records/s", scale: "rate", better: "higher" },
      target: { of: "ratio", bound: 8 },
    },
    { name: "settle_by_100_records_s", unit: "records/s", scale: "rate", better: "higher" },
  ],
  run: async (bench) => {
    const customers = benchAccounts("customer", PARTIES);
    const providers = benchAccounts("provider", PARTIES);
    const accounts = [...customers, ...providers];
    const home = `${bench.folder}/machine`;
    const chain = await openChain({ genesis: benchGenesis(accounts), home });
    await chain.learn(accounts);
    if (bench.wants("batch_records_s") || bench.wants("settle_records_s"))
      await recordAndSettle(bench, chain, { customers, providers });
    if (bench.wants("settle_by_100_records_s"))
      await settleByHundred(bench, chain, { customers, providers });
    await chain.close();
  },
};

type Parties = Parameters<typeof benchOrders>[2];

/** Records for fresh orders, 1,000 each; then all of them settled, 1,000 by one message. */
async function recordAndSettle(bench: Bench, chain: BenchChain, parties: Parties): Promise<void> {
  const { batchRecords, repetitions } = bench.sizes;
  const perOrder = Math.min(1000, batchRecords);
  for (let at = -1; at < repetitions; at += 1) {
    bench.progress(`batch and settle ${at + 1}/${repetitions}`);
    const orders = benchOrders(`run-${at}`, batchRecords / perOrder, parties);
    await chain.openOrders(orders);
    const recording = recordBlocks(chain, orders, batchRecords);
    await bench.sample("batch_records_s", () => rate(chain, recording, batchRecords), at < 0);
    const settling = settleBlocks(chain, orders, perOrder);
    await bench.sample("settle_records_s", () => rate(chain, settling, batchRecords), at < 0);
  }
}

/** Orders with 100 records each, so that invoice, payout and rewards are for a hundred. */
async function settleByHundred(bench: Bench, chain: BenchChain, parties: Parties): Promise<void> {
  const { batchRecords } = bench.sizes;
  await bench.repeat("settle_by_100_records_s", {
    prepare: async (at) => {
      const orders = benchOrders(`hundred-${at}`, batchRecords / RECORDS_PER_TX, parties);
      await chain.openOrders(orders);
      await chain.run(recordBlocks(chain, orders, batchRecords));
      return settleBlocks(chain, orders, RECORDS_PER_TX);
    },
    run: async (blocks) => rate(chain, blocks, batchRecords),
  });
}

async function rate(
  chain: BenchChain,
  blocks: readonly BenchBlock[],
  records: number,
): Promise<number> {
  return records / (await secondsOf(() => chain.run(blocks)));
}
