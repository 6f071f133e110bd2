import { cpus } from "node:os";
import process from "node:process";
import type { Result } from "./result.ts";
import type { Mode, Sizes } from "./sizes.ts";

/** The JSON value of a run: all samples, and what they come to. */
export function reportOf(run: {
  readonly mode: Mode;
  readonly sizes: Sizes;
  readonly results: readonly Result[];
  readonly seconds: number;
  /** Before the run. */
  readonly load: number;
}): object {
  const limits = run.results.flatMap(({ samples }) => samples.map(({ limit }) => limit));
  return {
    mode: run.mode,
    time: new Date().toISOString(),
    seconds: run.seconds,
    node: process.versions.node,
    cpu: cpus()[0]?.model.trim() ?? "",
    cores: cpus().length,
    // Of the last minute, in runnable threads: above the number of cores, others took their share.
    load: run.load,
    sizes: run.sizes,
    limit: { min: Math.min(...limits), max: Math.max(...limits) },
    figures: run.results.map(figureJson),
  };
}

function figureJson(result: Result): object {
  const { figure, samples, value, ratio, spread, isUnstable, verdict, failure } = result;
  return {
    ...figure,
    ...{ value: value ?? null, ratio: ratio ?? null, spread, unstable: isUnstable, verdict },
    ...(failure === undefined ? {} : { failure }),
    samples,
  };
}
