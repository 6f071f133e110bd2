import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fromUtf8 } from "../../lib/bytes.ts";
import { ProviderError } from "../errors.ts";
import type { FeedFault } from "./feed.ts";
import { type FilePosition, readPosition, TAIL_BYTES, tailOf } from "./file_position.ts";

/** A line without its end; `text` is undefined when it cannot be taken for text: see `fault`. */
export interface FileLine {
  readonly text: string | undefined;
  readonly fault?: string;
  /** From 1. */
  readonly line: number;
}

export interface FileChunk {
  readonly lines: readonly FileLine[];
  /** What happened to the file. */
  readonly faults: readonly FeedFault[];
  /** After the last of the lines. */
  readonly position: FilePosition;
  readonly isEnd: boolean;
}

export interface TailOptions {
  readonly file: string;
  /** Waits for more at the end of the file, through rotation; else the file ends there. */
  readonly follow: boolean;
  /** Milliseconds between looks at a file that does not grow; default 200. */
  readonly pollMs?: number;
  /** A file that was moved away is read on for so long after it grew last; default 1000. */
  readonly movedMs?: number;
}

const CHUNK_BYTES = 262_144;
const CHUNK_LINES = 1000;
const LINE_BYTES_MAX = 1_048_576;
const POLL_MS = 200;
/** Its writer may not know yet that the file was moved. */
const MOVED_MS = 1000;
const NEWLINE = 10;

/**
 * Lines of a file from a place on, as they are written. A half line waits for its rest. A file that
 * was moved away and replaced is read to its end first; after a restart it is looked for by its
 * inode in the same folder, or by its bytes, and its successors after it. A truncated file is read
 * from its start.
 */
export class FileTail {
  readonly #file: string;
  readonly #follow: boolean;
  readonly #pollMs: number;
  readonly #movedMs: number;
  #handle: FileHandle | undefined;
  #inode = 0n;
  #offset = 0;
  #line = 0;
  #tail: Buffer = Buffer.alloc(0);
  #isSkipping = false;
  #faults: FeedFault[] = [];

  constructor({ file, follow, pollMs = POLL_MS, movedMs = MOVED_MS }: TailOptions) {
    this.#file = file;
    this.#follow = follow;
    this.#pollMs = pollMs;
    this.#movedMs = movedMs;
  }

