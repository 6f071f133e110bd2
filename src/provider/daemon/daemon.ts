import type { Signer } from "../../client/signer.ts";
import type { Collector, Moment } from "../collect/collector.ts";
import type { CollectorSettings } from "../collect/collector_settings.ts";
import type { Random } from "../dispatch/back_off.ts";
import { Dispatcher } from "../dispatch/dispatcher.ts";
import type { NodePool } from "../dispatch/node_pool.ts";
import { onwardClock } from "../dispatch/onward_clock.ts";
import { Watcher } from "../dispatch/watcher.ts";
import type { Feed, FeedRow } from "../feed/feed.ts";
import { parseGasPrice } from "../gas.ts";
import { isOfDisk } from "../errors.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { PriceBook } from "../price_book.ts";
import type { ProviderLog } from "../provider_log.ts";
import { LEASE_NOTES } from "../windows/lease_note.ts";
import type { MeterClock } from "../windows/meter_clock.ts";
import { WindowBook } from "../windows/window_book.ts";
import { CLOCK_NOTE, endAbandoned } from "./abandoned.ts";
import { type Control, openControl } from "./control.ts";
import { type Desk, OutboxDesk } from "./desk.ts";
import { dispatchLimits } from "./dispatch_limits.ts";
import { type Door, openDoor } from "./door.ts";
import { healthAnswer, unhealthyReasons } from "./health.ts";
import { Ingest } from "./ingest.ts";
import { Intake } from "./intake.ts";
import { MeterLoop } from "./meter_loop.ts";
import type { DaemonMetrics } from "./metrics.ts";
import { NodeWatch } from "./node_watch.ts";
import type { FeedSettings, ProviderSettings } from "./settings.ts";
import { SourceBook } from "./source_book.ts";
import { type LiveFacts, UNPRICED_NOTES } from "./status.ts";
import { tapOutbox } from "./tapped_outbox.ts";
import { Tasks } from "./tasks.ts";
import { vitals } from "./vitals.ts";

/** How long a step of the clock keeps /healthz at 503, in seconds. */
const CLOCK_STEP_SECONDS = 600;
/** A workload that was not looked at for so many samples, and so many seconds, has a meter that hangs. */
const LOOKS_MISSED = 5;
const LOOK_SECONDS_LEAST = 60;
/** A tx whose fate is open for longer: the chain makes no blocks, or takes none of it. */
const OPEN_TX_SECONDS = 300;
const DAY_MS = 86_400_000;
/** A lease that has ended is known at least as long as a period may last. */
const ENDED_DAYS_LEAST = 31;
const LOOK_MS = 100;
/** How long calls to nodes are waited for when the daemon stops. */
const CALLS_MS = 3000;

/** All that a daemon is made of: tests put in their own. */
export interface DaemonParts {
  readonly settings: ProviderSettings;
  readonly outbox: Outbox;
  /** Forgets settled records of before a time, unix milliseconds. */
  readonly prune: (beforeMs: number) => Promise<unknown>;
  readonly pool: NodePool;
  readonly signer: Signer;
  readonly prices: PriceBook;
  readonly clock: MeterClock;
  readonly random: Random;
  readonly log: ProviderLog;
  readonly metrics: DaemonMetrics;
  readonly openCollector: (
    settings: CollectorSettings,
    cursor: unknown,
    now: Moment,
  ) => Promise<Collector>;
  readonly openFeed: (settings: FeedSettings, parts: FeedParts) => Promise<Feed>;
  /** The control socket; undefined: none. */
  readonly controlPath: string | undefined;
  readonly version: string;
}

/** What a feed needs of the daemon. */
export interface FeedParts {
  readonly cursor: unknown;
  readonly outbox: Outbox;
  /** Why a row cannot count; undefined: it can. */
  readonly check: (row: FeedRow) => string | undefined;
}

/** When a daemon ends by itself: its feeds have ended, and their records are that far. */
export type Until = "included" | "settled";

/** Records that the chain refused, and windows that have no price. */
export interface Stuck {
  readonly refused: number;
  readonly unpriced: number;
}

