import { fork } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Dispatcher } from "../../src/provider/dispatch/dispatcher.ts";
import { NodePool } from "../../src/provider/dispatch/node_pool.ts";
import { Watcher } from "../../src/provider/dispatch/watcher.ts";
import { parseGasPrice } from "../../src/provider/gas.ts";
import { type LevelOutbox, openOutbox } from "../../src/provider/outbox/level_outbox.ts";
import { NO_METRICS, rawUsage } from "../../src/provider/units.ts";
import type { ClosedWindow } from "../../src/provider/windows/closed_window.ts";
import { usageRecord } from "../e2e/usage_node.ts";
import { startLoadNode } from "../load/node.ts";
import { provider } from "../testkit/accounts.ts";

export interface DayOptions {
  readonly leases: number;
  readonly hours: number;
  readonly recordsPerTx: number;
  readonly inFlight: number;
  /** Whether blocks are followed meanwhile, as a daemon does. */
  readonly watch: boolean;
}

const MB = 1024 * 1024;
const SAMPLE_MS = 250;

/** Runs it and prints the figures. Returns the exit code: 1 when it took a minute or more. */
export async function main(options: DayOptions, cli: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "settled-day-"));
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  try {
    const home = join(folder, "node");
    const { leases, hours } = options;
    say(`${leases} leases × ${hours} windows = ${leases * hours} records`);
    await timed("orders opened (not part of the time)", say, () => openOrders(home, leases));
    const room = { subscribers: 10, clients: 50, txRate: 1, pauseMs: 1, seconds: 1 };
    const node = await startLoadNode(cli, home, room);
    try {
      return await day(options, join(folder, "outbox"), node.report.endpoints.rpc, say);
    } finally {
      await node.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function openOrders(home: string, orders: number): Promise<void> {
  const path = fileURLToPath(new URL("./orders_process.js", import.meta.url));
  const child = fork(path, [JSON.stringify({ home, orders })]);
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error("the orders could not be opened");
}

async function day(
  options: DayOptions,
  folder: string,
  url: string,
  say: (line: string) => void,
): Promise<number> {
  const outbox = await openOutbox(folder);
  const pool = new NodePool([url], { timeoutMs: 60_000 });
  const log = { debug: () => {}, info: () => {}, warn: complain, error: complain };
  const { recordsPerTx, inFlight: txsInFlight } = options;
  const common = { outbox, pool, log, now: () => Date.now() };
  const dispatcher = new Dispatcher({
    ...{ ...common, signer: provider, gasPrice: parseGasPrice("0.025uve") },
    limits: { recordsPerTx, txsInFlight },
  });
  const clearedHeight = () => dispatcher.clearedHeight;
  const watcher = new Watcher({ ...common, provider: provider.address, clearedHeight });
  const stop = new AbortController();
  const running = [dispatcher.run(stop.signal)];
  if (options.watch) running.push(watcher.run(stop.signal));
  const memory = watchMemory();
  const records = options.leases * options.hours;
  const cpuBefore = process.cpuUsage();
  const seconds = await timed("written and submitted", say, async () => {
    await timed("  of that, windows and records written", say, () =>
      fill(outbox, dispatcher, options),
    );
    const isDone = await Promise.race([
      dispatcher.drain(Date.now() + 600_000),
      ...running.map((each) => each.then(() => false)),
    ]);
    if (!isDone) throw new Error("not all records were submitted");
  });
  const cpu = process.cpuUsage(cpuBefore);
  stop.abort();
  await Promise.all(running);
  const counts = outbox.counts();
  if (counts.included !== records)
    throw new Error(`not all are on the chain: ${JSON.stringify(counts)}`);
  const { txsSent, txsFailed } = dispatcher.state;
  say(`${Math.round(records / seconds)} records/s in ${txsSent} txs, ${txsFailed} failed`);
  say(
    `daemon: ${((cpu.user + cpu.system) / 1e6).toFixed(1)} s of CPU, ${memory().toFixed(0)} MB at most`,
  );
  say(`outbox: ${((await outbox.sizeBytes()) / MB).toFixed(1)} MB on disk`);
  if (options.watch) say(`watcher: block ${watcher.state.height} of ${watcher.state.latestHeight}`);
  await outbox.close();
  say(seconds < 60 ? "under a minute" : "a minute or more");
  return seconds < 60 ? 0 : 1;
}

/** Writes each hour's windows and records as a daemon does at its end, while others are sent. */
async function fill(
  outbox: LevelOutbox,
  dispatcher: Dispatcher,
  { leases, hours }: DayOptions,
): Promise<void> {
  const step = 500;
  for (let hour = 0; hour < hours; hour += 1) {
    for (let from = 0; from < leases; from += step) {
      const count = Math.min(step, leases - from);
      const createdMs = Date.now();
      const records = Array.from({ length: count }, (_, at) => {
        return usageRecord(from + at, hour, { createdMs, changedMs: createdMs });
      });
      await outbox.write({ records, windows: records.map(windowOf) });
      dispatcher.wake();
    }
  }
}

function windowOf(record: ReturnType<typeof usageRecord>): ClosedWindow {
  const { orderId: order, leaseId: lease, periodStart: start, periodEnd: end, usageUnits } = record;
  const cpuMilliseconds = usageUnits * 3_600_000n + 17n;
  return {
    ...{ order, lease, start, end, units: [{ resource: "cpu", units: usageUnits, since: start }] },
    metrics: { ...NO_METRICS, cpuMilliseconds, memoryByteSeconds: 123_456_789_012n },
    carried: { ...rawUsage(NO_METRICS), cpu: 17n },
    ...{ isPartial: false, faults: [], late: [] },
  };
}

function complain(message: string, facts: object = {}): void {
  const text = JSON.stringify(facts, (_, value: unknown) =>
    typeof value === "bigint" ? value.toString() : value,
  );
  process.stderr.write(`${message} ${text.slice(0, 500)}\n`);
}

async function timed(
  what: string,
  say: (line: string) => void,
  work: () => Promise<unknown>,
): Promise<number> {
  const started = performance.now();
  await work();
  const seconds = (performance.now() - started) / 1000;
  say(`${what}: ${seconds.toFixed(1)} s`);
  return seconds;
}

/** The most memory of this process from now on, in MB. */
function watchMemory(): () => number {
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss() / MB);
  }, SAMPLE_MS);
  return () => {
    clearInterval(timer);
    return most;
  };
}
