import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { withBuildLock } from "./lib/build_lock.mjs";
import { installIfNeeded } from "./lib/install.mjs";
import { requireNode } from "./lib/node_version.mjs";
import { inRoot, runMain, UserError } from "./lib/root.mjs";
import { runTool } from "./lib/run.mjs";

const HELP = `usage: npm run bench -- [FLAGS]

Measures the figures of docs/performance.md and prints a table: each the median of at least five
repetitions, and as a ratio to the rate of bare signature verifications of the same minutes.

  --quick            less of everything, and 50,000 records instead of 1,000,000
  --only NAME,…      these figures; the beginning of a name stands for all that begin so
  --json FILE        write everything that was measured
  --check            compare with bench/baseline.json; exit code 1 when a ratio is 10 % worse
  --update-baseline  put the ratios of this run into bench/baseline.json
  --homes FOLDER     build the homes with many records there, or take those of an earlier run of
                     the same code
  --records N        records of the large home
  --smoke            hardly anything: only to see that it works
  --help             this text

Nothing else should run meanwhile. docs/performance.md says how long it takes.
`;

const OUT = inRoot("node_modules", ".cache", "settled", "bench");
const MAIN = `${OUT}/bench/main.js`;

/** Compiles src and bench together, so that a bench never runs against another state of dist. */
async function build() {
  await withBuildLock(async () => {
    mkdirSync(OUT, { recursive: true });
    // Without it Node takes files below node_modules for CommonJS.
    copyFileSync(inRoot("package.json"), `${OUT}/package.json`);
    const info = `${OUT}/.tsbuildinfo`;
    if (!existsSync(MAIN)) rmSync(info, { force: true });
    const args = ["-p", "bench/tsconfig.json", "--incremental", "--tsBuildInfoFile", info];
    const { code, output } = await runTool("typescript/bin/tsc", args, { capture: true });
    if (code !== 0) throw new UserError(`the build failed:\n${output.trimEnd()}`);
  });
}

async function main(args) {
  if (args.includes("--help")) return void process.stdout.write(HELP);
  requireNode();
  await installIfNeeded((line) => void process.stderr.write(`${line}\n`));
  if (process.env.SETTLED_NO_BUILD !== "1") await build();
  const bench = await import(pathToFileURL(MAIN).href);
  try {
    return await bench.main(args, inRoot("bench", "baseline.json"));
  } catch (error) {
    if (error?.constructor?.name === "OptionError") throw new UserError(error.message, 2);
    throw error;
  }
}

runMain(main);
