import { assert } from "../../lib/assert.ts";
import { bytesOfKey, joinKeys, type Key, u48Key } from "../../lib/key.ts";
import { divFloorSize, minSize } from "../../lib/int.ts";
import type { Kv } from "../../store/kv.ts";
import * as keys from "./keys.ts";
import { differences, measureEntry, numbersOfEntry } from "./seq_list.ts";

/**
 * The records of an escrow that are not settled yet: lists of their numbers in the encoding of
 * seq_list.ts, at most 200 in one entry, whose ranges do not overlap, and a head that says how many
 * there are and where the last entry begins. New records are added to the last entry, so entries
 * are full whatever the blocks were that the records came in.
 */
export const OPEN_LIST_MAX = 200;

interface Head {
  /** Open records of the escrow. */
  readonly count: number;
  /** The first number of the last entry; 0 when there is none. */
  readonly tail: number;
}

type Entry = readonly [Key, Uint8Array];

/** Under this key: the lists of one escrow. */
export function openListKey(escrowSeq: bigint): Key {
  return keys.recordKey(keys.OPEN_USAGE_PREFIX, escrowSeq);
}

/** The key of the head of an escrow. */
export function openHeadKey(escrowSeq: bigint): Key {
  return keys.recordKey(keys.OPEN_COUNT_PREFIX, escrowSeq);
}

/** What stands under the head's key. An escrow without open records has no head. */
export function readHead(bytes: Uint8Array | undefined): Head {
  if (bytes === undefined) return { count: 0, tail: 0 };
  return { count: keys.numberAt(bytes, 0), tail: keys.numberAt(bytes, 6) };
}

function writeHead(kv: Kv, escrowSeq: bigint, { count, tail }: Head): void {
  const key = openHeadKey(escrowSeq);
  if (count === 0) kv.delete(key);
  else kv.set(key, bytesOfKey(joinKeys(u48Key(count), u48Key(tail))));
}

export function openCount(kv: Kv, escrowSeq: bigint): number {
  return readHead(kv.get(openHeadKey(escrowSeq))).count;
}

/**
 * Numbers of an escrow's open records, ascending. What is written meanwhile does not show.
 * @param from lower ones are left out; of lists of these only the keys are walked
 */
export function* openSeqs(kv: Kv, escrowSeq: bigint, from = 0n): Generator<bigint> {
  for (const { entry, end } of spans(kv.iterate(openListKey(escrowSeq)))) {
    if (BigInt(end) <= from) continue;
    for (const seq of numbersOfEntry(entry)) if (BigInt(seq) >= from) yield BigInt(seq);
  }
}

/**
 * Adds records with fresh numbers.
 * @param seqs ascending, one or more, above all that the escrow has had
 */
export function appendOpen(kv: Kv, escrowSeq: bigint, seqs: readonly number[]): void {
  const prefix = openListKey(escrowSeq);
  const head = readHead(kv.get(openHeadKey(escrowSeq)));
  let { tail } = head;
  let at = tail === 0 ? 0 : growEntry(kv, joinKeys(prefix, u48Key(tail)), seqs);
  for (; at < seqs.length; at += OPEN_LIST_MAX) {
    tail = seqs[at] as number;
    const to = minSize(at + OPEN_LIST_MAX, seqs.length);
    kv.create(joinKeys(prefix, u48Key(tail)), differences(tail, seqs, { from: at + 1, to }));
  }
  writeHead(kv, escrowSeq, { count: head.count + seqs.length, tail });
}

/** Adds as many of the numbers as the entry has room for, and returns how many. */
function growEntry(kv: Kv, key: Key, seqs: readonly number[]): number {
  const value = kv.get(key);
  if (value === undefined) return lost("the last list", keys.numberAtEnd(key));
  const { count, last } = measureEntry([key, value]);
  const added = minSize(OPEN_LIST_MAX - count, seqs.length);
  if (added <= 0) return 0;
  const more = differences(last, seqs, { from: 0, to: added });
  const grown = new Uint8Array(value.length + more.length);
  grown.set(value);
  grown.set(more, value.length);
  kv.set(key, grown);
  return added;
}

