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

/** Runs a daemon through a schedule, and if it fails, looks for the smallest one that fails alike. */
export async function torture(options: TortureOptions): Promise<TortureResult> {
  const { schedule, onProgress = () => undefined } = options;
  let tries = 0;
  const attempt = async (faults: readonly Fault[]): Promise<TrialResult> => {
    tries += 1;
    onProgress(`try ${tries}: ${faults.length} faults`);
    const stage = await options.prepare(tries);
    let isFine = false;
    try {
      const result = await runTrial(stage, faults, options);
      isFine = result.failure === undefined || tries > 1;
      return result;
    } finally {
      await stage.close(isFine);
    }
  };
  const first = await attempt(schedule.faults);
  const { failure } = first;
  if (failure === undefined || options.shrinkTriesMax === 0) {
    return { failure, schedule, first, smallest: undefined, tries };
  }
  // What was never reached cannot be the reason.
  const fails = async (faults: readonly Fault[]) => (await attempt(faults)).failure === failure;
  const { smallest } = await shrink(first.applied, fails, options.shrinkTriesMax);
  return { failure, schedule, first, smallest: { ...schedule, faults: smallest }, tries };
}
