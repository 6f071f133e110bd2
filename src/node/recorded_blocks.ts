import { existsSync } from "node:fs";
import { decodeRecordedTx, type RecordedTx } from "../codec/recorded_tx.ts";
import {
  type BlockOutcome,
  type BlockRecord,
  decodeBlockOutcome,
  decodeBlockRecord,
} from "../codec/tendermint.ts";
import { bytesOfKey } from "../lib/key.ts";
import type { Db } from "../store/db.ts";
import { blockKey, outcomeKey, txKey } from "./block_keys.ts";
import { BlockStore, type Tip } from "./block_store.ts";
import { nativeHasher } from "./crypto_native.ts";
import { NodeStartError, StoredDataError } from "./errors.ts";
import { type GenesisFile, genesisPath, readGenesisFile } from "./genesis_file.ts";
import { databasePath, openDatabase } from "./home.ts";
import { lockHome } from "./home_lock.ts";

/** A block as it was made, with what it came to: all that a replay needs to make and compare it. */
export interface RecordedBlock {
  /** Id, header and commits. */
  readonly record: BlockRecord;
  readonly txs: readonly RecordedTx[];
  /** Events of BeginBlock and EndBlock, and the app hash after the block. */
  readonly outcome: BlockOutcome;
}

/** The home of a stopped node, of which nothing but the blocks is read. */
export interface RecordedHome {
  readonly genesis: GenesisFile;
  /** Heights of which there are blocks; undefined: none yet. */
  readonly tip: Tip | undefined;
  /** Blocks of these heights, in order. @throws StoredDataError */
  blocks(from: bigint, to: bigint): AsyncGenerator<RecordedBlock>;
  /** Lets the next process have the home. */
  close(): Promise<void>;
}

/** Bytes of LevelDB's own cache: every block is read once. */
const CACHE_BYTES = 8 * 1024 * 1024;

/**
 * Opens the blocks of a home. LevelDB lets one process have a database, so the node must be
 * stopped; no key of the home is read, and none made.
 * @throws NodeStartError naming the process that has the home, or what is missing in it
 */
export async function openRecordedHome(home: string): Promise<RecordedHome> {
  const path = databasePath(home);
  const genesis = await readGenesisFile(genesisPath(home));
  if (!existsSync(path)) {
    throw new NodeStartError(`no blocks in ${home}: its node has never run`, { home });
  }
  const lock = await lockHome(home);
  try {
    const db = await openDatabase(path, CACHE_BYTES);
    const store = new BlockStore(db, nativeHasher);
    await store.load();
    const close = async () => {
      await db.close();
      await lock.release();
    };
    const blocks = (from: bigint, to: bigint) => recordedBlocks(db, from, to);
    return { genesis, tip: store.tip, blocks, close };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Blocks that are read at a time: a read waits for the disk, or for a thread to do it. */
const READS_AHEAD = 8;

/** Reads blocks of these heights, which there must be. @throws StoredDataError */
export async function* recordedBlocks(
  db: Db,
  from: bigint,
  to: bigint,
): AsyncGenerator<RecordedBlock> {
  const reads: Promise<RecordedBlock>[] = [];
  let next = from;
  for (let height = from; height <= to; height += 1n) {
    while (next <= to && reads.length < READS_AHEAD) {
      const read = recordedBlock(db, next);
      // Thrown when its turn comes.
      read.catch(() => undefined);
      reads.push(read);
      next += 1n;
    }
    yield await (reads.shift() as Promise<RecordedBlock>);
  }
}

async function recordedBlock(db: Db, height: bigint): Promise<RecordedBlock> {
  const [head, outcome] = await Promise.all([
    db.get(bytesOfKey(blockKey(height))),
    db.get(bytesOfKey(outcomeKey(height))),
  ]);
  const record = decoded(`block ${height}`, head, decodeBlockRecord);
  return {
    record,
    txs: await recordedTxs(db, height, record.txCount),
    outcome: decoded(`results of block ${height}`, outcome, decodeBlockOutcome),
  };
}

async function recordedTxs(db: Db, height: bigint, count: number): Promise<RecordedTx[]> {
  const txs: RecordedTx[] = [];
  if (count === 0) return txs;
  const [gte, lt] = [bytesOfKey(txKey(height, 0)), bytesOfKey(txKey(height, count))];
  const what = `tx of block ${height}`;
  for await (const [, stored] of db.range({ gte, lt, limit: count })) {
    txs.push(decoded(what, stored, decodeRecordedTx));
  }
  if (txs.length !== count) throw new StoredDataError(what);
  return txs;
}

function decoded<T>(
  what: string,
  bytes: Uint8Array | undefined,
  decode: (bytes: Uint8Array) => T,
): T {
  if (bytes === undefined) throw new StoredDataError(what);
  try {
    return decode(bytes);
  } catch (error) {
    throw new StoredDataError(what, { cause: error });
  }
}
