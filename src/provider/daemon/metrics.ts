import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { DISPUTE_NOTES } from "../dispatch/money.ts";
import type { OutboxChange } from "../outbox/outbox.ts";
import { type OutboxRecord, RECORD_STATES, type RecordState } from "../outbox/outbox_record.ts";
import type { RowCounts } from "./ingest.ts";
import type { LiveFacts } from "./status.ts";

const SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** What is looked at when somebody scrapes. */
export interface MetricsView {
  readonly live: LiveFacts;
  readonly counts: Readonly<Record<RecordState, number>>;
  readonly outboxBytes: number;
  /** Seconds that the oldest record has waited; 0: none waits. */
  readonly oldestPendingSeconds: number;
  /** Unix seconds; 0: none yet. */
  readonly lastWindowEnd: number;
  /** 0 to 100, of the last reconciliation; undefined: none yet. */
  readonly reconciliationScore: number | undefined;
  readonly activeDisputes: number;
}

/** A name with what its page says of it. */
export interface MetricRow {
  readonly name: string;
  readonly type: string;
  readonly help: string;
}

/** Counts what the daemon does. Names as in the source documents where those have one. */
export class DaemonMetrics {
  readonly #registry = new Registry();
  readonly #counters: ReturnType<typeof counters>;
  readonly #gauges: ReturnType<typeof gauges>;
  readonly #submitSeconds: Histogram;
  /** Unix milliseconds at which txs in flight were sent, by hash. */
  readonly #sentMs = new Map<string, number>();

  constructor(options: { readonly withProcess?: boolean } = {}) {
    const registers = [this.#registry];
    this.#counters = counters(registers);
    this.#gauges = gauges(registers);
    this.#submitSeconds = new Histogram({
      name: "provider_daemon_submit_seconds",
      help: "Seconds from handing a tx to a node until its fate was known.",
      ...{ registers, buckets: SECONDS },
    });
    if (options.withProcess !== false) collectDefaultMetrics({ register: this.#registry });
  }

  /** Told of every change that has been written to the outbox. */
  written(change: OutboxChange, nowMs: number): void {
    const { windows = [], records = [], sent = [], resolved = [], notes = new Map() } = change;
    for (const [name, text] of notes) {
      if (text !== undefined && name.startsWith(DISPUTE_NOTES)) this.#counters.disputes.inc();
    }
    for (const { isPartial, faults, late } of windows) {
      this.#counters.windows.inc({ partial: String(isPartial) });
      this.#counters.anomalies.inc(faults.length + late.length);
    }
    for (const record of records) this.#countRecord(record);
    for (const { hash, sentMs } of sent) this.#sentMs.set(hash, sentMs);
    for (const hash of resolved) this.#countTx(hash, records, nowMs);
  }

  #countRecord({ state, attempts, txHash }: OutboxRecord): void {
    const { collected, submitted, failures, settled } = this.#counters;
    if (state === "pending" && attempts === 0 && txHash === "") collected.inc();
    if (state === "included") submitted.inc();
    if (state === "refused") failures.inc({ kind: "refused" });
    if (state === "pending" && attempts > 0) failures.inc({ kind: "retried" });
    if (state === "settled") settled.inc();
  }

  #countTx(hash: string, records: readonly OutboxRecord[], nowMs: number): void {
    const isIn = records.some(({ txHash, state }) => txHash === hash && state === "included");
    this.#counters.txs.inc({ result: isIn ? "included" : "failed" });
    const sentMs = this.#sentMs.get(hash);
    if (sentMs === undefined) return;
    this.#sentMs.delete(hash);
    this.#submitSeconds.observe(Math.max(0, nowMs - sentMs) / 1000);
  }

  /** Rows or events of a feed. */
  fed(feed: string, rows: RowCounts): void {
    for (const [result, count] of Object.entries(rows)) {
      if (count > 0) this.#counters.rows.inc({ feed, result }, count as number);
    }
  }

  /** A look at a source that failed, whole or in part. */
  faulted(source: string): void {
    this.#counters.sourceFaults.inc({ source });
  }

  clockStepped(): void {
    this.#counters.clockSteps.inc();
    this.#counters.anomalies.inc();
  }

  writeFailed(): void {
    this.#counters.writeFailures.inc();
  }

  /** All metrics in Prometheus text. */
  async scrape(view: MetricsView): Promise<string> {
    show(this.#gauges, view);
    return this.#registry.metrics();
  }

  /** Every metric that there is, in order. */
  rows(): MetricRow[] {
    return this.#registry.getMetricsAsArray().map(({ name, type, help }) => {
      return { name, type: type.toString(), help };
    });
  }
}

