import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "../client/client.ts";
import { billedCharges } from "./billed.ts";
import type { BilledCharge, Charge } from "./charge.ts";
import { lastLines } from "./command_process.ts";
import { Daemon, type Ending } from "./daemon.ts";
import { DOORS, type DoorName, doorVariables, type NodeDoors, withDoors } from "./doors.ts";
import { TortureError } from "./errors.ts";
import type { Fault, RequestClass, RequestPoint } from "./fault.ts";
import type { NodeControl } from "./node_control.ts";
import { type ProxyOptions, TortureProxy } from "./proxy.ts";
import { skewTime } from "./time_skew.ts";
import { patiently } from "./patience.ts";
import { type Comparison, compare, type FindingKind, worstOf } from "./verdict.ts";

/** What one try needs: a chain, a daemon that has not run yet, and what it meters. */
export interface Stage {
  /** The node's own addresses; the proxy stands before each of them. */
  readonly doors: NodeDoors;
  /** undefined: the node is never killed. */
  readonly node: NodeControl | undefined;
  /** The daemon; `{node}`, `{rest}` and `{grpc}` in it stand for the proxy's addresses. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The try's own folder. */
  readonly dir: string;
  /** Orders besides those that were metered, whose usage is looked at as well. */
  readonly orders: readonly string[];
  /** What was metered; asked for when the daemon has ended. */
  metered(): Promise<readonly Charge[]>;
  /** @param isFine whether nothing of the try is of interest any more */
  close(isFine: boolean): Promise<void>;
}

export interface TrialOptions {
  readonly restartsMax: number;
  readonly timeoutMs: number;
  /** Told of every request: how many there have been. */
  readonly onRequest?: (count: number) => void;
  /** Ports of the proxy; free ones by default. */
  readonly ports?: ProxyOptions["ports"];
}

/** How a try fails: what the exit code says. */
export type FailureKind = FindingKind | "daemon_failed";

export interface TrialResult {
  readonly failure: FailureKind | undefined;
  readonly ending: Ending;
  readonly comparison: Comparison;
  readonly applied: readonly Fault[];
  readonly requests: Readonly<Record<RequestClass, number>>;
  readonly requestsByDoor: Readonly<Record<DoorName, number>>;
  /** Doors of the node that are known. */
  readonly doors: readonly DoorName[];
  /** Why it is not known what was metered; undefined: it is. */
  readonly noExport: string | undefined;
  /**
   * New records, though the proxy has seen no request at all, or no broadcast (over a WebSocket it
   * sees none).
   */
  readonly passedBy: "requests" | "broadcasts" | undefined;
  /** The end of what the daemon wrote, when it did not end well. */
  readonly lastWords: string;
}

const SETTLE_MS = 10_000;
const QUIET_POLL_MS = 50;

/**
 * Runs a daemon through the faults to its end, and compares what it metered with what the chain
 * bills.
 * @throws TortureError when the node does not come back, or the daemon cannot be started.
 */
export async function runTrial(
  stage: Stage,
  faults: readonly Fault[],
  options: TrialOptions,
): Promise<TrialResult> {
  const direct = await patiently(() => Client.connect(stage.doors.rpc));
  const old = await patiently(() => billedCharges(direct, stage.orders));
  const before = new Set(old.map(({ usageId }) => usageId));
  const logFile = join(stage.dir, "daemon.log");
  const world = new World(stage, direct, faults);
  const proxy = await TortureProxy.start({
    ...{ node: stage.doors, faults, ports: options.ports ?? {} },
    onRequest: (counts, requestClass) => {
      world.onRequest(counts, requestClass);
      options.onRequest?.(counts.any);
    },
  });
  try {
    const words = stage.command.map((word) => withDoors(word, proxy.doors));
    const env = { ...stage.env, ...doorVariables(proxy.doors) };
    const daemon = new Daemon({ words, env, logFile, ...options });
    world.start(daemon);
    const ending = await daemon.run();
    await world.end();
    await untilQuiet(direct, proxy);
    const isBad = ending.kind !== "done";
    const { metered, noExport } = await meteredOf(stage, isBad);
    const orders = new Set([...stage.orders, ...metered.map(({ order }) => order)]);
    const billed = await patiently(() => billedCharges(direct, orders));
    const ofTry = noExport === undefined ? withoutOld(billed, before, metered) : [];
    const comparison = compare(metered, ofTry);
    return {
      failure: failureOf(ending, comparison),
      ...{ ending, comparison, noExport },
      passedBy: billed.some((each) => isNew(each, stage, before)) ? missed(proxy) : undefined,
      applied: faults.filter((fault) => proxy.applied.has(fault) || world.applied.has(fault)),
      requests: { ...proxy.counts },
      requestsByDoor: { ...proxy.countsByDoor },
      doors: DOORS.filter((name) => stage.doors[name] !== undefined),
      lastWords: isBad ? await lastLines(logFile) : "",
    };
  } finally {
    await world.end().catch(() => undefined);
    await proxy.close();
  }
}

