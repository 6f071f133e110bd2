import { splitCsvRow } from "../csv_row.ts";
import { ProviderError } from "../errors.ts";
import type { Feed } from "./feed.ts";
import { REQUIRED_FIELDS } from "./feed_row.ts";
import { FileFeed, type FileFeedOptions, type LineFormat } from "./file_feed.ts";
import type { TailOptions } from "./file_tail.ts";

/**
 * CSV whose header has the names of the NDJSON fields, in any order. Fields may be quoted and end
 * on their line; lines end with LF or CRLF; an empty id is none.
 * @param cursor that of the last batch on the disk; undefined: from the file's start
 */
export async function openCsvFeed(
  settings: TailOptions,
  cursor: unknown,
  options: FileFeedOptions = {},
): Promise<Feed> {
  return new FileFeed(settings, new CsvFormat(settings.file), cursor, options);
}

class CsvFormat implements LineFormat {
  readonly kind = "csv";
  readonly #file: string;
  #columns: readonly string[] = [];
  #header: string | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  get header(): string | undefined {
    return this.#header;
  }

  /** @throws ProviderError `bad_header` */
  set header(text: string) {
    const columns = splitCsvRow(text);
    const fault = typeof columns === "string" ? columns : faultOf(columns);
    if (fault !== undefined) throw new ProviderError("bad_header", `${this.#file}:1: ${fault}`);
    this.#header = text;
    this.#columns = columns as string[];
  }

  read(text: string, line: number): Record<string, string> | string | undefined {
    if (line === 1) {
      this.header = text;
      return undefined;
    }
    if (text.trim() === "") return undefined;
    const cells = splitCsvRow(text);
    if (typeof cells === "string") return cells;
    const columns = this.#columns;
    if (cells.length !== columns.length) {
      return `expected ${columns.length} fields as in the header, found ${cells.length}`;
    }
    const fields = columns.map((name, index) => [name, cells[index] as string] as const);
    // What is left empty is not there.
    return Object.fromEntries(fields.filter(([, cell]) => cell !== ""));
  }
}

function faultOf(columns: readonly string[]): string | undefined {
  const missing = REQUIRED_FIELDS.filter((name) => !columns.includes(name));
  if (missing.length > 0) return `the header has no column ${missing.join(", ")}`;
  const allowed = [...REQUIRED_FIELDS, "id", "job"];
  const unknown = columns.find((name) => !allowed.includes(name));
  if (unknown !== undefined) return `the header has an unknown column "${unknown.slice(0, 40)}"`;
  const twice = columns.find((name, index) => columns.indexOf(name) !== index);
  return twice === undefined ? undefined : `the header has the column "${twice}" twice`;
}
