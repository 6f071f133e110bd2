import { assert } from "../../lib/assert.ts";
import { EMPTY_BYTES } from "../../lib/bytes.ts";
import { joinKeys, type Key, u48Key } from "../../lib/key.ts";
import { minSize } from "../../lib/int.ts";
import type { Kv } from "../../store/kv.ts";
import { numberAtEnd } from "./keys.ts";

/**
 * Lists of record numbers, ascending. A list takes several entries when it is long. The key of an
 * entry ends with its first number, the value holds the differences between each and the next as
 * varints.
 *
 * Those for queries have at most 1,000 numbers under one key, are written once and never changed;
 * what comes later makes another. Those of open records change: see open_usage.ts.
 */
const LIST_MAX = 1000;

/** Where varints are put together: a difference has at most 7 bytes. */
const scratch = new Uint8Array(7 * LIST_MAX);

/** Writes ascending numbers under a prefix that has none of them. */
export function writeSeqList(kv: Kv, prefix: Key, seqs: readonly number[]): void {
  for (let at = 0; at < seqs.length; at += LIST_MAX) {
    const to = minSize(at + LIST_MAX, seqs.length);
    const key = joinKeys(prefix, u48Key(seqs[at] as number));
    kv.create(key, differences(seqs[at] as number, seqs, { from: at + 1, to }));
  }
}

/** The numbers of one entry, ascending. */
export function seqsOfEntry(entry: readonly [Key, Uint8Array]): bigint[] {
  return numbersOfEntry(entry).map(BigInt);
}

/** As `seqsOfEntry`. */
export function numbersOfEntry([key, value]: readonly [Key, Uint8Array]): number[] {
  let seq = numberAtEnd(key);
  const seqs = [seq];
  let [difference, scale] = [0, 1];
  for (let index = 0; index < value.length; index += 1) {
    const byte = value[index] as number;
    difference += (byte & 127) * scale;
    if (byte >= 128) {
      scale *= 128;
      continue;
    }
    seq += difference;
    seqs.push(seq);
    [difference, scale] = [0, 1];
  }
  return seqs;
}

/** How many numbers an entry has, and the last of them. */
export function measureEntry([key, value]: readonly [Key, Uint8Array]): {
  count: number;
  last: number;
} {
  let last = numberAtEnd(key);
  let count = 1;
  let scale = 1;
  for (let index = 0; index < value.length; index += 1) {
    const byte = value[index] as number;
    last += (byte & 127) * scale;
    if (byte >= 128) scale *= 128;
    else {
      scale = 1;
      count += 1;
    }
  }
  return { count, last };
}

/**
 * Numbers of a list from one place to before another, at most 1,000, as differences: of the first
 * to `previous`, of each other one to the one before.
 */
export function differences(
  previous: number,
  seqs: readonly number[],
  { from, to }: { from: number; to: number },
): Uint8Array {
  if (from === to) return EMPTY_BYTES;
  let length = 0;
  let last = previous;
  for (let at = from; at < to; at += 1) {
    const seq = seqs[at] as number;
    let rest = seq - last;
    if (!(rest > 0)) assert(false, "settlement: a list of records is ascending", { seq });
    while (rest > 127) {
      const low = rest % 128;
      scratch[length] = low + 128;
      length += 1;
      rest = (rest - low) * TWO_TO_MINUS_7;
    }
    scratch[length] = rest;
    length += 1;
    last = seq;
  }
  return scratch.slice(0, length);
}

/** Exact: dividing a multiple of 128 by it. */
const TWO_TO_MINUS_7 = 2 ** -7;
