import { divFloorSize } from "./int.ts";
import type { Key } from "./key.ts";

const CHUNK_MAX = 512;

interface Chunk<V> {
  readonly keys: Key[];
  readonly values: V[];
  /** Forks hold it too: it is copied before it is written to. */
  isShared: boolean;
}

/**
 * A map ordered by key, for prefixes that the machine walks: sorted chunks of at most 512 entries,
 * so a write moves one short array and a walk is sequential. Look-up is two binary searches.
 */
export class OrderedMap<V> {
  #chunks: Chunk<V>[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: Key): V | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)];
    if (chunk === undefined) return undefined;
    const at = lowerBound(chunk.keys, key);
    return chunk.keys[at] === key ? chunk.values[at] : undefined;
  }

  set(key: Key, value: V): void {
    if (this.#chunks.length === 0) {
      this.#chunks.push({ keys: [], values: [], isShared: false });
    }
    const index = this.#chunkOf(key);
    const chunk = this.#own(index);
    const at = lowerBound(chunk.keys, key);
    if (chunk.keys[at] === key) {
      chunk.values[at] = value;
      return;
    }
    // Entries come in order mostly: nothing has to be moved then.
    if (at === chunk.keys.length) {
      chunk.keys.push(key);
      chunk.values.push(value);
    } else {
      chunk.keys.splice(at, 0, key);
      chunk.values.splice(at, 0, value);
    }
    this.#size += 1;
    if (chunk.keys.length > CHUNK_MAX) this.#split(index);
  }

  delete(key: Key): boolean {
    const index = this.#chunkOf(key);
    const found = this.#chunks[index];
    if (found === undefined) return false;
    const at = lowerBound(found.keys, key);
    if (found.keys[at] !== key) return false;
    const chunk = this.#own(index);
    chunk.keys.splice(at, 1);
    chunk.values.splice(at, 1);
    this.#size -= 1;
    if (chunk.keys.length === 0) this.#chunks.splice(index, 1);
    return true;
  }

  /** Entries with from ≤ key < to, ascending. The map must not change while they are taken. */
  *range(from: Key, to?: Key): Generator<[Key, V]> {
    for (let index = this.#chunkOf(from); index < this.#chunks.length; index += 1) {
      const { keys, values } = this.#chunks[index] as Chunk<V>;
      for (let at = lowerBound(keys, from); at < keys.length; at += 1) {
        const key = keys[at] as Key;
        if (to !== undefined && key >= to) return;
        yield [key, values[at] as V];
      }
    }
  }

  /** A copy that goes its own way: what neither writes to stays shared. */
  fork(): OrderedMap<V> {
    const copy = new OrderedMap<V>();
    for (const chunk of this.#chunks) chunk.isShared = true;
    copy.#chunks = [...this.#chunks];
    copy.#size = this.#size;
    return copy;
  }

  /** The chunk, to be written to. */
  #own(index: number): Chunk<V> {
    const chunk = this.#chunks[index] as Chunk<V>;
    if (!chunk.isShared) return chunk;
    const copy = { keys: [...chunk.keys], values: [...chunk.values], isShared: false };
    this.#chunks[index] = copy;
    return copy;
  }

  /** Index of the chunk that holds, or would hold, the key. */
  #chunkOf(key: Key): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = divFloorSize(low + high + 1, 2);
      const first = (this.#chunks[middle] as Chunk<V>).keys[0] as Key;
      if (first <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #split(index: number): void {
    const chunk = this.#own(index);
    // An append-only walk (sequence numbers) leaves full chunks behind instead of half-full ones.
    const at = index === this.#chunks.length - 1 ? CHUNK_MAX : divFloorSize(CHUNK_MAX, 2);
    const tail = {
      keys: chunk.keys.splice(at),
      values: chunk.values.splice(at),
      isShared: false,
    };
    this.#chunks.splice(index + 1, 0, tail);
  }
}

function lowerBound(keys: readonly Key[], key: Key): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = divFloorSize(low + high, 2);
    if ((keys[middle] as Key) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
