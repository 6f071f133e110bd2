import { cycled } from "./accounts.ts";
import type { BenchBlock, BenchChain } from "./chain.ts";
import { recordUsage, settleOrder } from "./messages.ts";
import type { BenchOrder } from "./orders.ts";
import { settlementFee, signedTx } from "./signing.ts";

export const RECORDS_PER_TX = 100;
const RECORDS_PER_BLOCK = 2000;

/** Blocks of up to 2,000 records in txs of 100, one order after the other. */
export function recordBlocks(
  chain: BenchChain,
  orders: readonly BenchOrder[],
  records: number,
): BenchBlock[] {
  const txs = Array.from({ length: records / RECORDS_PER_TX }, (_, index) => {
    const order = cycled(orders, index);
    const messages = Array.from({ length: RECORDS_PER_TX }, () => recordUsage(order));
    return signedTx(order.provider, messages);
  });
  return inBlocks(chain, txs, RECORDS_PER_BLOCK / RECORDS_PER_TX);
}

/** One settlement of each order, as many in a block as take 2,000 records. */
export function settleBlocks(
  chain: BenchChain,
  orders: readonly BenchOrder[],
  perOrder: number,
): BenchBlock[] {
  const txs = orders.map((order) => {
    return signedTx(order.customer, [settleOrder(order)], settlementFee(perOrder));
  });
  return inBlocks(chain, txs, Math.max(1, Math.floor(RECORDS_PER_BLOCK / perOrder)));
}

function inBlocks(chain: BenchChain, txs: readonly Uint8Array[], perBlock: number): BenchBlock[] {
  const count = Math.ceil(txs.length / perBlock);
  return Array.from({ length: count }, (_, at) => {
    return chain.next(txs.slice(at * perBlock, (at + 1) * perBlock));
  });
}
