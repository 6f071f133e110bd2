import { RAW_PER_UNIT, RESOURCES, rawUsage } from "../units.ts";
import { parseInteger } from "../../lib/int.ts";
import { parseDec } from "../../types/dec.ts";
import { isDenom } from "../../types/denom.ts";
import { NS_PER_SECOND, parseTime } from "../../types/time.ts";
import { normaliseUsageType } from "../../types/usage_type.ts";
import { UsageFileError } from "../errors.ts";
import { fieldRows } from "./field_rows.ts";
import type { OutsideRow } from "./outside_row.ts";
import { parseQuantity, type Quantity } from "./quantity.ts";

/** Prices for files that have raw metrics; undefined: the chain's prices are taken. */
export type OutsidePrice = (
  order: string,
  resource: (typeof RESOURCES)[number],
) => { readonly denom: string; readonly unitPrice: bigint } | undefined;

/** A line of the file: its fields by name, and where it is. */
interface Line {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly number: number;
  readonly place: string;
}

const METRICS = {
  cpuMilliseconds: "cpu_milliseconds",
  memoryByteSeconds: "memory_byte_seconds",
  storageByteSeconds: "storage_byte_seconds",
  gpuSeconds: "gpu_seconds",
  networkBytesIn: "network_bytes_in",
  networkBytesOut: "network_bytes_out",
} as const;

/**
 * Rows of a usage file from outside the chain, NDJSON or CSV with a header. A line is either billed
 * usage (order, lease, type, start, end, units, and if it has them denom, unit_price, cost; also by
 * the chain's names order_id, lease_id, usage_type, period_start, period_end, usage_units), or raw
 * metrics (order, lease, start, end, cpu_milliseconds …), which come to one row per resource. Times
 * are unix seconds or RFC 3339. Other fields are not looked at.
 * @throws UsageFileError naming line and field; ProviderError `bad_file`
 */
export async function* readOutside(
  file: string,
  priceOf: OutsidePrice = () => undefined,
): AsyncGenerator<OutsideRow> {
  for await (const { fields, line } of fieldRows(file)) {
    const from = { fields, number: line, place: `${file}:${line}` };
    if (Object.values(METRICS).some((name) => name in fields)) yield* metricRows(from, priceOf);
    else yield billedRow(from);
  }
}

function billedRow(line: Line): OutsideRow {
  const price = priceIn(line);
  const cost = costIn(line);
  const denom = textOf(line, "denom") ?? price?.denom ?? cost?.denom;
  if (denom !== undefined && !isDenom(denom)) throw wrong(line, "denom", "a denom", denom);
  return {
    ...subjectOf(line),
    usageType: normaliseUsageType(needed(line, "type", "usage_type")),
    units: unitsOf(line),
    ...{ denom, unitPrice: price?.unitPrice, cost: cost?.amount, place: line.place },
  };
}

function* metricRows(line: Line, priceOf: OutsidePrice): Generator<OutsideRow> {
  const subject = subjectOf(line);
  const entries = Object.entries(METRICS).map(([name, field]) => [name, metric(line, field)]);
  const raw = rawUsage(Object.fromEntries(entries) as ReturnType<typeof Object.fromEntries>);
  for (const resource of RESOURCES) {
    const price = priceOf(subject.orderId, resource);
    yield {
      ...subject,
      usageType: resource,
      units: { numerator: raw[resource], denominator: RAW_PER_UNIT[resource] },
      ...{ denom: price?.denom, unitPrice: price?.unitPrice, cost: undefined, place: line.place },
    };
  }
}

function subjectOf(line: Line) {
  const [periodStart, periodEnd] = [timeIn(line, "start"), timeIn(line, "end")];
  if (periodEnd <= periodStart) {
    throw new UsageFileError(line.number, `end ${periodEnd} is not after start ${periodStart}`);
  }
  const orderId = needed(line, "order", "order_id");
  return { orderId, leaseId: needed(line, "lease", "lease_id"), periodStart, periodEnd };
}

function unitsOf(line: Line): Quantity {
  const text = needed(line, "units", "usage_units");
  const units = parseQuantity(text);
  if (units !== undefined) return units;
  throw wrong(line, "units", "a decimal of at most 18 places, not negative", text);
}

/** "1500", or with the denom behind it: "1500uve". */
function priceIn(line: Line): { unitPrice: bigint; denom: string | undefined } | undefined {
  const text = textOf(line, "unit_price");
  if (text === undefined) return undefined;
  const [, amount = "", denom] = /^([0-9.]+)([a-zA-Z].*)?$/.exec(text) ?? [];
  const unitPrice = parseDec(amount);
  if (unitPrice !== undefined) return { unitPrice, denom };
  throw wrong(line, "unit_price", "a decimal, as in 1.5 or 1.5uve", text);
}

function costIn(line: Line): { amount: bigint; denom: string | undefined } | undefined {
  const text = textOf(line, "cost", "total_cost");
  if (text === undefined) return undefined;
  const [, amount, denom] = /^([0-9]+)([a-zA-Z].*)?$/.exec(text) ?? [];
  if (amount !== undefined) return { amount: BigInt(amount), denom };
  throw wrong(line, "cost", "whole base units, as in 1500 or 1500uve", text);
}

function timeIn(line: Line, name: "start" | "end"): bigint {
  const text = needed(line, name, `period_${name}`);
  const seconds = parseInteger(text);
  if (seconds !== undefined && seconds >= 0n) return seconds;
  const time = parseTime(text);
  if (time !== undefined && time % NS_PER_SECOND === 0n) return time / NS_PER_SECOND;
  throw wrong(line, name, "unix seconds, or RFC 3339 without a fraction", text);
}

function metric(line: Line, name: string): bigint {
  const text = textOf(line, name) ?? "0";
  const value = parseInteger(text);
  if (value !== undefined && value >= 0n) return value;
  throw wrong(line, name, "a whole number, not negative", text);
}

function needed(line: Line, name: string, otherName?: string): string {
  const text = textOf(line, name, otherName);
  if (text !== undefined) return text;
  const names = otherName === undefined ? `"${name}"` : `"${name}" or "${otherName}"`;
  throw new UsageFileError(line.number, `field ${names} is missing`);
}

/** A number of JSON is taken as it is written when that is exact, which `fieldRows` sees to. */
function textOf({ fields }: Line, name: string, otherName = name): string | undefined {
  const value = fields[name] ?? fields[otherName];
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}

function wrong({ number }: Line, name: string, expected: string, found: string): UsageFileError {
  return new UsageFileError(number, `"${name}" is not ${expected}: ${found.slice(0, 40)}`);
}
