import { numberFlags } from "./lib/number_flags.mjs";
import { runMain } from "./lib/root.mjs";
import { openTestProgram } from "./lib/test_program.mjs";

const HELP = `usage: npm run torture -- [--seed N] [--runs N] [--lanes N]

Runs the provider daemon of this project through everything that can happen (test/torture): each run
feeds it with random usage of its seed, under random settings, while answers are lost, connections
cut, and daemon and node killed with SIGKILL. Then what it was fed with must be what the chain bills,
record by record, and what the provider got must be the net of it less the gas. The schedule of the
first run that fails is shrunk and printed; exit code 1.

  --seed N   of the first run; the next ones follow (default: drawn, and printed)
  --runs N   number of runs (default 1000)
  --lanes N  runs at the same time, on one node (default 4)
  --help     this text
`;

async function main(args) {
  if (args.includes("--help")) return void process.stdout.write(HELP);
  const defaults = { "--seed": 1 + (Date.now() % 1_000_000), "--runs": 1000, "--lanes": 4 };
  const numbers = numberFlags(args, defaults, HELP);
  const { program, cli } = await openTestProgram("torture");
  const options = { seed: numbers["--seed"], runs: numbers["--runs"], lanes: numbers["--lanes"] };
  const { seed, runs, lanes } = options;
  process.stderr.write(`--seed ${seed} --runs ${runs} --lanes ${lanes}\n`);
  return program.main(options, cli);
}

runMain(main);
