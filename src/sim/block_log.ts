import { rename, rm } from "node:fs/promises";
import {
  decodeBlockOutcome,
  decodeBlockRecord,
  encodeBlockOutcome,
  encodeBlockRecord,
} from "../codec/tendermint.ts";
import { decodeRecordedTx, encodeRecordedTx } from "../codec/recorded_tx.ts";
import { fromUtf8, utf8 } from "../lib/bytes.ts";
import { type GenesisFile, parseGenesis } from "../node/genesis_file.ts";
import type { RecordedBlock } from "../node/recorded_blocks.ts";
import { ChunkWriter, checkChunks, readChunks } from "./chunks.ts";
import { ReplayError } from "./errors.ts";

/**
 * A recorded chain as one file: genesis, then every block with what it came to. The stream in its
 * chunks (`chunks.ts`) is one of parts, each behind its length in 4 bytes, little-endian:
 *
 *   genesis as JSON | latest height: 8 bytes | per block: its record, its outcome, its txs
 *
 * The number of txs is in the record. Record, outcome and txs are what the node's database has
 * (src/codec/tendermint.ts, recorded_tx.ts), without events of txs.
 */
const MAGIC = "settled-log-1\n";
/** A text in memory cannot be longer. */
const GENESIS_BYTES_MAX = 0x1fffffe8;
/** Of a block's record or outcome, or of a tx: more than any that a node makes. */
const PART_BYTES_MAX = 256 * 1024 * 1024;

/** A log that has been opened. */
export interface BlockLog {
  readonly genesis: GenesisFile;
  /** Height of the last block. */
  readonly latest: bigint;
  /** From the first block on, up to this height. @throws ReplayError */
  blocks(to: bigint): AsyncGenerator<RecordedBlock>;
}

/**
 * Writes a log, whole or not at all.
 * @param input.blocks from the first block of the chain up to `latest`
 * @throws the system's error when the file cannot be made
 */
export async function writeBlockLog(
  path: string,
  input: {
    readonly genesis: unknown;
    readonly latest: bigint;
    readonly blocks: AsyncIterable<RecordedBlock>;
    readonly onBlock?: (height: bigint, txs: number) => void;
  },
): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  const writer = await ChunkWriter.create(temporary, MAGIC);
  try {
    await writePart(writer, utf8(JSON.stringify(input.genesis)));
    await writePart(writer, heightBytes(input.latest));
    for await (const { record, txs, outcome } of input.blocks) {
      await writePart(writer, encodeBlockRecord(record));
      await writePart(writer, encodeBlockOutcome(outcome));
      for (const tx of txs) await writePart(writer, encodeRecordedTx(tx));
      input.onBlock?.(record.header.height, txs.length);
    }
    await writer.end();
    await rename(temporary, path);
  } catch (error) {
    await writer.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * Opens a log and checks all of it, so that nothing of a damaged one is executed.
 * @throws ReplayError naming the first chunk that is damaged
 */
export async function openBlockLog(path: string): Promise<BlockLog> {
  await checkChunks(path, MAGIC);
  const head = new PartReader(path);
  try {
    const json: unknown = JSON.parse(fromUtf8(await head.part(GENESIS_BYTES_MAX)) ?? "");
    const latest = heightOf(await head.part());
    const blocks = (to: bigint) => logBlocks(path, to < latest ? to : latest);
    return { genesis: parseGenesis(json, path), latest, blocks };
  } catch (error) {
    const isUnreadable = error instanceof SyntaxError || error instanceof RangeError;
    if (isUnreadable) throw unreadable(path, "genesis", error);
    throw error;
  } finally {
    await head.close();
  }
}

async function* logBlocks(path: string, to: bigint): AsyncGenerator<RecordedBlock> {
  const parts = new PartReader(path);
  let what = "genesis";
  try {
    await parts.part(GENESIS_BYTES_MAX);
    await parts.part();
    for (;;) {
      const record = decodeBlockRecord(await parts.part());
      const { height } = record.header;
      what = `block ${height}`;
      const outcome = decodeBlockOutcome(await parts.part());
      const txs = [];
      while (txs.length < record.txCount) txs.push(decodeRecordedTx(await parts.part()));
      yield { record, outcome, txs };
      if (height >= to) return;
      what = `what follows block ${height}`;
    }
  } catch (error) {
    if (error instanceof ReplayError) throw error;
    throw unreadable(path, what, error);
  } finally {
    await parts.close();
  }
}

/** Takes parts off the stream of a log. */
class PartReader {
  readonly #chunks: AsyncGenerator<Uint8Array>;
  #content: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(path: string) {
    this.#chunks = readChunks(path, MAGIC);
  }

  /** @throws RangeError for a part of more bytes than `bytesMax`: a log may claim any length */
  async part(bytesMax = PART_BYTES_MAX): Promise<Uint8Array> {
    const head = await this.#take(4);
    const length = new DataView(head.buffer, head.byteOffset).getUint32(0, true);
    if (length > bytesMax) throw new RangeError("a part is too long");
    return this.#take(length);
  }

  async close(): Promise<void> {
    await this.#chunks.return(undefined);
  }

  /** Most parts lie in one chunk, and are a view of it. */
  async #take(length: number): Promise<Uint8Array> {
    const end = this.#at + length;
    if (end <= this.#content.length) {
      const part = this.#content.subarray(this.#at, end);
      this.#at = end;
      return part;
    }
    const pieces = [this.#content.subarray(this.#at)];
    let missing = end - this.#content.length;
    while (missing > 0) {
      const { value, done } = await this.#chunks.next();
      if (done === true) throw new RangeError("the log ends");
      this.#content = value;
      this.#at = Math.min(missing, value.length);
      pieces.push(value.subarray(0, this.#at));
      missing -= this.#at;
    }
    return new Uint8Array(Buffer.concat(pieces));
  }
}

async function writePart(writer: ChunkWriter, bytes: Uint8Array): Promise<void> {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, bytes.length, true);
  await writer.write(length);
  await writer.write(bytes);
}

function heightBytes(height: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, height, true);
  return bytes;
}

function heightOf(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
}

function unreadable(path: string, what: string, cause?: unknown): ReplayError {
  const problem = "cannot be read, though its checksums are right";
  return new ReplayError("log_damaged", `${path}: ${what} ${problem}`, { cause });
}
