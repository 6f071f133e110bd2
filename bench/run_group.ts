import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { Bench, type BenchEvents, type Group, type Homes } from "./harness/bench.ts";
import { LimitMeter } from "./harness/limit.ts";
import type { Sizes } from "./harness/sizes.ts";

export interface GroupRun {
  readonly sizes: Sizes;
  /** Names of the figures that are asked for. */
  readonly only: readonly string[];
  readonly homes: Homes | undefined;
  readonly isInProcess: boolean;
  /** Where the group may make a folder. */
  readonly folder: string;
}

/** Runs a group in this process, in a folder of its own that is gone afterwards. */
export async function runGroup(group: Group, run: GroupRun, events: BenchEvents): Promise<void> {
  const folder = await mkdtemp(join(run.folder, `${group.name}-`));
  const limit = new LimitMeter(run.sizes.limitMs);
  const wants = (name: string) => run.only.includes(name);
  try {
    const { sizes, homes, isInProcess } = run;
    await group.run(new Bench({ sizes, limit, events, folder, homes, isInProcess, wants }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
