import { pathToFileURL } from "node:url";
import { buildProgram } from "./lib/build_program.mjs";
import { installIfNeeded } from "./lib/install.mjs";
import { requireNode } from "./lib/node_version.mjs";
import { inRoot, runMain, UserError } from "./lib/root.mjs";

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

async function main(args) {
  if (args.includes("--help")) return void process.stdout.write(HELP);
  requireNode();
  await installIfNeeded((line) => void process.stderr.write(`${line}\n`));
  const entry = await buildProgram("bench");
  const bench = await import(pathToFileURL(entry).href);
  try {
    return await bench.main(args, inRoot("bench", "baseline.json"));
  } catch (error) {
    if (error?.constructor?.name === "OptionError") throw new UserError(error.message, 2);
    throw error;
  }
}

runMain(main);
