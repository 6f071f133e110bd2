import type { Feed, FeedBatch, FeedFault, FeedRow, RowFilter } from "./feed.ts";
import { FieldError, readFeedRow } from "./feed_row.ts";
import { type FileChunk, type FileLine, FileTail, type TailOptions } from "./file_tail.ts";
import type { RowMemory } from "./row_memory.ts";

export interface FileFeedOptions extends RowFilter {
  /** Leaves out rows whose id was taken before; without it ids are not looked at. */
  readonly memory?: RowMemory;
}

/** How lines become fields; it may keep a header. */
export interface LineFormat {
  readonly kind: string;
  /**
   * Fields by name; undefined for a line that is no row; a text says what is wrong with it.
   * @throws ProviderError when no line of the file can be read.
   */
  read(text: string, line: number): Readonly<Record<string, unknown>> | string | undefined;
  /** What later lines need of the file's beginning; kept with the place. */
  header?: string | undefined;
}

/** Rows of a file, batch by batch, with the place to go on from. */
export class FileFeed implements Feed {
  readonly name: string;
  readonly #settings: TailOptions;
  readonly #format: LineFormat;
  readonly #cursor: unknown;
  readonly #options: FileFeedOptions;
  readonly #tail: FileTail;
  #pruneAtMs = 0;

  constructor(
    settings: TailOptions,
    format: LineFormat,
    cursor: unknown,
    options: FileFeedOptions,
  ) {
    this.name = `${format.kind} ${settings.file}`;
    this.#settings = settings;
    this.#format = format;
    this.#cursor = cursor;
    this.#options = options;
    this.#tail = new FileTail(settings);
    const { header } = (cursor ?? {}) as { header?: string };
    if (header !== undefined) format.header = header;
  }

  /** @throws ProviderError `bad_file`, `bad_header`, `bad_cursor` */
  async *batches(signal: AbortSignal): AsyncGenerator<FeedBatch> {
    for await (const chunk of this.#tail.chunks(this.#cursor, signal)) {
      yield await this.#batchOf(chunk);
    }
  }

  close(): Promise<void> {
    return this.#tail.close();
  }

  async #batchOf({ lines, faults: told, position, isEnd }: FileChunk): Promise<FeedBatch> {
    const rows: FeedRow[] = [];
    const faults: FeedFault[] = [...told];
    const notes = new Map<string, string | undefined>();
    let duplicates = 0;
    for (const line of lines) {
      const place = `${this.#settings.file}:${line.line}`;
      const row = this.#rowOf(line, place);
      if (row === undefined) continue;
      const reason = typeof row === "string" ? row : this.#options.check?.(row);
      if (typeof row === "string" || reason !== undefined) {
        faults.push({ place, reason: reason as string });
      } else if (await this.#isTaken(row, faults)) duplicates += 1;
      else {
        rows.push(row);
        if (row.id !== "" && this.#options.memory !== undefined) {
          notes.set(...this.#options.memory.mark(row));
        }
      }
    }
    const marked = [...notes.keys()];
    for (const [name] of marked.length > 0 ? await this.#old() : []) notes.set(name, undefined);
    const { header } = this.#format;
    const cursor = header === undefined ? position : { ...position, header };
    const settled = () => this.#options.memory?.release(marked);
    return { rows, faults, cursor, isEnd, notes, duplicates, settled };
  }

  /** A row, what is wrong with it, or undefined for a line that is none. */
  #rowOf({ text, fault, line }: FileLine, place: string): FeedRow | string | undefined {
    if (text === undefined) return fault;
    try {
      const fields = this.#format.read(text, line);
      return typeof fields === "object" ? readFeedRow(fields, place) : fields;
    } catch (error) {
      if (error instanceof FieldError) return error.message;
      throw error;
    }
  }

  async #isTaken(row: FeedRow, faults: FeedFault[]): Promise<boolean> {
    if (row.id === "") return false;
    const recalled = (await this.#options.memory?.recall(row)) ?? "new";
    if (recalled === "different") {
      const reason = `a row with the id "${row.id}" and other contents was taken before: not counted`;
      faults.push({ place: row.place, reason });
    }
    return recalled !== "new";
  }

  async #old(): Promise<ReadonlyMap<string, undefined>> {
    const { memory } = this.#options;
    if (memory === undefined || memory.nowMs() < this.#pruneAtMs) return new Map();
    this.#pruneAtMs = memory.nowMs() + memory.shelfMs;
    return memory.old();
  }
}
