import { type Bench, type Group, secondsOf } from "../harness/bench.ts";
import { benchAccounts, cycled } from "../world/accounts.ts";
import { openChain } from "../world/chain.ts";
import { benchGenesis } from "../world/genesis.ts";
import { recordUsage } from "../world/messages.ts";
import { benchOrders } from "../world/orders.ts";
import { type BenchFee, freeFee, signedTx } from "../world/signing.ts";

const PARTIES = 100;

/** Signed txs with one MsgRecordUsage each, through FinalizeBlock and commit on disk. */
export const singleTxGroup: Group = {
  name: "single_tx",
  figures: [
    {
      ...{ name: "single_msg_tx_s", unit: "tx/s", scale: "rate", better: "higher" },
      target: { of: "ratio", bound: 1.4 },
    },
    { name: "single_msg_fee_tx_s", unit: "tx/s", scale: "rate", better: "higher" },
  ],
  run: async (bench) => {
    await measure(bench, "single_msg_tx_s", freeFee(1));
    await measure(bench, "single_msg_fee_tx_s", { ...freeFee(1), uve: "3000" });
  },
};

async function measure(bench: Bench, name: string, fee: BenchFee): Promise<void> {
  if (!bench.wants(name)) return;
  const customers = benchAccounts("customer", PARTIES);
  const providers = benchAccounts("provider", PARTIES);
  const accounts = [...customers, ...providers];
  const chain = await openChain({
    genesis: benchGenesis(accounts),
    home: `${bench.folder}/${name}`,
  });
  await chain.learn(accounts);
  const orders = benchOrders("order", PARTIES, { customers, providers });
  await chain.openOrders(orders);
  const { singleTxs, singleBlocks } = bench.sizes;
  let next = 0;
  const block = () =>
    Array.from({ length: singleTxs }, () => {
      const order = cycled(orders, next++);
      return signedTx(order.provider, [recordUsage(order)], fee);
    });
  await bench.repeat(name, {
    prepare: () => Array.from({ length: singleBlocks }, () => chain.next(block())),
    run: async (blocks) => {
      return (singleBlocks * singleTxs) / (await secondsOf(() => chain.run(blocks)));
    },
  });
  await chain.close();
}
