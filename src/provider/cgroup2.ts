import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CgroupFiles } from "./cgroup_files.ts";

/** What a cgroup's files say, as of now. */
export interface CgroupUsage {
  readonly cpuMilliseconds: number;
  readonly memoryBytes: number;
  readonly writtenBytes: number;
}

const ROOT = "/sys/fs/cgroup";

/** A cgroup (v2) of its own for one metered command: the kernel adds up, whatever forks or ends. */
export class MeterCgroup {
  readonly path: string;

  /** The group at a path, made already. */
  constructor(path: string) {
    this.path = path;
  }

  /**
   * Makes a cgroup under this process's own one, or beside it; undefined where that is not allowed,
   * where cgroups are not v2, or where they do not account for memory.
   */
  static make(name: string, root: string = ROOT, own: string = readOwn()): MeterCgroup | undefined {
    if (!existsSync(join(root, "cgroup.controllers"))) return undefined;
    const place = join(root, own);
    // A group with processes of its own cannot hand controllers down; then its parent often does.
    const parents = own === "/" ? [place] : [place, dirname(place)];
    for (const parent of parents) {
      const made = makeIn(join(parent, name), parent);
      if (made !== undefined) return new MeterCgroup(made);
    }
    return undefined;
  }

  read(): CgroupUsage {
    const files = new CgroupFiles(this.path);
    return {
      cpuMilliseconds: Number(files.cpuMicroseconds() ?? 0n) / 1000,
      memoryBytes: Number(files.memoryBytes() ?? 0n),
      writtenBytes: Number(files.io()?.writtenBytes ?? 0n),
    };
  }

  /** Takes the group away; it stays while a process that the command left behind is in it. */
  remove(): boolean {
    try {
      rmdirSync(this.path);
      return true;
    } catch {
      return false;
    }
  }
}

/** The path of this process's cgroup below the root of v2: the line "0::/…". */
function readOwn(): string {
  try {
    return /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
  } catch {
    return "/";
  }
}

function makeIn(path: string, parent: string): string | undefined {
  try {
    mkdirSync(path);
  } catch {
    return undefined;
  }
  for (const controller of ["+memory", "+io"]) {
    if (existsSync(join(path, "memory.current")) && existsSync(join(path, "io.stat"))) break;
    try {
      writeFileSync(join(parent, "cgroup.subtree_control"), controller);
    } catch {
      // Not ours to hand down; what is there decides below.
    }
  }
  if (existsSync(join(path, "cpu.stat")) && existsSync(join(path, "memory.current"))) return path;
  try {
    rmdirSync(path);
  } catch {
    // An empty group that cannot be removed again does no harm.
  }
  return undefined;
}
