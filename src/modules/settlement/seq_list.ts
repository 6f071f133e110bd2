import { assert } from "../../lib/assert.ts";
import { EMPTY_BYTES } from "../../lib/bytes.ts";
import { joinKeys, type Key } from "../../lib/key.ts";
import { toSafeNumber } from "../../lib/int.ts";
import type { Kv } from "../../store/kv.ts";
import { seqAtEnd, seqKey } from "./keys.ts";

/**
 * Lists of record numbers, for queries: ascending, at most 1,000 under one key. The key ends with
 * the first number, the value holds the differences between each and the next as varints. A list
 * is written once and never changed; what comes later makes another.
 */
const LIST_MAX = 1000;

/** Writes ascending numbers under a prefix that has none of them. */
export function writeSeqList(kv: Kv, prefix: Key, seqs: readonly bigint[]): void {
  for (let at = 0; at < seqs.length; at += LIST_MAX) {
    const part = seqs.slice(at, at + LIST_MAX);
    kv.create(joinKeys(prefix, seqKey(part[0] as bigint)), encodeDifferences(part));
  }
}

/** The numbers of one entry, ascending. */
export function seqsOfEntry([key, value]: readonly [Key, Uint8Array]): bigint[] {
  let seq = seqAtEnd(key);
  const seqs = [seq];
  let [difference, scale] = [0, 1];
  for (const byte of value) {
    difference += (byte & 127) * scale;
    if (byte >= 128) {
      scale *= 128;
      continue;
    }
    seq += BigInt(difference);
    seqs.push(seq);
    [difference, scale] = [0, 1];
  }
  return seqs;
}

function encodeDifferences(seqs: readonly bigint[]): Uint8Array {
  if (seqs.length === 1) return EMPTY_BYTES;
  const bytes: number[] = [];
  for (let at = 1; at < seqs.length; at += 1) {
    let rest = toSafeNumber((seqs[at] as bigint) - (seqs[at - 1] as bigint));
    assert(rest > 0, "settlement: a list of records is ascending", { seq: seqs[at] });
    while (rest > 127) {
      const low = rest % 128;
      bytes.push(low + 128);
      rest = (rest - low) * TWO_TO_MINUS_7;
    }
    bytes.push(rest);
  }
  return Uint8Array.from(bytes);
}

/** Exact: dividing a multiple of 128 by it. */
const TWO_TO_MINUS_7 = 2 ** -7;
