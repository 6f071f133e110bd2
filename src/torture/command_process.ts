import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { TortureError } from "./errors.ts";

export interface CommandOptions {
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where its stdout and stderr are added. */
  readonly logFile: string;
}

/** Groups of commands that have not ended: this process does not leave them behind. */
const groups = new Set<number>();

function killGroup(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

function killAll(): void {
  for (const group of groups) killGroup(group);
}

/** Lets SIGINT and SIGTERM end this process, and with it all commands that it has started. */
export function endWithCommands(): void {
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    process.once(signal, () => process.exit(code));
  }
}

/** A running command, with whatever it has started: all of it is killed at once. */
export class CommandProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = once(child, "exit").then(([code, signal]) => ({ code, signal }));
    this.#ended.catch(() => undefined);
  }

  /** @throws TortureError `cannot_run` when it does not start. */
  static async start({ words, env, logFile }: CommandOptions): Promise<CommandProcess> {
    const [command = "", ...args] = words;
    const log = openSync(logFile, "a");
    try {
      // A group of its own: a shell's children die with it.
      const child = spawn(command, args, {
        ...{ detached: true, stdio: ["ignore", log, log] },
        env: { ...process.env, ...env },
      });
      const started = new CommandProcess(child);
      await once(child, "spawn");
      if (groups.size === 0) process.once("exit", killAll);
      groups.add(started.pid);
      void started.ended.then(() => started.#forget());
      return started;
    } catch (error) {
      const detail = `cannot run "${command}": ${(error as Error).message}`;
      throw new TortureError("cannot_run", detail);
    } finally {
      closeSync(log);
    }
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get ended(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    return this.#ended;
  }

  /** SIGKILL to the command and all that it has started. */
  async kill(): Promise<void> {
    killGroup(this.pid);
    await this.#ended;
  }

  #forget(): void {
    groups.delete(this.pid);
    if (groups.size === 0) process.off("exit", killAll);
  }
}

/**
 * Runs a line of shell to its end.
 * @throws TortureError `command_failed` with its last words, when it does not exit with 0.
 */
export async function runShell(
  what: string,
  line: string,
  options: { readonly env: Readonly<Record<string, string>>; readonly logFile: string },
): Promise<void> {
  const command = await CommandProcess.start({ words: ["/bin/sh", "-c", line], ...options });
  const { code } = await command.ended;
  if (code === 0) return;
  const words = await lastLines(options.logFile);
  throw new TortureError("command_failed", `${what} failed (${line}):\n${words}`);
}

/** Runs a line of shell and returns what it writes to stdout. */
export async function shellOutput(what: string, line: string): Promise<string> {
  const child = spawn("/bin/sh", ["-c", line], { stdio: ["ignore", "pipe", "inherit"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => void chunks.push(chunk));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new TortureError("command_failed", `${what} failed (${line})`);
  return Buffer.concat(chunks).toString("utf8");
}

/** The end of a log, for people. */
export async function lastLines(file: string, count = 8): Promise<string> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.trimEnd().split("\n").slice(-count).join("\n");
}
