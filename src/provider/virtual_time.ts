import type { Client } from "../client/client.ts";
import { divFloor, maxBigint, minBigint } from "../lib/int.ts";
import { parseTime, secondsOf, timeOfSeconds } from "../types/time.ts";
import { ProviderError } from "./errors.ts";
import type { Chunk, OrderRun, PlacedReport } from "./order_run.ts";
import { acknowledge, submitReports } from "./records.ts";
import type { RunBook, Stages } from "./replay_stages.ts";
import type { MeteredWindow } from "./window.ts";

/** What happens in one step of virtual time. */
export interface Step extends Chunk {
  /** Seconds of the file; orders start at `from`, all else happens at `to`. */
  readonly from: bigint;
  readonly to: bigint;
}

/**
 * Sorts a whole file into steps of `stepSeconds`, in time order: orders whose first window starts
 * in a step, reports of the windows that end in it (by end, then file order), and orders whose last
 * window ends in it. Holds every report in memory: for demos, not for endless files.
 */
export async function stepsOf(
  windows: AsyncIterable<MeteredWindow>,
  book: RunBook,
  stepSeconds: bigint,
): Promise<Step[]> {
  const steps = new Map<bigint, MutableStep>();
  const stepAt = (index: bigint) => {
    const known = steps.get(index);
    if (known !== undefined) return known;
    const created = { from: index * stepSeconds, to: (index + 1n) * stepSeconds };
    const step = { ...created, starts: [], reports: [], ends: [] };
    steps.set(index, step);
    return step;
  };
  for await (const window of windows) {
    const { run, isFirst, reports } = book.take(window);
    if (run.plan.records === 0) continue;
    if (isFirst) {
      stepAt(divFloor(run.plan.start, stepSeconds)).starts.push(run);
      stepAt(divFloor(run.plan.end - 1n, stepSeconds)).ends.push(run);
    }
    stepAt(divFloor(window.end - 1n, stepSeconds)).reports.push(...reports);
  }
  const sorted = [...steps.values()].sort((a, b) => (a.from < b.from ? -1 : 1));
  for (const step of sorted) step.reports.sort(byPeriodEnd);
  return sorted;
}

interface MutableStep {
  readonly from: bigint;
  readonly to: bigint;
  readonly starts: OrderRun[];
  readonly reports: PlacedReport[];
  readonly ends: OrderRun[];
}

// The sort is stable: reports of equal ends stay in file order.
function byPeriodEnd(a: PlacedReport, b: PlacedReport): number {
  return a.report.periodEnd < b.report.periodEnd
    ? -1
    : a.report.periodEnd > b.report.periodEnd
      ? 1
      : 0;
}

/** The virtual clock of a dev chain: it only goes forward, and never past the real time. */
export class VirtualClock {
  readonly #client: Client;
  #seconds: bigint;
  /** Second of the last block: a block of the same second follows it by itself. */
  #mined: bigint;

  private constructor(client: Client, seconds: bigint) {
    this.#client = client;
    this.#seconds = seconds;
    this.#mined = seconds;
  }

  /** A clock that starts at the chain's latest block. */
  static async at(client: Client): Promise<VirtualClock> {
    const { latestTime } = await client.status();
    const time = parseTime(latestTime);
    if (time === undefined) throw new ProviderError("bad_time", `not a block time: ${latestTime}`);
    return new VirtualClock(client, secondsOf(time));
  }

  /** The time of the blocks to come, in unix seconds; an earlier one than now changes nothing. */
  advanceTo(seconds: bigint): void {
    const now = BigInt(Math.floor(Date.now() / 1000));
    this.#seconds = maxBigint(this.#seconds, minBigint(seconds, now));
  }

  /** Makes the node produce a block at the clock's time. */
  async mine(): Promise<void> {
    const hasMoved = this.#seconds > this.#mined;
    const time = hasMoved ? { time: timeOfSeconds(this.#seconds) } : {};
    this.#mined = this.#seconds;
    await this.#client.devMine({ blocks: 1, ...time });
  }
}

/** Rewards expire after the chain's `reward_claim_expiry`, 30 days: a provider claims each week. */
const CLAIM_SECONDS = 604_800n;

/**
 * Replays steps in the file's own time: at a step's start its new orders are opened, at its end its
 * windows are recorded and acknowledged and the orders that have ended are settled. So records are
 * on time, as those of a daemon that submits every step are. What happens at one instant shares
 * blocks, because every block costs a write to the disk.
 */
export async function runInVirtualTime(
  steps: readonly Step[],
  clock: VirtualClock,
  epoch: bigint,
  stages: Stages,
): Promise<void> {
  const { orders, records, progress, withOrders } = stages;
  await orders.lookUp(steps.flatMap(({ starts }) => starts));
  let isOpen = false;
  let claimedAt = steps[0]?.from ?? 0n;
  for (const [index, step] of steps.entries()) {
    clock.advanceTo(epoch + step.from);
    if (!isOpen) await orders.open(step.starts);
    clock.advanceTo(epoch + step.to);
    const next = steps[index + 1];
    isOpen = next?.from === step.to;
    const opening = isOpen && next !== undefined ? orders.open(next.starts) : undefined;
    await Promise.all([finish(step, stages), opening]);
    if (withOrders && step.to - claimedAt >= CLAIM_SECONDS) {
      await orders.claim();
      claimedAt = step.to;
    }
    progress.update(records.tally.records);
  }
}

async function finish(step: Step, { orders, records, withOrders }: Stages): Promise<void> {
  const unacknowledged = await submitReports(step.reports, records);
  // A sender's txs of one call come before those of the next: acknowledged first, then settled.
  const acknowledging = acknowledge(unacknowledged, records);
  await Promise.all([acknowledging, withOrders ? orders.settle(step.ends) : undefined]);
}
