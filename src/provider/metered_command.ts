import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import process from "node:process";
import { MeterCgroup } from "./cgroup2.ts";
import { ProviderError } from "./errors.ts";
import {
  cpuTimes,
  hasOwnNetwork,
  networkBytes,
  processTree,
  residentBytes,
  startTicks,
  writtenBytes,
} from "./proc_tree.ts";
import type { Metrics } from "./units.ts";

/** What a command used while it ran. */
export interface MeteredRun {
  /** The command's exit code; 128 and the signal's number when a signal ended it. */
  readonly exitCode: number;
  /** Unix time in milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly metrics: Metrics;
  /** Where the numbers come from: a cgroup of the command's own, or /proc of its processes. */
  readonly source: "cgroup2" | "proc";
  /** What could not be measured, in words. */
  readonly notes: readonly string[];
}

export interface MeterCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly sampleMs?: number | undefined;
  /** false: only /proc, even where a cgroup could be made. */
  readonly useCgroup?: boolean | undefined;
}

const SAMPLE_MS = 200;

/**
 * Runs a command with this process's stdin, stdout and stderr and measures what it uses:
 *
 * - CPU: the cgroup's cpu.stat; else what the kernel adds to this process's waited-for children when
 *   the command ends (all descendants that were waited for), plus descendants that still run.
 * - Memory: the cgroup's memory.current, else resident memory of the process tree, integrated over
 *   time between samples.
 * - Storage: bytes written (io.stat, else /proc/PID/io), each counted from its writing to the end.
 * - Network: the interfaces of the command's own network namespace; where it has none, traffic
 *   cannot be told apart from others' and counts as 0.
 *
 * @throws ProviderError `cannot_run` when the command does not start.
 */
export async function runMetered(options: MeterCommand): Promise<MeteredRun> {
  const name = `settled-meter-${process.pid}`;
  const cgroup = options.useCgroup === false ? undefined : MeterCgroup.make(name);
  const before = ownChildren();
  const startedAt = Date.now();
  const child = await start(options, cgroup);
  const sampler = new Sampler(child.pid as number, cgroup, before);
  const timer = setInterval(() => sampler.sample(), options.sampleMs ?? SAMPLE_MS);
  sampler.sample();
  const stopForwarding = forwardSignals(child);
  const exitCode = await new Promise<number>((resolve) => {
    child.once("exit", (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
  clearInterval(timer);
  stopForwarding();
  const metrics = sampler.finish();
  const notes = [...sampler.notes];
  if (cgroup !== undefined && !cgroup.remove()) {
    notes.push(`processes that the command left behind are in ${cgroup.path}`);
  }
  const source = cgroup === undefined ? "proc" : "cgroup2";
  return { exitCode, startedAt, endedAt: Date.now(), metrics, source, notes };
}

function start(options: MeterCommand, cgroup: MeterCgroup | undefined): Promise<ChildProcess> {
  const { command, args } = options;
  // The shell moves itself into the group and becomes the command: nothing of it runs outside.
  const enter = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
  const child =
    cgroup === undefined
      ? spawn(command, args, { stdio: "inherit" })
      : spawn("/bin/sh", ["-c", enter, cgroup.path, command, ...args], { stdio: "inherit" });
  return new Promise((resolve, reject) => {
    child.once("spawn", () => resolve(child));
    child.once("error", (error) => {
      cgroup?.remove();
      reject(new ProviderError("cannot_run", `cannot run ${command}: ${error.message}`));
    });
  });
}

/** Ctrl-C reaches the command from the terminal; other signals to this process are handed on. */
function forwardSignals(child: ChildProcess): () => void {
  const onInterrupt = () => {
    if (process.stdin.isTTY !== true) child.kill("SIGINT");
  };
  const onTerminate = () => void child.kill("SIGTERM");
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onTerminate);
  return () => {
    process.off("SIGINT", onInterrupt);
    process.off("SIGTERM", onTerminate);
  };
}

interface OwnChildren {
  readonly waitedMilliseconds: number;
  readonly writtenBytes: number;
}

/** What the kernel has added to this process for children that it has waited for. */
function ownChildren(): OwnChildren {
  const waitedMilliseconds = cpuTimes("self")?.waitedMilliseconds ?? 0;
  return { waitedMilliseconds, writtenBytes: writtenBytes("self") };
}

class Sampler {
  readonly notes: string[] = [];
  readonly #root: number;
  readonly #cgroup: MeterCgroup | undefined;
  readonly #before: OwnChildren;
  // By process number, when it started: a number that comes again is another process.
  readonly #members = new Map<number, string>();
  #last = performance.now();
  #memoryBytes = 0;
  #writtenBytes = 0;
  #memoryByteSeconds = 0;
  #storageByteSeconds = 0;
  #network: { received: number; sent: number } | undefined;

  constructor(root: number, cgroup: MeterCgroup | undefined, before: OwnChildren) {
    this.#root = root;
    this.#cgroup = cgroup;
    this.#before = before;
  }

  sample(): void {
    this.#advance();
    if (hasOwnNetwork(this.#root)) this.#network = networkBytes(this.#root);
    if (this.#cgroup !== undefined) {
      const { memoryBytes, writtenBytes: written } = this.#cgroup.read();
      this.#memoryBytes = memoryBytes;
      this.#writtenBytes = Math.max(this.#writtenBytes, written);
      return;
    }
    for (const pid of processTree(this.#root)) {
      const started = startTicks(pid);
      if (started !== undefined) this.#members.set(pid, started);
    }
    const alive = this.#alive();
    this.#memoryBytes = sum(alive.map(residentBytes));
    this.#writtenBytes = Math.max(this.#writtenBytes, sum(alive.map(writtenBytes)));
  }

  /** Whatever has been seen so far is held until now. */
  #advance(): void {
    const now = performance.now();
    const seconds = (now - this.#last) / 1000;
    this.#memoryByteSeconds += this.#memoryBytes * seconds;
    this.#storageByteSeconds += this.#writtenBytes * seconds;
    this.#last = now;
  }

  /** Members that still run, those that their parents have left behind among them. */
  #alive(): number[] {
    return [...this.#members].flatMap(([pid, started]) =>
      startTicks(pid) === started ? [pid] : [],
    );
  }

  finish(): Metrics {
    this.#advance();
    if (this.#network === undefined) {
      this.notes.push(
        "network: not attributable (the command shares this host's network), 0 billed",
      );
    }
    return {
      cpuMilliseconds: whole(this.#cpuMilliseconds()),
      memoryByteSeconds: whole(this.#memoryByteSeconds),
      storageByteSeconds: whole(this.#storageByteSeconds),
      gpuSeconds: 0n,
      networkBytesIn: whole(this.#network?.received ?? 0),
      networkBytesOut: whole(this.#network?.sent ?? 0),
    };
  }

  #cpuMilliseconds(): number {
    if (this.#cgroup !== undefined) return this.#cgroup.read().cpuMilliseconds;
    const waited = ownChildren().waitedMilliseconds - this.#before.waitedMilliseconds;
    const running = this.#alive().map((pid) => {
      const times = cpuTimes(pid);
      return (times?.ownMilliseconds ?? 0) + (times?.waitedMilliseconds ?? 0);
    });
    return waited + sum(running);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function whole(value: number): bigint {
  return BigInt(Math.floor(value));
}
