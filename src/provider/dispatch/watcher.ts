import { eventsOfBlock } from "../../client/block_events.ts";
import type { Client } from "../../client/client.ts";
import { isOfDisk } from "../errors.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { OutboxRecord } from "../outbox/outbox_record.ts";
import { NO_LOG, type ProviderLog } from "../provider_log.ts";
import { backOffMs, type Random } from "./back_off.ts";
import { BlockReader } from "./block_reader.ts";
import { HEIGHT_NOTE } from "./money.ts";
import { isOfNode } from "./node_error.ts";
import type { NodePool } from "./node_pool.ts";
import { Pause } from "./pause.ts";
import { sweep } from "./sweep.ts";

export interface WatcherOptions {
  readonly outbox: Outbox;
  readonly pool: NodePool;
  /** The provider's address. */
  readonly provider: string;
  /**
   * Up to which block the outbox knows all records that are on the chain; undefined: every block.
   * The dispatcher's.
   */
  readonly clearedHeight: () => bigint | undefined;
  /** Unix milliseconds; never goes back. */
  readonly now: () => number;
  readonly log?: ProviderLog;
  readonly random?: Random;
  readonly pollMs?: number;
  readonly onChange?: (records: readonly OutboxRecord[]) => void;
}

const POLL_MS = 500;
const BACK_OFF = { minMs: 200, maxMs: 10_000 };
/** Blocks that are fetched at a time, and whose changes are one write. */
const BLOCKS_AT_ONCE = 8;

/**
 * Follows the chain's blocks, in order and each once, for what becomes of the provider's records:
 * acknowledged, disputed, corrected, settled, paid. What a block changes and its height are one
 * write. Where blocks are gone, it asks for the provider's records and payouts instead.
 */
export class Watcher {
  readonly #options: WatcherOptions;
  readonly #log: ProviderLog;
  readonly #pause = new Pause();
  #height: bigint | undefined;
  #isHeightKnown = false;
  #latest = 0n;
  #trouble = "";

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#log = options.log ?? NO_LOG;
  }

  /** The last block that was looked at, the chain's last one, and why it does not go on. */
  get state(): { height: bigint | undefined; latestHeight: bigint; trouble: string } {
    return { height: this.#height, latestHeight: this.#latest, trouble: this.#trouble };
  }

  /** Runs until it is called off: a disk or a node that fails is tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { pool, random = Math.random, pollMs = POLL_MS } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      let waitMs = 0;
      try {
        if (!this.#isHeightKnown) await this.#readHeight();
        const hasMore = await pool.call((client) => this.#step(client));
        [failures, this.#trouble] = [0, ""];
        if (!hasMore) waitMs = pollMs;
      } catch (error) {
        if (!isOfNode(error) && !isOfDisk(error)) throw error;
        failures += 1;
        this.#trouble = error.message;
        this.#isHeightKnown = !isOfDisk(error);
        if (failures === 1) this.#log.warn("blocks cannot be followed", { error: this.#trouble });
        waitMs = backOffMs(failures, BACK_OFF, random);
      }
      if (waitMs > 0) await this.#pause.wait(waitMs, signal);
    }
  }

  async #readHeight(): Promise<void> {
    const { outbox } = this.#options;
    // A write: what is read then is what the disk has, also after one that failed.
    await outbox.write({});
    const noted = await outbox.note(HEIGHT_NOTE);
    this.#height = noted === undefined ? undefined : BigInt(noted);
    this.#isHeightKnown = true;
  }

  /** Looks at the next blocks; whether there are more already. */
  async #step(client: Client): Promise<boolean> {
    const { pool, clearedHeight } = this.#options;
    // Asked first: what is sent after that is in no block up to it, and what was sent before is
    // known to the dispatcher by then.
    this.#latest = (await pool.statusOf(client)).latestHeight;
    const before = clearedHeight();
    const target = before !== undefined && before < this.#latest ? before : this.#latest;
    if (this.#height === undefined) return this.#sweep(client, target);
    const first = this.#height + 1n;
    if (first > target) return false;
    const last =
      target < first + BigInt(BLOCKS_AT_ONCE) - 1n ? target : this.#height + BigInt(BLOCKS_AT_ONCE);
    const heights = Array.from(
      { length: Number(last - this.#height) },
      (_, at) => first + BigInt(at),
    );
    const blocks = await Promise.all(heights.map((height) => eventsOfBlock(client, height)));
    const { outbox, provider, now } = this.#options;
    const reader = new BlockReader({ outbox, client, provider, nowMs: now() });
    for (const events of blocks) {
      if (events === undefined) return this.#sweep(client, target);
      await reader.read(events);
    }
    reader.note(HEIGHT_NOTE, last.toString());
    await outbox.write(reader.change);
    this.#height = last;
    if (reader.change.records.length > 0) this.#options.onChange?.(reader.change.records);
    return last < target;
  }

  /** For a start in the middle, and for blocks that the node has no more. */
  async #sweep(client: Client, height: bigint): Promise<boolean> {
    // A chain without a block has nothing; and the txs of the last run come first.
    if (height < 1n) return false;
    const { outbox, provider, now } = this.#options;
    const changed = await sweep(outbox, client, { provider, height, nowMs: now() });
    this.#height = height;
    this.#log.info("all records were compared with the chain", { height, changed });
    return false;
  }
}
