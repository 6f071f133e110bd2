import { toHex } from "../../lib/bytes.ts";
import { formatTime, type TimeNs } from "../../types/time.ts";
import type { BlockClock } from "../clock.ts";
import { DevControlsError, HaltedError } from "../errors.ts";
import type { NodeLog } from "../log.ts";
import type { Mempool } from "../mempool.ts";
import type { DevControls, StoredBlock } from "../view.ts";
import type { BlockExecutor } from "./block_executor.ts";
import { type BlockSchedule, nextBlockIn } from "./schedule.ts";

/** Blocks that one request may ask for. */
const MINE_BLOCKS_MAX = 100_000;

interface SoloParts {
  readonly executor: BlockExecutor;
  readonly mempool: Mempool;
  readonly clock: BlockClock;
  readonly schedule: BlockSchedule;
  readonly log: NodeLog;
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

  async #finish(done: Promise<StoredBlock>, start: number): Promise<StoredBlock> {
    try {
      const block = await done;
      this.#parts.log.info("block", {
        height: block.header.height,
        txs: block.txs.length,
        hash: toHex(block.id.hash),
        ms: Math.round(performance.now() - start),
      });
      return block;
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
    if (!this.#isRunning || this.#isBusy || clock.isVirtual) return;
    const txsWait = mempool.countForBlock > 0;
    const delay = nextBlockIn(schedule, txsWait, performance.now() - this.#lastStart);
    if (delay === undefined) return;
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
