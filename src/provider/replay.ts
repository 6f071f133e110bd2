import type { Client } from "../client/client.ts";
import { recordsPerSettlement, usageOfOrder } from "../client/settlement_msgs.ts";
import type { Signer } from "../client/signer.ts";
import { DEC_ONE, type Dec, parseDec } from "../types/dec.ts";
import { BlocksByHand } from "./blocks_by_hand.ts";
import { ProviderError } from "./errors.ts";
import { DEFAULT_GAS_PRICE, parseGasPrice } from "./gas.ts";
import { linesOf } from "./lines.ts";
import { readMetrics } from "./metrics_ndjson.ts";
import { Orders } from "./orders.ts";
import { type OrderPlan, planReplay, type ReplayPlan } from "./plan.ts";
import { readPods } from "./pods_csv.ts";
import { DEFAULT_PRICES_FILE, PriceBook } from "./price_book.ts";
import { Progress, type ProviderIo } from "./progress.ts";
import { chunksOf, RunBook, runPipeline, type Stages } from "./replay_stages.ts";
import { TxSender } from "./submit.ts";
import { type ReplaySummary, Tally } from "./tally.ts";
import { RESOURCES, type UnitRounding } from "./units.ts";
import { runInVirtualTime, stepsOf, VirtualClock } from "./virtual_time.ts";
import { type FileCounts, type MeteredWindow, noCounts } from "./window.ts";

/** `pods`: the CSV of a cluster trace. `metrics`: NDJSON, one record per job and window. */
export type UsageFormat = "pods" | "metrics";

export interface ReplayOptions {
  readonly client: Client;
  /** Records usage and claims rewards. */
  readonly provider: Signer;
  /** Open, acknowledge and settle the orders in turns; used with `withOrders` only. */
  readonly customers: readonly Signer[];
  readonly file: string;
  readonly format: UsageFormat;
  /** Length of a window of a pods file; a metrics file has its own. */
  readonly windowSeconds: number;
  /** Default: the price list of the project's examples. */
  readonly pricesFile?: string | undefined;
  /** Unix time of the file's zero; default: such that the file's last instant is now. */
  readonly epoch?: bigint | undefined;
  /** Takes the first so many jobs. */
  readonly limit?: number | undefined;
  readonly unitRounding: UnitRounding;
  readonly withOrders: boolean;
  /** Decimal text above 0. */
  readonly escrowMargin: string;
  /** Decimal text from 0 to 1. */
  readonly ackShare: string;
  /** Lets block time follow the file's time, on a dev chain whose time is virtual. */
  readonly virtualTime?: boolean | undefined;
  /** How much of the file's time one round of blocks covers in virtual time. */
  readonly virtualStepSeconds?: number | undefined;
  /** "0.025uve" */
  readonly gasPrice?: string | undefined;
}

const VIRTUAL_STEP_SECONDS = 43_200;
/** The chain's default of `max_usage_period`: 31 days. */
const WINDOW_SECONDS_MAX = 2_678_400;

/**
 * Replays a usage file: metrics to units to signed usage records, and with `withOrders` the whole
 * way from escrows to claimed rewards. The file is read twice, first to its end without submitting
 * anything, so that a broken file changes nothing. A replay that was cut short goes on where it
 * stopped when it is run again: what the chain has already is asked for and left alone.
 * @throws ProviderError, UsageFileError, ConnectionError, TxTimeoutError
 */
export async function runReplay(options: ReplayOptions, io: ProviderIo): Promise<ReplaySummary> {
  const checked = checkOptions(options);
  const prices = await PriceBook.read(options.pricesFile ?? DEFAULT_PRICES_FILE);
  const { unitRounding, withOrders } = options;
  const counts = noCounts();
  const reading = windowsOf(options, counts);
  const plan = await planReplay(reading, counts, { prices, unitRounding, withOrders });
  const progress = new Progress(io, plan.records);
  const epoch = await chooseEpoch(options, plan, progress);
  const tally = new Tally();
  await submit({ options, ...checked, prices, plan, epoch, progress, tally });
  progress.clear();
  tellUnbilled(plan, progress);
  for (const reason of tally.reasons()) progress.note(`refused: ${reason}`);
  const { jobs, skipped } = counts;
  return tally.summary({ jobs, skipped, windows: plan.windows, seconds: progress.seconds() });
}

function checkOptions(options: ReplayOptions): { escrowMargin: Dec; ackShare: Dec } {
  const { windowSeconds, limit, withOrders, customers, provider } = options;
  const refuse = (detail: string) => new ProviderError("bad_option", detail);
  if (
    !Number.isSafeInteger(windowSeconds) ||
    windowSeconds < 1 ||
    windowSeconds > WINDOW_SECONDS_MAX
  ) {
    throw refuse(`the window is 1 to ${WINDOW_SECONDS_MAX} seconds, not ${windowSeconds}`);
  }
  if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 1)) {
    throw refuse(`the limit is a number of jobs from 1, not ${limit}`);
  }
  const escrowMargin = parseDec(options.escrowMargin);
  if (escrowMargin === undefined || escrowMargin <= 0n) {
    throw refuse(`the escrow margin is a decimal above 0, not "${options.escrowMargin}"`);
  }
  const ackShare = parseDec(options.ackShare);
  if (ackShare === undefined || ackShare < 0n || ackShare > DEC_ONE) {
    throw refuse(`the share to acknowledge is a decimal from 0 to 1, not "${options.ackShare}"`);
  }
  if (withOrders && customers.length === 0) throw refuse("orders need a customer's key");
  if (withOrders && customers.some(({ address }) => address === provider.address)) {
    throw refuse("a customer must not be the provider: nobody pays themselves");
  }
  return { escrowMargin, ackShare };
}

