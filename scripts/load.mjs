import { numberFlags } from "./lib/number_flags.mjs";
import { runMain } from "./lib/root.mjs";
import { openTestProgram } from "./lib/test_program.mjs";

const HELP = `usage: npm run load -- [--subscribers N] [--clients N] [--tx-rate N] [--pause-ms N] [--seconds N]

One node process under load: WebSocket subscribers and query clients while txs flow, and then the
same beside one client that sends the worst it can (deep and wide searches, big batches, answers
that it does not read). Prints throughput, latencies and memory of both phases; exit code 1 when a
query's p99 passes 100 ms or blocks come more than twice as slowly beside that client, or anybody
else's request fails. Nothing else should run meanwhile.

  --subscribers N  WebSockets with one subscription each (default 1000)
  --clients N      query clients with a connection each (default 200)
  --tx-rate N      transfers sent per second (default 100)
  --pause-ms N     of a client between an answer and its next query (default 250)
  --seconds N      of each phase (default 30)
  --help           this text
`;

const DEFAULTS = {
  ...{ "--subscribers": 1000, "--clients": 200, "--tx-rate": 100 },
  ...{ "--pause-ms": 250, "--seconds": 30 },
};

async function main(args) {
  if (args.includes("--help")) return void process.stdout.write(HELP);
  const numbers = numberFlags(args, DEFAULTS, HELP);
  const { program, cli } = await openTestProgram("load");
  const options = {
    ...{ subscribers: numbers["--subscribers"], clients: numbers["--clients"] },
    ...{ txRate: numbers["--tx-rate"], pauseMs: numbers["--pause-ms"] },
    seconds: numbers["--seconds"],
  };
  return program.main(options, cli);
}

runMain(main);
