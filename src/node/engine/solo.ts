import { toHex } from "../../lib/bytes.ts";
import { formatTime, type TimeNs } from "../../types/time.ts";
import type { BlockClock } from "../clock.ts";
import { DevControlsError, HaltedError } from "../errors.ts";
import type { NodeLog } from "../log.ts";
import type { Mempool } from "../mempool.ts";
import type { NodeMetrics, WrittenBlock } from "../metrics.ts";
import type { BlockProduction, DevControls, StoredBlock } from "../view.ts";
import type { BlockExecutor } from "./block_executor.ts";
import { type BlockSchedule, nextBlockIn } from "./schedule.ts";

/** Characters of a hash in a line that people read. */
const SHORT_HASH = 12;
/** Blocks that one request may ask for. */
const MINE_BLOCKS_MAX = 100_000;

interface SoloParts {
  readonly executor: BlockExecutor;
  readonly mempool: Mempool;
  readonly clock: BlockClock;
  readonly schedule: BlockSchedule;
  readonly log: NodeLog;
  readonly metrics?: NodeMetrics | undefined;
  /** Called once, when a block could not be made. Nothing is made after that. */
  readonly onHalt: (error: Error) => void;
}

/**
 * Makes blocks in this one process: by schedule, or by hand. One is executed at a time, while the
 * one before it may still be being written.
 */
export class SoloEngine implements DevControls {
  readonly #parts: SoloParts;
  #queue: Promise<unknown> = Promise.resolve();
  /** Ends when the last block is on disk, or has failed. */
  #written: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  /** Whether the timer is for a waiting tx: then another tx changes nothing. */
  #timerForTx = false;
  #isRunning = false;
  #isBusy = false;
  #halted: Error | undefined;
  /** Start of the last block, on the monotonic clock. */
  #lastStart = 0;
  /** When the last block was on disk, on the monotonic clock; the start of the engine before. */
  #lastWritten = performance.now();
  /** When a block was or will be due by schedule, on the monotonic clock; undefined: none is. */
  #dueAt: number | undefined;

  constructor(parts: SoloParts) {
    this.#parts = parts;
  }

  /** Starts making blocks by schedule. */
  start(): void {
    this.#isRunning = true;
    this.#lastStart = performance.now();
    this.#arm();
  }

  /** Makes no more blocks; resolves when those under way are on disk. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#disarm();
    await this.#queue;
    await this.#written;
  }

  /** How the making of blocks goes. */
  get production(): BlockProduction {
    const { clock, mempool, schedule } = this.#parts;
    const now = performance.now();
    const sinceLastMs = now - this.#lastWritten;
    const isByHand = schedule.blockMode === "manual" || clock.isVirtual;
    return {
      isByHand,
      intervalMs: isByHand ? undefined : nextBlockIn(schedule, mempool.countForBlock > 0, 0),
      // Never more than since the last block: many may have been made by hand meanwhile.
      lateMs: this.#dueAt === undefined ? 0 : Math.min(Math.max(0, now - this.#dueAt), sinceLastMs),
      sinceLastMs,
      halted: this.#halted?.message,
    };
  }

  /** To be called when a tx has been queued. */
  txAdded(): void {
    if (!this.#timerForTx) this.#arm();
  }

  /**
   * Makes one block at the next time, whatever the schedule. Resolves when it is on disk.
   * @throws HaltedError
   */
  async makeBlock(): Promise<StoredBlock> {
    const { done } = await this.#exclusive(async () => this.#startBlock());
    return done;
  }

  /** @throws DevControlsError, HaltedError */
  async mine(input: { blocks: number; time?: TimeNs }): Promise<{ height: bigint; time: TimeNs }> {
    const { blocks, time } = input;
    if (!Number.isSafeInteger(blocks) || blocks < 1 || blocks > MINE_BLOCKS_MAX) {
      throw new DevControlsError(`blocks: expected 1 to ${MINE_BLOCKS_MAX}, found ${blocks}`);
    }
    return this.#exclusive(async () => {
      if (time !== undefined) this.#setTime(time);
      let { done } = await this.#startBlock();
      for (let made = 1; made < blocks && this.#isRunning; made += 1)
        ({ done } = await this.#startBlock());
      const { header } = await done;
      return { height: header.height, time: header.time };
    });
  }

  async useWallClock(): Promise<void> {
    await this.#exclusive(async () => this.#parts.clock.useWall());
  }

  #setTime(time: TimeNs): void {
    const { clock, executor } = this.#parts;
    const last = executor.headTime;
    if (time <= last) {
      const problem = `is not after the last block (${formatTime(last)})`;
      throw new DevControlsError(`time: ${formatTime(time)} ${problem}`);
    }
    const now = clock.wall();
    if (time > now) {
      const problem = `is after the wall clock (${formatTime(now)})`;
      throw new DevControlsError(`time: ${formatTime(time)} ${problem}`);
    }
    clock.setVirtual(time);
  }

