import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { withBuildLock } from "./lib/build_lock.mjs";
import { installIfNeeded } from "./lib/install.mjs";
import { lineCoverage } from "./lib/line_coverage.mjs";
import { requireNode } from "./lib/node_version.mjs";
import { inRoot, runMain, UserError } from "./lib/root.mjs";
import { runTool } from "./lib/run.mjs";

const HELP = `usage: npm run simulate -- [--seed N] [--operations N] [--coverage]

Runs random messages, a third of them refused on purpose, on the settlement module and on a model
that was written from its rules alone (test/simulation), and compares codes, answers and events
after each, balances and records after blocks. The first disagreement is shrunk and printed as
blocks to paste into test/simulation/regressions.test.ts; exit code 1.

  --seed N        of the run (default: drawn, and printed)
  --operations N  messages (default 200000)
  --coverage      tells at the end which lines of the module's keepers the run did not reach
  --help          this text
`;

const OUT = inRoot("node_modules", ".cache", "settled", "simulation");
const MAIN = join(OUT, "test", "simulation", "main.js");
/** Every file of the module that runs inside a block: not its readers, genesis and tables of names. */
const KEEPERS =
  /\/modules\/settlement\/(?!query_|genesis|export|full_invariants|autocli|views|settlement_preview|module\.)[a-z_]+\.js$/;

function parse(args) {
  const values = { "--seed": String(Date.now() % 1_000_000), "--operations": "200000" };
  let wantsCoverage = false;
  for (let at = 0; at < args.length; at += 1) {
    const flag = args[at];
    if (flag === "--coverage") {
      wantsCoverage = true;
      continue;
    }
    if (!(flag in values)) throw new UserError(`unknown argument ${flag}\n\n${HELP}`, 2);
    at += 1;
    if (!/^[0-9]{1,9}$/.test(args[at] ?? ""))
      throw new UserError(`${flag} takes a whole number`, 2);
    values[flag] = args[at];
  }
  return {
    seed: Number(values["--seed"]),
    operations: Number(values["--operations"]),
    wantsCoverage,
  };
}

/** Compiles src and the simulation together, so that no other state of dist is simulated. */
async function build() {
  await withBuildLock(async () => {
    mkdirSync(OUT, { recursive: true });
    // Without it Node takes files below node_modules for CommonJS.
    copyFileSync(inRoot("package.json"), join(OUT, "package.json"));
    const info = join(OUT, ".tsbuildinfo");
    if (!existsSync(MAIN)) rmSync(info, { force: true });
    const args = [
      "-p",
      "test/simulation/tsconfig.json",
      "--incremental",
      "--tsBuildInfoFile",
      info,
    ];
    const { code, output } = await runTool("typescript/bin/tsc", args, { capture: true });
    if (code !== 0) throw new UserError(`the build failed:\n${output.trimEnd()}`);
  });
}

/** The run in a process of its own, which writes what V8 counted when it ends. */
async function runCounted(options) {
  const folder = mkdtempSync(join(tmpdir(), "settled-coverage-"));
  const program = `import { main } from ${JSON.stringify(pathToFileURL(MAIN).href)};
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
  const { wantsCoverage, ...options } = parse(args);
  requireNode();
  const note = (line) => void process.stderr.write(`${line}\n`);
  await installIfNeeded(note);
  await build();
  note(`--seed ${options.seed} --operations ${options.operations}`);
  if (wantsCoverage) return runCounted(options);
  const simulation = await import(pathToFileURL(MAIN).href);
  return simulation.main(options);
}

runMain(main);
