import { joinKeys, type Key, keyOfBytes, u64FromKey, u64Key } from "../lib/key.ts";
import { decodePostings } from "./block_keys.ts";
import type { BlockStore } from "./block_store.ts";
import type { Pace } from "./pace.ts";

/** Items of one block that an index names. */
export interface Posting {
  readonly height: bigint;
  /** Rising. */
  readonly indexes: readonly number[];
}

/** Heights to look at, both ends included. */
export interface HeightRange {
  readonly low: bigint;
  readonly high: bigint;
  readonly descending: boolean;
}

/** Steps to the side of a target before it is sought by a new iterator. */
const STEPS_MAX = 32;

/** One index list in the order of heights, with one block in memory at a time. */
export class PostingStream {
  readonly #store: BlockStore;
  readonly #prefix: Key;
  readonly #range: HeightRange;
  #entries: AsyncIterator<[Uint8Array, Uint8Array]> | undefined;

  constructor(store: BlockStore, prefix: Key, range: HeightRange) {
    this.#store = store;
    this.#prefix = prefix;
    this.#range = range;
  }

  /** The first posting at `from` or behind it in the direction of the search. */
  async seek(from: bigint): Promise<Posting | undefined> {
    await this.close();
    const { low, high, descending } = this.#range;
    const key = (height: bigint) => joinKeys(this.#prefix, u64Key(height));
    const [first, last] = descending ? [low, from] : [from, high];
    if (first > last) return undefined;
    const range = this.#store.range(key(first), key(last + 1n), descending);
    this.#entries = range[Symbol.asyncIterator]();
    return this.next();
  }

  async next(): Promise<Posting | undefined> {
    const step = await this.#entries?.next();
    if (step === undefined || step.done === true) return undefined;
    const [key, value] = step.value;
    const height = u64FromKey(keyOfBytes(key), this.#prefix.length);
    return { height, indexes: decodePostings(value) };
  }

  /** The first posting at or behind `target`, from `posting` on. */
  async advance(posting: Posting, target: bigint): Promise<Posting | undefined> {
    let current: Posting | undefined = posting;
    for (let steps = 0; steps < STEPS_MAX; steps += 1) {
      if (current === undefined || !this.#isBefore(current.height, target)) return current;
      current = await this.next();
    }
    return this.seek(target);
  }

  async close(): Promise<void> {
    const entries = this.#entries;
    this.#entries = undefined;
    await entries?.return?.();
  }

  #isBefore(height: bigint, target: bigint): boolean {
    return this.#range.descending ? height > target : height < target;
  }
}

/** What all lists have in common, block by block in the order of the search. */
export async function* intersect(
  store: BlockStore,
  prefixes: readonly Key[],
  range: HeightRange,
  pace: Pace,
): AsyncGenerator<Posting> {
  const streams = prefixes.map((prefix) => new PostingStream(store, prefix, range));
  let target = range.descending ? range.high : range.low;
  try {
    const heads = await Promise.all(streams.map(async (stream) => stream.seek(target)));
    for (;;) {
      if (pace.isDue()) await pace.pause();
      let indexes: readonly number[] | undefined;
      let agreed = true;
      for (const [at, stream] of streams.entries()) {
        const head = heads[at];
        const found = head && (await stream.advance(head, target));
        heads[at] = found;
        if (found === undefined) return;
        if (found.height !== target) agreed = false;
        target = found.height;
        indexes = indexes === undefined ? found.indexes : common(indexes, found.indexes);
      }
      if (!agreed) continue;
      if (indexes !== undefined && indexes.length > 0) yield { height: target, indexes };
      target += range.descending ? -1n : 1n;
    }
  } finally {
    await Promise.all(streams.map(async (stream) => stream.close()));
  }
}

function common(a: readonly number[], b: readonly number[]): number[] {
  const inB = new Set(b);
  return a.filter((index) => inB.has(index));
}
