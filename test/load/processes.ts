import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { RoleFigures, RoleInput } from "./roles.ts";

const MODULE = fileURLToPath(new URL("./role_process.js", import.meta.url));

/** A role of the load in a process of its own. */
export class RoleProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(input: RoleInput): Promise<RoleProcess> {
    const child = fork(MODULE, { execArgv: [] });
    child.send(input);
    const ready = await Promise.race([
      once(child, "message").then(() => true),
      once(child, "exit").then(() => false),
    ]);
    if (!ready) throw new Error(`the ${input.role} did not start`);
    return new RoleProcess(child);
  }

  reset(): void {
    this.#child.send("reset");
  }

  async figures(): Promise<RoleFigures> {
    this.#child.send("figures");
    const [figures] = (await once(this.#child, "message")) as [RoleFigures];
    return figures;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

/** Resident memory of a process in MiB; undefined where the system does not say. */
export function residentMib(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/status`, "utf8");
    const kib = /VmRSS:\s+([0-9]+) kB/.exec(text)?.[1];
    return kib === undefined ? undefined : Number(kib) / 1024;
  } catch {
    return undefined;
  }
}