/** Whether a record of an order that was known at the start has come up since. */
function isNew({ usageId, order }: BilledCharge, stage: Stage, before: ReadonlySet<string>) {
  return stage.orders.includes(order) && !before.has(usageId);
}

function missed({ counts }: TortureProxy): TrialResult["passedBy"] {
  if (counts.any === 0) return "requests";
  return counts.broadcast === 0 ? "broadcasts" : undefined;
}

/** What was metered; a daemon that came to a bad end need not have left an export. */
async function meteredOf(
  stage: Stage,
  isBad: boolean,
): Promise<{ metered: readonly Charge[]; noExport: string | undefined }> {
  try {
    return { metered: await stage.metered(), noExport: undefined };
  } catch (error) {
    if (!isBad || !(error instanceof TortureError)) throw error;
    return { metered: [], noExport: error.message };
  }
}

/** Records from before the try count only where their period was metered again. */
function withoutOld(
  billed: readonly BilledCharge[],
  before: ReadonlySet<string>,
  metered: readonly Charge[],
): BilledCharge[] {
  const periods = new Set(metered.map(({ start, end }) => `${start} ${end}`));
  return billed.filter(
    ({ usageId, start, end }) => !before.has(usageId) || periods.has(`${start} ${end}`),
  );
}

/** A daemon that did not end may have lost nothing yet: that alone is not held against it twice. */
function failureOf(ending: Ending, { findings }: Comparison): FailureKind | undefined {
  const worst = worstOf(findings);
  if (ending.kind === "done") return worst;
  return worst === undefined || worst === "lost" ? "daemon_failed" : worst;
}

/** Waits until nothing is on its way to a block any more. */
async function untilQuiet(client: Client, proxy: TortureProxy): Promise<void> {
  const end = Date.now() + SETTLE_MS;
  while (Date.now() < end) {
    const waiting = proxy.open > 0 || (await patiently(() => waitingTxs(client))) > 0;
    if (!waiting) return;
    await sleep(QUIET_POLL_MS);
  }
}

async function waitingTxs(client: Client): Promise<number> {
  const answer = (await client.rpc.call("num_unconfirmed_txs")) as { total?: string };
  return Number(answer.total ?? "0");
}

/** Does the faults that happen to the world: kills and skews. */
class World {
  readonly applied = new Set<Fault>();
  readonly #stage: Stage;
  readonly #client: Client;
  readonly #faults: readonly Fault[];
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #running = new Set<Promise<unknown>>();
  readonly #abort = new AbortController();
  #daemon: Daemon | undefined;
  #failure: unknown;

  constructor(stage: Stage, client: Client, faults: readonly Fault[]) {
    this.#stage = stage;
    this.#client = client;
    this.#faults = faults.filter(({ kind }) =>
      ["kill_node", "kill_daemon", "skew_time"].includes(kind),
    );
  }

  start(daemon: Daemon): void {
    this.#daemon = daemon;
    for (const fault of this.#faults) {
      if ("afterMs" in fault.at) this.#later(fault, fault.at.afterMs);
    }
  }

  onRequest(counts: Readonly<Record<RequestClass, number>>, requestClass: RequestClass): void {
    for (const fault of this.#faults) {
      if ("afterMs" in fault.at) continue;
      const { of, nth, plusMs = 0 }: RequestPoint = fault.at;
      const isThis = (of === requestClass || of === "any") && counts[of] === nth;
      if (isThis) this.#later(fault, plusMs);
    }
  }

  #later(fault: Fault, ms: number): void {
    if (this.#abort.signal.aborted) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      const done = this.#do(fault).catch((error: unknown) => {
        this.#failure ??= error;
      });
      this.#running.add(done);
      void done.finally(() => this.#running.delete(done));
    }, ms);
    this.#timers.add(timer);
  }

  async #do(fault: Fault): Promise<void> {
    const { kind, ms = 0, seconds = 0 } = fault;
    if (kind === "kill_daemon") {
      if (this.#daemon?.killFor(ms) === true) this.applied.add(fault);
    } else if (kind === "kill_node" && this.#stage.node !== undefined) {
      this.applied.add(fault);
      await this.#stage.node.killFor(ms);
    } else if (kind === "skew_time") {
      this.applied.add(fault);
      // A node that is killed meanwhile has the clock's time again: nothing to put right.
      await skewTime(this.#client, seconds, this.#abort.signal).catch(() => undefined);
    }
  }

  /** Nothing happens any more; resolves when the world is whole again. @throws TortureError */
  async end(): Promise<void> {
    this.#abort.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await Promise.all(this.#running);
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }
}
