import type { CliError } from "./cli_error.ts";
import type { Io, OutputFormat } from "./io.ts";
import { renderRecord, renderTable, type TableColumn } from "./table.ts";

/** JSON as the command line writes it: 64-bit integers as decimal text, bytes as base64. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, replaceValue, indent);
}

function replaceValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  return value;
}

/** Writes one result: one line of JSON, or the text that `text` makes of it. */
export function printResult(
  io: Io,
  format: OutputFormat,
  value: unknown,
  text: (value: never) => string = (record: never) => renderValue(io, record),
): void {
  const words = format === "json" ? toJson(value) : text(value as never);
  io.out(words.endsWith("\n") ? words : `${words}\n`);
}

/** Writes a list: a JSON array on one line, or a table. */
export function printList<T extends object>(
  io: Io,
  format: OutputFormat,
  rows: readonly T[],
  columns: readonly TableColumn<T>[],
): void {
  if (format === "json") io.out(`${toJson(rows)}\n`);
  else io.out(renderTable(rows, columns, io.columns));
}

/** Any JSON-like value for people: records as `name  value`, nested ones indented. */
export function renderValue(io: Io, value: unknown): string {
  return renderRecord(JSON.parse(toJson(value)) as unknown, io.columns);
}

/** Writes an error to stderr: as JSON, or in words with what to run next. */
export function printError(io: Io, format: OutputFormat, error: CliError): void {
  if (format === "json") {
    const { code, exit, message, hint, details } = error;
    io.err(`${toJson({ error: { code, exit, message, hint, ...details } })}\n`);
    return;
  }
  const red = io.color ? ["\u001b[31m", "\u001b[0m"] : ["", ""];
  io.err(`${red[0]}error:${red[1]} ${error.message}\n`);
  if (error.hint !== undefined) io.err(`  next: ${error.hint}\n`);
}

/** The format that the raw arguments ask for, known before they are parsed. */
export function formatOfArguments(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): OutputFormat {
  const end = args.indexOf("--");
  const mine = end === -1 ? args : args.slice(0, end);
  let format = env["SETTLED_OUTPUT"] === "json" ? "json" : "text";
  mine.forEach((arg, index) => {
    const match = /^(?:--output|-o)(?:=?(json|text))?$/.exec(arg);
    if (match !== null) format = match[1] ?? mine[index + 1] ?? format;
  });
  return format === "json" ? "json" : "text";
}
