import type { OutsideRow } from "../reconcile/outside_row.ts";
import { addQuantities, NO_UNITS, type Quantity, shareOf } from "../reconcile/quantity.ts";
import { readOutside } from "../reconcile/read_outside.ts";

/** Usage that one resource of a lease had in a period, by a meter that is not the provider's. */
export interface MeterReading {
  readonly units: Quantity;
  /** Rows that it comes from, whole or in part. */
  readonly rows: readonly OutsideRow[];
}

interface Subject {
  readonly orderId: string;
  readonly leaseId: string;
  /** Normalised. */
  readonly usageType: string;
}

/** What a second meter has written, by order, lease and resource. */
export class SecondMeter {
  // By start; disjoint, as one meter cannot use the same time twice.
  readonly #rows = new Map<string, OutsideRow[]>();

  /** @throws UsageFileError, ProviderError `bad_file` */
  static async read(file: string): Promise<SecondMeter> {
    const meter = new SecondMeter();
    for await (const row of readOutside(file)) meter.add(row);
    meter.sort();
    return meter;
  }

  add(row: OutsideRow): void {
    const key = keyOf(row);
    const rows = this.#rows.get(key) ?? [];
    rows.push(row);
    this.#rows.set(key, rows);
  }

  sort(): void {
    for (const rows of this.#rows.values()) {
      rows.sort((a, b) => (a.periodStart < b.periodStart ? -1 : 1));
    }
  }

  /**
   * Usage in [start, end): of a row that reaches beyond, its share by time, exactly.
   * @returns undefined when the meter's rows do not cover the whole period, or cover it twice
   */
  usage(subject: Subject, start: bigint, end: bigint): MeterReading | undefined {
    const all = this.#rows.get(keyOf(subject)) ?? [];
    const rows: OutsideRow[] = [];
    let units = NO_UNITS;
    let covered = start;
    for (let at = firstEndingAfter(all, start); at < all.length; at += 1) {
      const row = all[at] as OutsideRow;
      if (row.periodStart >= end) break;
      const from = row.periodStart > start ? row.periodStart : start;
      const to = row.periodEnd < end ? row.periodEnd : end;
      if (from !== covered) return undefined;
      units = addQuantities(units, shareOf(row.units, to - from, row.periodEnd - row.periodStart));
      rows.push(row);
      covered = to;
    }
    return covered === end ? { units, rows } : undefined;
  }
}

function firstEndingAfter(rows: readonly OutsideRow[], time: bigint): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle] as OutsideRow).periodEnd <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

function keyOf({ orderId, leaseId, usageType }: Subject): string {
  return JSON.stringify([orderId, leaseId, usageType]);
}
