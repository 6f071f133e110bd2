import { decodeBlockOutcome, decodeBlockRecord, decodeTxRecord } from "../codec/tendermint.ts";
import { bytesOfKey, type Key, u64FromKey, keyOfBytes } from "../lib/key.ts";
import type { Db } from "../store/db.ts";
import type { BatchOp } from "../types/application.ts";
import type { Event } from "../types/event.ts";
import type { Hasher } from "../types/crypto.ts";
import { blockHashKey, blockKey, outcomeKey, txHashKey, txKey } from "./block_keys.ts";
import { StoredDataError } from "./errors.ts";
import { indexOps } from "./tx_index.ts";
import type { IndexedTx } from "./view.ts";

/** Txs and block events whose entries one slice deletes: well below a millisecond of work. */
const TXS_PER_SLICE = 10;
const EVENTS_PER_SLICE = 200;

/**
 * What takes a block, its results, txs and index entries out of the database, in slices. An index
 * entry goes in one slice with the record that it was made of, or before it, so that whatever a
 * power cut brings back is found again by that record.
 *
 * A tx that is in two blocks is found by its hash in the later one; when that is taken back, the
 * hash finds nothing. Only a tx that failed before its sequence was used can be in a second block.
 * @throws StoredDataError for a record that cannot be read
 */
export async function* removalSlices(
  db: Db,
  hasher: Hasher,
  height: bigint,
): AsyncGenerator<readonly BatchOp[]> {
  const block = read(db, "block", blockKey(height), decodeBlockRecord);
  let txs: IndexedTx[] = [];
  for await (const bytes of txRecords(db, height, block?.txCount)) {
    const record = decoded("tx", bytes, decodeTxRecord);
    txs.push({ hash: hasher.sha256(record.tx), ...record });
    if (txs.length < TXS_PER_SLICE) continue;
    yield txRemoval(db, height, txs);
    txs = [];
  }
  const last = txRemoval(db, height, txs);
  const events = read(db, "results", outcomeKey(height), decodeBlockOutcome)?.events ?? [];
  let at = 0;
  for (; at + EVENTS_PER_SLICE < events.length; at += EVENTS_PER_SLICE) {
    yield indexRemoval(height, [], events.slice(at, at + EVENTS_PER_SLICE));
  }
  yield [
    ...last,
    ...indexRemoval(height, [], events.slice(at)),
    deletion(outcomeKey(height)),
    ...(block === undefined ? [] : [blockHashKey(block.id.hash), blockKey(height)]).map(deletion),
  ];
}

/** What is left of the txs of a block. @param count of them; undefined when only a part is left */
async function* txRecords(
  db: Db,
  height: bigint,
  count: number | undefined,
): AsyncGenerator<Uint8Array> {
  if (count !== undefined && count < TXS_PER_SLICE) {
    // A few are read faster than a walk begins.
    for (let index = 0; index < count; index += 1) {
      const bytes = db.getSync(bytesOfKey(txKey(height, index)));
      if (bytes !== undefined) yield bytes;
    }
    return;
  }
  const range = { gte: bytesOfKey(txKey(height, 0)), lt: bytesOfKey(txKey(height + 1n, 0)) };
  for await (const [, bytes] of db.range(range)) yield bytes;
}

function txRemoval(db: Db, height: bigint, txs: readonly IndexedTx[]): BatchOp[] {
  const indexes = indexRemoval(height, txs, []);
  const records = txs.map(({ index }) => deletion(txKey(height, index)));
  const elsewhere = new Set<string>();
  for (const { hash } of txs) {
    const key = txHashKey(hash);
    const place = db.getSync(bytesOfKey(key));
    if (place !== undefined && u64FromKey(keyOfBytes(place), 0) !== height) elsewhere.add(key);
  }
  return [...indexes.filter(({ key }) => !elsewhere.has(key)), ...records];
}

function indexRemoval(
  height: bigint,
  txs: readonly IndexedTx[],
  events: readonly Event[],
): BatchOp[] {
  return indexOps(height, txs, events).map(({ key }) => deletion(key));
}

function deletion(key: string): BatchOp {
  return { key, value: undefined };
}

function read<T>(db: Db, what: string, key: Key, decode: (bytes: Uint8Array) => T): T | undefined {
  const bytes = db.getSync(bytesOfKey(key));
  return bytes && decoded(what, bytes, decode);
}

function decoded<T>(what: string, bytes: Uint8Array, decode: (bytes: Uint8Array) => T): T {
  try {
    return decode(bytes);
  } catch (error) {
    throw new StoredDataError(what, { cause: error });
  }
}
