import { Command } from "commander";
import type { Desk } from "../../provider/daemon/desk.ts";
import { allRows, PAGE_ROWS_MAX, recordState } from "../../provider/daemon/desk.ts";
import type { ExportRow, WindowRow } from "../../provider/daemon/export_row.ts";
import { RECORD_STATES } from "../../provider/outbox/outbox_record.ts";
import { usageError } from "../cli_error.ts";
import { resolveHome } from "../home.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { parseFieldNumber } from "../numbers.ts";
import { toJson } from "../output.ts";
import { atDesk } from "../provider_home.ts";
import { renderTable, type TableColumn } from "../table.ts";

const FORMATS = ["text", "json", "ndjson"] as const;
type Format = (typeof FORMATS)[number];

interface WindowsFlags {
  order?: string;
  lease?: string;
  state?: string;
  partial?: boolean;
  limit?: string;
}

/** `settled provider windows` */
export function providerWindowsCommand(io: Io): Command {
  return new Command("windows")
    .description("usage records of closed windows, with units, money and state")
    .option("--order <id>", "only of this order")
    .option("--lease <id>", "only of this lease")
    .option("--state <state>", RECORD_STATES.join(", "))
    .option("--partial", "instead: windows of which a part was not measured, and why")
    .option("--limit <number>", "so many rows at most")
    .addHelpText(
      "after",
      examples(
        "provider windows --state refused",
        "provider windows -o ndjson > usage.ndjson",
        "provider windows --partial --order order-1",
      ) + "\nBesides text and json, -o ndjson writes a row per line: the daemon's own export.\n",
    )
    .action(async (flags: WindowsFlags, self: Command) => {
      const { home, output } = self.optsWithGlobals<{ home?: string; output?: string }>();
      const format = formatOf(output ?? io.env["SETTLED_OUTPUT"] ?? "text");
      const limit = parseFieldNumber("--limit", flags.limit) ?? Number.MAX_SAFE_INTEGER;
      const state = stateOf(flags.state);
      const place = { io, home: resolveHome(home, io.env), format: "text" } as const;
      await atDesk(place, async (desk) => {
        const wanted = (row: { lease: string }) =>
          flags.lease === undefined || row.lease === flags.lease;
        const { order } = flags;
        if (flags.partial === true) {
          const rows = first(partialWindows(desk, order), wanted, limit);
          return print(io, format, rows, WINDOW_COLUMNS);
        }
        return print(io, format, first(allRows(desk, { order, state }), wanted, limit), COLUMNS);
      });
    });
}

function formatOf(text: string): Format {
  const format = FORMATS.find((each) => each === text);
  if (format !== undefined) return format;
  throw usageError(`--output is ${FORMATS.join(", ")}, not "${text}"`);
}

function stateOf(text: string | undefined) {
  if (text === undefined) return undefined;
  const state = recordState(text);
  if (state !== undefined) return state;
  throw usageError(`--state is one of ${RECORD_STATES.join(", ")}, not "${text}"`);
}

async function* partialWindows(desk: Desk, order: string | undefined): AsyncGenerator<WindowRow> {
  let after: string | undefined;
  for (;;) {
    const page = await desk.windows({ order, after, limit: PAGE_ROWS_MAX });
    yield* page.filter(({ partial, late }) => partial || late.length > 0);
    if (page.length < PAGE_ROWS_MAX) return;
    after = page.at(-1)?.place;
  }
}

async function* first<T>(
  rows: AsyncIterable<T>,
  wanted: (row: T) => boolean,
  limit: number,
): AsyncGenerator<T> {
  let left = limit;
  for await (const row of rows) {
    if (left === 0) return;
    if (!wanted(row)) continue;
    left -= 1;
    yield row;
  }
}

/** NDJSON goes out row by row; a table needs all of them for its widths. */
async function print<T>(
  io: Io,
  format: Format,
  rows: AsyncIterable<T>,
  columns: readonly TableColumn<T>[],
): Promise<void> {
  const all: T[] = [];
  for await (const row of rows) {
    if (format === "ndjson") io.out(`${toJson(row)}\n`);
    else all.push(row);
  }
  if (format === "json") io.out(`${toJson(all)}\n`);
  if (format === "text") io.out(renderTable(all, columns, io.columns));
}

const time = (seconds: number) => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");

const COLUMNS: readonly TableColumn<ExportRow>[] = [
  { title: "ORDER", text: ({ order }) => order, keep: true },
  { title: "LEASE", text: ({ lease }) => lease, keep: true },
  { title: "START", text: ({ start }) => time(start), keep: true },
  { title: "END", text: ({ end }) => time(end), keep: true },
  { title: "TYPE", text: ({ type }) => type },
  { title: "UNITS", text: ({ units }) => units, right: true },
  { title: "COST", text: ({ cost, denom }) => cost + denom, right: true },
  { title: "STATE", text: ({ state }) => state },
  { title: "USAGE", text: ({ usage_id: id }) => id },
  { title: "REASON", text: ({ reason }) => reason },
];

const WINDOW_COLUMNS: readonly TableColumn<WindowRow>[] = [
  { title: "ORDER", text: ({ order }) => order, keep: true },
  { title: "LEASE", text: ({ lease }) => lease, keep: true },
  { title: "START", text: ({ start }) => time(start), keep: true },
  { title: "END", text: ({ end }) => time(end), keep: true },
  {
    title: "UNITS",
    text: ({ units }) =>
      Object.entries(units)
        .map(([name, count]) => `${count} ${name}`)
        .join(", "),
  },
  { title: "WHY", text: ({ faults, late }) => [...faults, ...late].join("; ") },
];