/**
 * Removes records: it walks the keys up to the last of them, and reads and writes the entries that
 * have some of them.
 * @param seqs ascending, all of them there
 */
export function removeOpen(kv: Kv, escrowSeq: bigint, seqs: readonly number[]): void {
  if (seqs.length === 0) return;
  const { count, tail: oldTail } = readHead(kv.get(openHeadKey(escrowSeq)));
  let tail = oldTail;
  let at = 0;
  let kept = 0;
  for (const { entry, end } of spans(kv.iterate(openListKey(escrowSeq)))) {
    const first = keys.numberAtEnd(entry[0]);
    const from = at;
    while (at < seqs.length && (seqs[at] as number) < end) at += 1;
    const left = from === at ? undefined : without(entry, seqs, { from, to: at });
    if (left !== undefined) rewrite(kv, entry[0], left);
    // Where the list before the end begins, should this one have been the last and be gone.
    kept = left === undefined ? first : (left[0] ?? kept);
    if (first === oldTail) tail = kept;
    if (at === seqs.length) break;
  }
  if (at < seqs.length) lost("an open record", seqs[at] as number);
  writeHead(kv, escrowSeq, { count: count - seqs.length, tail });
}

/** Adds one record with any number that is not there: one that was closed is open again. */
export function insertOpen(kv: Kv, escrowSeq: bigint, seq: number): void {
  const prefix = openListKey(escrowSeq);
  const { count, tail } = readHead(kv.get(openHeadKey(escrowSeq)));
  if (count === 0) return appendOpen(kv, escrowSeq, [seq]);
  for (const { entry, end } of spans(kv.iterate(prefix))) {
    if (seq >= end) continue;
    const numbers = numbersOfEntry(entry);
    const place = numbers.findIndex((each) => each >= seq);
    if (numbers[place] === seq) lost("a number that is not open", seq);
    numbers.splice(place < 0 ? numbers.length : place, 0, seq);
    const isFull = numbers.length > OPEN_LIST_MAX;
    const upper = isFull ? numbers.splice(divFloorSize(numbers.length, 2)) : [];
    rewrite(kv, entry[0], numbers);
    if (isFull) writeEntry(kv, prefix, upper);
    const isLast = keys.numberAtEnd(entry[0]) === tail;
    const last = (upper[0] ?? numbers[0]) as number;
    return writeHead(kv, escrowSeq, { count: count + 1, tail: isLast ? last : tail });
  }
}

/** Each entry with the first number of the next one, which its own are below. */
function* spans(entries: Iterable<Entry>): Generator<{ entry: Entry; end: number }> {
  let held: Entry | undefined;
  for (const entry of entries) {
    if (held !== undefined) yield { entry: held, end: keys.numberAtEnd(entry[0]) };
    held = entry;
  }
  if (held !== undefined) yield { entry: held, end: Number.MAX_SAFE_INTEGER };
}

/** The numbers of an entry less some of them, all of which are there. */
function without(
  entry: Entry,
  seqs: readonly number[],
  { from, to }: { from: number; to: number },
): number[] {
  const left: number[] = [];
  let at = from;
  for (const seq of numbersOfEntry(entry)) {
    if (at < to && seqs[at] === seq) at += 1;
    else left.push(seq);
  }
  if (at < to) lost("an open record", seqs[at] as number);
  return left;
}

/** Replaces an entry by one of other numbers, or none. */
function rewrite(kv: Kv, key: Key, numbers: readonly number[]): void {
  if (numbers[0] !== keys.numberAtEnd(key)) kv.delete(key);
  if (numbers.length > 0) writeEntry(kv, key.slice(0, -6) as Key, numbers);
}

function writeEntry(kv: Kv, prefix: Key, numbers: readonly number[]): void {
  const first = numbers[0] as number;
  const value = differences(first, numbers, { from: 1, to: numbers.length });
  kv.set(joinKeys(prefix, u48Key(first)), value);
}

function lost(what: string, seq: number): never {
  assert(false, `settlement: ${what} is not in the lists of open records`, { seq });
}
