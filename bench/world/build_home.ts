import { MsgRecordUsageResponse } from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { TxMsgData } from "../../src/gen/cosmos/base/abci/v1beta1/abci.ts";
import type { RunningNode } from "../../src/node/node.ts";
import type { StoredResults } from "../../src/node/view.ts";
import { NS_PER_SECOND, type TimeNs } from "../../src/types/time.ts";
import type { TxResult } from "../../src/types/tx.ts";
import { cycled } from "./accounts.ts";
import { openOrders, requireOk } from "./chain.ts";
import { GENESIS_TIME } from "./genesis.ts";
import { homeCast, makeHome, startHome, writeNote } from "./home.ts";
import { recordUsage, settleOrder } from "./messages.ts";
import type { BenchOrder } from "./orders.ts";
import { settlementFee, signedTx } from "./signing.ts";

const TX_RECORDS = 100;
const BLOCK_TXS = 10;
/** Results of every so many blocks are looked at, and ids taken from them. */
const LOOK_EVERY = 10;
const RECORD_URL = "/virtengine.settlement.v1.MsgRecordUsageResponse";

/**
 * Builds a home with settled records as a node would: through the mempool into blocks of 1,000
 * records, each settled by its customer, 100 by a settlement, in the block that follows.
 * @param onProgress called with the records that are there
 */
export async function buildHome(
  home: string,
  records: number,
  onProgress: (done: number) => void,
): Promise<void> {
  const started = performance.now();
  const { accounts, orders, genesis } = homeCast();
  await makeHome(home, genesis);
  const node = await startHome(home);
  const maker = new BlockMaker(node);
  // Account numbers follow the order of genesis.
  accounts.forEach((account, index) => {
    account.number = BigInt(index);
  });
  await openOrders(orders, (txs) => maker.make(txs, true));
  const usageIds: string[] = [];
  let [next, blocks] = [0, 0];
  let waiting: readonly BenchOrder[] = [];
  for (let done = 0; done < records || waiting.length > 0; blocks += 1) {
    const count = done < records ? BLOCK_TXS : 0;
    const busy = Array.from({ length: count }, () => cycled(orders, next++));
    const recordings = busy.map((order) => {
      const messages = Array.from({ length: TX_RECORDS }, () => recordUsage(order));
      return signedTx(order.provider, messages);
    });
    const fee = settlementFee(TX_RECORDS);
    const settlements = waiting.map((order) => {
      return signedTx(order.customer, [settleOrder(order)], fee);
    });
    const isLooked = blocks % LOOK_EVERY === 0 || count === 0;
    const { txResults } = await maker.make([...recordings, ...settlements], isLooked);
    usageIds.push(...txResults.slice(0, count).flatMap(someIds));
    waiting = busy;
    done += count * TX_RECORDS;
    onProgress(done);
  }
  await node.stop();
  const seconds = (performance.now() - started) / 1000;
  const orderRecords = orders.map((order) => order.records);
  await writeNote(home, { records, orderRecords, usageIds, blocks, seconds });
}

/** Makes blocks of a node that is driven by hand, a second apart. */
class BlockMaker {
  readonly #node: RunningNode;
  #time: TimeNs = GENESIS_TIME;

  constructor(node: RunningNode) {
    this.#node = node;
  }

  /** @param isLooked whether to read and check the results; without, they are empty */
  async make(
    txs: readonly Uint8Array[],
    isLooked: boolean,
  ): Promise<Pick<StoredResults, "txResults">> {
    const { mempool, dev, blockResults } = this.#node.view;
    if (dev === undefined) throw new Error("this node is not a dev node");
    (await Promise.all(txs.map(async (tx) => mempool.add(tx)))).forEach(requireOk);
    this.#time = (this.#time + NS_PER_SECOND) as TimeNs;
    const { height } = await dev.mine({ blocks: 1, time: this.#time });
    if (mempool.count > 0) throw new Error("txs do not fit in a block");
    if (!isLooked) return { txResults: [] };
    const results = await blockResults.call(this.#node.view, height);
    if (results === undefined) throw new Error(`no results of block ${height}`);
    results.txResults.forEach(requireOk);
    return results;
  }
}

/** Two of the ids that a recording tx answered. */
function someIds({ data }: TxResult): string[] {
  return TxMsgData.decode(data)
    .msgResponses.filter(({ typeUrl }, index) => typeUrl === RECORD_URL && index % 50 === 7)
    .map(({ value }) => MsgRecordUsageResponse.decode(value).usageId);
}
