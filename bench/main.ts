import { rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { GROUPS } from "./groups.ts";
import { compare, readBaseline, updateBaseline } from "./harness/baseline.ts";
import type { Homes } from "./harness/bench.ts";
import { Progress } from "./harness/progress.ts";
import { reportOf } from "./harness/report.ts";
import { type Mode, type Sizes, sizesOf } from "./harness/sizes.ts";
import { tableOf } from "./harness/table.ts";
import { OptionError, parseOptions } from "./options.ts";
import type { ChildMessage } from "./processes/messages.ts";
import { startChild } from "./processes/start.ts";
import { runBench } from "./run.ts";
import { buildHome } from "./world/build_home.ts";
import { readNote } from "./world/home.ts";

/** Runs the benches that the arguments ask for. Returns the exit code. */
export async function main(args: readonly string[], baselinePath: string): Promise<number> {
  const options = parseOptions(
    args,
    GROUPS.flatMap(({ figures }) => figures.map(({ name }) => name)),
  );
  const { mode } = options;
  const baseline = readBaseline(baselinePath)[mode];
  if (options.check && baseline === undefined)
    throw new OptionError(`no baseline of ${mode} runs: make one with --update-baseline`);
  const sizes = sizesOf(mode, options.homeRecords);
  const progress = new Progress(process.stderr);
  const started = performance.now();
  const load = loadBefore();
  const folder = await mkdtemp(join(tmpdir(), "settled-bench-"));
  // What a run of a million records leaves is too much to leave it when it is stopped.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      progress.end();
      rmSync(folder, { recursive: true, force: true });
      process.exit(130);
    });
  }
  let homes: Promise<Homes> | undefined;
  try {
    const results = await runBench({
      ...{ groups: GROUPS, sizes, folder, only: options.only, inProcess: mode === "smoke" },
      homes: () => {
        const place = { folder: options.homes ?? folder, sizes, mode };
        homes ??= prepareHomes(place, progress);
        return homes;
      },
      onGroup: (name) => progress.begin(name),
      onProgress: (text) => progress.step(text),
    });
    progress.end();
    const seconds = (performance.now() - started) / 1000;
    process.stdout.write(`${headOf(mode, sizes.homeRecords, seconds)}\n${tableOf(results)}`);
    if (options.json !== undefined) {
      const report = reportOf({ mode, sizes, results, seconds, load });
      writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
    }
    if (options.updateBaseline) {
      for (const line of updateBaseline(baselinePath, mode, results))
        process.stdout.write(`left out of the baseline: ${line}\n`);
    }
    if (!options.check) return 0;
    const { faults, notes } = compare(baseline ?? {}, results);
    for (const note of notes) process.stdout.write(`not compared: ${note}\n`);
    for (const fault of faults) process.stdout.write(`worse: ${fault}\n`);
    if (faults.length === 0) process.stdout.write("nothing compared is worse than the baseline\n");
    return faults.length === 0 ? 0 : 1;
  } finally {
    progress.end();
    await rm(folder, { recursive: true, force: true });
  }
}

/** What else runs takes from what is measured, and from the limit less than from the rest. */
function loadBefore(): number {
  const [load = 0] = loadavg();
  if (load < cpus().length / 2) return load;
  process.stderr.write(
    `warning: other programs keep this machine busy (load ${load.toFixed(1)})\n`,
  );
  return load;
}

function headOf(mode: Mode, homeRecords: number, seconds: number): string {
  const [cpu] = cpus();
  const machine = `Node ${process.versions.node}, ${cpus().length} x ${cpu?.model.trim() ?? "?"}`;
  const time = `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${mode} run, ${homeRecords.toLocaleString("en-US")} records in the large home, ${machine}, ${time}`;
}

/** Builds the homes that are not there yet, in a process each. */
async function prepareHomes(
  { folder, sizes, mode }: { folder: string; sizes: Sizes; mode: Mode },
  progress: Progress,
): Promise<Homes> {
  const homes = {
    small: join(folder, `home-${sizes.smallHomeRecords}`),
    large: join(folder, `home-${sizes.homeRecords}`),
  };
  for (const [home, records] of [
    [homes.small, sizes.smallHomeRecords],
    [homes.large, sizes.homeRecords],
  ] as const) {
    if ((await readNote(home))?.records === records) continue;
    await rm(home, { recursive: true, force: true });
    progress.begin(`building a home of ${records.toLocaleString("en-US")} records`);
    if (mode === "smoke") await buildHome(home, records, () => undefined);
    else await startChild("home_process", { home, records }, onStep(progress)).value;
  }
  return homes;
}

function onStep(progress: Progress): (message: ChildMessage) => void {
  return (message) => {
    if (message.type === "progress") progress.step(message.text);
  };
}
