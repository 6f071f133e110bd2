import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildTests } from "./lib/build_tests.mjs";
import { installIfNeeded } from "./lib/install.mjs";
import { requireNode } from "./lib/node_version.mjs";
import { runMain, UserError } from "./lib/root.mjs";

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
  ...{ "--subscribers": "1000", "--clients": "200", "--tx-rate": "100" },
  ...{ "--pause-ms": "250", "--seconds": "30" },
};

function parse(args) {
  const values = { ...DEFAULTS };
  for (let at = 0; at < args.length; at += 2) {
    const [flag, value = ""] = args.slice(at);
    if (!(flag in values)) throw new UserError(`unknown argument ${flag}\n\n${HELP}`, 2);
    if (!/^[1-9][0-9]{0,5}$/.test(value)) {
      throw new UserError(`${flag} takes a whole number from 1`, 2);
    }
    values[flag] = value;
  }
  const number = (flag) => Number(values[flag]);
  return {
    ...{ subscribers: number("--subscribers"), clients: number("--clients") },
    ...{ txRate: number("--tx-rate"), pauseMs: number("--pause-ms"), seconds: number("--seconds") },
  };
}

async function main(args) {
  if (args.includes("--help")) return void process.stdout.write(HELP);
  const options = parse(args);
  requireNode();
  await installIfNeeded((line) => void process.stderr.write(`${line}\n`));
  const entry = await buildTests("load");
  // The node is of the same build as what loads it.
  const cli = join(entry, "..", "..", "..", "src", "cli", "main.js");
  const load = await import(pathToFileURL(entry).href);
  return load.main(options, cli);
}

runMain(main);
