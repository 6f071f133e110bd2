import { existsSync, mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

const ROOTS = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/** What a shell runs as `-c` to enter the group $0 and become the rest of its words. */
export const ENTER_GROUP = 'echo $$ > "$0/cgroup.procs" && exec "$@"';

/**
 * Makes a cgroup of version 2 of the kernel's own; undefined where none may be made. Where version 1
 * has the controllers, such a group still accounts for CPU time.
 */
export function makeGroup(name: string): string | undefined {
  for (const root of ROOTS) {
    if (!existsSync(join(root, "cgroup.controllers"))) continue;
    const own = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
    const path = join(root, own, `settled-${name}-${process.pid}`);
    try {
      mkdirSync(path);
      return path;
    } catch {
      // No right to it here.
    }
  }
  return undefined;
}

/** Takes a group away as soon as its last process is gone. */
export async function removeGroup(path: string): Promise<void> {
  for (let turn = 0; turn < 100; turn += 1) {
    try {
      rmdirSync(path);
      return;
    } catch {
      await sleep(20);
    }
  }
}
