import { ahead } from "./ahead.ts";
import {
  type Chunk,
  type OrderRun,
  orderRun,
  type PlacedReport,
  type Unacknowledged,
} from "./order_run.ts";
import type { Orders } from "./orders.ts";
import { LeaseCounters, type ReplayPlan } from "./plan.ts";
import type { PriceBook } from "./price_book.ts";
import type { Progress } from "./progress.ts";
import { acknowledge, type RecordsOptions, submitReports } from "./records.ts";
import { reportsOf } from "./reports.ts";
import type { TxSender } from "./submit.ts";
import type { Dec } from "../types/dec.ts";
import type { UnitRounding } from "./units.ts";
import type { MeteredWindow } from "./window.ts";

export interface RunOptions {
  readonly plan: ReplayPlan;
  readonly prices: PriceBook;
  readonly unitRounding: UnitRounding;
  /** Unix seconds of the file's zero. */
  readonly epoch: bigint;
  readonly ackShare: Dec;
  /** Take turns over the orders; none: the orders are not the daemon's to manage. */
  readonly customers: readonly TxSender[];
}

/** Windows of a file as reports of their orders, with first and last windows noticed. */
export class RunBook {
  readonly #options: RunOptions;
  readonly #counters: LeaseCounters;
  readonly #runs = new Map<string, OrderRun>();

  constructor(options: RunOptions) {
    this.#options = options;
    this.#counters = new LeaseCounters(options.unitRounding);
  }

  /** The order of a window, new when it is the first, and the window's reports. */
  take(window: MeteredWindow): { run: OrderRun; isFirst: boolean; reports: PlacedReport[] } {
    const { prices, epoch } = this.#options;
    const known = this.#runs.get(window.order);
    const run = known ?? this.#start(window);
    const reports = reportsOf(window, this.#counters.add(window), prices, epoch).map((report) => {
      const place = run.reports;
      run.reports += 1;
      return { run, place, report };
    });
    run.windowsLeft -= 1;
    if (run.windowsLeft === 0) this.#runs.delete(window.order);
    return { run, isFirst: known === undefined, reports };
  }

  #start(window: MeteredWindow): OrderRun {
    const { plan, customers, ackShare } = this.#options;
    const order = plan.orders.get(window.order);
    if (order === undefined) throw new Error(`the file changed: order ${window.order} is new`);
    const run = orderRun(order, customers[order.index % customers.length], ackShare);
    this.#runs.set(window.order, run);
    return run;
  }
}

/** A chunk is full with so many records or so many new orders. */
const CHUNK_RECORDS = 4000;
const CHUNK_ORDERS = 400;

/** Cuts the windows of a file into chunks, in file order. */
export async function* chunksOf(
  windows: AsyncIterable<MeteredWindow>,
  book: RunBook,
): AsyncGenerator<Chunk> {
  const empty = () => ({
    starts: [] as OrderRun[],
    reports: [] as PlacedReport[],
    ends: [] as OrderRun[],
  });
  let chunk = empty();
  for await (const window of windows) {
    const { run, isFirst, reports } = book.take(window);
    // An order that comes to no record at all needs no escrow.
    if (run.plan.records === 0) continue;
    if (isFirst) chunk.starts.push(run);
    chunk.reports.push(...reports);
    if (run.windowsLeft === 0) chunk.ends.push(run);
    if (chunk.reports.length >= CHUNK_RECORDS || chunk.starts.length >= CHUNK_ORDERS) {
      yield chunk;
      chunk = empty();
    }
  }
  yield chunk;
}

/** What the stages of a replay work with. */
export interface Stages {
  readonly orders: Orders;
  readonly records: RecordsOptions;
  readonly progress: Progress;
  /** Settles and closes orders when their last window is recorded. */
  readonly withOrders: boolean;
}

/**
 * Takes chunks through the stages open, record, acknowledge and settle. The stages work at the same
 * time, each on a chunk of its own and on all chunks in order, so that the node always has txs.
 */
export async function runPipeline(chunks: AsyncIterable<Chunk>, stages: Stages): Promise<void> {
  const opened = ahead(openAll(chunks, stages), 1);
  const recorded = ahead(recordAll(opened, stages), 1);
  const acknowledged = ahead(acknowledgeAll(recorded, stages), 1);
  for await (const chunk of acknowledged) {
    if (stages.withOrders) await stages.orders.settle(chunk.ends);
  }
}

async function* openAll(chunks: AsyncIterable<Chunk>, { orders }: Stages): AsyncGenerator<Chunk> {
  for await (const chunk of chunks) {
    await orders.lookUp(chunk.starts);
    await orders.open(chunk.starts);
    yield chunk;
  }
}

interface RecordedChunk extends Chunk {
  readonly unacknowledged: readonly Unacknowledged[];
}

async function* recordAll(
  chunks: AsyncIterable<Chunk>,
  { records, progress }: Stages,
): AsyncGenerator<RecordedChunk> {
  for await (const { starts, reports, ends } of chunks) {
    const unacknowledged = await submitReports(reports, records);
    progress.update(records.tally.records);
    yield { starts, reports, ends, unacknowledged };
  }
}

async function* acknowledgeAll(
  chunks: AsyncIterable<RecordedChunk>,
  { records }: Stages,
): AsyncGenerator<RecordedChunk> {
  for await (const chunk of chunks) {
    await acknowledge(chunk.unacknowledged, records);
    yield chunk;
  }
}
