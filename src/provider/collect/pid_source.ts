import { readFileSync, statSync } from "node:fs";
import { isAbsolute } from "node:path";
import { ProviderError } from "../errors.ts";
import { MS_PER_TICK, type ProcStat, readStat, ticksNow } from "../proc_tree.ts";

/** Clocks and file times are this far apart at most, in milliseconds. */
const FILE_TIME_MS = 2000;

/** Which process a workload begins with: a number, or a file that a service manager writes it to. */
export class PidSource {
  /** For people. */
  readonly place: string;
  readonly #pid: number | undefined;
  readonly #pidFile: string | undefined;

  /** @throws ProviderError `bad_collector` unless exactly one of the two is given and can be */
  constructor(kind: string, pid: number | undefined, pidFile: string | undefined) {
    const isPid = pid !== undefined && Number.isSafeInteger(pid) && pid > 0;
    const isFile = pidFile !== undefined && isAbsolute(pidFile);
    if ((pid === undefined) === (pidFile === undefined) || !(isPid || isFile)) {
      const found = JSON.stringify({ pid, pidFile });
      throw new ProviderError(
        "bad_collector",
        `${kind}: give one of pid (a number above 0) and pidFile (an absolute path), and not ${found}`,
      );
    }
    this.#pid = pid;
    this.#pidFile = pidFile;
    this.place = pidFile ?? `pid ${pid}`;
  }

  /** Whether another process may take the place of the first. */
  get isFile(): boolean {
    return this.#pidFile !== undefined;
  }

  /**
   * The process as it is now.
   * @param known the one of the look before: it is not checked again
   */
  look(known?: ProcessId): ProcStat | NoProcess {
    if (this.#pid === undefined) return readPidFile(this.#pidFile as string, known);
    return readStat(this.#pid) ?? hasEnded(`process ${this.#pid}`);
  }
}

/** A process, apart from later ones with its number. */
export interface ProcessId {
  readonly pid: number;
  readonly startTicks: bigint;
}

/** Why there is no process, in words. */
interface NoProcess {
  readonly reason: string;
  /** It is certain that there is none, and that nothing is used. */
  readonly isEnded: boolean;
}

function readPidFile(file: string, known: ProcessId | undefined): ProcStat | NoProcess {
  let text: string;
  let writtenMs: number;
  try {
    text = readFileSync(file, "utf8").trim();
    writtenMs = statSync(file).mtimeMs;
  } catch {
    return unknown(`${file} cannot be read`);
  }
  if (!/^[1-9][0-9]{0,9}$/.test(text)) {
    return unknown(`${file} holds ${JSON.stringify(text.slice(0, 40))} and no process number`);
  }
  const stat = readStat(Number(text));
  if (stat === undefined) return hasEnded(`process ${text} of ${file}`);
  if (stat.pid === known?.pid && stat.startTicks === known.startTicks) return stat;
  const startedMs = Date.now() - Number(((ticksNow() ?? 0n) - stat.startTicks) * MS_PER_TICK);
  // The file is older than the process: the number has come to a stranger.
  if (startedMs > writtenMs + FILE_TIME_MS) {
    return unknown(
      `process ${text} began after ${file} was written, so it is not the one that is meant`,
    );
  }
  return stat;
}

function hasEnded(what: string): NoProcess {
  return { reason: `${what} has ended`, isEnded: true };
}

function unknown(reason: string): NoProcess {
  return { reason, isEnded: false };
}
