import { buildIfNeeded } from "./lib/build.mjs";
import { installIfNeeded } from "./lib/install.mjs";
import { requireNode } from "./lib/node_version.mjs";
import { numberFlags } from "./lib/number_flags.mjs";
import { runMain } from "./lib/root.mjs";
import { runTool } from "./lib/run.mjs";

const HELP = `usage: node scripts/crash.mjs [--seed N] [--rounds N] [--points N] [--kills N]

Kills the chain over and over at seeded moments and compares what it then has with what it had told
before:

- a node under load, at random moments, seen through its RPC;
- commit, pruning, rollback and the restore of a snapshot, at numbered points before, during and
  after their writes, in this process;
- the same in a process that kills itself with SIGKILL, and power cuts that lose what was not synced.

  --seed N    of the moments (default: drawn, and printed)
  --rounds N  kills of a node (default 50)
  --points N  kills at numbered points, of commits and of rollbacks each (default 2000)
  --kills N   processes that kill themselves, of each kind (default 150)
  --help      this text
`;

const VARIABLES = {
  "--seed": "SETTLED_CRASH_SEED",
  "--rounds": "SETTLED_CRASH_ROUNDS",
  "--points": "SETTLED_CRASH_POINTS",
  "--kills": "SETTLED_CRASH_KILLS",
};

async function main(args) {
  if (args.includes("--help")) return void process.stdout.write(HELP);
  const seed = Date.now() % 1_000_000;
  const defaults = { "--seed": seed, "--rounds": 50, "--points": 2000, "--kills": 150 };
  const values = numberFlags(args, defaults, HELP, 0);
  requireNode();
  const note = (line) => void process.stderr.write(`${line}\n`);
  await installIfNeeded(note);
  await buildIfNeeded({ note });
  note(Object.entries(values).flat().join(" "));
  const env = Object.fromEntries(
    Object.entries(VARIABLES).map(([flag, name]) => [name, String(values[flag])]),
  );
  const { code } = await runTool("vitest/vitest.mjs", ["run", "test/crash"], { env });
  return code;
}

runMain(main);
