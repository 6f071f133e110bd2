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

/** Makes blocks in this one process: by schedule, or by hand. One at a time. */
export class SoloEngine implements DevControls {
  readonly #parts: SoloParts;
  #queue: Promise<unknown> = Promise.resolve();
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

  /** Makes no more blocks; resolves when the one under way is on disk. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#disarm();
    await this.#queue;
  }

  /** To be called when a tx has been queued. */
  txAdded(): void {
    if (!this.#timerForTx) this.#arm();
  }

  /**
   * Makes one block at the next time, whatever the schedule.
   * @throws HaltedError
   */
  async makeBlock(): Promise<StoredBlock> {
    return this.#exclusive(async () => this.#makeBlock());
  }

  /** @throws DevControlsError, HaltedError */
  async mine(input: { blocks: number; time?: TimeNs }): Promise<{ height: bigint; time: TimeNs }> {
    const { blocks, time } = input;
    if (!Number.isSafeInteger(blocks) || blocks < 1 || blocks > MINE_BLOCKS_MAX) {
      throw new DevControlsError(`blocks: expected 1 to ${MINE_BLOCKS_MAX}, found ${blocks}`);
    }
    return this.#exclusive(async () => {
      if (time !== undefined) this.#setTime(time);
      let block = await this.#makeBlock();
      for (let made = 1; made < blocks && this.#isRunning; made += 1)
        block = await this.#makeBlock();
      return { height: block.header.height, time: block.header.time };
    });
  }

  async useWallClock(): Promise<void> {
    await this.#exclusive(async () => this.#parts.clock.useWall());
  }

  #setTime(time: TimeNs): void {
    const { clock, executor } = this.#parts;
    const last = executor.tip.time;
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

  async #makeBlock(): Promise<StoredBlock> {
    const { executor, clock, log } = this.#parts;
    if (this.#halted !== undefined) throw this.#halted;
    this.#lastStart = performance.now();
    try {
      const block = await executor.execute(clock.next(executor.tip.time));
      log.info("block", {
        height: block.header.height,
        txs: block.txs.length,
        hash: toHex(block.id.hash),
        ms: Math.round(performance.now() - this.#lastStart),
      });
      return block;
    } catch (error) {
      throw this.#halt(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #halt(cause: Error): HaltedError {
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
    const txsWait = mempool.count > 0;
    const delay = nextBlockIn(schedule, txsWait, performance.now() - this.#lastStart);
    if (delay === undefined) return;
    this.#timerForTx = txsWait;
    // A failed block has already been reported when this rejects.
    this.#timer = setTimeout(() => void this.#makeDueBlock().catch(() => undefined), delay);
  }

  async #makeDueBlock(): Promise<void> {
    await this.#exclusive(async () => {
      if (this.#isRunning && !this.#parts.clock.isVirtual) await this.#makeBlock();
    });
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerForTx = false;
  }
}
