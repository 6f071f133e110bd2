import { ChainError } from "../lib/errors.ts";
import { minBigint, toSafeNumber } from "../lib/int.ts";
import { bytesOfKey, joinKeys, type Key, keyOfBytes, u48Key } from "../lib/key.ts";
import type { BatchOp } from "../types/application.ts";
import { GrpcInvalidArgument, GrpcResourceExhausted } from "../types/query_errors.ts";
import { ErrInvalidHeight } from "../types/sdk_errors.ts";
import type { TimeNs } from "../types/time.ts";
import { changeListPrefix, versionOfList } from "./change_list.ts";
import type { DbReads, DbSnapshot } from "./db.ts";
import { heightAt } from "./entry.ts";
import { HistoryReader } from "./history.ts";
import { LateSnapshot } from "./late_snapshot.ts";
import type { Page, PageRequest, Reader } from "./read_view.ts";
import { EARLIEST_KEY, type Store, VERSION_KEY } from "./store.ts";
import { decodeVersion, type Version } from "./version.ts";

const PAGE_ROWS_DEFAULT = 100n;
const PAGE_ROWS_MAX = 1000n;
/** Rows that one unpaginated reply may hold (RULES 36). */
export const REPLY_ROWS_MAX = 10_000;
const EMPTY_PAGE: PageRequest = {
  key: new Uint8Array(0),
  offset: 0n,
  limit: 0n,
  countTotal: false,
  reverse: false,
};

/**
 * One page of the entries under a prefix, by the rules of Cosmos pagination.
 * @throws ChainError grpc/3 for a key and an offset together, or a key of another prefix.
 */
export async function readPage(
  reader: Reader,
  prefix: Key,
  request: PageRequest | undefined,
): Promise<Page> {
  const page = request ?? EMPTY_PAGE;
  const { key, offset, reverse } = page;
  if (key.length > 0 && offset > 0n) {
    throw new ChainError(GrpcInvalidArgument, "pagination: either key or offset, not both");
  }
  const start = key.length > 0 ? keyOfBytes(key) : undefined;
  if (start !== undefined && !start.startsWith(prefix)) {
    throw new ChainError(GrpcInvalidArgument, "pagination: this key is not of this query");
  }
  const limit = minBigint(page.limit === 0n ? PAGE_ROWS_DEFAULT : page.limit, PAGE_ROWS_MAX);
  const bounds = reverse ? { to: start === undefined ? undefined : after(start) } : { from: start };
  const entries: [Key, Uint8Array][] = [];
  let seen = 0n;
  let next: Uint8Array = new Uint8Array(0);
  for await (const entry of reader.range(prefix, { ...bounds, reverse })) {
    if (seen >= offset && seen < offset + limit) entries.push(entry);
    else if (seen === offset + limit) next = bytesOfKey(entry[0]);
    seen += 1n;
    if (seen > offset + limit && !(page.countTotal && start === undefined)) break;
  }
  return { entries, nextKey: next, total: page.countTotal && start === undefined ? seen : 0n };
}

/**
 * All entries under a prefix.
 * @param instead the paginated query to use, for the error text
 * @throws ChainError grpc/8 above 10,000 rows.
 */
export async function readAll(
  reader: Reader,
  prefix: Key,
  instead: string,
): Promise<[Key, Uint8Array][]> {
  const entries: [Key, Uint8Array][] = [];
  for await (const entry of reader.range(prefix, { limit: REPLY_ROWS_MAX + 1 }))
    entries.push(entry);
  if (entries.length <= REPLY_ROWS_MAX) return entries;
  throw tooManyRows(instead);
}

/**
 * The grpc/8 of a reply that would have more than 10,000 rows.
 * @param instead the paginated query to use, for the error text
 */
export function tooManyRows(instead: string): ChainError {
  const detail = `more than ${REPLY_ROWS_MAX} rows; use the paginated query ${instead}`;
  return new ChainError(GrpcResourceExhausted, detail);
}

/** Rows that may stand inside the rows of a reply: they are smaller, and bounded by 4 MiB too. */
const NESTED_ROWS_MAX = 20_000;

/** Counts rows that stand inside the rows of a reply, such as the records of a settlement. */
export class RowBudget {
  #left = NESTED_ROWS_MAX;
  readonly #instead: string;

  /** @param instead what to ask for, for the error text */
  constructor(instead: string) {
    this.#instead = instead;
  }

