import { assert, must } from "../../lib/assert.ts";
import type { Application } from "../../types/application.ts";
import type { TimeNs } from "../../types/time.ts";
import { type BlockBundle, type BlockStore, blockOps } from "../block_store.ts";
import { resultsHash } from "../comet/results_hash.ts";
import type { EventBus } from "../event_bus.ts";
import type { Mempool, WaitingTx } from "../mempool.ts";
import { validatorAddress } from "../validator_key.ts";
import type { StoredBlock } from "../view.ts";
import { buildBlock, type ChainIdentity } from "./build_block.ts";

/** Bytes of a block besides its txs: header, commit of one signature and their frames, rounded up. */
const OVERHEAD_BYTES = 1024;

/** Where a chain stands: what the next block builds on. */
export interface ChainTip {
  /** undefined before the first block. */
  readonly block: StoredBlock | undefined;
  /** Height of the next block. */
  readonly nextHeight: bigint;
  /** Time of the last block, or of genesis. */
  readonly time: TimeNs;
  /** After the last block, or of genesis. */
  readonly appHash: Uint8Array;
  readonly resultsHash: Uint8Array;
  /** Height of the first block there is. */
  readonly earliestHeight: bigint;
}

export interface BlockLimits {
  /** Of a whole block, encoded. */
  readonly maxBytes: number;
  /** Sum of the gas wanted; negative: no limit. */
  readonly maxGas: bigint;
}

interface ExecutorParts {
  readonly app: Application;
  readonly store: BlockStore;
  readonly mempool: Mempool;
  readonly bus: EventBus;
  readonly chain: ChainIdentity;
  readonly limits: BlockLimits;
  readonly tip: ChainTip;
}

/** Makes one block after another. Its caller sees to it that there is one at a time. */
export class BlockExecutor {
  readonly #parts: ExecutorParts;
  #tip: ChainTip;

  constructor(parts: ExecutorParts) {
    this.#parts = parts;
    this.#tip = parts.tip;
  }

  /** As of the last block on disk. */
  get tip(): ChainTip {
    return this.#tip;
  }

  /**
   * Makes the next block of the waiting txs. Until its batch is synced nothing of it shows: no
   * height, result, event or signature, and the mempool keeps its txs. An error of any step leaves
   * the application between two blocks; the node has to halt.
   */
  async execute(time: TimeNs): Promise<StoredBlock> {
    const { app, store, mempool, bus, limits } = this.#parts;
    const txs = mempool.reap(limits.maxBytes - OVERHEAD_BYTES, limits.maxGas);
    const bundle = this.#run(txs, time);
    const { block, results } = bundle;
    const earliestHeight =
      this.#tip.block === undefined ? this.#tip.nextHeight : this.#tip.earliestHeight;
    await app.commit(blockOps(bundle, earliestHeight));
    this.#tip = {
      block,
      nextHeight: block.header.height + 1n,
      time,
      appHash: results.appHash,
      resultsHash: resultsHash(results.txResults),
      earliestHeight,
    };
    store.moveTip({ latest: block.header.height, earliest: earliestHeight });
    mempool.update(txs, results.txResults);
    bus.publish(block, results, bundle.txs);
    return block;
  }

  #run(waiting: readonly WaitingTx[], time: TimeNs): BlockBundle {
    const { app, chain } = this.#parts;
    const txs = waiting.map(({ tx }) => tx);
    const { nextHeight: height, block: last, appHash, resultsHash: lastResultsHash } = this.#tip;
    const proposer = validatorAddress(chain.key.publicKey);
    const output = app.finalizeBlock({ height, time, txs, proposer });
    const { txResults } = output;
    assert(txResults.length === txs.length, "a block has one result per tx", {
      height,
      txs: txs.length,
      results: txResults.length,
    });
    assert(output.appHash.length === 32, "an app hash has 32 bytes", { height });
    const block = buildBlock({ chain, height, time, txs: waiting, last, appHash, lastResultsHash });
    return {
      block,
      results: { height, txResults, events: output.events, appHash: output.appHash },
      txs: waiting.map(({ tx, hash }, index) => {
        const result = must(txResults[index], "a block has one result per tx");
        return { hash, height, index, tx, result };
      }),
    };
  }
}
