import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import process from "node:process";
import type { IoBytes } from "./cgroup_files.ts";

/**
 * What the kernel tells of processes under /proc. Everything may vanish while it is read: a process
 * that is gone reads as undefined. See proc(5).
 */

/** USER_HZ: clock ticks of /proc per second, 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100n;

export const MS_PER_TICK = 1000n / TICKS_PER_SECOND;

/** CPU time of a process, and of its children that have ended and been waited for. */
export interface CpuTimes {
  readonly ownMilliseconds: number;
  readonly waitedMilliseconds: number;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** A process as /proc/PID/stat has it. CPU times are in ticks, see `MS_PER_TICK`. */
export interface ProcStat {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** Since boot: tells the process from a later one with the same number. */
  readonly startTicks: bigint;
  readonly ownTicks: bigint;
  /** Of its children that have ended and been waited for, and of theirs. */
  readonly waitedTicks: bigint;
  /** Ended, and not yet waited for: it has CPU time still, and no memory. */
  readonly isZombie: boolean;
}

/** Fields of /proc/PID/stat after the command's name, which may hold spaces and brackets. */
function statFields(pid: number | "self"): string[] | undefined {
  const text = read(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
}

export function readStat(pid: number): ProcStat | undefined {
  const fields = statFields(pid);
  if (fields === undefined || fields.length < 20) return undefined;
  // Numbers of the manual less 3: state is field 3.
  const ticks = (field: number) => BigInt(fields[field - 3] ?? "0");
  return {
    pid,
    parent: Number(fields[1]),
    session: Number(fields[3]),
    startTicks: ticks(22),
    ownTicks: ticks(14) + ticks(15),
    waitedTicks: ticks(16) + ticks(17),
    isZombie: fields[0] === "Z" || fields[0] === "X",
  };
}

/** Every process that can be seen, by number. */
export function scanProcesses(): Map<number, ProcStat> {
  const found = new Map<number, ProcStat>();
  for (const name of list("/proc")) {
    const stat = /^[0-9]+$/.test(name) ? readStat(Number(name)) : undefined;
    if (stat !== undefined) found.set(stat.pid, stat);
  }
  return found;
}

export function cpuTimes(pid: number | "self"): CpuTimes | undefined {
  const stat = readStat(pid === "self" ? process.pid : pid);
  if (stat === undefined) return undefined;
  return {
    ownMilliseconds: Number(stat.ownTicks * MS_PER_TICK),
    waitedMilliseconds: Number(stat.waitedTicks * MS_PER_TICK),
  };
}

/** When a process started, in ticks since boot: tells it from a later one with the same number. */
export function startTicks(pid: number): string | undefined {
  return statFields(pid)?.[19];
}

/** The kernel's name for its run: process numbers and counters are of one run. */
export function bootId(): string {
  return read("/proc/sys/kernel/random/boot_id")?.trim() ?? "";
}

/** Ticks since boot; undefined without /proc. */
export function ticksNow(): bigint | undefined {
  const [, seconds, hundredths] = /^([0-9]+)\.([0-9]{2}) /.exec(read("/proc/uptime") ?? "") ?? [];
  if (seconds === undefined || hundredths === undefined) return undefined;
  return BigInt(seconds) * TICKS_PER_SECOND + (BigInt(hundredths) * TICKS_PER_SECOND) / 100n;
}

/**
 * Memory in bytes, each page shared out among the processes that map it (Pss); undefined when it
 * cannot be read, which needs the rights of a debugger of the process.
 */
export function proportionalBytes(pid: number): bigint | undefined {
  const text = read(`/proc/${pid}/smaps_rollup`);
  const kilobytes = /^Pss:\s+([0-9]+) kB$/m.exec(text ?? "")?.[1];
  return kilobytes === undefined ? undefined : BigInt(kilobytes) * 1024n;
}

/** Bytes that a process and its waited-for children have read from and written to storage. */
export function ioBytes(pid: number): IoBytes | undefined {
  const text = read(`/proc/${pid}/io`);
  const field = (name: string) =>
    new RegExp(`^${name}: ([0-9]+)$`, "m").exec(text ?? "")?.[1] ?? undefined;
  const [readBytes, writtenBytes] = [field("read_bytes"), field("write_bytes")];
  if (readBytes === undefined || writtenBytes === undefined) return undefined;
  return { readBytes: BigInt(readBytes), writtenBytes: BigInt(writtenBytes) };
}

/** Which network namespace a process is in; undefined when that cannot be seen. */
export function networkNamespace(pid: number | "self"): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}

/** What an interface has carried since it was made. */
export interface InterfaceBytes {
  readonly received: bigint;
  readonly sent: bigint;
}

/** The interfaces of the network that a process is in, by name; undefined when it has ended. */
export function interfaceBytes(pid: number | "self"): Map<string, InterfaceBytes> | undefined {
  const text = read(`/proc/${pid}/net/dev`);
  if (text === undefined || text === "") return undefined;
  const found = new Map<string, InterfaceBytes>();
  for (const line of text.split("\n").slice(2)) {
    // A name may hold a colon (an alias), but the last one is the kernel's.
    const colon = line.lastIndexOf(":");
    const fields = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    const [received, sent] = [fields[0] ?? "", fields[8] ?? ""];
    if (colon < 0 || !/^[0-9]+$/.test(received) || !/^[0-9]+$/.test(sent)) continue;
    found.set(line.slice(0, colon).trim(), { received: BigInt(received), sent: BigInt(sent) });
  }
  return found;
}

/** Resident memory in bytes. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+([0-9]+) kB$/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1];
  return Number(kilobytes ?? "0") * 1024;
}

/** Bytes sent to storage by a process and the children that it has waited for. */
export function writtenBytes(pid: number | "self"): number {
  const text = read(`/proc/${pid}/io`) ?? "";
  const field = (name: string) =>
    Number(new RegExp(`^${name}: ([0-9]+)$`, "m").exec(text)?.[1] ?? "0");
  return Math.max(0, field("write_bytes") - field("cancelled_write_bytes"));
}

/** Traffic through all interfaces but loopback of the network that a process is in. */
export function networkBytes(pid: number): { received: number; sent: number } {
  const sum = { received: 0, sent: 0 };
  for (const [name, { received, sent }] of interfaceBytes(pid) ?? []) {
    if (name === "lo") continue;
    sum.received += Number(received);
    sum.sent += Number(sent);
  }
  return sum;
}

/** Whether a process has a network of its own, apart from this one's. */
export function hasOwnNetwork(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`) !== readlinkSync("/proc/self/ns/net");
  } catch {
    return false;
  }
}

/** A process and all that descend from it, itself first. */
export function processTree(root: number): number[] {
  const childrenOf = kernelListsChildren() ? listedChildren : scannedChildren();
  const found = [root];
  for (let at = 0; at < found.length; at += 1) found.push(...childrenOf(found[at] as number));
  return found;
}

/** Kernels built without CONFIG_PROC_CHILDREN do not have the file. */
function kernelListsChildren(): boolean {
  return existsSync(`/proc/self/task/${process.pid}/children`);
}

function listedChildren(pid: number): number[] {
  return list(`/proc/${pid}/task`).flatMap((thread) => {
    const text = read(`/proc/${pid}/task/${thread}/children`)?.trim() ?? "";
    return text === "" ? [] : text.split(" ").map(Number);
  });
}

/** Looks at every process once for its parent. */
function scannedChildren(): (pid: number) => number[] {
  const children = new Map<number, number[]>();
  for (const { pid, parent } of scanProcesses().values()) {
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [pid]);
    else siblings.push(pid);
  }
  return (pid) => children.get(pid) ?? [];
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
