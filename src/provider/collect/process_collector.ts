import { ProviderError } from "../errors.ts";
import {
  bootId,
  ioBytes,
  MS_PER_TICK,
  proportionalBytes,
  readStat,
  residentBytes,
  ticksNow,
} from "../proc_tree.ts";
import type { Collector, MetricName, Moment, OpenCollector, Usage } from "./collector.ts";
import type { ProcessSettings } from "./collector_settings.ts";
import { amountOf, type CursorHead, EarlierCursor } from "./cursor.ts";
import { AREA_PER_SECOND, Gauge } from "./gauge.ts";
import { type ProcessId, PidSource } from "./pid_source.ts";
import { type Member, ProcessTree, type TreeGrowth, type TreeState } from "./process_tree.ts";
import { processTableAt } from "./process_table.ts";
import { Remainders } from "./remainder.ts";
import { SpanClock } from "./span_clock.ts";
import { treeFromCursor, treeToJson } from "./tree_cursor.ts";

const KIND = "process";
/** More is a cursor too large to be written every few seconds; a cgroup meters any number. */
const MEMBERS_MAX = 4096;
const PROBE = { stat: readStat, io: ioBytes };

/**
 * Meters a process and its descendants by /proc.
 *
 * CPU time is exact to a tick (10 ms) per process while every process is waited for by one of the
 * tree, however short it lives. Where one is not (the root itself, orphans), what it used between
 * the last look and its end is not known: at most the time between two looks per process, and the
 * span says so. With a look each second that is below 2 % for whatever runs for a minute; for many
 * short orphans use a cgroup. Memory is that of the processes alive at a look, between looks on a
 * straight line: what lives shorter is seen as often as it happens to be there.
 */
export const openProcessCollector: OpenCollector<ProcessSettings> = async (
  settings,
  cursor,
  now,
) => {
  const source = new PidSource(KIND, settings.pid, settings.pidFile);
  const since = ticksNow();
  if (since === undefined) {
    throw new ProviderError(
      "bad_collector",
      "process: there is no /proc/uptime here, so processes cannot be metered; this needs Linux with /proc",
    );
  }
  const earlier = EarlierCursor.read(cursor, KIND, source.place);
  if (earlier === undefined && settings.pid !== undefined && readStat(settings.pid) === undefined) {
    throw new ProviderError(
      "bad_collector",
      `process: there is no process ${settings.pid}; give the number of one that runs, or a pidFile for one that comes later`,
    );
  }
  return new ProcessCollector(settings, source, earlier, now, since);
};

class ProcessCollector implements Collector {
  readonly name: string;
  readonly tells: readonly MetricName[];
  readonly #settings: ProcessSettings;
  readonly #source: PidSource;
  readonly #clock: SpanClock;
  readonly #bootId = bootId();
  readonly #tree: ProcessTree;
  readonly #memory = new Gauge();
  // Bytes written since the workload began, as a level: each is held from its writing on.
  readonly #storage = new Gauge();
  readonly #remainders: Remainders;
  #heldBytes: bigint;
  #root: ProcessId | undefined;
  #faults: string[] = [];

  constructor(
    settings: ProcessSettings,
    source: PidSource,
    earlier: EarlierCursor | undefined,
    now: Moment,
    since: bigint,
  ) {
    this.name = `${KIND} ${source.place}`;
    this.#settings = settings;
    this.#source = source;
    this.#clock = new SpanClock(now, earlier?.wallMs);
    const perWhole = finePerWhole(settings);
    this.tells = Object.keys(perWhole) as MetricName[];
    this.#remainders = new Remainders(perWhole, (metric) => earlier?.left(metric));
    this.#heldBytes = earlier?.amount("heldBytes") ?? 0n;
    const isSameBoot = earlier?.bootId === this.#bootId;
    // After a start of the machine every process is later than the workload.
    const none: TreeState = { ...NO_TREE, sinceTicks: earlier === undefined ? since : 0n };
    const state = isSameBoot && earlier !== undefined ? treeFromCursor(earlier, since) : none;
    this.#tree = new ProcessTree(state, PROBE, MEMBERS_MAX);
    this.#root = isSameBoot ? rootOf(earlier) : undefined;
    if (earlier === undefined) this.#findRoot();
    const members = earlier === undefined ? this.#look(now).members : this.#stillThere();
    this.#lookAtGauges(members, now);
    this.#faults = [];
    if (earlier === undefined) return;
    if (this.tells.length > 1) this.#fault(this.#clock.awayText("memory and storage"));
    if (!isSameBoot) {
      if (settings.pid !== undefined) this.#root = { pid: settings.pid, startTicks: -1n };
      this.#fault("the machine was started anew: what was used after the last look is not known");
    }
  }

