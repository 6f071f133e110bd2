import { readFile, stat, unlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { writeFileAtomic } from "./atomic_file.ts";
import { CliError } from "./cli_error.ts";
import { EXIT } from "./exit_codes.ts";

const POLL_MS = 15;
const WAIT_MS = 30_000;
/** Nobody needs a turn for so long: who still has it hangs, or its pid is another's by now. */
const HELD_MS_MAX = 20_000;

/**
 * Runs `work` while no other process does with the same lock file. That of a process that is gone is
 * taken over; two that take it over in the same moment may both go on, so what the work does must
 * come right then too.
 * @throws CliError `busy` when the turn does not come in time
 */
export async function inTurn<T>(path: string, work: () => Promise<T>): Promise<T> {
  const end = Date.now() + WAIT_MS;
  while (!(await take(path))) {
    if (!(await isHeld(path))) await unlink(path).catch(ignoreAbsent);
    else if (Date.now() > end) throw busy(path);
    else await sleep(POLL_MS);
  }
  try {
    return await work();
  } finally {
    await unlink(path).catch(ignoreAbsent);
  }
}

async function take(path: string): Promise<boolean> {
  try {
    // With its content from the first moment on, so that nobody takes it for one of the dead.
    await writeFileAtomic(path, `${process.pid}\n`, { mode: 0o600, overwrite: false });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function isHeld(path: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > HELD_MS_MAX) return false;
    const pid = Number(await readFile(path, "utf8"));
    if (!Number.isSafeInteger(pid) || pid <= 0) return false;
    process.kill(pid, 0);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // EPERM: there is such a process, of another user. ENOENT: its turn has just ended, and what is
    // there a moment later is the next one's.
    if (code === "EPERM" || code === "ENOENT") return true;
    if (code === "ESRCH") return false;
    throw error;
  }
}

function busy(path: string): CliError {
  return new CliError(EXIT.other, "busy", `another process does not end its turn: ${path}`, {
    hint: "when no settled command is running, remove that file",
  });
}

function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}
