import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import process from "node:process";

/**
 * What the kernel tells of processes under /proc. Everything may vanish while it is read: a process
 * that is gone reads as undefined. See proc(5).
 */

/** USER_HZ: clock ticks of /proc per second, 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

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

/** Fields of /proc/PID/stat after the command's name, which may hold spaces and brackets. */
function statFields(pid: number | "self"): string[] | undefined {
  const text = read(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
}

export function cpuTimes(pid: number | "self"): CpuTimes | undefined {
  const fields = statFields(pid);
  if (fields === undefined) return undefined;
  // utime, stime, cutime and cstime are fields 14 to 17 of the manual; the name was field 2.
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15).map(Number);
  const milliseconds = (ticks: number) => (ticks * 1000) / TICKS_PER_SECOND;
  return {
    ownMilliseconds: milliseconds(user + system),
    waitedMilliseconds: milliseconds(childUser + childSystem),
  };
}

/** When a process started, in ticks since boot: tells it from a later one with the same number. */
export function startTicks(pid: number): string | undefined {
  return statFields(pid)?.[19];
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
  for (const line of (read(`/proc/${pid}/net/dev`) ?? "").split("\n").slice(2)) {
    const [name = "", rest = ""] = line.trim().split(":");
    if (name === "" || name === "lo") continue;
    const fields = rest.trim().split(/\s+/).map(Number);
    sum.received += fields[0] ?? 0;
    sum.sent += fields[8] ?? 0;
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
  for (const name of list("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    const parent = Number(statFields(Number(name))?.[1] ?? "0");
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [Number(name)]);
    else siblings.push(Number(name));
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
