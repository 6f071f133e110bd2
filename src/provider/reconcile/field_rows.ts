import { UsageFileError } from "../errors.ts";
import { parseExactObject } from "../exact_json.ts";
import { linesOf } from "../lines.ts";
import { splitCsvRow } from "../csv_row.ts";

/** A line of a file as its fields by name. */
export interface FieldRow {
  readonly fields: Readonly<Record<string, unknown>>;
  /** From 1. */
  readonly line: number;
}

/**
 * Lines of NDJSON, or of CSV with a header: the first line tells which. Empty lines are passed over.
 * @throws UsageFileError, ProviderError `bad_file`
 */
export async function* fieldRows(file: string): AsyncGenerator<FieldRow> {
  let line = 0;
  let header: readonly string[] | undefined;
  let isCsv: boolean | undefined;
  for await (const text of linesOf(file)) {
    line += 1;
    if (text.trim() === "") continue;
    isCsv ??= !text.trimStart().startsWith("{");
    if (!isCsv) yield { fields: jsonFields(text, line), line };
    else if (header === undefined) header = csvFields(text, line);
    else yield { fields: named(header, csvFields(text, line), line), line };
  }
  if (isCsv === undefined) throw new UsageFileError(1, "the file is empty");
}

function jsonFields(text: string, line: number): Record<string, unknown> {
  const object = parseExactObject(text);
  if (typeof object === "string") throw new UsageFileError(line, object);
  return object;
}

function csvFields(text: string, line: number): string[] {
  const fields = splitCsvRow(text);
  if (typeof fields === "string") throw new UsageFileError(line, fields);
  return fields;
}

function named(header: readonly string[], fields: readonly string[], line: number) {
  if (fields.length !== header.length) {
    const found = `found ${fields.length}`;
    throw new UsageFileError(line, `expected ${header.length} fields as in the header, ${found}`);
  }
  return Object.fromEntries(header.map((name, at) => [name.trim(), fields[at]]));
}
