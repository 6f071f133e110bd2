import {
  type BlockOutcome,
  decodeBlockRecord,
  decodeTxOfRecord,
  encodeBlockOutcome,
  encodeBlockRecord,
  encodeTxRecord,
} from "../codec/tendermint.ts";
import { bytesOfKey, joinKeys, type Key, keyOfBytes, u64FromKey, u64Key } from "../lib/key.ts";
import type { Db } from "../store/db.ts";
import type { BatchOp } from "../types/application.ts";
import type { Hasher } from "../types/crypto.ts";
import {
  blockHashKey,
  blockKey,
  GENESIS_KEY,
  outcomeKey,
  TIP_KEY,
  txHashKey,
  txKey,
} from "./block_keys.ts";
import { StoredDataError } from "./errors.ts";
import type { Pace } from "./pace.ts";
import { decoded, readBlockOutcome, readTxRecord } from "./paced_records.ts";
import { indexOps, type TxPlace } from "./tx_index.ts";
import type { BlockMeta, IndexedTx, StoredBlock, StoredResults } from "./view.ts";

/** Heights of which there are blocks. */
export interface Tip {
  readonly latest: bigint;
  readonly earliest: bigint;
}

/** A block with all that is kept of it. */
export interface BlockBundle {
  readonly block: StoredBlock;
  readonly results: StoredResults;
  readonly txs: readonly IndexedTx[];
}

/** What goes into the genesis batch: which genesis this database belongs to. */
export function genesisOps(identity: Uint8Array): BatchOp[] {
  return [{ key: GENESIS_KEY, value: identity }];
}

/**
 * The lowest height of which a block is kept, once the block of `height` is there.
 * @param earliest the lowest before
 * @param keepBlocks the setting: a number from 1, or "all"
 */
export function earliestKept(earliest: bigint, height: bigint, keepBlocks: number | "all"): bigint {
  if (keepBlocks === "all") return earliest;
  const wanted = height - BigInt(keepBlocks) + 1n;
  return wanted > earliest ? wanted : earliest;
}

/** The write that moves the tip; undefined: there are no blocks. */
export function tipOp(tip: Tip | undefined): BatchOp {
  if (tip === undefined) return { key: TIP_KEY, value: undefined };
  const value = bytesOfKey(joinKeys(u64Key(tip.latest), u64Key(tip.earliest)));
  return { key: TIP_KEY, value };
}

/** All writes of a block, for the batch that commits its state. */
export function blockOps({ block, results, txs }: BlockBundle, earliest: bigint): BatchOp[] {
  const { id, header, lastCommit, commit, size } = block;
  const { height } = header;
  const record = { id, header, lastCommit, commit, size, txCount: txs.length };
  const ops = indexOps(height, txs, results.events);
  ops.push(
    tipOp({ latest: height, earliest }),
    { key: blockKey(height), value: encodeBlockRecord(record) },
    { key: outcomeKey(height), value: encodeBlockOutcome(results) },
    { key: blockHashKey(id.hash), value: bytesOfKey(u64Key(height)) },
  );
  for (const tx of txs) ops.push({ key: txKey(height, tx.index), value: encodeTxRecord(tx) });
  return ops;
}

/**
 * Reads blocks, results and txs back. What is above the tip does not show, even when the database
 * has it already: the tip moves only when a block's batch has been synced.
 */
export class BlockStore {
  readonly #db: Db;
  readonly #hasher: Hasher;
  #tip: Tip | undefined;

  constructor(db: Db, hasher: Hasher) {
    this.#db = db;
    this.#hasher = hasher;
  }

  /** Heights of the blocks; undefined while there are none. */
  get tip(): Tip | undefined {
    return this.#tip;
  }

  /** Reads the tip from disk. */
  async load(): Promise<void> {
    const bytes = await this.#get(TIP_KEY);
    if (bytes === undefined) return;
    const key = keyOfBytes(bytes);
    this.#tip = { latest: u64FromKey(key, 0), earliest: u64FromKey(key, 8) };
  }

  /** Shows blocks up to `tip`. Called when the batch of the latest has been synced. */
  moveTip(tip: Tip): void {
    this.#tip = tip;
  }

  /** The identity of the genesis that this database was made with. */
  async genesisIdentity(): Promise<Uint8Array | undefined> {
    return this.#get(GENESIS_KEY);
  }

