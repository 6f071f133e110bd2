import { parseInteger } from "../../lib/int.ts";
import { ProviderError } from "../errors.ts";
import { RESOURCES, type Resource } from "../units.ts";
import { readBilled, writeBilled } from "./billed_periods.ts";
import type { LeaseRef } from "./closed_window.ts";
import type { LeaseInterval, LeaseState, OpenWindow } from "./lease_windows.ts";
import { METRIC_NAMES, type MutableMetrics } from "./metric_sum.ts";
import type { WatchState } from "./watch.ts";

/** Notes of leases in the outbox begin so. */
export const LEASE_NOTES = "lease/";

/** Name of a lease's note; "/" in an order or lease cannot be taken for the separator. */
export function leaseNoteName({ order, lease }: LeaseRef): string {
  return `${LEASE_NOTES}${encode(order)}/${encode(lease)}`;
}

/** Most names have nothing to encode; to look costs less than to encode. */
const PLAIN = /^[A-Za-z0-9._~-]*$/;

function encode(name: string): string {
  return PLAIN.test(name) ? name : encodeURIComponent(name);
}

/** A lease that has ended: it keeps the second, so that it cannot begin anew before it. */
export interface EndedLease extends LeaseRef {
  readonly endS: bigint;
}

/** As JSON: integers that may be large as decimal texts, what is empty left out. */
export function writeLeaseNote(state: LeaseState | EndedLease): string {
  if ("endS" in state) return JSON.stringify({ ended: state.endS.toString() });
  const { terms, remainders, open, watch } = state;
  const left = RESOURCES.map((resource) => remainders[resource].toString());
  const billed = writeBilled(state.billed);
  return JSON.stringify({
    start: terms.startS.toString(),
    rounding: terms.rounding,
    ...(terms.billsFootprint ? {} : { footprint: false }),
    ...(state.interval === undefined ? {} : { interval: intervalText(state.interval) }),
    next: state.nextMs,
    ...(left.every((text) => text === "0") ? {} : { left }),
    ...(billed === undefined ? {} : { billed }),
    open: [...open].map(([start, { metrics, faults, late }]) => ({
      start,
      used: METRIC_NAMES.map((name) => metrics[name].toString()),
      ...(faults.length === 0 ? {} : { faults }),
      ...(late.length === 0 ? {} : { late }),
    })),
    ...(watch.spans.length === 0 ? {} : { spans: watch.spans }),
    ...(watch.expected === 0 ? {} : { expected: watch.expected }),
  });
}

interface NoteJson {
  readonly ended?: string;
  readonly start: string;
  readonly rounding: string;
  readonly footprint?: boolean;
  /** Milliseconds: that of its windows; while some have another one, that and their end too. */
  readonly interval?: readonly number[];
  readonly next: number;
  readonly left?: readonly string[];
  /** Of each resource, seconds up to where it was billed, and gaps. */
  readonly billed?: readonly number[];
  readonly open: readonly {
    readonly start: number;
    readonly used: readonly string[];
    readonly faults?: readonly string[];
    readonly late?: readonly string[];
  }[];
  readonly spans?: WatchState["spans"];
  readonly expected?: WatchState["expected"];
}

/** @throws ProviderError `bad_note`: the data folder was damaged or is of another version. */
export function readLeaseNote(name: string, text: string): LeaseState | EndedLease {
  try {
    const [order = "", lease = ""] = name
      .slice(LEASE_NOTES.length)
      .split("/")
      .map((part) => decodeURIComponent(part));
    const json = JSON.parse(text) as NoteJson;
    if (json.ended !== undefined) return { order, lease, endS: integer(json.ended) };
    if (json.rounding !== "carry" && json.rounding !== "floor") throw new Error("rounding");
    return {
      terms: {
        ...{ order, lease, rounding: json.rounding, startS: integer(json.start) },
        billsFootprint: json.footprint ?? true,
      },
      ...(json.interval === undefined ? {} : { interval: intervalOf(json.interval) }),
      nextMs: time(json.next),
      remainders: remaindersOf(json.left),
      billed: readBilled(json.billed),
      open: new Map(json.open.map((window) => [time(window.start), windowOf(window)])),
      watch: { spans: json.spans ?? [], expected: json.expected ?? 0 },
    };
  } catch (error) {
    const rule = "the outbox holds a state of a lease that this version did not write";
    const { message } = error as Error;
    throw new ProviderError("bad_note", `note ${name}: ${rule} (${message}): ${text.slice(0, 80)}`);
  }
}

function windowOf({ used, faults = [], late = [] }: NoteJson["open"][number]): OpenWindow {
  const metrics = {} as MutableMetrics;
  METRIC_NAMES.forEach((name, index) => {
    metrics[name] = integer(used[index]);
  });
  return { metrics, faults: [...faults], late: [...late] };
}

function remaindersOf(left: readonly string[] | undefined): Record<Resource, bigint> {
  const remainders = {} as Record<Resource, bigint>;
  RESOURCES.forEach((resource, index) => {
    remainders[resource] = left === undefined ? 0n : integer(left[index]);
  });
  return remainders;
}

function integer(text: string | undefined): bigint {
  const value = typeof text === "string" ? parseInteger(text) : undefined;
  if (value === undefined || value < 0n) throw new Error(`not an amount: ${text}`);
  return value;
}

function intervalText({ ms, formerMs, untilMs }: LeaseInterval): number[] {
  return untilMs === 0 ? [ms] : [ms, formerMs, untilMs];
}

function intervalOf([ms = 0, formerMs = ms, untilMs = 0]: readonly number[]): LeaseInterval {
  if (time(ms) === 0 || time(formerMs) === 0) throw new Error("not an interval: 0");
  return { ms, formerMs, untilMs: time(untilMs) };
}

function time(ms: number): number {
  if (!Number.isSafeInteger(ms) || ms < 0) throw new Error(`not a time: ${ms}`);
  return ms;
}
