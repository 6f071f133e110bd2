import { numberFlags } from "./lib/number_flags.mjs";
import { runMain } from "./lib/root.mjs";
import { openTestProgram } from "./lib/test_program.mjs";

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

const DEFAULTS = { "--leases": 10_000, "--hours": 24, "--records": 500, "--in-flight": 8 };

async function main(args) {
  if (args.includes("--help")) return void process.stdout.write(HELP);
  const rest = args.filter((arg) => arg !== "--watch");
  const numbers = numberFlags(rest, DEFAULTS, HELP);
  const { program, cli } = await openTestProgram("provider_day");
  const options = {
    ...{ leases: numbers["--leases"], hours: numbers["--hours"] },
    ...{ recordsPerTx: numbers["--records"], inFlight: numbers["--in-flight"] },
    watch: rest.length < args.length,
  };
  return program.main(options, cli);
}

runMain(main);
