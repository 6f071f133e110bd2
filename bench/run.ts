import type { BenchEvents, Group, Homes } from "./harness/bench.ts";
import type { Sample } from "./harness/figure.ts";
import { type Result, resultOf } from "./harness/result.ts";
import type { Sizes } from "./harness/sizes.ts";
import { startChild } from "./processes/start.ts";
import { type GroupRun, runGroup } from "./run_group.ts";

export interface RunInput {
  readonly groups: readonly Group[];
  readonly sizes: Sizes;
  /** Names of the figures to measure; undefined: all. */
  readonly only: readonly string[] | undefined;
  /** For what groups write; they remove it themselves. */
  readonly folder: string;
  /** In this process instead of one for each group; for tests. */
  readonly inProcess: boolean;
  /** Builds the homes with records; called when a group needs them. */
  readonly homes: () => Promise<Homes>;
  readonly onGroup: (name: string) => void;
  readonly onProgress: (text: string) => void;
}

/** Measures the figures, group after group. */
export async function runBench(input: RunInput): Promise<Result[]> {
  const { sizes } = input;
  const results: Result[] = [];
  for (const group of input.groups) {
    const wanted = group.figures.filter(({ name }) => input.only?.includes(name) ?? true);
    if (wanted.length === 0) continue;
    const found = await samplesOf(
      group,
      wanted.map(({ name }) => name),
      input,
    );
    for (const figure of wanted) {
      const samples = found.samples.get(figure.name) ?? [];
      const why = found.skipped.get(figure.name) ?? found.failure;
      results.push(resultOf(figure, samples, { homeRecords: sizes.homeRecords, why }));
    }
  }
  return results;
}

interface Found {
  readonly samples: Map<string, Sample[]>;
  readonly skipped: Map<string, string>;
  failure: string | undefined;
}

async function samplesOf(group: Group, only: string[], input: RunInput): Promise<Found> {
  const found: Found = { samples: new Map(), skipped: new Map(), failure: undefined };
  const events: BenchEvents = {
    sample: (name, sample) => {
      found.samples.set(name, [...(found.samples.get(name) ?? []), sample]);
    },
    skip: (name, why) => void found.skipped.set(name, why),
    progress: input.onProgress,
  };
  try {
    const homes = group.needsHomes === true ? await input.homes() : undefined;
    input.onGroup(group.name);
    const { sizes, folder, inProcess: isInProcess } = input;
    const run: GroupRun = { sizes, only, homes, isInProcess, folder };
    if (isInProcess) await runGroup(group, run, events);
    else await runInChild(group, run, events);
  } catch (error) {
    found.failure = error instanceof Error ? error.message : String(error);
  }
  return found;
}

/** Runs a group in a process with a heap of its own. @throws Error when the process does */
async function runInChild(group: Group, run: GroupRun, events: BenchEvents): Promise<void> {
  const { value } = startChild("group_process", { name: group.name, run }, (message) => {
    if (message.type === "sample") events.sample(message.name, message.sample);
    else if (message.type === "skip") events.skip(message.name, message.why);
    else if (message.type === "progress") events.progress(message.text);
  });
  await value;
}
