import { mkdir, open, readFile, unlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { NodeStartError } from "./errors.ts";

/** A home held by this process. */
export interface HomeLock {
  readonly path: string;
  /** Lets the next process have the home. */
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  /** Start of the process in ticks since boot, where the system tells: pids are used again. */
  readonly started: string | undefined;
}

// Locks that nodes of this very process hold: their pid alone could not tell them from stale ones.
const held = new Set<string>();

/**
 * Takes a node home for this process. The lock of a dead process is taken over. Two processes that
 * take over at the same moment are told apart by LevelDB's own lock.
 * @throws NodeStartError naming the pid that has the home
 */
export async function lockHome(home: string): Promise<HomeLock> {
  const path = join(resolve(home), "node.lock");
  if (held.has(path)) throw inUse(home, process.pid);
  held.add(path);
  try {
    await mkdir(home, { recursive: true });
    if (!(await create(path))) {
      const holder = await readHolder(path);
      if (holder !== undefined && (await isAlive(holder))) throw inUse(home, holder.pid);
      await unlink(path).catch(ignoreAbsent);
      if (!(await create(path))) throw inUse(home, (await readHolder(path))?.pid ?? 0);
    }
  } catch (error) {
    held.delete(path);
    throw error;
  }
  const release = async () => {
    await unlink(path).catch(ignoreAbsent);
    held.delete(path);
  };
  return { path, release };
}

function inUse(home: string, pid: number): NodeStartError {
  const message = `${home} is in use by process ${pid}: stop it, or choose another --home`;
  return new NodeStartError(message, { home, pid });
}

/** Whether the lock file is now ours; false when there is one already. */
async function create(path: string): Promise<boolean> {
  const started = await startOf(process.pid);
  try {
    const file = await open(path, "wx", 0o644);
    try {
      await file.writeFile(`${JSON.stringify({ pid: process.pid, started })}\n`);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** undefined for a file without a pid, such as a crash in the middle of writing it leaves. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const { pid, started } = JSON.parse(await readFile(path, "utf8")) as Partial<Holder>;
    return typeof pid === "number" && pid > 0 ? { pid, started } : undefined;
  } catch {
    return undefined;
  }
}

async function isAlive({ pid, started }: Holder): Promise<boolean> {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: there is such a process, of another user.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const { state, started: now } = await statOf(pid);
  // A zombie has ended; only its parent has not asked for the exit code yet.
  if (state === "Z" || state === "X") return false;
  return started === undefined || now === undefined || now === started;
}

async function startOf(pid: number): Promise<string | undefined> {
  return (await statOf(pid)).started;
}

/** Fields 3 and 22 of /proc/<pid>/stat; nothing on systems without it. */
async function statOf(pid: number): Promise<{ state?: string; started?: string }> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in parentheses and may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state = "", started = ""] = [fields[0], fields[19]];
    return { state, started };
  } catch {
    return {};
  }
}

function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}
