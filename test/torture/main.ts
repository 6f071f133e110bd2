import { endWithCommands } from "../../src/torture/command_process.ts";
import { Bench } from "./bench.ts";
import type { RunReport } from "./run.ts";
import { runSeeds, smallestOf } from "./runs.ts";

const PROGRESS_MS = 5000;
/** More than in the tests: there is time. */
const KILLS = { daemonMax: 3, nodeOneIn: 2 };

export interface MainOptions {
  readonly seed: number;
  readonly runs: number;
  readonly lanes: number;
}

/**
 * Runs the daemon through so many seeds, from `seed` on.
 * @param cli path of the compiled main.js of the command line
 * @returns the exit code: 1 when a run failed
 */
export async function main({ seed, runs, lanes }: MainOptions, cli: string): Promise<number> {
  endWithCommands();
  const began = performance.now();
  const bench = await Bench.open(cli, lanes);
  let isKept = false;
  try {
    const seeds = Array.from({ length: runs }, (_, index) => seed + index);
    const reports = await runSeeds(bench, seeds, KILLS, progress(runs));
    const failed = reports.filter(({ failure }) => failure !== undefined);
    isKept = failed.length > 0;
    for (const report of failed) {
      process.stdout.write(`seed ${report.seed} FAILED, files in ${report.dir}\n`);
      process.stdout.write(`  ${report.failure}\n`);
    }
    const [first] = failed;
    if (first !== undefined) process.stdout.write(`${await smallestOf(bench, first)}\n`);
    process.stdout.write(summary(reports, performance.now() - began));
    return isKept ? 1 : 0;
  } finally {
    await bench.close(isKept);
  }
}

function progress(runs: number): (report: RunReport) => void {
  let done = 0;
  let next = performance.now() + PROGRESS_MS;
  return ({ seed, failure }) => {
    done += 1;
    if (failure !== undefined) process.stderr.write(`seed ${seed} failed\n`);
    if (performance.now() < next) return;
    next = performance.now() + PROGRESS_MS;
    process.stderr.write(`${done} of ${runs}\n`);
  };
}

function summary(reports: readonly RunReport[], tookMs: number): string {
  const failed = reports.filter(({ failure }) => failure !== undefined).length;
  const records = reports.reduce((sum, report) => sum + report.records, 0);
  const counts = new Map<string, number>();
  for (const { applied } of reports) {
    for (const { kind } of applied) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const kinds = [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([kind, count]) => `${count} ${kind}`);
  const seconds = (tookMs / 1000).toFixed(1);
  return [
    `${reports.length} runs, ${failed} failed, ${records} records exact (${seconds} s)`,
    `faults: ${kinds.join(", ")}\n`,
  ].join("\n");
}
