import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { promisify } from "node:util";
import { deflateRaw, inflateRaw } from "node:zlib";
import { equalBytes } from "../lib/bytes.ts";
import { ReplayError } from "./errors.ts";

/**
 * A stream of bytes as a file of chunks, each with a checksum, so that damage is found, and where
 * it is. The file is a magic text and then chunks:
 *
 *   stored length: 4 bytes | content length: 4 bytes | checksum: 32 bytes | stored bytes
 *
 * Numbers are little-endian. The stored bytes are the content, deflated. The checksum is the
 * sha256 of the checksum before it (32 zero bytes for the first), both lengths and the stored
 * bytes: a chunk that is moved, left out or taken from another file is damage like any other. The
 * last chunk has no content; a file without it is torn.
 */

const CONTENT_BYTES = 1024 * 1024;
/** Deflating cannot make content longer than this. */
const STORED_BYTES_MAX = CONTENT_BYTES + 4096;
const HEAD_BYTES = 4 + 4 + 32;
/** Logs repeat themselves so much that harder work finds little more. */
const LEVEL = 1;

const [deflate, inflate] = [promisify(deflateRaw), promisify(inflateRaw)];

interface Chunk {
  readonly contentLength: number;
  readonly stored: Uint8Array;
}

/** Writes a file of chunks. It is whole when `end` has resolved. */
export class ChunkWriter {
  readonly #file: FileHandle;
  readonly #content = new Uint8Array(CONTENT_BYTES);
  #filled = 0;
  #checksum: Uint8Array = new Uint8Array(32);

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** @throws the system's error when there is such a file already */
  static async create(path: string, magic: string): Promise<ChunkWriter> {
    const file = await open(path, "wx", 0o644);
    await file.writeFile(magic);
    return new ChunkWriter(file);
  }

  async write(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      const part = bytes.subarray(at, at + CONTENT_BYTES - this.#filled);
      this.#content.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === CONTENT_BYTES) await this.#flush();
    }
  }

  async end(): Promise<void> {
    if (this.#filled > 0) await this.#flush();
    await this.#flush();
    await this.#file.sync();
    await this.close();
  }

  /** Ends the writing; without `end` before it the file is torn. */
  async close(): Promise<void> {
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    const content = this.#content.subarray(0, this.#filled);
    const stored = content.length === 0 ? content : await deflate(content, { level: LEVEL });
    const chunk = { contentLength: content.length, stored };
    this.#checksum = checksumOf(this.#checksum, chunk);
    const head = new Uint8Array(HEAD_BYTES);
    head.set(lengthsOf(chunk));
    head.set(this.#checksum, 8);
    await this.#file.writeFile(head);
    await this.#file.writeFile(stored);
    this.#filled = 0;
  }
}

/**
 * Content of a file of chunks, one chunk after another.
 * @throws ReplayError naming the first chunk that is damaged
 */
export async function* readChunks(path: string, magic: string): AsyncGenerator<Uint8Array> {
  let index = 0;
  for await (const { contentLength, stored } of checkedChunks(path, magic)) {
    index += 1;
    if (contentLength === 0) return;
    yield await contentOf(path, index, { contentLength, stored });
  }
}

/** Reads a file of chunks to its end. @throws ReplayError naming the first chunk that is damaged */
export async function checkChunks(path: string, magic: string): Promise<void> {
  for await (const _ of checkedChunks(path, magic)) {
    // The walk does the checks.
  }
}

async function contentOf(path: string, index: number, chunk: Chunk): Promise<Uint8Array> {
  const { contentLength, stored } = chunk;
  try {
    const content = await inflate(stored, { maxOutputLength: CONTENT_BYTES });
    if (content.length === contentLength) {
      return new Uint8Array(content.buffer, content.byteOffset, content.length);
    }
  } catch {
    // Named below: the checksum is right, so it was written so.
  }
  throw damaged(path, index, "it does not inflate to its length");
}

/** The chunks of a file whose checksums are right, the empty one at its end included. */
async function* checkedChunks(path: string, magic: string): AsyncGenerator<Chunk> {
  const file = await open(path, "r");
  try {
    const found = await readExactly(file, magic.length);
    if (found === undefined || !Buffer.from(magic).equals(found)) {
      throw new ReplayError("log_unknown", `${path}: no log of a format that is known here`);
    }
    let checksum: Uint8Array = new Uint8Array(32);
    for (let index = 1; ; index += 1) {
      const head = await readExactly(file, HEAD_BYTES);
      if (head === undefined) throw damaged(path, index, "the file ends before it");
      const chunk = await readStored(file, head);
      if (chunk === undefined)
        throw damaged(path, index, "the file ends in it, or it has no such length");
      checksum = checksumOf(checksum, chunk);
      if (!equalBytes(checksum, head.subarray(8)))
        throw damaged(path, index, "its checksum is wrong");
      yield chunk;
      if (chunk.contentLength > 0) continue;
      if ((await readExactly(file, 1)) === undefined) return;
      throw damaged(path, index + 1, "the file goes on after its end");
    }
  } finally {
    await file.close();
  }
}

async function readStored(file: FileHandle, head: Uint8Array): Promise<Chunk | undefined> {
  const view = new DataView(head.buffer, head.byteOffset);
  const [storedLength, contentLength] = [view.getUint32(0, true), view.getUint32(4, true)];
  if (storedLength > STORED_BYTES_MAX || contentLength > CONTENT_BYTES) return undefined;
  if ((contentLength === 0) !== (storedLength === 0)) return undefined;
  const stored = await readExactly(file, storedLength);
  return stored === undefined ? undefined : { contentLength, stored };
}

/** undefined: the file ends before. */
async function readExactly(file: FileHandle, length: number): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await file.read(bytes, at, length - at);
    if (bytesRead === 0) return undefined;
    at += bytesRead;
  }
  return bytes;
}

function lengthsOf({ contentLength, stored }: Chunk): Uint8Array {
  const lengths = new Uint8Array(8);
  const view = new DataView(lengths.buffer);
  view.setUint32(0, stored.length, true);
  view.setUint32(4, contentLength, true);
  return lengths;
}

function checksumOf(before: Uint8Array, chunk: Chunk): Uint8Array {
  const hash = createHash("sha256").update(before).update(lengthsOf(chunk));
  return new Uint8Array(hash.update(chunk.stored).digest());
}

function damaged(path: string, index: number, how: string): ReplayError {
  const remedy = "record or copy the log again";
  return new ReplayError("log_damaged", `${path}: chunk ${index} is damaged: ${how}; ${remedy}`);
}
