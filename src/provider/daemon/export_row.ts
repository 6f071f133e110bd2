import { type Dec, formatDec } from "../../types/dec.ts";
import { naturalKey, type OutboxRecord, type RecordState } from "../outbox/outbox_record.ts";
import { windowCursor } from "../outbox/outbox_keys.ts";
import type { ClosedWindow } from "../windows/closed_window.ts";

/** A record as `settled provider windows` gives it out: amounts and units as decimal text. */
export interface ExportRow {
  readonly order: string;
  readonly lease: string;
  readonly type: string;
  /** Unix seconds, [start, end). */
  readonly start: number;
  readonly end: number;
  readonly units: string;
  readonly denom: string;
  /** Decimal, per unit. */
  readonly unit_price: string;
  /** Base units of the denom. */
  readonly cost: string;
  readonly state: RecordState;
  /** "" until it is on the chain. */
  readonly usage_id: string;
  /** Of the last tx that it was put into; "" for none. */
  readonly tx: string;
  readonly attempts: number;
  /** Why it is not on the chain; "" when nothing is known against it. */
  readonly reason: string;
  /** What `retry` and `park` call it. */
  readonly key: string;
}

export function exportRow(record: OutboxRecord): ExportRow {
  const { reason } = record;
  return {
    ...{ order: record.orderId, lease: record.leaseId, type: record.usageType },
    ...{ start: Number(record.periodStart), end: Number(record.periodEnd) },
    units: record.usageUnits.toString(),
    denom: record.denom,
    unit_price: formatDec(record.unitPrice as Dec),
    cost: record.cost.toString(),
    ...{ state: record.state, usage_id: record.usageId, tx: record.txHash },
    attempts: record.attempts,
    reason: reason === undefined ? "" : reasonText(reason),
    key: naturalKey(record),
  };
}

function reasonText({ codespace, code, log }: { codespace: string; code: number; log: string }) {
  return codespace === "" ? log : `${codespace}/${code}: ${log}`;
}

/** A closed window as `settled provider windows --partial` gives it out. */
export interface WindowRow {
  readonly order: string;
  readonly lease: string;
  /** Unix seconds, [start, end). */
  readonly start: number;
  readonly end: number;
  /** Decimal text by resource; without those that come to no whole unit. */
  readonly units: Readonly<Record<string, string>>;
  readonly partial: boolean;
  readonly faults: readonly string[];
  readonly late: readonly string[];
  /** Where the next page goes on. */
  readonly place: string;
}

export function windowRow(window: ClosedWindow): WindowRow {
  const { order, lease, start, end, isPartial, faults, late } = window;
  const units = window.units.map((each) => [each.resource, each.units.toString()]);
  return {
    ...{ order, lease, start: Number(start), end: Number(end) },
    units: Object.fromEntries(units) as Record<string, string>,
    ...{ partial: isPartial, faults, late, place: windowCursor(window) },
  };
}

/** "order-1/lease-1 2026-01-31T08:00:00Z–09:00:00Z": a window in logs and faults. */
export function windowName(window: {
  readonly order: string;
  readonly lease: string;
  readonly start: bigint;
  readonly end: bigint;
}): string {
  const time = (seconds: bigint) => {
    return new Date(Number(seconds) * 1000).toISOString().replace(".000Z", "Z");
  };
  return `${window.order}/${window.lease} ${time(window.start)}–${time(window.end)}`;
}
