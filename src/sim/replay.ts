import { setImmediate as turn } from "node:timers/promises";
import { NO_POOL, type VerifyPool } from "../node/verify_pool.ts";
import type { Application, BatchOp, BlockOutput, PreparedTx } from "../types/application.ts";
import type { TimeNs } from "../types/time.ts";
import { type Difference, type Expected, firstDifference } from "./compare_blocks.ts";
import { ReplayError } from "./errors.ts";
import { lookAhead } from "./lookahead.ts";

/** A block to execute again, with what it came to. */
export interface ReplayBlock {
  readonly height: bigint;
  readonly time: TimeNs;
  /** 20 bytes. */
  readonly proposer: Uint8Array;
  readonly txs: readonly Uint8Array[];
  readonly expected: Expected;
}

/** How far a replay is. */
export interface ReplayProgress {
  /** Of the last block that came out as recorded; 0 before the first. */
  readonly height: bigint;
  readonly blocks: number;
  readonly txs: number;
  /** Usage records that the txs made. */
  readonly records: number;
}

export interface ReplayReport extends ReplayProgress {
  /** After the last block that came out as recorded. */
  readonly appHash: Uint8Array;
  readonly seconds: number;
  /** Where the replay stopped; undefined: every block came out as recorded. */
  readonly difference: Difference | undefined;
}

export interface ReplayInput<B extends ReplayBlock = ReplayBlock> {
  /** From the first block after the application's height, without a gap. */
  readonly blocks: AsyncIterable<B>;
  /** Its genesis is committed. */
  readonly app: Application;
  /** Verifies signatures ahead of execution; without it they are verified as they are met. */
  readonly pool?: VerifyPool;
  /** The application was opened so: nothing is verified ahead either. */
  readonly trustSignatures?: boolean;
  /** What the host writes with a block that came out as recorded. */
  readonly commitOps?: (block: B, txs: readonly PreparedTx[], output: BlockOutput) => BatchOp[];
  /** Called after every block. */
  readonly onProgress?: (progress: ReplayProgress) => void;
}

/** Time without a turn of the event loop, after which there is one: for answers and signals. */
const TURN_EVERY_MS = 50;

/**
 * Executes recorded blocks again and compares what each comes to with the record. Ends at the
 * first difference, whose block is not committed. While a block is executed, the ones behind it
 * are read and verified, and the one before it is written.
 * @throws what reading, executing or committing throws
 */
export async function replayBlocks<B extends ReplayBlock>(
  input: ReplayInput<B>,
): Promise<ReplayReport> {
  const { app, commitOps, onProgress } = input;
  const pool = input.trustSignatures === true ? NO_POOL : (input.pool ?? NO_POOL);
  const started = performance.now();
  let turned = started;
  let [height, blocks, txs, records] = [app.info().height, 0, 0, 0];
  let { appHash } = app.info();
  let committing: Promise<void> = Promise.resolve();
  let difference: Difference | undefined;
  for await (const ready of lookAhead(input.blocks, app, pool)) {
    const { block } = ready;
    if (blocks > 0 && block.height !== height + 1n) throw missingBlock(height, block.height);
    const output = app.finalizeBlock({ ...blockInput(block), txs: ready.txs });
    const hashOf = (index: number) => (ready.txs[index] as PreparedTx).hash;
    difference = firstDifference(block.height, block.expected, output, hashOf);
    await committing;
    if (difference !== undefined) break;
    committing = app.commit(commitOps?.(block, ready.txs, output) ?? []);
    // Thrown when its turn comes: the next block may be executed first.
    committing.catch(() => undefined);
    ({ height } = block);
    ({ appHash } = output);
    blocks += 1;
    txs += block.txs.length;
    records += usageRecords(output);
    onProgress?.({ height, blocks, txs, records });
    if (performance.now() - turned > TURN_EVERY_MS) {
      await turn();
      turned = performance.now();
    }
  }
  await committing;
  const seconds = (performance.now() - started) / 1000;
  return { height, blocks, txs, records, appHash, seconds, difference };
}

function missingBlock(below: bigint, above: bigint): ReplayError {
  return new ReplayError("blocks_missing", `after block ${below} comes block ${above}`);
}

function blockInput({ height, time, proposer }: ReplayBlock) {
  return { height, time, proposer };
}

/** The event of every usage record that a block makes. */
const USAGE_RECORDED = "virtengine.settlement.v1.EventUsageRecorded";

function usageRecords({ txResults }: BlockOutput): number {
  let records = 0;
  for (const { events } of txResults) {
    for (const { type } of events) if (type === USAGE_RECORDED) records += 1;
  }
  return records;
}