  async *chunks(cursor: unknown, signal: AbortSignal): AsyncGenerator<FileChunk> {
    if (!(await this.#start(readPosition(cursor, this.#file), signal))) return;
    let idleMs = 0;
    while (!signal.aborted) {
      const lines = await this.#readLines();
      if (lines.length > 0 || this.#faults.length > 0) {
        idleMs = 0;
        yield this.#chunk(lines, false);
      } else if (!this.#follow) {
        const rest = await this.#readRest();
        const isEnd = !(await this.#switchTo(await this.#successor()));
        yield this.#chunk(rest, isEnd);
        if (isEnd) return;
      } else if (idleMs >= this.#movedMs && (await this.#isMoved())) {
        const rest = await this.#readRest();
        if (rest.length > 0) yield this.#chunk(rest, false);
        await this.#switchTo(await this.#successor());
        idleMs = 0;
      } else {
        idleMs += this.#pollMs;
        await pause(this.#pollMs, signal);
      }
    }
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  #chunk(lines: readonly FileLine[], isEnd: boolean): FileChunk {
    const faults = this.#faults;
    this.#faults = [];
    const position = {
      ...{ inode: this.#inode.toString(), offset: this.#offset, line: this.#line },
      tail: tailOf(this.#tail),
      ...(this.#isSkipping ? { isSkipping: true as const } : {}),
    };
    return { lines, faults, position, isEnd };
  }

  /** Opens the file where it was read to; false: the signal came first. */
  async #start(position: FilePosition | undefined, signal: AbortSignal): Promise<boolean> {
    const path = position === undefined ? undefined : await this.#find(position);
    if (position !== undefined && path !== undefined) {
      await this.#openAt(path);
      this.#offset = position.offset;
      this.#line = position.line;
      this.#isSkipping = position.isSkipping === true;
      this.#tail = await this.#readAt(position.offset - position.tail[0], position.tail[0]);
      return true;
    }
    while (!(await this.#openAt(this.#file))) {
      if (!this.#follow) {
        throw new ProviderError("bad_file", `cannot read ${this.#file}: there is no such file`);
      }
      await pause(this.#pollMs, signal);
      if (signal.aborted) return false;
    }
    if (position !== undefined) {
      const rule = "the file that was read before is neither here nor beside it";
      this.#tell(`${rule}: what it had after byte ${position.offset} is not known`, position.line);
    }
    return true;
  }

  /** Path of the file that a position is of: the file itself, or what it was moved to. */
  async #find(position: FilePosition): Promise<string | undefined> {
    const paths = [this.#file, ...(await this.#siblings())];
    // A copy, as of a home that was moved or restored, has another inode and the same bytes.
    for (const isCopy of [false, true]) {
      for (const path of paths) {
        const found = await stat(path, { bigint: true }).catch(() => undefined);
        if (found === undefined || found.size < BigInt(position.offset)) continue;
        if (!isCopy && found.ino.toString() !== position.inode) continue;
        if (!(await this.#openAt(path))) continue;
        const [length, hash] = position.tail;
        const [, found16] = tailOf(await this.#readAt(position.offset - length, length));
        if (found16 === hash && (!isCopy || length > 0)) return path;
      }
    }
    return undefined;
  }

  /** Files that this one may have been moved to: "usage.csv.1", "usage.csv-20260131". */
  async #siblings(): Promise<string[]> {
    const folder = dirname(this.#file);
    const name = basename(this.#file);
    const names = await readdir(folder).catch(() => []);
    return names
      .filter((each) => each.startsWith(name) && /^[.-][0-9-]+$/.test(each.slice(name.length)))
      .map((each) => join(folder, each));
  }

  /** What was written after the open file: a moved one that is next by time, or the file itself. */
  async #successor(): Promise<string | undefined> {
    if (!(await this.#isMoved())) return undefined;
    const own = await this.#handle?.stat({ bigint: true });
    const later: { path: string; time: bigint }[] = [];
    for (const path of await this.#siblings()) {
      const found = await stat(path, { bigint: true }).catch(() => undefined);
      if (found === undefined || own === undefined || found.ino === own.ino) continue;
      if (found.mtimeNs > own.mtimeNs) later.push({ path, time: found.mtimeNs });
    }
    later.sort((a, b) => (a.time < b.time ? -1 : 1));
    return later[0]?.path ?? this.#file;
  }

  /** Whether another file is in the place of the open one. */
  async #isMoved(): Promise<boolean> {
    const found = await stat(this.#file, { bigint: true }).catch(() => undefined);
    return found !== undefined && found.ino !== this.#inode;
  }

  /** A file that holds what was read already, written anew with more, is read on where that ends. */
  async #switchTo(path: string | undefined): Promise<boolean> {
    const [offset, line, tail] = [this.#offset, this.#line, this.#tail];
    if (path === undefined || !(await this.#openAt(path))) return false;
    if (tail.length > 0 && tail.equals(await this.#readAt(offset - tail.length, tail.length))) {
      [this.#offset, this.#line, this.#tail] = [offset, line, tail];
    }
    return true;
  }

  async #openAt(path: string): Promise<boolean> {
    const handle = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw new ProviderError("bad_file", `cannot read ${path}: ${error.message}`);
    });
    if (handle === undefined) return false;
    const found = await handle.stat({ bigint: true });
    if (!found.isFile()) {
      await handle.close();
      throw new ProviderError("bad_file", `cannot read ${path}: it is not a regular file`);
    }
    await this.#handle?.close();
    this.#handle = handle;
    this.#inode = found.ino;
    this.#rewind();
    return true;
  }

  #rewind(): void {
    this.#offset = 0;
    this.#line = 0;
    this.#tail = Buffer.alloc(0);
    this.#isSkipping = false;
  }

  /** Whole lines from the place on, up to a chunk; none when there is no whole one yet. */
  async #readLines(): Promise<FileLine[]> {
    for (;;) {
      const before = this.#offset;
      const lines = await this.#readChunk();
      // What is passed over of a long line is no end of the file.
      if (lines.length > 0 || this.#offset === before) return lines;
    }
  }

  async #readChunk(): Promise<FileLine[]> {
    const size = Number((await (this.#handle as FileHandle).stat()).size);
    if (size < this.#offset || (size > this.#offset && !(await this.#isSame()))) {
      this.#tell(`truncated below byte ${this.#offset}: read again from its start`, this.#line);
      this.#rewind();
    }
    if (size === this.#offset) return [];
    let bytes = await this.#readAt(this.#offset, CHUNK_BYTES);
    if (!bytes.includes(NEWLINE) && size - this.#offset > bytes.length) {
      bytes = await this.#readAt(this.#offset, LINE_BYTES_MAX + 1);
    }
    const lines = this.#split(bytes);
    if (lines.length === 0 && bytes.length > LINE_BYTES_MAX) return this.#skip(bytes);
    return lines;
  }

  #split(bytes: Buffer): FileLine[] {
    const lines: FileLine[] = [];
    let from = 0;
    while (lines.length < CHUNK_LINES) {
      const end = bytes.indexOf(NEWLINE, from);
      if (end === -1) break;
      // The rest of a line that was too long has been told already.
      if (this.#isSkipping) this.#isSkipping = false;
      else lines.push(this.#take(bytes.subarray(from, end)));
      from = end + 1;
    }
    this.#pass(bytes.subarray(0, from));
    return lines;
  }

  #take(bytes: Buffer): FileLine {
    this.#line += 1;
    const line = this.#line;
    const text = fromUtf8(bytes);
    if (text === undefined) return { text, fault: "not UTF-8", line };
    const isMarked = line === 1 && text.startsWith("\u{feff}");
    return { text: isMarked ? text.slice(1) : text, line };
  }

  #skip(bytes: Buffer): FileLine[] {
    this.#pass(bytes);
    if (this.#isSkipping) return [];
    this.#isSkipping = true;
    this.#line += 1;
    const fault = `the line is longer than ${LINE_BYTES_MAX} bytes`;
    return [{ text: undefined, fault, line: this.#line }];
  }

  /** What is left at the end of a file to which nothing is added any more: a line without its end. */
  async #readRest(): Promise<FileLine[]> {
    const bytes = await this.#readAt(this.#offset, LINE_BYTES_MAX + 1);
    if (bytes.length === 0) return [];
    const isOver = this.#isSkipping;
    const line = isOver ? [] : [this.#take(bytes)];
    this.#isSkipping = false;
    this.#pass(bytes);
    return line;
  }

  #pass(bytes: Buffer): void {
    this.#offset += bytes.length;
    const tail = Buffer.concat([this.#tail, bytes.subarray(-TAIL_BYTES)]);
    this.#tail = Buffer.from(tail.subarray(-TAIL_BYTES));
  }

  /** Whether the bytes before the place are still those that were read there. */
  async #isSame(): Promise<boolean> {
    const { length } = this.#tail;
    return this.#tail.equals(await this.#readAt(this.#offset - length, length));
  }

  async #readAt(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    let got = 0;
    while (got < length) {
      const { bytesRead } = await (this.#handle as FileHandle).read({
        ...{ buffer, offset: got, length: length - got, position: position + got },
      });
      if (bytesRead === 0) break;
      got += bytesRead;
    }
    return buffer.subarray(0, got);
  }

  #tell(reason: string, line: number): void {
    this.#faults.push({ place: `${this.#file}:${line}`, reason });
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // An abort ends the wait early, and is seen by who waits.
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
