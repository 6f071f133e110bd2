import { faultText } from "../../src/torture/fault.ts";
import { shrink } from "../../src/torture/shrink.ts";
import type { Bench } from "./bench.ts";
import { faultsOfRun, type Kills, type RunReport, runOnce } from "./run.ts";

/** Runs seeds on all lanes of a bench at a time. `onRun` is told of each as it ends. */
export async function runSeeds(
  bench: Bench,
  seeds: readonly number[],
  kills: Kills,
  onRun: (report: RunReport) => void = () => undefined,
): Promise<RunReport[]> {
  const waiting = [...seeds];
  const reports: RunReport[] = [];
  await Promise.all(
    bench.lanes.map(async (lane) => {
      for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) {
        const report = await runOnce(bench, lane, seed, faultsOfRun(seed, kills));
        reports.push(report);
        onRun(report);
      }
    }),
  );
  return reports.sort((a, b) => a.seed - b.seed);
}

/** The smallest part of a failed run's faults that fails as well, one per line. */
export async function smallestOf(bench: Bench, failed: RunReport): Promise<string> {
  const lane = bench.lanes[0];
  if (lane === undefined) return "";
  const fails = async (faults: RunReport["faults"]) =>
    (await runOnce(bench, lane, failed.seed, faults)).failure !== undefined;
  const { smallest, tries } = await shrink(failed.applied, fails, 24);
  const lines = smallest.map((fault) => `    ${faultText(fault)}`);
  return [`  smallest schedule that fails (${tries} tries):`, ...lines].join("\n");
}
