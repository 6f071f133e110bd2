import { GROUPS } from "../groups.ts";
import type { BenchEvents } from "../harness/bench.ts";
import { type GroupRun, runGroup } from "../run_group.ts";
import { runChild, tell } from "./child.ts";

const events: BenchEvents = {
  sample: (name, sample) => tell({ type: "sample", name, sample }),
  skip: (name, why) => tell({ type: "skip", name, why }),
  progress: (text) => tell({ type: "progress", text }),
};

await runChild(async ({ name, run }: { name: string; run: GroupRun }) => {
  const group = GROUPS.find((each) => each.name === name);
  if (group === undefined) throw new Error(`no group ${name}`);
  await runGroup(group, run, events);
});