/** The daemon, from its opening until it has drained. */
export class Daemon {
  readonly #parts: DaemonParts;
  readonly #outbox: Outbox;
  readonly #book: WindowBook;
  readonly #sources: SourceBook;
  readonly #intake: Intake;
  readonly #dispatcher: Dispatcher;
  readonly #watcher: Watcher;
  readonly #nodes: NodeWatch;
  readonly #desk: Desk;
  /** Ends what waits for a disk or a node. */
  readonly #stop = new AbortController();
  /** Of all that waits and all that is noted; a wall clock that is set back does not stop it. */
  readonly #nowMs = onwardClock();
  readonly #startedMs = this.#nowMs();
  #clockSteppedMs: number | undefined;
  #diskFault = "";
  #stuck: Stuck = { refused: 0, unpriced: 0 };
  #hanging: readonly string[] = [];
  #door: Door | undefined;
  #control: Control | undefined;

  constructor(parts: DaemonParts) {
    const { settings, log, metrics, pool, signer, random } = parts;
    this.#parts = parts;
    const nowMs = this.#nowMs;
    this.#outbox = tapOutbox(parts.outbox, (change) => metrics.written(change, nowMs()));
    this.#book = new WindowBook({ intervalSeconds: BigInt(settings.intervalSeconds) });
    const onFault = (source: string) => metrics.faulted(source);
    this.#sources = new SourceBook({ log, nowMs, onFault });
    const [book, outbox] = [this.#book, this.#outbox];
    this.#intake = new Intake({
      ...{ book, outbox, log, nowMs, prices: parts.prices, signal: this.#stop.signal },
      onRecords: () => this.#dispatcher.wake(),
      onDisk: (fault) => {
        if (fault !== "") metrics.writeFailed();
        this.#diskFault = fault;
      },
    });
    const gasPrice = parseGasPrice(settings.gasPrice);
    const limits = dispatchLimits(settings);
    const common = { outbox, pool, signer, log };
    this.#dispatcher = new Dispatcher({ ...common, gasPrice, limits, random, now: nowMs });
    this.#watcher = new Watcher({
      ...{ outbox, pool, log, provider: signer.address, now: nowMs },
      clearedHeight: () => this.#dispatcher.clearedHeight,
    });
    const { address } = signer;
    this.#nodes = new NodeWatch({ pool, address, gasDenom: gasPrice.denom, nowMs });
    const live = () => this.#live();
    const wake = () => this.#dispatcher.wake();
    const alone = <T>(work: () => Promise<T>) => this.#dispatcher.betweenTxs(work);
    this.#desk = new OutboxDesk({ outbox, live, wake, alone, nowMs });
  }

  /** The address of its key. */
  get provider(): string {
    return this.#parts.signer.address;
  }

  /** What did not stop when it was told to: the process has to be ended. */
  get hanging(): readonly string[] {
    return this.#hanging;
  }

  /** Where its metrics are; "" when there is no door. */
  get metricsUrl(): string {
    return this.#door?.url ?? "";
  }

  /**
   * Takes up what an earlier run has left, and opens its doors.
   * @throws ProviderError `already_running`, `port_in_use`, `bad_note`
   */
  async open(): Promise<void> {
    const { settings, controlPath, metrics, log } = this.#parts;
    try {
      if (controlPath !== undefined) this.#control = await openControl(controlPath, this.#desk);
      const { enabled, host, port } = settings.metrics;
      const scrape = async () =>
        metrics.scrape(await vitals(this.#outbox, this.#live(), this.#nowMs()));
      const health = () => healthAnswer(this.#parts.pool.chainId ?? "", this.#unhealthy());
      if (enabled) this.#door = await openDoor({ host, port, metrics: scrape, health });
      this.#book.restore(await this.#outbox.notes(LEASE_NOTES));
      const [book, intake, outbox] = [this.#book, this.#intake, this.#outbox];
      await endAbandoned({ book, intake, outbox, settings, log });
      await intake.priceAgain();
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  /**
   * Works until the signal comes or, with `until`, everything is done; then drains.
   * @returns what waits for a person
   * @throws the first error of a part that cannot go on
   */
  async run(signal: AbortSignal, until?: Until): Promise<Stuck> {
    const { settings, log } = this.#parts;
    const sources = new Tasks(signal);
    const feeds = new Tasks(sources.signal);
    const sending = new Tasks(this.#stop.signal);
    let hasFailed = true;
    try {
      sending.start((each) => this.#dispatcher.run(each), "sending");
      sending.start((each) => this.#watcher.run(each), "following blocks");
      sending.start((each) => this.#nodes.run(each), "watching nodes");
      for (const workload of settings.workloads) {
        const loop = new MeterLoop(workload, this.#meterOptions());
        sources.start((each) => loop.run(each), `workload ${workload.name}`);
      }
      for (const feed of settings.feeds) {
        const ingest = this.#ingestOf(feed);
        feeds.start((each) => ingest.run(each), `feed ${feed.name}`);
      }
      sources.start((each) => this.#writeNowAndThen(each), "writing");
      sources.start((each) => this.#pruneDaily(each), "pruning");
      await Promise.race([
        sources.over(),
        feeds.failed(),
        sending.failed(),
        ...(until === undefined ? [] : [feeds.done().then(() => this.#allAre(until, signal))]),
      ]);
      log.info("draining", { seconds: settings.drainSeconds });
      hasFailed = false;
    } finally {
      const seconds = hasFailed ? 0 : settings.drainSeconds;
      await this.#drain([feeds, sources], sending, seconds);
    }
    return this.#stuck;
  }

  async #drain(sources: readonly Tasks[], sending: Tasks, seconds: number): Promise<void> {
    const { log } = this.#parts;
    const deadlineMs = this.#nowMs() + seconds * 1000;
    // What is on the way to the disk has a second more.
    const late = setTimeout(() => this.#stop.abort(new Error("late")), (seconds + 1) * 1000);
    try {
      // A meter or a disk that hangs is not waited for: what it read last is not on the disk, and
      // is read again at the next start.
      const ms = Math.max(1000, (seconds * 1000) / 2);
      this.#hanging = (await Promise.all(sources.map((tasks) => tasks.stop(ms)))).flat();
      if (this.#hanging.length > 0) log.error("does not stop", { what: this.#hanging.join(", ") });
      await this.#intake.flush();
      const isDone = await this.#dispatcher.drain(deadlineMs);
      const { pending, sent } = this.#outbox.counts();
      log.info(isDone ? "drained" : "stopped: the rest goes on at the next start", {
        ...{ pending, sent },
      });
    } catch (error) {
      log.error("not drained: the rest goes on at the next start", { reason: String(error) });
    } finally {
      clearTimeout(late);
      this.#stop.abort(new Error("stopped"));
      // A call to nodes that do not answer may take minutes; what it would tell is asked again at
      // the next start.
      const calling = await sending.stop(CALLS_MS);
      this.#hanging = [...this.#hanging, ...calling];
      // A disk that does not even read is no reason to leave the doors open.
      const unpriced = await this.#outbox.notes(UNPRICED_NOTES).catch(() => new Map());
      this.#stuck = { refused: this.#outbox.counts().refused, unpriced: unpriced.size };
      await this.#close();
    }
  }

  async #close(): Promise<void> {
    await this.#control?.close();
    await this.#door?.close();
    await this.#parts.outbox.close();
  }

  #meterOptions() {
    const { settings, clock, openCollector, prices } = this.#parts;
    const now = (): Moment => {
      const moment = clock.now();
      for (const step of clock.takeSteps()) {
        this.#clockSteppedMs = this.#nowMs();
        this.#parts.metrics.clockStepped();
        this.#sources.tell("clock", step.text);
        this.#intake.fault(moment.wallMs, step.text);
      }
      this.#intake.cursor(CLOCK_NOTE, moment.wallMs);
      return moment;
    };
    return {
      ...{ intake: this.#intake, outbox: this.#outbox, sources: this.#sources },
      ...{ clock: { now }, open: openCollector },
      ...{ rounding: settings.unitRounding, sampleSeconds: settings.sampleSeconds, prices },
    };
  }

  #ingestOf(feed: FeedSettings): Ingest {
    const { settings, openFeed, metrics } = this.#parts;
    const { name } = feed;
    return new Ingest({
      ...{ name, intake: this.#intake, outbox: this.#outbox, nowMs: this.#nowMs },
      open: (cursor, check) => openFeed(feed, { cursor, outbox: this.#outbox, check }),
      ...{ line: this.#sources.open("feed", name), log: this.#parts.log },
      ...{ rounding: settings.unitRounding, billsFootprint: feed.billFootprint },
      isOrdered: feed.kind !== "cloudevents",
      intervalSeconds: BigInt(settings.intervalSeconds),
      lateSeconds: settings.lateSeconds,
      onRows: (rows) => metrics.fed(name, rows),
    });
  }

  /** Open windows and cursors go to the disk now and then, whether a window closes or not. */
  async #writeNowAndThen(signal: AbortSignal): Promise<void> {
    while (await slept(this.#parts.settings.writeSeconds * 1000, signal)) {
      await this.#intake.flush();
    }
  }

  async #pruneDaily(signal: AbortSignal): Promise<void> {
    const { prune, settings, log } = this.#parts;
    do {
      const beforeMs = this.#nowMs() - settings.keepSettledDays * DAY_MS;
      await prune(beforeMs).catch((error: unknown) => {
        if (!isOfDisk(error)) throw error;
        log.warn("old records are kept another day", { reason: error.message });
      });
      const endedMs = Math.min(beforeMs, this.#nowMs() - ENDED_DAYS_LEAST * DAY_MS);
      const leases = this.#book.forgetEnded(BigInt(Math.trunc(endedMs / 1000)));
      if (leases > 0) log.info("leases that ended long ago are forgotten", { leases });
      await this.#intake.flush();
    } while (await slept(DAY_MS, signal));
  }

  /** Returns when all records are that far, or wait for a person. */
  async #allAre(until: Until, signal: AbortSignal): Promise<void> {
    do {
      // Nothing more comes: what waits for others to fill its tx goes now.
      await this.#dispatcher.drain(this.#nowMs() + LOOK_MS);
      const { pending, sent, included, acknowledged } = this.#outbox.counts();
      const open = pending + sent + (until === "settled" ? included + acknowledged : 0);
      if (open === 0) return;
    } while (await slept(LOOK_MS, signal));
  }

  #live(): LiveFacts {
    return { ...this.#facts(), unhealthy: this.#unhealthy() };
  }

  #facts(): Omit<LiveFacts, "unhealthy"> {
    const { pool, signer, version } = this.#parts;
    return {
      ...{ pid: process.pid, startedMs: this.#startedMs, version },
      ...{ chainId: pool.chainId ?? "", provider: signer.address, metricsUrl: this.metricsUrl },
      ...{ nodes: this.#nodes.nodes(), funds: this.#nodes.funds() },
      ...{
        txsInFlight: this.#dispatcher.state.txsInFlight,
        trouble: this.#dispatcher.state.trouble,
      },
      ...{ sources: this.#sources.facts(), faults: this.#sources.faults() },
    };
  }

  #unhealthy(): string[] {
    const { health, sampleSeconds } = this.#parts.settings;
    const { nodeSilentSeconds, fundsLeast } = health;
    const { trouble, oldestSentMs } = this.#dispatcher.state;
    const watching = this.#watcher.state.trouble;
    // That no node answers has its own bound.
    const isAnswered = this.#nodes.nodes().some(({ isUp }) => isUp);
    const broken = [trouble, watching === "" ? "" : `blocks cannot be followed: ${watching}`];
    return unhealthyReasons(
      {
        ...this.#facts(),
        ...{ nowMs: this.#nowMs(), clockSteppedMs: this.#clockSteppedMs, oldestSentMs },
        diskFault: this.#diskFault,
        broken: isAnswered ? broken.filter((text) => text !== "") : [],
      },
      {
        ...{ nodeSilentSeconds, fundsLeast: BigInt(fundsLeast) },
        clockStepSeconds: CLOCK_STEP_SECONDS,
        lookSeconds: Math.max(LOOK_SECONDS_LEAST, LOOKS_MISSED * sampleSeconds),
        openTxSeconds: OPEN_TX_SECONDS,
      },
    );
  }
}

/** Waits; false: the signal came. */
function slept(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve(!signal.aborted);
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
