import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildProgram } from "./lib/build_program.mjs";
import { installIfNeeded } from "./lib/install.mjs";
import { lineCoverage } from "./lib/line_coverage.mjs";
import { requireNode } from "./lib/node_version.mjs";
import { numberFlags } from "./lib/number_flags.mjs";
import { runMain } from "./lib/root.mjs";

const HELP = `usage: npm run simulate -- [--seed N] [--operations N] [--state-every N] [--coverage]

Runs random messages, about a third of which are refused, on the settlement module and on the model
that was written from its documents (test/simulation), and compares codes, answers, events and
balances after each tx. Every other chain has blocks of one message at most, and the records that
either side changed are compared after each. The first disagreement, which may be a halt, is shrunk
and printed as blocks to paste into a test; exit code 1.

  --seed N         of the run (default: drawn, and printed)
  --operations N   messages (default 200000)
  --state-every N  blocks between two comparisons of all records on the other chains (default 8)
  --coverage       tells at the end which lines of the module's keepers the run did not reach
  --help           this text
`;

/** Every file of the module that runs inside a block: not its readers, genesis and tables of names. */
const KEEPERS =
  /\/modules\/settlement\/(?!query_|genesis|export|full_invariants|autocli|views|settlement_preview|module\.)[a-z_]+\.js$/;

/** The run in a process of its own, which writes what V8 counted when it ends. */
async function runCounted(entry, options) {
  const folder = mkdtempSync(join(tmpdir(), "settled-coverage-"));
  const program = `import { main } from ${JSON.stringify(pathToFileURL(entry).href)};
process.exitCode = await main(${JSON.stringify(options)});`;
  try {
    const args = ["--input-type=module", "--eval", program];
    const env = { ...process.env, NODE_V8_COVERAGE: folder };
    const child = spawn(process.execPath, args, { env, stdio: "inherit" });
    const code = await new Promise((resolve) => child.once("close", resolve));
    for (const line of lineCoverage(folder, KEEPERS)) process.stdout.write(`${line}\n`);
    return code ?? 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function main(args) {
  if (args.includes("--help")) return void process.stdout.write(HELP);
  const rest = args.filter((arg) => arg !== "--coverage");
  const defaults = {
    ...{ "--seed": Date.now() % 1_000_000, "--operations": 200_000, "--state-every": 8 },
  };
  const numbers = numberFlags(rest, defaults, HELP, 0);
  const options = {
    ...{ seed: numbers["--seed"], operations: numbers["--operations"] },
    stateEvery: Math.max(1, numbers["--state-every"]),
  };
  requireNode();
  const note = (line) => void process.stderr.write(`${line}\n`);
  await installIfNeeded(note);
  const entry = await buildProgram("test/simulation");
  note(`--seed ${options.seed} --operations ${options.operations}`);
  if (rest.length < args.length) return runCounted(entry, options);
  const simulation = await import(pathToFileURL(entry).href);
  return simulation.main(options);
}

runMain(main);