  /** Resolves when the next block may be started; `done` when this one is on disk. */
  async #startBlock(): Promise<{ readonly done: Promise<StoredBlock> }> {
    const { executor, clock } = this.#parts;
    if (this.#halted !== undefined) throw this.#halted;
    const start = performance.now();
    this.#lastStart = start;
    try {
      const { done } = await executor.start(clock.next(executor.headTime));
      const shown = this.#finish(done, start);
      // Of blocks by schedule nobody else waits for the end; a failure halts the node anyway.
      this.#written = shown.catch(() => undefined);
      return { done: shown };
    } catch (error) {
      throw this.#halt(error);
    }
  }

  async #finish(done: Promise<WrittenBlock>, start: number): Promise<StoredBlock> {
    try {
      const written = await done;
      const { log, metrics } = this.#parts;
      this.#lastWritten = performance.now();
      logBlock(log, written, this.#lastWritten - start);
      metrics?.blockWritten(written);
      return written.block;
    } catch (error) {
      throw this.#halt(error);
    }
  }

  #halt(error: unknown): HaltedError {
    if (this.#halted !== undefined) return this.#halted;
    const cause = error instanceof Error ? error : new Error(String(error));
    const { log, mempool, onHalt } = this.#parts;
    const halted = new HaltedError(cause);
    this.#halted = halted;
    this.#isRunning = false;
    mempool.close(halted);
    log.error("halted: the block under way is dropped, nothing more is accepted", {
      error: cause.message,
    });
    onHalt(cause);
    return halted;
  }

  /** Runs `action` when all before it have ended; the schedule waits meanwhile. */
  async #exclusive<T>(action: () => Promise<T>): Promise<T> {
    const run = this.#queue.then(async () => {
      this.#disarm();
      this.#isBusy = true;
      try {
        return await action();
      } finally {
        this.#isBusy = false;
        this.#arm();
      }
    });
    this.#queue = run.catch(() => undefined);
    return run;
  }

  #arm(): void {
    const { clock, mempool, schedule } = this.#parts;
    this.#disarm();
    if (this.#isRunning && this.#isBusy) return;
    this.#dueAt = undefined;
    if (!this.#isRunning || clock.isVirtual) return;
    const txsWait = mempool.countForBlock > 0;
    const now = performance.now();
    const delay = nextBlockIn(schedule, txsWait, now - this.#lastStart);
    if (delay === undefined) return;
    this.#dueAt = now + delay;
    this.#timerForTx = txsWait;
    // A failed block has already been reported when this rejects.
    this.#timer = setTimeout(() => void this.#makeDueBlock().catch(() => undefined), delay);
  }

  async #makeDueBlock(): Promise<void> {
    await this.#exclusive(async () => {
      if (this.#isRunning && !this.#parts.clock.isVirtual) await this.#startBlock();
    });
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerForTx = false;
  }
}

/** One line per block. Times are whole milliseconds; `ms` is of all, what it waited for included. */
function logBlock(log: NodeLog, { block, results, executeMs, syncMs }: WrittenBlock, ms: number) {
  const { txResults } = results;
  let gas = 0n;
  let failed = 0;
  for (const { code, gasUsed } of txResults) {
    gas += gasUsed;
    if (code !== 0) failed += 1;
  }
  log.info("block", {
    height: block.header.height,
    txs: block.txs.length,
    ...(failed === 0 ? {} : { failed }),
    gas,
    executeMs: Math.round(executeMs),
    syncMs: Math.round(syncMs),
    ms: Math.round(ms),
    appHash: toHex(results.appHash).slice(0, SHORT_HASH),
  });
  log.debug("block id", {
    height: block.header.height,
    hash: toHex(block.id.hash),
    bytes: block.size,
    time: formatTime(block.header.time),
  });
}
