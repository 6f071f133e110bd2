import { isAbsolute } from "node:path";
import { CgroupFiles } from "../cgroup_files.ts";
import { ProviderError } from "../errors.ts";
import { bootId } from "../proc_tree.ts";
import type { Collector, MetricName, Moment, Observed, OpenCollector, Usage } from "./collector.ts";
import type { CgroupSettings } from "./collector_settings.ts";
import { Counter } from "./counter.ts";
import { type CursorHead, EarlierCursor } from "./cursor.ts";
import { AREA_PER_SECOND, Gauge } from "./gauge.ts";
import { Remainders } from "./remainder.ts";
import { SpanClock } from "./span_clock.ts";

const KIND = "cgroup2";
const MICROSECONDS_PER_MS = 1000n;

/**
 * Meters a cgroup of version 2. The kernel adds up the CPU time of whatever runs in the group, so
 * that processes which live shorter than the time between two reads are counted whole.
 */
export const openCgroupCollector: OpenCollector<CgroupSettings> = async (settings, cursor, now) => {
  const { path } = settings;
  if (!isAbsolute(path)) {
    throw new ProviderError(
      "bad_collector",
      `cgroup2: the path must be that of a group, absolute ("/sys/fs/cgroup/jobs/a"), and is ${JSON.stringify(path)}`,
    );
  }
  const files = new CgroupFiles(path);
  if (files.identity() !== undefined && files.cpuMicroseconds() === undefined) {
    throw new ProviderError(
      "bad_collector",
      `cgroup2: ${path} has no cpu.stat with usage_usec, so it is no cgroup of version 2; look for the mount of type cgroup2 in /proc/mounts, or use kind: process`,
    );
  }
  return new CgroupCollector(settings, files, EarlierCursor.read(cursor, KIND, path), now);
};

class CgroupCollector implements Collector {
  readonly name: string;
  readonly tells: readonly MetricName[];
  readonly #settings: CgroupSettings;
  readonly #files: CgroupFiles;
  readonly #clock: SpanClock;
  readonly #bootId = bootId();
  readonly #cpu: Counter;
  readonly #readBytes: Counter;
  readonly #writtenBytes: Counter;
  readonly #memory = new Gauge();
  // Bytes written since the workload began, as a level: each is held from its writing on.
  readonly #storage = new Gauge();
  readonly #remainders: Remainders;
  #heldBytes: bigint;
  #identity: string | undefined;
  #faults: string[] = [];

  constructor(
    settings: CgroupSettings,
    files: CgroupFiles,
    earlier: EarlierCursor | undefined,
    now: Moment,
  ) {
    this.name = `${KIND} ${settings.path}`;
    this.#settings = settings;
    this.#files = files;
    this.#clock = new SpanClock(now, earlier?.wallMs);
    this.#remainders = new Remainders(finePerWhole(settings), (metric) => earlier?.left(metric));
    this.tells = Object.keys(finePerWhole(settings)) as MetricName[];
    this.#cpu = new Counter(earlier?.amount("cpuMicroseconds"));
    this.#readBytes = new Counter(earlier?.amount("readBytes"));
    this.#writtenBytes = new Counter(earlier?.amount("writtenBytes"));
    this.#heldBytes = earlier?.amount("heldBytes") ?? 0n;
    this.#lookAtGauges(now);
    // A gauge that fails now fails at the first read as well, and is told then.
    this.#faults = [];
    if (earlier === undefined) this.#begin();
    else this.#resume(earlier);
  }

  /** A new workload: what the group had used before belongs to nobody's window. */
  #begin(): void {
    this.#identity = this.#files.identity();
    // A group that is made later has used nothing before.
    if (this.#identity === undefined) return this.#restartCounters();
    this.#lookAtCounters();
  }

  #resume(earlier: EarlierCursor): void {
    this.#identity = earlier.text("identity");
    if (this.tells.length > 1) this.#fault(this.#clock.awayText("memory and storage"));
    if (earlier.bootId === this.#bootId) return;
    this.#identity = undefined;
    this.#restartCounters();
    this.#fault("the machine was started anew: what was used after the last look is not known");
  }

  async read(now: Moment): Promise<Usage> {
    const { startMs, endMs, isContinuous } = this.#clock.cut(now);
    const isThere = this.#noticeIdentity();
    const io = isThere ? this.#lookAtCounters() : undefined;
    this.#lookAtGauges(now, isThere);
    const faults = this.#faults;
    this.#faults = [];
    const metrics = this.#remainders.take();
    const observed = this.#observe(io);
    return { startMs, endMs, metrics, isContinuous, faults, observed };
  }

