import { Worker } from "node:worker_threads";

/** How long one input may hold the whole process, in milliseconds. */
const STUCK_MS = 10_000;

const SOURCE = `
const { workerData } = require("node:worker_threads");
const { names, shared, stuckMs } = workerData;
const state = new Int32Array(shared);
let [last, since] = [-1, Date.now()];
setInterval(() => {
  const now = Atomics.load(state, 0);
  if (now !== last) [last, since] = [now, Date.now()];
  else if (Date.now() - since > stuckMs) {
    const where = names[Atomics.load(state, 1)] + ", input " + Atomics.load(state, 2);
    require("node:fs").writeSync(2, "\\nno end of " + where + " after " + stuckMs + " ms\\n");
    process.kill(process.pid, "SIGKILL");
  }
}, 500);
`;

/** A thread that ends the process, and says at which input, when the process no longer moves. */
export class Watchdog {
  readonly #state: Int32Array;
  readonly #names: readonly string[];
  readonly #worker: Worker;

  constructor(names: readonly string[]) {
    const shared = new SharedArrayBuffer(12);
    this.#state = new Int32Array(shared);
    this.#names = names;
    const workerData = { names, shared, stuckMs: STUCK_MS };
    this.#worker = new Worker(SOURCE, { eval: true, execArgv: [], workerData });
    this.#worker.unref();
  }

  /** Says what comes next. */
  note(target: string, index: number): void {
    Atomics.store(this.#state, 1, this.#names.indexOf(target));
    Atomics.store(this.#state, 2, index);
    Atomics.add(this.#state, 0, 1);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