  /** @throws ChainError grpc/8 above 20,000 rows together. */
  take(rows: number): void {
    this.#left -= rows;
    if (this.#left >= 0) return;
    const detail = `more than ${NESTED_ROWS_MAX} rows inside the reply; ${this.#instead}`;
    throw new ChainError(GrpcResourceExhausted, detail);
  }
}

/** The smallest key above `key`. */
function after(key: Key): Key {
  return `${key}\0` as Key;
}

/**
 * Writes the oldest executed block with the host's operations in one synced batch; readers see it
 * when the promise resolves.
 */
export async function commitStaged(store: Store, ops: readonly BatchOp[]): Promise<void> {
  const batch = store.db.batch();
  store.writeInto(batch);
  for (const { key, value } of ops) {
    if (value === undefined) batch.del(key);
    else batch.put(key, value);
  }
  await batch.write({ sync: true });
  store.written();
}

/** An answer that may still be on its way, and what becomes of it. */
export interface Pending<R> {
  readonly answer: unknown;
  finish(answer: never): R;
}

/**
 * Reads with a reader of a height and closes it whatever happens. `failed` turns an error into a
 * result, or throws it on.
 * @param input.height 0n for the latest
 */
export async function readAt<R>(input: ReadInput<R>): Promise<R> {
  const { store } = input;
  if (input.fromMemory === true && input.height === 0n && store.isOnDisk) {
    const late = new LateSnapshot(store);
    try {
      const result = await readFrom(input, late);
      if (!late.hasMoved) return result;
    } catch (error) {
      if (!late.hasMoved) throw error;
    } finally {
      if (late.isTaken) await late.close();
    }
  }
  const snapshot = store.db.snapshot();
  try {
    return await readFrom(input, snapshot);
  } finally {
    await snapshot.close();
  }
}

interface ReadInput<R> {
  readonly store: Store;
  readonly height: bigint;
  /** Goes through the machine's cache: for queries. A check of what is on disk does not. */
  readonly fromMemory?: boolean;
  readonly read: (reader: Reader) => Pending<R>;
  readonly failed: (error: unknown, height: bigint) => R;
}

async function readFrom<R>(input: ReadInput<R>, snapshot: DbSnapshot): Promise<R> {
  let { height } = input;
  try {
    const store = input.fromMemory === true ? input.store : undefined;
    const reader = openReader(snapshot, input.height, store);
    height = reader.height;
    const pending = input.read(reader);
    return pending.finish((await pending.answer) as never);
  } catch (error) {
    return input.failed(error, height);
  }
}

/**
 * Reads the state of a height from a snapshot, which the caller closes. The heights that there are
 * come from the snapshot itself, so that they are those of what the reader reads.
 * @param height 0n for the latest
 * @param store of that database, to look into its memory first
 * @throws ChainError sdk/26 for a height that is not there, or no more
 */
export function openReader(snapshot: DbSnapshot, height: bigint, store?: Store): Reader {
  const version = store?.version;
  const memory = store?.memory();
  // With nothing on its way to the disk the snapshot is of this version.
  if (version !== undefined && store?.isOnDisk === true && height === 0n) {
    // Property by property: a spread costs more than the rest of this function.
    const { height: at, time } = version;
    return new HistoryReader(snapshot, { height: at, time, isLatest: true, memory });
  }
  const stored = snapshot.getSync(bytesOfKey(VERSION_KEY));
  if (stored === undefined) return new HistoryReader(snapshot, NOTHING_YET);
  const latest = decodeVersion(stored);
  if (height === 0n || height === latest.height) {
    return new HistoryReader(snapshot, { ...latest, isLatest: true, memory });
  }
  if (height < 0n || height > latest.height) {
    const detail = `cannot query at height ${height}: the latest is ${latest.height}`;
    throw new ChainError(ErrInvalidHeight, detail);
  }
  const earliest = earliestHeight(snapshot);
  const next = height < earliest ? undefined : versionBefore(snapshot, height + 1n);
  if (next === undefined || next.height !== height) {
    const detail = `cannot query at height ${height}: heights ${earliest} to ${latest.height} are kept`;
    throw new ChainError(ErrInvalidHeight, detail);
  }
  return new HistoryReader(snapshot, { ...next, isLatest: false, memory });
}

const NOTHING_YET = { height: 0n, time: 0n as TimeNs, isLatest: true };

/** Proofs of what keys held at a height, in their order. */
export type Prove = (height: bigint, keys: readonly Key[]) => Promise<readonly Uint8Array[]>;

/** Proofs that wait for their turn: each holds what its reader has pinned. */
const WAITING_PROOFS_MAX = 64;

/**
 * Proves one answer after the other, so that blocks and other queries wait for a step at most, and
 * the commitment saves what it changes for one fork.
 */
export function proverOf(store: Store): Prove {
  let waiting = 0;
  let line: Promise<unknown> = Promise.resolve();
  return async (height, keys) => {
    if (waiting >= WAITING_PROOFS_MAX) {
      throw new ChainError(GrpcResourceExhausted, "too many proofs are waiting; ask again");
    }
    waiting += 1;
    const proofs = line.then(async () => proofsAt(store, height, keys));
    line = proofs.catch(() => undefined);
    try {
      return await proofs;
    } finally {
      waiting -= 1;
    }
  };
}

/**
 * Proofs of what keys held at a height, as the disk has it now.
 * @throws ChainError sdk/26 for a height that has been pruned; sdk/18 for one too far back
 */
export async function proofsAt(
  store: Store,
  height: bigint,
  keys: readonly Key[],
): Promise<readonly Uint8Array[]> {
  const snapshot = store.db.snapshot();
  const steps = store.proofSteps(snapshot, height, keys);
  try {
    const earliest = earliestHeight(snapshot);
    if (height < earliest) {
      const detail = `height ${height} was pruned before it could be proved: ${earliest} is the lowest kept`;
      throw new ChainError(ErrInvalidHeight, detail);
    }
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      // A read that waits for the disk lets others have their turn.
      await snapshot.get(bytesOfKey(VERSION_KEY));
    }
  } finally {
    steps.return([]);
    await snapshot.close();
  }
}

/** The lowest height whose state is kept. */
export function earliestHeight(db: DbReads): bigint {
  const stored = db.getSync(bytesOfKey(EARLIEST_KEY));
  return stored === undefined ? 0n : BigInt(heightAt(stored, 0));
}

/** The version that the block of a height followed; undefined when its changes are not kept. */
export function versionBefore(db: DbReads, height: bigint): Version | undefined {
  const head = db.getSync(bytesOfKey(joinKeys(changeListPrefix(toSafeNumber(height)), u48Key(0))));
  return head === undefined ? undefined : versionOfList(head);
}