  /** A group that was taken away and made again has counters of its own. */
  #noticeIdentity(): boolean {
    const identity = this.#files.identity();
    if (identity === undefined) {
      this.#fault("there is no such group now, and nothing of it is counted");
      return false;
    }
    if (this.#identity !== undefined && identity !== this.#identity) {
      this.#restartCounters();
      this.#fault("the group was made anew: what the one before used after its last look is lost");
    }
    this.#identity = identity;
    return true;
  }

  #restartCounters(): void {
    for (const counter of [this.#cpu, this.#readBytes, this.#writtenBytes]) counter.restart();
  }

  #lookAtCounters(): { readBytes: bigint; writtenBytes: bigint } | undefined {
    const microseconds = this.#files.cpuMicroseconds();
    if (microseconds === undefined) {
      this.#fault("cpu.stat cannot be read; its time comes with the next look that can");
    } else {
      this.#remainders.add("cpuMilliseconds", this.#grow(this.#cpu, microseconds, "cpu.stat"));
    }
    const io = this.#files.io();
    if (io === undefined) return undefined;
    const readBytes = this.#grow(this.#readBytes, io.readBytes, "io.stat rbytes");
    const writtenBytes = this.#grow(this.#writtenBytes, io.writtenBytes, "io.stat wbytes");
    this.#heldBytes += writtenBytes;
    return { readBytes, writtenBytes };
  }

  #grow(counter: Counter, total: bigint, what: string): bigint {
    const { last } = counter;
    const { grown, wasReset } = counter.advance(total);
    if (wasReset) this.#fault(`${what} went back from ${last} to ${total}: counted from 0 again`);
    return grown;
  }

  #lookAtGauges({ steadyMs }: Moment, isThere = true): void {
    const { memory = "current", storage = "none" } = this.#settings;
    if (memory !== "none") {
      const bytes = memory === "peak" ? this.#files.memoryPeakBytes() : this.#files.memoryBytes();
      if (bytes === undefined && isThere) {
        this.#fault(
          `memory.${memory} cannot be read: memory counts 0; hand the controller down (echo +memory > ../cgroup.subtree_control), or set memory: none`,
        );
      }
      this.#remainders.add("memoryByteSeconds", this.#memory.look(bytes, steadyMs) ?? 0n);
    }
    if (storage === "written") {
      const isKnown = isThere && this.#files.io() !== undefined;
      if (!isKnown && isThere) this.#fault("io.stat cannot be read: storage counts 0");
      const held = isKnown ? this.#heldBytes : undefined;
      this.#remainders.add("storageByteSeconds", this.#storage.look(held, steadyMs) ?? 0n);
    }
  }

  #observe(io: { readBytes: bigint; writtenBytes: bigint } | undefined): Observed {
    const memoryPeakBytes = this.#files.memoryPeakBytes();
    const processes = this.#files.tasks();
    return {
      ...(memoryPeakBytes === undefined ? {} : { memoryPeakBytes }),
      ...(processes === undefined ? {} : { processes }),
      ...(io ?? {}),
    };
  }

  #fault(text: string): void {
    this.#faults.push(text);
  }

  cursor(): CursorHead & Record<string, unknown> {
    const { wallMs } = this.#clock;
    return {
      ...{ version: 1, kind: KIND, place: this.#settings.path, wallMs, bootId: this.#bootId },
      identity: this.#identity,
      cpuMicroseconds: this.#cpu.last?.toString(),
      readBytes: this.#readBytes.last?.toString(),
      writtenBytes: this.#writtenBytes.last?.toString(),
      heldBytes: `${this.#heldBytes}`,
      left: this.#remainders.toJson(),
    };
  }

  async close(): Promise<void> {}
}

function finePerWhole(settings: CgroupSettings): Partial<Record<MetricName, bigint>> {
  const { memory = "current", storage = "none" } = settings;
  return {
    cpuMilliseconds: MICROSECONDS_PER_MS,
    ...(memory === "none" ? {} : { memoryByteSeconds: AREA_PER_SECOND }),
    ...(storage === "none" ? {} : { storageByteSeconds: AREA_PER_SECOND }),
  };
}
