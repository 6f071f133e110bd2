import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildTests } from "./lib/build_tests.mjs";
import { installIfNeeded } from "./lib/install.mjs";
import { requireNode } from "./lib/node_version.mjs";
import { runMain, UserError } from "./lib/root.mjs";

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

function parse(args) {
  const values = { "--seed": String(Date.now() % 1_000_000), "--runs": "1000", "--lanes": "4" };
  for (let at = 0; at < args.length; at += 2) {
    const [flag, value = ""] = args.slice(at);
    if (!(flag in values)) throw new UserError(`unknown argument ${flag}\n\n${HELP}`, 2);
    if (!/^[1-9][0-9]{0,7}$/.test(value)) {
      throw new UserError(`${flag} takes a whole number from 1`, 2);
    }
    values[flag] = value;
  }
  const [seed, runs, lanes] = ["--seed", "--runs", "--lanes"].map((flag) => Number(values[flag]));
  return { seed, runs, lanes };
}

async function main(args) {
  if (args.includes("--help")) return void process.stdout.write(HELP);
  const options = parse(args);
  requireNode();
  const note = (line) => void process.stderr.write(`${line}\n`);
  await installIfNeeded(note);
  const entry = await buildTests("torture");
  // Daemon and node are of the same build as what tortures them.
  const cli = join(entry, "..", "..", "..", "src", "cli", "main.js");
  note(`--seed ${options.seed} --runs ${options.runs} --lanes ${options.lanes}`);
  const torture = await import(pathToFileURL(entry).href);
  return torture.main(options, cli);
}

runMain(main);
