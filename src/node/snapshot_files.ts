import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { equalBytes } from "../lib/bytes.ts";
import type { Hasher } from "../types/crypto.ts";
import {
  CHECKSUM_BYTES,
  CHUNK_HEAD_BYTES,
  type ChunkHead,
  checksumFault,
  decodeChunkHead,
  decodeEnd,
  decodeSnapshotHeader,
  END_BYTES,
  headerBytes,
  MAGIC,
  type SnapshotEnd,
  SnapshotError,
  type SnapshotHeader,
} from "./snapshot_format.ts";

/** Names of finished snapshots end so. */
export const SNAPSHOT_SUFFIX = ".snapshot";
/** What is being written has this behind its name. */
export const PARTIAL_SUFFIX = ".partial";

/** Where the snapshots of a home are, unless told otherwise. */
export function snapshotsPath(home: string): string {
  return join(home, "snapshots");
}

/** A chunk whose checksum has been compared. */
export interface SnapshotChunk extends ChunkHead {
  readonly payload: Uint8Array;
  /** Of the first byte behind it in the file. */
  readonly endOffset: number;
}

/** A snapshot file that is open for reading. */
export class SnapshotFile {
  readonly path: string;
  readonly header: SnapshotHeader;
  /** undefined: the file is not whole. */
  readonly end: SnapshotEnd | undefined;
  /** Of the whole file. */
  readonly bytes: number;
  /** Of the first chunk. */
  readonly firstOffset: number;
  readonly #file: FileHandle;
  readonly #hasher: Hasher;
  readonly #digest: Hash;

  private constructor(
    parts: Pick<SnapshotFile, "path" | "header" | "end" | "bytes" | "firstOffset">,
    inner: { file: FileHandle; hasher: Hasher; digest: Hash },
  ) {
    this.path = parts.path;
    this.header = parts.header;
    this.end = parts.end;
    this.bytes = parts.bytes;
    this.firstOffset = parts.firstOffset;
    this.#file = inner.file;
    this.#hasher = inner.hasher;
    this.#digest = inner.digest;
  }

  /** @throws SnapshotError for a file that is no snapshot or has a damaged header */
  static async open(path: string, hasher: Hasher): Promise<SnapshotFile> {
    const file = await open(path, "r");
    try {
      const found = await file.stat();
      if (!found.isFile()) throw new SnapshotError("this is no file");
      const { size: bytes } = found;
      const firstOffset = headerBytes(await readAt(file, 0, MAGIC.length + 4));
      const start = await readAt(file, 0, firstOffset);
      if (start.length < firstOffset) throw new SnapshotError("the file ends inside its header");
      const header = decodeSnapshotHeader(start, hasher);
      const digest = createHash("sha256").update(start.subarray(firstOffset - CHECKSUM_BYTES));
      const endBytes = await readAt(file, Math.max(0, bytes - END_BYTES), END_BYTES);
      const end = decodeEnd(endBytes, hasher);
      return new SnapshotFile({ path, header, end, bytes, firstOffset }, { file, hasher, digest });
    } catch (error) {
      await file.close();
      if (error instanceof SnapshotError) throw new SnapshotError(`${path}: ${error.message}`);
      throw error;
    }
  }

  /**
   * Every chunk in order, each compared with its checksum first, and at the end the file with its
   * end record. To be walked once.
   * @throws SnapshotError naming the first chunk that is damaged
   */
  async *chunks(): AsyncGenerator<SnapshotChunk> {
    let offset = this.firstOffset;
    for (let index = 0; index !== this.end?.chunkCount; index += 1) {
      const chunk = await this.#chunkAt(offset, index);
      yield chunk;
      offset = chunk.endOffset;
    }
    const { end } = this;
    if (end === undefined || offset !== this.bytes - END_BYTES) {
      throw this.#fault("the end record is not behind the last chunk");
    }
    if (!equalBytes(this.digest().digest(), end.digest)) {
      throw this.#fault("the end record does not belong to these chunks");
    }
    if (!equalBytes(end.appHash, this.header.appHash)) {
      throw this.#fault("the end record has another app hash than the header");
    }
  }

