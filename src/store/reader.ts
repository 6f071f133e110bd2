import { ChainError } from "../lib/errors.ts";
import { minBigint } from "../lib/int.ts";
import { bytesOfKey, type Key, keyOfBytes, prefixEnd } from "../lib/key.ts";
import type { BatchOp } from "../types/application.ts";
import { GrpcInvalidArgument, GrpcResourceExhausted } from "../types/query_errors.ts";
import type { TimeNs } from "../types/time.ts";
import { DB_STATE, type Db, type DbSnapshot } from "./db.ts";
import type { Page, PageRequest, RangeOptions, Reader } from "./read_view.ts";
import { type Store, VERSION_KEY } from "./store.ts";
import { decodeVersion } from "./version.ts";

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
  const detail = `more than ${REPLY_ROWS_MAX} rows; use the paginated query ${instead}`;
  throw new ChainError(GrpcResourceExhausted, detail);
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
 * Loads the committed state of the database, if it holds one, and then makes what stands on it.
 * @throws InvariantError when the contents do not hash to the recorded app hash.
 */
export async function loadStore<T>(db: Db, store: Store, make: () => T): Promise<T> {
  const version = await db.get(bytesOfKey(VERSION_KEY as Key));
  if (version !== undefined) {
    const range = { gte: stateKey("" as Key), lt: bytesOfKey("T" as Key) };
    for await (const [key, value] of db.range(range)) {
      store.load(keyOfBytes(key.subarray(1)), value);
    }
    store.loaded(decodeVersion(version));
  }
  return make();
}

/** Writes the block in flight with the host's operations in one synced batch, then applies it. */
export async function commitStaged(
  db: Db,
  store: Store,
  commit: { ops: readonly BatchOp[]; done: () => void },
): Promise<void> {
  await db.write([...store.stagedOps(), ...commit.ops], { sync: true });
  store.applyStaged();
  commit.done();
}

/** An answer that may still be on its way, and what becomes of it. */
export interface Pending<R> {
  readonly answer: unknown;
  finish(answer: never): R;
}

/**
 * Reads with a reader of the latest committed height and closes it whatever happens. `failed`
 * turns an error into a result, or throws it on.
 */
export async function readAt<R>(input: {
  db: Db;
  read: (reader: Reader) => Pending<R>;
  failed: (error: unknown, height: bigint) => R;
}): Promise<R> {
  const reader = await openReader(input.db);
  try {
    const pending = input.read(reader);
    return pending.finish((await pending.answer) as never);
  } catch (error) {
    return input.failed(error, reader.height);
  } finally {
    await reader.close();
  }
}

/** The height is read from the snapshot itself, so that it is the one of what the reader reads. */
async function openReader(db: Db): Promise<Reader> {
  const snapshot = db.snapshot();
  const bytes = await snapshot.get(bytesOfKey(VERSION_KEY as Key));
  const at = bytes === undefined ? { height: 0n, time: 0n as TimeNs } : decodeVersion(bytes);
  return new SnapshotReader(snapshot, at);
}

class SnapshotReader implements Reader {
  readonly height: bigint;
  readonly time: TimeNs;
  readonly #snapshot: DbSnapshot;

  constructor(snapshot: DbSnapshot, at: { height: bigint; time: TimeNs }) {
    this.#snapshot = snapshot;
    this.height = at.height;
    this.time = at.time;
  }

  async get(key: Key): Promise<Uint8Array | undefined> {
    return this.#snapshot.get(stateKey(key));
  }

  async *range(prefix: Key, options: RangeOptions = {}): AsyncGenerator<[Key, Uint8Array]> {
    const end = options.to ?? prefixEnd(prefix);
    const entries = this.#snapshot.range({
      gte: stateKey(options.from ?? prefix),
      lt: stateKey(end ?? ("\xff".repeat(64) as Key)),
      reverse: options.reverse ?? false,
      ...(options.limit === undefined ? {} : { limit: options.limit }),
    });
    for await (const [key, value] of entries) yield [keyOfBytes(key.subarray(1)), value];
  }

  async close(): Promise<void> {
    await this.#snapshot.close();
  }
}

function stateKey(key: Key): Uint8Array {
  return bytesOfKey((DB_STATE + key) as Key);
}
