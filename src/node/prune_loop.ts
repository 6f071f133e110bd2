import { setImmediate as nextTurn } from "node:timers/promises";
import type { Db } from "../store/db.ts";
import { HistoryPruner } from "../store/prune.ts";
import type { Hasher } from "../types/crypto.ts";
import { BlockPruner } from "./block_pruner.ts";
import type { BlockStore } from "./block_store.ts";
import type { NodeLog } from "./log.ts";

/** Time between two looks for something to prune, when there was nothing. */
const IDLE_MS = 200;

interface PruneParts {
  readonly db: Db;
  readonly hasher: Hasher;
  /** Says which blocks are shown; those below are deleted. */
  readonly store: Pick<BlockStore, "tip">;
  readonly log: NodeLog;
}

/**
 * Deletes in the background what can no longer be asked for: history below the lowest readable
 * height, and blocks below the lowest that is kept. One small batch a turn of the event loop, none
 * of them synced, so a block waits for at most one. A failure ends it, not the node: the disk grows
 * until the next start.
 */
export class PruneLoop {
  readonly #parts: PruneParts;
  readonly #history: HistoryPruner;
  readonly #blocks: BlockPruner;
  #isStopping = false;
  #wake: (() => void) | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(parts: PruneParts) {
    this.#parts = parts;
    this.#history = new HistoryPruner(parts.db);
    this.#blocks = new BlockPruner(parts.db, parts.hasher);
  }

  start(): void {
    this.#running = this.#run().catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      this.#parts.log.error("pruning has stopped", { error: message });
    });
  }

  /** Resolves when nothing is written any more; to be called before the database is closed. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (!this.#isStopping) {
        if (await this.#step()) await nextTurn();
        else await this.#idle();
      }
    } finally {
      await this.#blocks.close();
    }
  }

  async #step(): Promise<boolean> {
    const isHistory = await this.#history.step();
    const { tip } = this.#parts.store;
    const isBlock = tip !== undefined && (await this.#blocks.step(tip.earliest));
    return isHistory || isBlock;
  }

  async #idle(): Promise<void> {
    if (this.#isStopping) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, IDLE_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
