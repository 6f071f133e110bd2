import { txOutcome } from "../../src/codec/recorded_tx.ts";
import { type ReplayBlock, replayBlocks } from "../../src/sim/replay.ts";
import type { BlockOutput, GenesisDoc } from "../../src/types/application.ts";
import { type Bench, type Group, secondsOf } from "../harness/bench.ts";
import { benchAccounts, cycled } from "../world/accounts.ts";
import { openChain, PROPOSER } from "../world/chain.ts";
import { benchGenesis } from "../world/genesis.ts";
import { recordUsage } from "../world/messages.ts";
import { benchOrders } from "../world/orders.ts";
import { signedTx } from "../world/signing.ts";

const PARTIES = 50;
const BLOCK_RECORDS = 2000;

/** A recorded log from genesis, in memory. */
export const replayGroup: Group = {
  name: "replay",
  figures: [
    { name: "replay_records_s", unit: "records/s", scale: "rate", better: "higher" },
    {
      ...{ name: "replay_trusted_records_s", unit: "records/s", scale: "rate", better: "higher" },
      target: { of: "ratio", bound: 11 },
    },
    { name: "replay_single_tx_s", unit: "tx/s", scale: "rate", better: "higher" },
    {
      ...{ name: "replay_trusted_single_tx_s", unit: "tx/s", scale: "rate", better: "higher" },
      target: { of: "ratio", bound: 5.5 },
    },
  ],
  run: async (bench) => {
    const { replayRecords, replaySingles } = bench.sizes;
    await measure(bench, {
      ...{ records: replayRecords, perTx: 100 },
      ...{ checked: "replay_records_s", trusted: "replay_trusted_records_s" },
    });
    await measure(bench, {
      ...{ records: replaySingles, perTx: 1 },
      ...{ checked: "replay_single_tx_s", trusted: "replay_trusted_single_tx_s" },
    });
  },
};

interface Recorded {
  readonly genesis: GenesisDoc;
  readonly blocks: readonly ReplayBlock[];
}

async function measure(
  bench: Bench,
  log: { records: number; perTx: number; checked: string; trusted: string },
): Promise<void> {
  const names = [log.checked, log.trusted].filter((name) => bench.wants(name));
  if (names.length === 0) return;
  bench.progress("recording a log");
  const recorded = await record(log.records, log.perTx);
  for (const name of names) {
    const trustSignatures = name === log.trusted;
    await bench.repeat(name, {
      run: async () => log.records / (await secondsOf(() => replay(recorded, trustSignatures))),
    });
  }
}

/** A chain of usage alone; what settlement costs is a figure of its own. */
async function record(records: number, perTx: number): Promise<Recorded> {
  const customers = benchAccounts("customer", PARTIES);
  const providers = benchAccounts("provider", PARTIES);
  const accounts = [...customers, ...providers];
  const genesis = benchGenesis(accounts);
  const chain = await openChain({ genesis, trustSignatures: true });
  await chain.learn(accounts);
  const blocks: ReplayBlock[] = [];
  const run = async (txs: readonly Uint8Array[]) => {
    const block = chain.next(txs);
    const output = (await chain.run([block])) as BlockOutput;
    const { appHash, txResults, events } = output;
    const expected = { appHash, events, outcomes: txResults.map(txOutcome) };
    blocks.push({ ...block, proposer: PROPOSER, expected });
    return output;
  };
  const orders = benchOrders("order", PARTIES, { customers, providers });
  await chain.openOrders(orders, run);
  let next = 0;
  for (let done = 0; done < records; done += BLOCK_RECORDS) {
    const count = Math.min(BLOCK_RECORDS, records - done) / perTx;
    const txs = Array.from({ length: count }, () => {
      const order = cycled(orders, next++);
      return signedTx(
        order.provider,
        Array.from({ length: perTx }, () => recordUsage(order)),
      );
    });
    await run(txs);
  }
  await chain.close();
  return { genesis, blocks };
}

/** As `settled replay` does it, from blocks in memory. */
async function replay({ genesis, blocks }: Recorded, trustSignatures: boolean): Promise<void> {
  const chain = await openChain({ genesis, trustSignatures, isReplay: true });
  const { app, pool } = chain;
  const report = await replayBlocks({ blocks: inOrder(blocks), app, pool, trustSignatures });
  const { difference } = report;
  if (difference !== undefined)
    throw new Error(`block ${difference.height}: ${difference.field} differs`);
  await chain.close();
}

async function* inOrder<T>(list: readonly T[]): AsyncGenerator<T> {
  yield* list;
}
