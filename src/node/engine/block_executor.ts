import { assert, must } from "../../lib/assert.ts";
import type { Application, BlockOutput } from "../../types/application.ts";
import type { TimeNs } from "../../types/time.ts";
import { type BlockBundle, type BlockStore, blockOps, earliestKept } from "../block_store.ts";
import { resultsHash } from "../comet/results_hash.ts";
import type { EventBus } from "../event_bus.ts";
import type { Mempool, WaitingTx } from "../mempool.ts";
import type { WrittenBlock } from "../metrics.ts";
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
  /** Blocks to keep, the new one included. */
  readonly keepBlocks: number | "all";
}

/** A block that has been executed and is not on its way to the disk yet. */
interface ExecutedBlock {
  readonly height: bigint;
  readonly time: TimeNs;
  readonly txs: readonly WaitingTx[];
  readonly output: BlockOutput;
  readonly executeMs: number;
}

/**
 * Makes one block after another; its caller starts one at a time. While one is being written, the
 * next is executed: it is built, signed and written when the one below is on disk.
 */
export class BlockExecutor {
  readonly #parts: ExecutorParts;
  #tip: ChainTip;
  /** Of the last executed block, whose successor is executed next. */
  #head: { readonly height: bigint; readonly time: TimeNs };
  /** Ends when the last block handed to the disk is there and shows. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(parts: ExecutorParts) {
    this.#parts = parts;
    this.#tip = parts.tip;
    this.#head = { height: parts.tip.nextHeight - 1n, time: parts.tip.time };
  }

  /** As of the last block on disk. */
  get tip(): ChainTip {
    return this.#tip;
  }

  /** Time of the last executed block, which may not be on disk yet. */
  get headTime(): TimeNs {
    return this.#head.time;
  }

  /**
   * Executes the next block, of the waiting txs, and hands it to the disk as soon as the block below
   * is there. Until `done` resolves nothing of it shows: no height, result, event or signature, and
   * the mempool keeps its txs. An error of any step leaves the application between two blocks; the
   * node has to halt, and whatever was executed on top is dropped.
   */
  async start(time: TimeNs): Promise<{ readonly done: Promise<WrittenBlock> }> {
    const executed = this.#execute(time);
    await this.#writing;
    const done = this.#write(executed);
    this.#writing = done;
    // Whoever waits for the block, or starts the next, is told.
    done.catch(() => undefined);
    return { done };
  }

  #execute(time: TimeNs): ExecutedBlock {
    const { app, mempool, chain, limits } = this.#parts;
    const txs = mempool.reap(limits.maxBytes - OVERHEAD_BYTES, limits.maxGas);
    const height = this.#head.height + 1n;
    const proposer = validatorAddress(chain.key.publicKey);
    const input = { height, time, txs: txs.map(({ tx }) => tx), proposer };
    const started = performance.now();
    const output = app.finalizeBlock(input);
    const executeMs = performance.now() - started;
    const { txResults } = output;
    assert(txResults.length === txs.length, "a block has one result per tx", {
      height,
      txs: txs.length,
      results: txResults.length,
    });
    assert(output.appHash.length === 32, "an app hash has 32 bytes", { height });
    this.#head = { height, time };
    return { height, time, txs, output, executeMs };
  }

  async #write(executed: ExecutedBlock): Promise<WrittenBlock> {
    const { app, store, mempool, bus } = this.#parts;
    const bundle = this.#build(executed);
    const { block, results, txs } = bundle;
    const { height, time } = executed;
    const lowest = this.#tip.block === undefined ? height : this.#tip.earliestHeight;
    const earliestHeight = earliestKept(lowest, height, this.#parts.keepBlocks);
    const started = performance.now();
    let syncMs = 0;
    const written = app.commit(blockOps(bundle, earliestHeight)).then(() => {
      syncMs = performance.now() - started;
    });
    mempool.recheck();
    await written;
    this.#tip = {
      block,
      nextHeight: height + 1n,
      time,
      appHash: results.appHash,
      resultsHash: resultsHash(results.txResults),
      earliestHeight,
    };
    store.moveTip({ latest: height, earliest: earliestHeight });
    mempool.blockWritten(executed.txs, results.txResults);
    bus.publish(block, results, txs);
    return { block, results, executeMs: executed.executeMs, syncMs };
  }

  #build({ height, time, txs: waiting, output }: ExecutedBlock): BlockBundle {
    const { chain } = this.#parts;
    const { block: last, appHash, resultsHash: lastResultsHash } = this.#tip;
    const { txResults } = output;
    const txs = waiting.map(({ tx }) => ({ tx: tx.bytes, hash: tx.hash }));
    const block = buildBlock({ chain, height, time, txs, last, appHash, lastResultsHash });
    return {
      block,
      results: { height, txResults, events: output.events, appHash: output.appHash },
      txs: txs.map(({ tx, hash }, index) => {
        const result = must(txResults[index], "a block has one result per tx");
        return { hash, height, index, tx, result };
      }),
    };
  }
}
