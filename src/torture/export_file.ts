import { parseInteger } from "../lib/int.ts";
import { mulFloor, parseDec } from "../types/dec.ts";
import type { Charge } from "./charge.ts";
import { TortureError } from "./errors.ts";

/**
 * Charges of a daemon's own export: NDJSON, one object per record with order, lease, type, start,
 * end (unix seconds, or RFC 3339), units, denom, and cost in base units or unit_price as a decimal.
 * Other fields are passed over.
 * @throws TortureError `bad_export` naming `source`, line and field.
 */
export function chargesOfExport(text: string, source: string): Charge[] {
  const charges: Charge[] = [];
  text.split("\n").forEach((line, index) => {
    if (line.trim() === "") return;
    try {
      charges.push(chargeOf(JSON.parse(exactly(line)) as Record<string, unknown>));
    } catch (error) {
      const detail = `${source}: line ${index + 1}: ${(error as Error).message}`;
      throw new TortureError("bad_export", detail);
    }
  });
  return charges;
}

/** Long integers as texts: JSON.parse would round them. */
function exactly(line: string): string {
  return line.replace(/"(?:[^"\\]|\\.)*"|-?[0-9]{16,}(?![0-9.eE])/g, (token) =>
    token.startsWith('"') ? token : `"${token}"`,
  );
}

function chargeOf(row: Record<string, unknown>): Charge {
  const units = integer(row, "units");
  const denom = textOf(row, "denom");
  const price = parseDec(String(row["unit_price"] ?? ""));
  if (row["cost"] === undefined && price === undefined) {
    throw new Error(`it has neither "cost" nor a decimal "unit_price"`);
  }
  const cost =
    price !== undefined && row["cost"] === undefined ? mulFloor(price, units) : undefined;
  return {
    ...{ order: textOf(row, "order"), lease: textOf(row, "lease") },
    type: textOf(row, "type").trim().toLowerCase(),
    ...{ start: time(row, "start"), end: time(row, "end"), units, denom },
    cost: cost ?? integer(row, "cost"),
  };
}

function textOf(row: Record<string, unknown>, name: string): string {
  const value = row[name];
  if (typeof value === "string" && value !== "") return value;
  throw new Error(`"${name}" is a text, not ${JSON.stringify(value)}`);
}

function integer(row: Record<string, unknown>, name: string): bigint {
  const value = row[name];
  const number = Number.isSafeInteger(value) ? BigInt(value as number) : undefined;
  const read = typeof value === "string" ? parseInteger(value) : number;
  if (read !== undefined) return read;
  throw new Error(`"${name}" is a whole number, not ${JSON.stringify(value)}`);
}

function time(row: Record<string, unknown>, name: string): bigint {
  const value = row[name];
  const ms = typeof value === "string" && value.includes("T") ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? integer(row, name) : BigInt(Math.floor(ms / 1000));
}
