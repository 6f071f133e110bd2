import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildTests } from "./lib/build_tests.mjs";
import { installIfNeeded } from "./lib/install.mjs";
import { requireNode } from "./lib/node_version.mjs";
import { runMain, UserError } from "./lib/root.mjs";

const HELP = `usage: node scripts/provider_day.mjs [--leases N] [--hours N] [--records N] [--in-flight N] [--watch]

A day of windows of many leases through a provider's outbox and dispatcher to a node process of this
machine: every window and record is written to the disk first, signed, sent, and known to be on the
chain at the end. Prints records/s, memory and bytes on disk; exit code 1 when it took a minute or
more. Nothing else should run meanwhile.

  --leases N     each with an order of its own (default 10000)
  --hours N      hourly windows of each lease (default 24)
  --records N    most records of a tx (default 500)
  --in-flight N  most txs in flight (default 8)
  --watch        follow the blocks meanwhile, as the daemon does
  --help         this text
`;

const DEFAULTS = { "--leases": "10000", "--hours": "24", "--records": "500", "--in-flight": "8" };

function parse(args) {
  const values = { ...DEFAULTS };
  const rest = args.filter((arg) => arg !== "--watch");
  for (let at = 0; at < rest.length; at += 2) {
    const [flag, value = ""] = rest.slice(at);
    if (!(flag in values)) throw new UserError(`unknown argument ${flag}\n\n${HELP}`, 2);
    if (!/^[1-9][0-9]{0,5}$/.test(value)) {
      throw new UserError(`${flag} takes a whole number from 1`, 2);
    }
    values[flag] = value;
  }
  const number = (flag) => Number(values[flag]);
  return {
    ...{ leases: number("--leases"), hours: number("--hours"), watch: rest.length < args.length },
    ...{ recordsPerTx: number("--records"), inFlight: number("--in-flight") },
  };
}

async function main(args) {
  if (args.includes("--help")) return void process.stdout.write(HELP);
  const options = parse(args);
  requireNode();
  await installIfNeeded((line) => void process.stderr.write(`${line}\n`));
  const entry = await buildTests("provider_day");
  // The node is of the same build as what loads it.
  const cli = join(entry, "..", "..", "..", "src", "cli", "main.js");
  const day = await import(pathToFileURL(entry).href);
  return day.main(options, cli);
}

runMain(main);