const PREFIX = "provider_daemon_";

function counters(registers: Registry[]) {
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: `${PREFIX}${name}_total`, help, registers, labelNames });
  return {
    collected: counter("usage_records_collected", "Usage records made from closed windows."),
    submitted: counter("usage_records_submitted", "Usage records that the chain has taken."),
    failures: counter(
      "submission_failures",
      "Records that a try did not get onto the chain: retried (they go again) or refused (they wait for a person).",
      ["kind"],
    ),
    settled: counter("settlements_processed", "Usage records that were seen to be settled."),
    disputes: counter("disputes_created", "Disputes of this provider's records that were seen."),
    anomalies: counter(
      "anomalies_detected",
      "What was wrong with what was metered: faults and late usage of windows, steps of the clock.",
    ),
    windows: counter("windows_closed", "Windows that were closed, by whether a part is missing.", [
      "partial",
    ]),
    rows: counter(
      "feed_rows",
      "Rows of feeds: taken, faulty (left out and told), repeated (left out).",
      [...["feed", "result"]],
    ),
    sourceFaults: counter("source_faults", "Looks at workloads and feeds that failed.", ["source"]),
    txs: counter("txs", "Txs whose fate is known: included, or failed (in no block, or there).", [
      "result",
    ]),
    clockSteps: counter("clock_steps", "Times that the wall clock was seen to be set."),
    writeFailures: counter(
      "write_failures",
      "Writes to the outbox that failed; they are repeated.",
    ),
  };
}

function gauges(registers: Registry[]) {
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: `${PREFIX}${name}`, help, registers, labelNames });
  return {
    pending: gauge("pending_records", "Records that wait for their tx or for its fate."),
    disputes: gauge("active_disputes", "Records of this provider that are disputed now."),
    score: gauge(
      "reconciliation_score",
      "Share of records, 0 to 100, that the last `settled provider reconcile` found equal; -1 before.",
    ),
    records: gauge("records", "Records in the outbox, by state.", ["state"]),
    oldest: gauge(
      "oldest_pending_seconds",
      "Seconds that the oldest record has waited for its tx or for its fate.",
    ),
    lastEnd: gauge("last_window_end_seconds", "Unix time of the end of the last closed window."),
    bytes: gauge("outbox_bytes", "Bytes of the outbox on the disk."),
    nodeUp: gauge("node_up", "Whether the last call to a node worked.", ["node"]),
    nodeHeight: gauge("node_height", "Height that a node has told last.", ["node"]),
    sourceUp: gauge("source_up", "Whether the last look at a workload or feed worked.", [
      ...["kind", "source"],
    ]),
    funds: gauge("gas_funds", "Balance of the key for gas, base units rounded to 53 bits.", [
      "denom",
    ]),
    healthy: gauge("healthy", "Whether /healthz says 200."),
    info: gauge("info", "Always 1; the labels tell version, chain and provider.", [
      ...["version", "chain_id", "provider"],
    ]),
    started: gauge("start_seconds", "Unix time at which the daemon started."),
  };
}

function show(all: ReturnType<typeof gauges>, view: MetricsView): void {
  const { live, counts } = view;
  all.pending.set(counts.pending + counts.sent);
  all.disputes.set(view.activeDisputes);
  all.score.set(view.reconciliationScore ?? -1);
  for (const state of RECORD_STATES) all.records.set({ state }, counts[state]);
  all.oldest.set(view.oldestPendingSeconds);
  all.lastEnd.set(view.lastWindowEnd);
  all.bytes.set(view.outboxBytes);
  for (const { url, isUp, height } of live.nodes) {
    all.nodeUp.set({ node: url }, isUp ? 1 : 0);
    all.nodeHeight.set({ node: url }, Number(height || "0"));
  }
  for (const { kind, name, fault } of live.sources) {
    all.sourceUp.set({ kind, source: name }, fault === "" ? 1 : 0);
  }
  if (live.funds !== undefined) {
    const { denom, amount: base } = live.funds;
    // A gauge is a double; nothing is reckoned with it.
    all.funds.set({ denom }, Number(BigInt(base)));
  }
  all.healthy.set(live.unhealthy.length === 0 ? 1 : 0);
  const { version, chainId, provider } = live;
  all.info.set({ version, chain_id: chainId, provider }, 1);
  all.started.set(live.startedMs / 1000);
}
