import type { Client } from "../../client/client.ts";
import { type BilledUsage, type UsageFilter, usageRecords } from "../../client/usage_records.ts";
import { normaliseUsageType } from "../../types/usage_type.ts";
import { compareUsage, type UsageGroup } from "./compare_usage.ts";
import { type Difference, DIFFERENCE_KINDS, type DifferenceKind } from "./difference.ts";
import { fileCost } from "./explain.ts";
import type { OutsideRow } from "./outside_row.ts";
import { type OutsidePrice, readOutside } from "./read_outside.ts";

export interface ReconcileOptions {
  readonly client: Client;
  readonly file: string;
  /** Of files with raw metrics; without it the chain's own prices are taken. */
  readonly priceOf?: OutsidePrice | undefined;
  /** The provider whose records are looked at, besides those of the orders in the file. */
  readonly provider?: string | undefined;
  readonly orderId?: string | undefined;
  /** Unix seconds: only periods that begin in [from, to). */
  readonly from?: bigint | undefined;
  readonly to?: bigint | undefined;
  /** Called with the rows and records read so far. */
  readonly onProgress?: ((rows: number, records: number) => void) | undefined;
}

/** Money of one denom: base units. */
export interface MoneyLine {
  readonly denom: string;
  readonly chain: bigint;
  readonly file: bigint;
  /** Chain less file. */
  readonly difference: bigint;
  /** What of it no cause explains; the lines of kind `unexplained` add up to it. */
  readonly residual: bigint;
}

export interface KindLine {
  readonly kind: DifferenceKind;
  readonly denom: string;
  readonly count: number;
  /** Chain less file, base units. */
  readonly amount: bigint;
}

export interface Reconciliation {
  /** Rows of the file, and records of the chain, that were compared. */
  readonly rows: number;
  readonly records: number;
  /** Windows with the same period on both sides. */
  readonly matched: number;
  readonly money: readonly MoneyLine[];
  readonly kinds: readonly KindLine[];
  readonly differences: readonly Difference[];
}

/**
 * Compares what the chain bills with a usage file from outside, and says of every difference why.
 * Per denom the differences add up to chain less file, exactly.
 * @throws UsageFileError, QueryError, ConnectionError
 */
export async function reconcile(options: ReconcileOptions): Promise<Reconciliation> {
  const rows: OutsideRow[] = [];
  const records: BilledUsage[] = [];
  const tell = () => options.onProgress?.(rows.length, records.length);
  for await (const row of readOutside(options.file, options.priceOf)) {
    if (isAskedFor(row, options)) rows.push(row);
    if (rows.length % 1000 === 0) tell();
  }
  const orders = new Set(rows.map(({ orderId }) => orderId));
  for (const filter of filtersOf(options, orders)) {
    for await (const page of usageRecords(options.client, filter)) {
      for (const record of page) {
        const isOther = filter.provider !== undefined && orders.has(record.orderId);
        if (!isOther && isBilled(record) && isAskedFor(record, options)) records.push(record);
      }
      tell();
    }
  }
  return compareAll(rows, records);
}

/** The provider's records of other orders as well: what the file does not have is a difference. */
function filtersOf(options: ReconcileOptions, orders: ReadonlySet<string>): UsageFilter[] {
  const { provider, orderId } = options;
  const ofOrders = [...orders].map((each) => ({ orderId: each }));
  if (orderId !== undefined) return [{ orderId }];
  return provider === undefined ? ofOrders : [...ofOrders, { provider }];
}

/** A record that was corrected or withdrawn is history: its period is another's, or free. */
function isBilled({ status }: BilledUsage): boolean {
  return status !== "superseded" && status !== "withdrawn";
}

function isAskedFor(
  { orderId, periodStart }: { orderId: string; periodStart: bigint },
  options: ReconcileOptions,
): boolean {
  const { from, to } = options;
  if (options.orderId !== undefined && orderId !== options.orderId) return false;
  return (from === undefined || periodStart >= from) && (to === undefined || periodStart < to);
}

/** Compares rows and records of any orders. */
export function compareAll(
  rows: readonly OutsideRow[],
  records: readonly BilledUsage[],
): Reconciliation {
  const groups = new Map<string, { rows: OutsideRow[]; records: BilledUsage[] }>();
  const groupOf = (order: string, lease: string, type: string) => {
    const key = JSON.stringify([order, lease, type]);
    const known = groups.get(key);
    if (known !== undefined) return known;
    const group = { rows: [], records: [] };
    groups.set(key, group);
    return group;
  };
  for (const row of rows) groupOf(row.orderId, row.leaseId, row.usageType).rows.push(row);
  for (const record of records) {
    const type = normaliseUsageType(record.usageType);
    groupOf(record.orderId, record.leaseId, type).records.push(record);
  }
  const differences: Difference[] = [];
  const money = new Map<string, { chain: bigint; file: bigint }>();
  let matched = 0;
  for (const each of groups.values()) {
    const group = { rows: pricedRows(each), records: each.records };
    const comparison = compareUsage(group);
    matched += comparison.matched;
    differences.push(...comparison.differences);
    addMoney(money, group);
  }
  return {
    ...{ rows: rows.length, records: records.length, matched },
    money: [...money].map(([denom, sums]) => moneyLine(denom, sums, differences)),
    kinds: kindLines(differences),
    differences,
  };
}

/**
 * Rows of a file without prices are worth what the chain charges at that time: the record of the
 * same period, else the last one before it, else the first.
 */
function pricedRows(group: UsageGroup): OutsideRow[] {
  const records = [...group.records].sort((a, b) => (a.periodStart < b.periodStart ? -1 : 1));
  return group.rows.map((row) => {
    const before = records.findLast(({ periodStart }) => periodStart <= row.periodStart);
    const { denom, unitPrice } = before ?? records[0] ?? {};
    const isPriced = row.unitPrice !== undefined || row.cost !== undefined;
    return isPriced ? { ...row, denom: row.denom ?? denom } : { ...row, denom, unitPrice };
  });
}

function addMoney(money: Map<string, { chain: bigint; file: bigint }>, group: UsageGroup): void {
  const sumsOf = (denom: string) => {
    const sums = money.get(denom) ?? { chain: 0n, file: 0n };
    money.set(denom, sums);
    return sums;
  };
  for (const { denom, cost } of group.records) sumsOf(denom).chain += cost;
  for (const row of group.rows) {
    const amount = fileCost(row, row.unitPrice ?? 0n);
    if (amount > 0n) sumsOf(row.denom ?? "").file += amount;
  }
}

function moneyLine(
  denom: string,
  { chain, file }: { chain: bigint; file: bigint },
  differences: readonly Difference[],
): MoneyLine {
  const residual = differences
    .filter((each) => each.kind === "unexplained" && each.denom === denom)
    .reduce((sum, { amount }) => sum + amount, 0n);
  return { denom, chain, file, difference: chain - file, residual };
}

function kindLines(differences: readonly Difference[]): KindLine[] {
  const lines = new Map<
    string,
    { kind: DifferenceKind; denom: string; count: number; amount: bigint }
  >();
  for (const { kind, denom, amount } of differences) {
    const line = lines.get(`${kind} ${denom}`) ?? { kind, denom, count: 0, amount: 0n };
    line.count += 1;
    line.amount += amount;
    lines.set(`${kind} ${denom}`, line);
  }
  return DIFFERENCE_KINDS.flatMap((kind) =>
    [...lines.values()].filter((each) => each.kind === kind),
  );
}