/** The windows of the file from its start, with fresh counts. */
function windowsOf(options: ReplayOptions, counts: FileCounts): AsyncGenerator<MeteredWindow> {
  const { file, format, limit } = options;
  const lines = linesOf(file);
  if (format === "metrics") return readMetrics(lines, { limit }, counts);
  return readPods(lines, { windowSeconds: BigInt(options.windowSeconds), limit }, counts);
}

/**
 * The unix time of the file's zero. Without the option it is such that the file's last instant is
 * now, unless an earlier run of the file has left records on the chain: then it is that run's.
 */
async function chooseEpoch(
  options: ReplayOptions,
  plan: ReplayPlan,
  progress: Progress,
): Promise<bigint> {
  const last = plan.counts.lastInstant ?? 0n;
  if (options.epoch !== undefined) return options.epoch;
  const first = firstToRecord(plan, options.virtualTime === true);
  const earlier = first === undefined ? undefined : await epochOnChain(options.client, first);
  if (earlier === undefined) return BigInt(Math.floor(Date.now() / 1000)) - last;
  progress.note(`taking up an earlier replay of this file: its zero is at unix time ${earlier}`);
  return earlier;
}

/** The order whose first report is submitted before all others. */
function firstToRecord(plan: ReplayPlan, byTime: boolean): OrderPlan | undefined {
  let chosen: OrderPlan | undefined;
  for (const order of plan.orders.values()) {
    if (order.first === undefined) continue;
    if (chosen === undefined) chosen = order;
    else if (byTime && order.first.end < (chosen.first?.end ?? 0n)) chosen = order;
  }
  return chosen;
}

async function epochOnChain(client: Client, plan: OrderPlan): Promise<bigint | undefined> {
  const { first, order, lease } = plan;
  if (first === undefined) return undefined;
  let epoch: bigint | undefined;
  for (const record of await usageOfOrder(client, order)) {
    const sameLength = record.periodEnd - record.periodStart === first.end - first.start;
    if (record.leaseId !== lease || record.usageType !== first.resource || !sameLength) continue;
    const candidate = record.periodStart - first.start;
    if (epoch === undefined || candidate < epoch) epoch = candidate;
  }
  return epoch;
}

interface Submission {
  readonly options: ReplayOptions;
  readonly escrowMargin: Dec;
  readonly ackShare: Dec;
  readonly prices: PriceBook;
  readonly plan: ReplayPlan;
  readonly epoch: bigint;
  readonly progress: Progress;
  readonly tally: Tally;
}

async function submit(submission: Submission): Promise<void> {
  const { options, escrowMargin, ackShare, prices, plan, epoch, progress, tally } = submission;
  const { client, withOrders, unitRounding } = options;
  const clock = options.virtualTime === true ? await VirtualClock.at(client) : undefined;
  const senderOptions = {
    gasPrice: parseGasPrice(options.gasPrice ?? DEFAULT_GAS_PRICE),
    blocks: clock === undefined ? undefined : new BlocksByHand(() => clock.mine()),
    onTx: () => {
      tally.txs += 1;
    },
  };
  const provider = new TxSender(client, options.provider, senderOptions);
  const customers = withOrders
    ? options.customers.map((signer) => new TxSender(client, signer, senderOptions))
    : [];
  const perSettlement = withOrders ? await recordsPerSettlement(client) : 1;
  const shared = { client, provider, tally };
  const orders = new Orders({ ...shared, escrowMargin, perSettlement });
  const stages: Stages = { orders, records: shared, progress, withOrders };
  const book = new RunBook({ plan, prices, unitRounding, epoch, ackShare, customers });
  const windows = windowsOf(options, noCounts());
  if (withOrders) await orders.begin();
  if (clock === undefined) await runPipeline(chunksOf(windows, book), stages);
  else {
    const step = BigInt(options.virtualStepSeconds ?? VIRTUAL_STEP_SECONDS);
    await runInVirtualTime(await stepsOf(windows, book, step), clock, epoch, stages);
  }
  if (!withOrders) return;
  await orders.claim();
  await orders.end();
}

const RAW_UNITS = {
  cpu: "CPU milliseconds",
  memory: "byte-seconds of memory",
  storage: "byte-seconds of storage",
  gpu: "GPU seconds",
  network: "bytes of traffic",
} as const;

function tellUnbilled(plan: ReplayPlan, progress: Progress): void {
  const kept = RESOURCES.filter((resource) => plan.unbilled[resource] > 0n);
  if (kept.length === 0) return;
  const list = kept.map((resource) => `${plan.unbilled[resource]} ${RAW_UNITS[resource]}`);
  progress.note(`unbilled at the end of all leases: ${list.join(", ")}`);
}
