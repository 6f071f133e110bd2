import { TortureError } from "./errors.ts";
import type { Fault } from "./fault.ts";
import type { Schedule } from "./schedule.ts";
import { shrink } from "./shrink.ts";
import {
  type FailureKind,
  runTrial,
  type Stage,
  type TrialOptions,
  type TrialResult,
} from "./trial.ts";

export interface TortureOptions extends TrialOptions {
  readonly schedule: Schedule;
  /**
   * Sets the stage of a try: the first is number 1. Whoever can do it more than once gives each try
   * a chain, or orders, of its own.
   */
  readonly prepare: (number: number) => Promise<Stage>;
  /** 0: a schedule that fails is not shrunk. */
  readonly shrinkTriesMax: number;
  readonly onProgress?: (text: string) => void;
}

/** What became of a daemon under torture. */
export interface TortureResult {
  readonly failure: FailureKind | undefined;
  readonly schedule: Schedule;
  readonly first: TrialResult;
  /** The smallest schedule that was seen to fail alike; undefined when none was looked for. */
  readonly smallest: Schedule | undefined;
  /** Tries in all. */
  readonly tries: number;
}

/**
 * Runs a daemon through a schedule, and if it fails, looks for the smallest one that fails alike.
 * @throws TortureError when the tries cannot be made, or the first one shows nothing
 */
export async function torture(options: TortureOptions): Promise<TortureResult> {
  const { schedule, onProgress = () => undefined } = options;
  let tries = 0;
  const attempt = async (faults: readonly Fault[]): Promise<TrialResult> => {
    tries += 1;
    const what = `try ${tries}${tries > 1 ? " for a smaller schedule" : ""}`;
    const progress = new Progress(`${what}: ${counted(faults.length, "fault")}`, onProgress);
    let isFine = false;
    let stage: Stage | undefined;
    try {
      stage = await options.prepare(tries);
      const onRequest = (count: number) => progress.tell(count);
      const result = await runTrial(stage, faults, { ...options, onRequest });
      isFine = result.failure === undefined || tries > 1;
      return result;
    } finally {
      progress.end();
      await stage?.close(isFine);
    }
  };
  const first = await attempt(schedule.faults);
  assertItShows(first);
  const { failure } = first;
  if (failure === undefined || options.shrinkTriesMax === 0) {
    return { failure, schedule, first, smallest: undefined, tries };
  }
  // What was never reached cannot be the reason.
  const fails = async (faults: readonly Fault[]) => (await attempt(faults)).failure === failure;
  const { smallest } = await shrink(first.applied, fails, options.shrinkTriesMax);
  return { failure, schedule, first, smallest: { ...schedule, faults: smallest }, tries };
}

const PROGRESS_MS = 500;

/** How far a try has come, twice a second: "try 2: 3 faults, 41 requests, 4 s". */
class Progress {
  readonly #timer: NodeJS.Timeout;
  readonly #began = Date.now();
  #requests = 0;

  constructor(what: string, onProgress: (text: string) => void) {
    const show = () => {
      const seconds = Math.floor((Date.now() - this.#began) / 1000);
      onProgress(`${what}, ${counted(this.#requests, "request")}, ${seconds} s`);
    };
    show();
    this.#timer = setInterval(show, PROGRESS_MS);
  }

  tell(requests: number): void {
    this.#requests = requests;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** @throws TortureError `passed_by`, `nothing_metered` when the try says nothing of the daemon. */
function assertItShows({ passedBy, failure, comparison }: TrialResult): void {
  if (passedBy === "requests") {
    const detail =
      "usage came onto the chain, and no request through the proxy: the daemon talks to the node " +
      "itself. Give it the proxy's address: {node}, {rest}, {grpc} in its command, or SETTLED_NODE, " +
      "SETTLED_REST, SETTLED_GRPC in its environment";
    throw new TortureError("passed_by", detail);
  }
  if (failure !== undefined || comparison.meteredCount + comparison.billedCount > 0) return;
  const detail =
    "nothing was metered, and nothing billed: there is nothing to compare. Is the file with the " +
    "usage empty? --order ID looks at an order's usage whatever was metered";
  throw new TortureError("nothing_metered", detail);
}
