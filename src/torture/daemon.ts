import { setTimeout as sleep } from "node:timers/promises";
import { type CommandOptions, CommandProcess } from "./command_process.ts";

/** How a daemon came to its end: it exited with 0, kept failing, or did not end in time. */
export type Ending =
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly code: number | null }
  | { readonly kind: "timeout" };

export interface DaemonOptions extends CommandOptions {
  /** How often it is started again after it has failed by itself. */
  readonly restartsMax: number;
  readonly timeoutMs: number;
}

const RESTART_MS = 100;

/** Runs a daemon until it exits with 0: started again when it is killed, or fails by itself. */
export class Daemon {
  readonly #options: DaemonOptions;
  #running: CommandProcess | undefined;
  /** Of the kills whose process has not been started again yet. */
  #downMs: number[] = [];
  #isOver = false;

  constructor(options: DaemonOptions) {
    this.#options = options;
  }

  /** Kills it, to be started again after `ms`; false when it has ended already. */
  killFor(ms: number): boolean {
    if (this.#isOver || this.#running === undefined) return false;
    this.#downMs.push(ms);
    void this.#running.kill();
    return true;
  }

  /** @throws TortureError `cannot_run` */
  async run(): Promise<Ending> {
    const deadline = sleep(this.#options.timeoutMs, "timeout" as const, { ref: false });
    try {
      for (let failures = 0; ; ) {
        const running = await CommandProcess.start(this.#options);
        this.#running = running;
        const end = await Promise.race([running.ended, deadline]);
        this.#running = undefined;
        if (end === "timeout") {
          await running.kill();
          return { kind: "timeout" };
        }
        const downMs = this.#downMs;
        this.#downMs = [];
        if (end.code === 0) return { kind: "done" };
        if (downMs.length === 0) failures += 1;
        if (failures > this.#options.restartsMax) return { kind: "failed", code: end.code };
        await sleep(downMs.length === 0 ? RESTART_MS : Math.max(...downMs));
      }
    } finally {
      this.#isOver = true;
    }
  }
}
