/** A column of a table: its heading, and the text of a row in it. */
export interface TableColumn<T> {
  readonly title: string;
  readonly text: (row: T) => string;
  /** Numbers: aligned right and never shortened. */
  readonly right?: boolean;
  /** Never shortened: ids and addresses are copied from. */
  readonly keep?: boolean;
}

const GAP = "  ";
const WIDTH_MIN = 8;

/** A table. With a width, the widest text columns are shortened until it fits. */
export function renderTable<T>(
  rows: readonly T[],
  columns: readonly TableColumn<T>[],
  width?: number,
): string {
  if (rows.length === 0) return "(none)\n";
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => cellsOf(row, columns))];
  const widths = columns.map((_, at) => Math.max(...cells.map((line) => line[at]?.length ?? 0)));
  if (width !== undefined) shrink(widths, columns, width);
  const lines = cells.map((line) =>
    line
      .map((cell, at) => pad(shorten(cell, widths[at] ?? 0), widths[at] ?? 0, columns[at]?.right))
      .join(GAP)
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

function cellsOf<T>(row: T, columns: readonly TableColumn<T>[]): string[] {
  return columns.map(({ text }) => text(row).replaceAll("\n", " "));
}

function shrink(
  widths: number[],
  columns: readonly { readonly right?: boolean; readonly keep?: boolean }[],
  width: number,
): void {
  const room = width - GAP.length * (widths.length - 1);
  for (;;) {
    const total = widths.reduce((sum, each) => sum + each, 0);
    if (total <= room) return;
    let widest = -1;
    widths.forEach((each, at) => {
      const fixed = columns[at]?.right === true || columns[at]?.keep === true;
      if (!fixed && (widest < 0 || each > (widths[widest] ?? 0))) widest = at;
    });
    const current = widths[widest] ?? 0;
    if (widest < 0 || current <= WIDTH_MIN) return;
    widths[widest] = Math.max(WIDTH_MIN, current - (total - room));
  }
}

function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

function pad(text: string, width: number, right: boolean | undefined): string {
  return right === true ? text.padStart(width) : text.padEnd(width);
}

/** A JSON value for people. Nothing is shortened: records are copied from. */
export function renderRecord(value: unknown, width?: number, indent = ""): string {
  if (Array.isArray(value)) return renderArray(value, width, indent);
  if (typeof value !== "object" || value === null) return `${indent}${scalar(value)}\n`;
  const entries = Object.entries(value);
  if (entries.length === 0) return `${indent}(empty)\n`;
  const longest = Math.max(...entries.map(([key]) => key.length));
  return entries.map(([key, item]) => renderEntry(key, item, longest, width, indent)).join("");
}

function renderEntry(
  key: string,
  item: unknown,
  longest: number,
  width: number | undefined,
  indent: string,
): string {
  const flat = flatText(item);
  if (flat !== undefined) return `${indent}${key.padEnd(longest)}${GAP}${flat}\n`;
  return `${indent}${key}\n${renderRecord(item, width, `${indent}${GAP}`)}`;
}

/** The one-line form of what has one: scalars, coins, short lists of scalars. */
function flatText(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return scalar(value);
  if (Array.isArray(value)) {
    if (value.length === 0) return "(none)";
    const parts = value.map(flatText);
    const simple = value.every((item) => typeof item !== "object" || isCoin(item));
    return simple ? parts.join(",") : undefined;
  }
  if (isCoin(value)) return `${value.amount}${value.denom}`;
  return Object.keys(value).length === 0 ? "(empty)" : undefined;
}

function isCoin(value: unknown): value is { denom: string; amount: string } {
  if (typeof value !== "object" || value === null) return false;
  const keys = Object.keys(value);
  return keys.length === 2 && "denom" in value && "amount" in value;
}

function renderArray(items: readonly unknown[], width: number | undefined, indent: string): string {
  const flat = flatText(items);
  if (flat !== undefined) return `${indent}${flat}\n`;
  return items
    .map(
      (item) =>
        `${indent}-${renderRecord(item, width, `${indent}${GAP}`).slice(indent.length + 1)}`,
    )
    .join("");
}

function scalar(value: unknown): string {
  if (value === null || value === undefined) return "-";
  return value === "" ? '""' : String(value);
}
