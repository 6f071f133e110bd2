import { ChainError } from "../../lib/errors.ts";
import { divFloor, INT64_MAX } from "../../lib/int.ts";
import { joinKeys, type Key } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import { GrpcInvalidArgument } from "../../types/query_errors.ts";
import { NS_PER_SECOND, type TimeNs } from "../../types/time.ts";
import * as keys from "./keys.ts";
import { nextNumber } from "./query_records.ts";

/** Records whose numbers follow the block time that each of them has. */
export interface Timed {
  readonly prefix: Key;
  readonly sequence: keys.SequenceName;
  readonly timeOf: (value: Uint8Array) => bigint;
}

/** A time from, inclusive, to before another, in nanoseconds; undefined for no bound. */
export interface Span {
  readonly from: TimeNs | undefined;
  readonly to: TimeNs | undefined;
}

const SECONDS_MAX = divFloor(INT64_MAX, NS_PER_SECOND);

/**
 * A span in unix seconds as it is asked for: 0 stands for no bound.
 * @throws ChainError grpc/3 for a span that is empty or beyond what a time can be
 */
export function spanAsked(from: bigint, to: bigint): Span {
  for (const bound of [from, to]) {
    if (bound >= 0n && bound <= SECONDS_MAX) continue;
    const detail = `a time is 0 to ${SECONDS_MAX} unix seconds, found ${bound}`;
    throw new ChainError(GrpcInvalidArgument, detail);
  }
  if (to !== 0n && from >= to) {
    const detail = `the time begins at ${from} and ends before ${to}: nothing lies between`;
    throw new ChainError(GrpcInvalidArgument, detail);
  }
  const nanoseconds = (bound: bigint): TimeNs | undefined =>
    bound === 0n ? undefined : ((bound * NS_PER_SECOND) as TimeNs);
  return { from: nanoseconds(from), to: nanoseconds(to) };
}

/** The keys of a look-up, which ends with the records' numbers, between which a span stands. */
export async function boundsIn(
  reader: Reader,
  prefix: Key,
  { of, span }: { of: Timed; span: Span },
): Promise<{ from: Key | undefined; to: Key | undefined }> {
  const at = async (time: TimeNs | undefined): Promise<Key | undefined> =>
    time === undefined
      ? undefined
      : joinKeys(prefix, keys.seqKey(await firstNumberAt(reader, of, time)));
  return { from: await at(span.from), to: await at(span.to) };
}

/** The number of the first record of a time or later, by halving. */
async function firstNumberAt(reader: Reader, of: Timed, time: TimeNs): Promise<bigint> {
  let [low, high] = [1n, await nextNumber(reader, of.sequence)];
  while (low < high) {
    const middle = (low + high) >> 1n;
    const found = await firstFrom(reader, of.prefix, middle);
    if (found !== undefined && of.timeOf(found.value) < time) low = found.seq + 1n;
    else high = middle;
  }
  return low;
}

/** The record with this number or the next one that there is: an import may lack some. */
async function firstFrom(
  reader: Reader,
  prefix: Key,
  seq: bigint,
): Promise<{ seq: bigint; value: Uint8Array } | undefined> {
  const from = keys.recordKey(prefix, seq);
  for await (const [key, value] of reader.range(prefix, { from, limit: 1 })) {
    return { seq: keys.seqAtEnd(key), value };
  }
  return undefined;
}
