import type { BlockStore } from "./block_store.ts";
import { StoredDataError } from "./errors.ts";
import type { NodeStatus } from "./view.ts";

export type EarliestFacts = Pick<
  NodeStatus,
  "earliestHeight" | "earliestBlockHash" | "earliestAppHash" | "earliestTime"
>;

/** What the status tells of the lowest block that is kept, which rises where blocks are pruned. */
export class EarliestBlock {
  readonly #store: BlockStore;
  #facts: EarliestFacts;
  #isReading = false;

  private constructor(store: BlockStore, facts: EarliestFacts) {
    this.#store = store;
    this.#facts = facts;
  }

  /** @throws StoredDataError when the block is not there */
  static async read(store: BlockStore, height: bigint): Promise<EarliestBlock> {
    const facts = await factsOf(store, height);
    if (facts === undefined) throw new StoredDataError(`block ${height}`);
    return new EarliestBlock(store, facts);
  }

  /** As of the last `follow`. */
  get facts(): EarliestFacts {
    return this.#facts;
  }

  /** Reads the lowest block until it is the one that is told of. */
  async follow(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      for (;;) {
        const height = this.#store.tip?.earliest;
        if (height === undefined || height === this.#facts.earliestHeight) return;
        const facts = await factsOf(this.#store, height);
        // Pruned already: then a later block tells of a higher one.
        if (facts === undefined && this.#store.tip?.earliest === height) return;
        this.#facts = facts ?? this.#facts;
      }
    } finally {
      this.#isReading = false;
    }
  }
}

/** undefined: the block has been pruned meanwhile. */
async function factsOf(store: BlockStore, height: bigint): Promise<EarliestFacts | undefined> {
  const [block, outcome] = await Promise.all([store.block(height), store.outcome(height)]);
  if (block === undefined || outcome === undefined) return undefined;
  return {
    earliestHeight: height,
    earliestBlockHash: block.id.hash,
    earliestAppHash: outcome.appHash,
    earliestTime: block.header.time,
  };
}