  /** A block without its txs. */
  async meta(height: bigint): Promise<BlockMeta | undefined> {
    if (!this.#shows(height)) return undefined;
    const bytes = await this.#get(blockKey(height));
    return bytes && decoded("block", bytes, decodeBlockRecord);
  }

  async block(height: bigint, pace?: Pace): Promise<StoredBlock | undefined> {
    const meta = await this.meta(height);
    if (meta === undefined) return undefined;
    const { txCount, ...record } = meta;
    const read = (bytes: Uint8Array) => decoded("tx", bytes, decodeTxOfRecord);
    const txs = await this.#unlessPruned(height, this.#ofTxs(height, txCount, read, pace));
    return txs && { ...record, txs };
  }

  async heightOfHash(hash: Uint8Array): Promise<bigint | undefined> {
    const bytes = await this.#get(blockHashKey(hash));
    if (bytes === undefined) return undefined;
    const height = u64FromKey(keyOfBytes(bytes), 0);
    return this.#shows(height) ? height : undefined;
  }

  async results(height: bigint, pace?: Pace): Promise<StoredResults | undefined> {
    const outcome = await this.outcome(height, pace);
    if (outcome === undefined) return undefined;
    const bytes = await this.#unlessPruned(height, this.#must("block", blockKey(height)));
    if (bytes === undefined) return undefined;
    const { txCount } = decoded("block", bytes, decodeBlockRecord);
    const read = async (record: Uint8Array) => (await readTxRecord(record, pace)).result;
    const txResults = await this.#unlessPruned(height, this.#ofTxs(height, txCount, read, pace));
    return txResults && { height, txResults, ...outcome };
  }

  /** Events and app hash of a block, without its txs. */
  async outcome(height: bigint, pace?: Pace): Promise<BlockOutcome | undefined> {
    if (!this.#shows(height)) return undefined;
    const bytes = await this.#get(outcomeKey(height));
    return bytes && readBlockOutcome(bytes, pace);
  }

  /** Where the tx of a hash is. */
  async placeOf(hash: Uint8Array): Promise<TxPlace | undefined> {
    const bytes = await this.#get(txHashKey(hash));
    if (bytes === undefined) return undefined;
    const key = keyOfBytes(bytes);
    const height = u64FromKey(key, 0);
    // The last 6 bytes: an index is below 2^48.
    const index = Number(u64FromKey(key, 6) & 0xffff_ffff_ffffn);
    return this.#shows(height) ? { height, index } : undefined;
  }

  async tx(hash: Uint8Array, pace?: Pace): Promise<IndexedTx | undefined> {
    const place = await this.placeOf(hash);
    return place && this.txAt(place, pace);
  }

  /**
   * The tx at a place that an index names; undefined: pruned since.
   * @param sized told the bytes of its record before that is decoded; what it throws is thrown
   * @throws StoredDataError when there is none
   */
  async txAt(
    { height, index }: TxPlace,
    pace?: Pace,
    sized?: (bytes: number) => void,
  ): Promise<IndexedTx | undefined> {
    const bytes = await this.#unlessPruned(height, this.#must("tx", txKey(height, index)));
    if (bytes === undefined) return undefined;
    sized?.(bytes.length);
    const record = await readTxRecord(bytes, pace);
    return { hash: this.#hasher.sha256(record.tx), ...record };
  }

  /** Entries under a prefix of an index, by height: see src/node/posting_stream.ts. */
  range(from: Key, to: Key, descending: boolean): AsyncIterable<[Uint8Array, Uint8Array]> {
    return this.#db.range({ gte: bytesOfKey(from), lt: bytesOfKey(to), reverse: descending });
  }

  /** What `read` makes of the record of each tx of a block. */
  async #ofTxs<T>(
    height: bigint,
    count: number,
    read: (record: Uint8Array) => T | Promise<T>,
    pace: Pace | undefined,
  ): Promise<T[]> {
    const found: T[] = [];
    if (count === 0) return found;
    const range = this.range(txKey(height, 0), txKey(height, count), false);
    for await (const [, bytes] of range) {
      found.push(await read(plain(bytes)));
      if (pace?.isDue() === true) await pace.pause();
    }
    if (found.length !== count) throw new StoredDataError(`txs of block ${height}`);
    return found;
  }

  /** undefined for what was pruned between two reads of one answer. */
  async #unlessPruned<T>(height: bigint, answer: Promise<T>): Promise<T | undefined> {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof StoredDataError && !this.#shows(height)) return undefined;
      throw error;
    }
  }

  #shows(height: bigint): boolean {
    return this.#tip !== undefined && height >= this.#tip.earliest && height <= this.#tip.latest;
  }

  async #get(key: Key): Promise<Uint8Array | undefined> {
    const bytes = await this.#db.get(bytesOfKey(key));
    return bytes && plain(bytes);
  }

  async #must(what: string, key: Key): Promise<Uint8Array> {
    const bytes = await this.#get(key);
    if (bytes === undefined) throw new StoredDataError(what);
    return bytes;
  }
}

// The disk gives Buffers, whose slice() is a view where that of other bytes is a copy. What leaves
// here is plain bytes, whatever the database is.
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