  /** Members that an earlier collector has left, less those whose numbers strangers have now. */
  #stillThere(): readonly Member[] {
    return this.#tree.members.filter((was) => readStat(was.pid)?.startTicks === was.startTicks);
  }

  async read(now: Moment): Promise<Usage> {
    const { startMs, endMs, isContinuous } = this.#clock.cut(now);
    this.#findRoot();
    const { growth, members } = this.#look(now);
    this.#remainders.add("cpuMilliseconds", growth.cpuTicks * MS_PER_TICK);
    this.#heldBytes += growth.writtenBytes;
    this.#lookAtGauges(members, now);
    const faults = this.#faults;
    this.#faults = [];
    const { readBytes, writtenBytes } = growth;
    const observed = { processes: BigInt(members.length), readBytes, writtenBytes };
    const metrics = this.#remainders.take();
    return { startMs, endMs, metrics, isContinuous, faults, observed };
  }

  /** Says once that the root has ended; a file may name another one later. */
  #findRoot(): void {
    const found = this.#source.look(this.#root);
    if ("reason" in found) {
      if (!found.isEnded) return this.#fault(found.reason);
      return this.#loseRoot(found.reason);
    }
    const { pid, startTicks } = found;
    const isOther = this.#root !== undefined && this.#root.startTicks !== startTicks;
    if (isOther && !this.#source.isFile) return this.#loseRoot(`process ${pid} has ended`);
    if (isOther) this.#loseRoot("the process has ended, and another one has come");
    this.#root = { pid, startTicks };
  }

  #loseRoot(reason: string): void {
    if (this.#root !== undefined && this.#root.startTicks >= 0n) {
      this.#fault(`${reason}: what it used after the last look is not known`);
    }
    // No process starts before the machine: a stranger with the number is not taken for it.
    this.#root = this.#root === undefined ? undefined : { pid: this.#root.pid, startTicks: -1n };
  }

  #look(now: Moment): { growth: TreeGrowth; members: readonly Member[] } {
    const growth = this.#tree.look(processTableAt(now), this.#root);
    const { unseenEnds, withoutIo, beyondLimit } = growth;
    if (unseenEnds > 0) {
      this.#fault(
        `${unseenEnds} processes ended and no process of the tree waited for them: CPU time after their last look is not known`,
      );
    }
    if (beyondLimit > 0) {
      this.#fault(
        `${beyondLimit} processes more than the limit of ${MEMBERS_MAX} are not counted; use a cgroup`,
      );
    }
    if (withoutIo > 0 && this.#remainders.has("storageByteSeconds")) {
      this.#fault(`/proc/PID/io of ${withoutIo} processes cannot be read: their bytes count 0`);
    }
    return { growth, members: this.#tree.members };
  }

  #lookAtGauges(members: readonly Member[], { steadyMs }: Moment): void {
    if (this.#remainders.has("memoryByteSeconds")) {
      const area = this.#memory.look(this.#memoryBytes(members), steadyMs);
      this.#remainders.add("memoryByteSeconds", area ?? 0n);
    }
    const area = this.#storage.look(this.#heldBytes, steadyMs);
    this.#remainders.add("storageByteSeconds", area ?? 0n);
  }

  /** Memory of all that can be read; of the rest it is said that it counts 0. */
  #memoryBytes(members: readonly Member[]): bigint {
    const isResident = this.#settings.memory === "resident";
    let bytes = 0n;
    let unread = 0;
    for (const { pid, startTicks, isZombie } of members) {
      if (isZombie) continue;
      const held = isResident ? BigInt(residentBytes(pid)) : proportionalBytes(pid);
      bytes += held ?? 0n;
      if (held !== undefined) continue;
      const stat = readStat(pid);
      if (stat?.startTicks === startTicks && !stat.isZombie) unread += 1;
    }
    if (unread > 0) {
      this.#fault(
        `/proc/PID/smaps_rollup of ${unread} processes cannot be read: their memory counts 0; run the meter as their user or as root, or set memory: resident`,
      );
    }
    return bytes;
  }

  #fault(text: string): void {
    this.#faults.push(text);
  }

  cursor(): CursorHead & Record<string, unknown> {
    const { wallMs } = this.#clock;
    const root = this.#root;
    return {
      ...{ version: 1, kind: KIND, place: this.#source.place, wallMs, bootId: this.#bootId },
      ...(root === undefined ? {} : { root: { pid: root.pid, start: `${root.startTicks}` } }),
      ...treeToJson(this.#tree.state()),
      heldBytes: `${this.#heldBytes}`,
      left: this.#remainders.toJson(),
    };
  }

  async close(): Promise<void> {}
}

const NO_TREE = { members: [], sessions: [], owed: { cpu: 0n, read: 0n, written: 0n } };

function rootOf(earlier: EarlierCursor | undefined): ProcessId | undefined {
  const { pid, start } = earlier?.record("root") ?? {};
  // A root that had ended is written as -1.
  if (typeof pid !== "number") return undefined;
  return { pid, startTicks: amountOf(start) ?? -1n };
}

function finePerWhole(settings: ProcessSettings): Partial<Record<MetricName, bigint>> {
  const { memory = "proportional", storage = "none" } = settings;
  return {
    // A tick is a whole number of milliseconds.
    cpuMilliseconds: 1n,
    ...(memory === "none" ? {} : { memoryByteSeconds: AREA_PER_SECOND }),
    ...(storage === "none" ? {} : { storageByteSeconds: AREA_PER_SECOND }),
  };
}
