import { Coverage } from "./coverage.ts";
import { UsageFileError } from "./errors.ts";
import type { PriceBook } from "./price_book.ts";
import {
  RESOURCES,
  type Resource,
  type ResourceUnits,
  UnitCounter,
  type UnitRounding,
} from "./units.ts";
import type { FileCounts, MeteredWindow } from "./window.ts";

/** What a usage file says of one order, before anything is submitted. */
export interface OrderPlan {
  readonly job: string;
  readonly order: string;
  readonly lease: string;
  /** Place among the orders of the file, from 0. */
  readonly index: number;
  windows: number;
  records: number;
  /** Exactly what the chain will charge for all records, by denom; it may come to 0. */
  readonly cost: Map<string, bigint>;
  /** The earliest start and the latest end of its windows. */
  start: bigint;
  end: bigint;
  /** The report that its first window makes; undefined while none of its windows makes one. */
  first: { readonly resource: Resource; readonly start: bigint; readonly end: bigint } | undefined;
}

export interface ReplayPlan {
  /** By order id, in file order. */
  readonly orders: ReadonlyMap<string, OrderPlan>;
  readonly counts: FileCounts;
  readonly windows: number;
  readonly records: number;
  /** By denom. */
  readonly cost: ReadonlyMap<string, bigint>;
  /** What `carry` keeps at the end of all leases, in raw units. */
  readonly unbilled: Readonly<Record<Resource, bigint>>;
}

export interface PlanOptions {
  readonly prices: PriceBook;
  readonly unitRounding: UnitRounding;
  /** One escrow per job: an order must then have one job. */
  readonly withOrders: boolean;
}

/** The unit counters of many leases, each fed with its windows in file order. */
export class LeaseCounters {
  readonly #rounding: UnitRounding;
  readonly #counters = new Map<string, UnitCounter>();

  constructor(rounding: UnitRounding) {
    this.#rounding = rounding;
  }

  add(window: MeteredWindow): readonly ResourceUnits[] {
    const key = leaseKey(window);
    let counter = this.#counters.get(key);
    if (counter === undefined) this.#counters.set(key, (counter = new UnitCounter(this.#rounding)));
    return counter.add(window.metrics);
  }

  /** Ends every lease; the sum of what was kept and is not billed. */
  closeAll(): Record<Resource, bigint> {
    const sum: Record<Resource, bigint> = {
      cpu: 0n,
      memory: 0n,
      storage: 0n,
      gpu: 0n,
      network: 0n,
    };
    for (const counter of this.#counters.values()) {
      const unbilled = counter.close();
      for (const resource of RESOURCES) sum[resource] += unbilled[resource];
    }
    this.#counters.clear();
    return sum;
  }
}

function leaseKey({ order, lease }: MeteredWindow): string {
  return `${order.length}:${order}${lease}`;
}

/**
 * Reads a usage file to its end without submitting anything: checks every line, adds up what each
 * order will cost and how many records it makes. Memory grows with the number of orders, not of
 * windows.
 * @throws UsageFileError, ProviderError `missing_price`
 */
export async function planReplay(
  windows: AsyncIterable<MeteredWindow>,
  counts: FileCounts,
  options: PlanOptions,
): Promise<ReplayPlan> {
  const orders = new Map<string, OrderPlan>();
  const coverage = new Map<string, Coverage>();
  const counters = new LeaseCounters(options.unitRounding);
  const totals = { windows: 0, records: 0, cost: new Map<string, bigint>() };
  for await (const window of windows) {
    const plan = planOf(window, orders, options.withOrders);
    checkOverlap(window, coverage);
    const units = counters.add(window);
    extend(plan, window, units);
    for (const { resource, units: count } of units) {
      const { denom, cost } = options.prices.chargeOf(window.order, resource, count);
      for (const sums of [plan.cost, totals.cost]) sums.set(denom, (sums.get(denom) ?? 0n) + cost);
    }
    totals.windows += 1;
    totals.records += units.length;
  }
  return { orders, counts, ...totals, unbilled: counters.closeAll() };
}

function planOf(
  window: MeteredWindow,
  orders: Map<string, OrderPlan>,
  withOrders: boolean,
): OrderPlan {
  const { job, order, lease, line } = window;
  const plan = orders.get(order);
  if (plan === undefined) {
    const span = { start: window.start, end: window.end };
    const totals = { windows: 0, records: 0, cost: new Map<string, bigint>(), first: undefined };
    const created = { job, order, lease, index: orders.size, ...totals, ...span };
    orders.set(order, created);
    return created;
  }
  if (plan.lease !== lease) {
    const detail = `order "${order}" has lease "${plan.lease}" on earlier lines, here "${lease}"`;
    throw new UsageFileError(line, `${detail}: an escrow is for one lease`);
  }
  if (withOrders && plan.job !== job) {
    const detail = `order "${order}" belongs to job "${plan.job}" on earlier lines, here "${job}"`;
    throw new UsageFileError(line, `${detail}: an escrow is for one job`);
  }
  return plan;
}

function checkOverlap(window: MeteredWindow, coverage: Map<string, Coverage>): void {
  const key = leaseKey(window);
  let covered = coverage.get(key);
  if (covered === undefined) coverage.set(key, (covered = new Coverage()));
  const { start, end, line, job } = window;
  const other = covered.add(start, end);
  if (other === undefined) return;
  const found = `[${other.start}, ${other.end})`;
  throw new UsageFileError(
    line,
    `window [${start}, ${end}) of job "${job}" overlaps ${found}, which earlier lines cover`,
  );
}

function extend(plan: OrderPlan, window: MeteredWindow, units: readonly ResourceUnits[]): void {
  plan.windows += 1;
  plan.records += units.length;
  if (window.start < plan.start) plan.start = window.start;
  if (window.end > plan.end) plan.end = window.end;
  const resource = units[0]?.resource;
  if (plan.first === undefined && resource !== undefined) {
    plan.first = { resource, start: window.start, end: window.end };
  }
}