  /** The sha256 over the checksums of header and all chunks that were walked. */
  digest(): Hash {
    return this.#digest.copy();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #chunkAt(offset: number, index: number): Promise<SnapshotChunk> {
    const of = this.end === undefined ? "" : ` of ${this.end.chunkCount}`;
    const name = `chunk ${index + 1}${of}`;
    const head = decodeChunkHead(await readAt(this.#file, offset, CHUNK_HEAD_BYTES));
    if (head === undefined) throw this.#fault(`${name}: no chunk begins at byte ${offset}`);
    const endOffset = offset + CHUNK_HEAD_BYTES + head.length + CHECKSUM_BYTES;
    if (endOffset > this.bytes) throw this.#fault(`${name}: the file ends inside it`);
    const all = await readAt(this.#file, offset, endOffset - offset);
    const body = all.subarray(0, all.length - CHECKSUM_BYTES);
    const checksum = all.subarray(all.length - CHECKSUM_BYTES);
    const fault = checksumFault(body, checksum, this.#hasher);
    if (fault !== undefined) throw this.#fault(`${name}: ${fault}`);
    if (head.index !== index) throw this.#fault(`${name}: it is chunk ${head.index + 1} of a file`);
    this.#digest.update(checksum);
    return { ...head, payload: body.subarray(CHUNK_HEAD_BYTES), endOffset };
  }

  #fault(problem: string): SnapshotError {
    return new SnapshotError(`${this.path}: ${problem}`);
  }
}

/** Reads a whole snapshot and compares every checksum. @throws SnapshotError */
export async function verifySnapshot(
  path: string,
  hasher: Hasher,
  onProgress: (progress: { bytes: number; total: number }) => void = () => undefined,
): Promise<void> {
  const file = await SnapshotFile.open(path, hasher);
  try {
    for await (const { endOffset } of file.chunks()) {
      onProgress({ bytes: endOffset, total: file.bytes });
    }
  } finally {
    await file.close();
  }
}

/** A snapshot in a folder, as it is listed. */
export interface ListedSnapshot {
  readonly path: string;
  readonly bytes: number;
  readonly header: SnapshotHeader | undefined;
  readonly end: SnapshotEnd | undefined;
  /** Why it cannot be used; undefined: header and end record are whole. */
  readonly fault: string | undefined;
}

/** The snapshots of a folder by height, unfinished ones among them; none where it is absent. */
export async function listSnapshots(folder: string, hasher: Hasher): Promise<ListedSnapshot[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const wanted = names.filter(
    (name) => name.endsWith(SNAPSHOT_SUFFIX) || name.endsWith(SNAPSHOT_SUFFIX + PARTIAL_SUFFIX),
  );
  const found = await Promise.all(wanted.map(async (name) => listed(join(folder, name), hasher)));
  return found.sort((a, b) => Number((a.header?.height ?? 0n) - (b.header?.height ?? 0n)));
}

/** The path itself, or the highest finished snapshot of a folder. @throws SnapshotError */
export async function snapshotAt(path: string, hasher: Hasher): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new SnapshotError(`${path}: no such file or folder`);
  if (!found.isDirectory()) return path;
  const whole = (await listSnapshots(path, hasher)).filter(({ fault }) => fault === undefined);
  const last = whole.at(-1);
  if (last === undefined) throw new SnapshotError(`${path}: no finished snapshot in this folder`);
  return last.path;
}

async function listed(path: string, hasher: Hasher): Promise<ListedSnapshot> {
  const { size: bytes } = await stat(path);
  const isPartial = path.endsWith(PARTIAL_SUFFIX);
  try {
    const file = await SnapshotFile.open(path, hasher);
    await file.close();
    const { header, end } = file;
    const cut = end === undefined ? "it is cut off: no end record" : undefined;
    return { path, bytes, header, end, fault: isPartial ? "not finished" : cut };
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    return { path, bytes, header: undefined, end: undefined, fault: error.message };
  }
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await file.read(buffer, read, length - read, offset + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return buffer.subarray(0, read);
}
