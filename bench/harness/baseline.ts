import { readFileSync, writeFileSync } from "node:fs";
import type { Result } from "./result.ts";
import type { Mode } from "./sizes.ts";

/** A figure that got worse by more than this is a fault. */
const TOLERANCE = 0.1;

/** Ratios of an earlier run by mode and figure. */
export type Baseline = Partial<Record<Mode, Record<string, number>>>;

export interface Comparison {
  /** What got worse: a line each. */
  readonly faults: readonly string[];
  /** What was not compared, and why: a line each. */
  readonly notes: readonly string[];
}

/** The baseline of a file; an empty one where there is no file. */
export function readBaseline(path: string): Baseline {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Baseline;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
}

/**
 * Puts the ratios of a run in place of those of its mode. What was not measured, or is unstable,
 * stays as it was: a line each is returned for those.
 */
export function updateBaseline(path: string, mode: Mode, results: readonly Result[]): string[] {
  const before = readBaseline(path);
  const ratios = { ...before[mode] };
  const left: string[] = [];
  for (const { figure, ratio, isUnstable, verdict } of results) {
    if (figure.scale === "limit") continue;
    if (ratio === undefined) left.push(`${figure.name}: ${verdict}`);
    else if (isUnstable) left.push(`${figure.name}: unstable`);
    else ratios[figure.name] = Number(ratio.toPrecision(4));
  }
  writeFileSync(path, `${JSON.stringify({ ...before, [mode]: ratios }, undefined, 2)}\n`);
  return left;
}

/** Compares ratios with those of the baseline. */
export function compare(
  baseline: Readonly<Record<string, number>>,
  results: readonly Result[],
): Comparison {
  const faults: string[] = [];
  const notes: string[] = [];
  for (const { figure, ratio, isUnstable, verdict } of results) {
    if (figure.scale === "limit") continue;
    const before = baseline[figure.name];
    if (ratio === undefined) notes.push(`${figure.name}: ${verdict}`);
    else if (before === undefined) notes.push(`${figure.name}: not in the baseline`);
    else {
      const change = before === 0 ? 0 : ratio / before - 1;
      const isWorse = figure.better === "higher" ? change < -TOLERANCE : change > TOLERANCE;
      if (!isWorse) continue;
      const percent = `${change > 0 ? "+" : ""}${(100 * change).toFixed(1)} %`;
      const line = `${figure.name}: ${percent} against the baseline (${before} -> ${ratio.toPrecision(4)})`;
      if (isUnstable) notes.push(`${line}, not counted: unstable`);
      else faults.push(line);
    }
  }
  return { faults, notes };
}
