import { pathToFileURL } from "node:url";
import { buildIfNeeded } from "./lib/build.mjs";
import { installIfNeeded } from "./lib/install.mjs";
import { requireNode } from "./lib/node_version.mjs";
import { inRoot, runMain, UserError } from "./lib/root.mjs";

const HELP = `usage: npm start -- [FLAGS]

Starts a dev node: installs and builds what is missing, makes a chain in a new home and replays a
month of metered jobs on it (examples/usage-month.ndjson), then stays up. Ctrl-C stops it.

  --home DIR           where the chain is (default ./.settled)
  --no-demo            a new chain begins now and is empty
  --config-out FILE    write chain id, endpoints and dev accounts there (JSON, mode 0600)
  --rpc-port PORT      CometBFT RPC (default 26657); of every port: 0 picks a free one
  --grpc-port PORT     gRPC (default 9090)
  --rest-port PORT     REST (default 1317)
  --ledger-port PORT   ledger API (default 8000)
  --metrics-port PORT  Prometheus metrics, health and readiness (default 26660)
  --log-level LEVEL    debug, info, warn (default), error or silent
  --help               this text

After -- come more flags of "settled start".
`;

const VALUES = [
  ...["--home", "--config-out", "--log-level"],
  ...["--rpc-port", "--grpc-port", "--rest-port", "--ledger-port", "--metrics-port"],
];

/** The command line of the node, or undefined for help. */
function commandLine(args) {
  const given = new Map([
    ["--home", inRoot(".settled")],
    ["--log-level", "warn"],
  ]);
  const more = [];
  let demo = true;
  for (let at = 0; at < args.length; at += 1) {
    const [word] = args[at].split("=", 1);
    if (word === "--help" || word === "-h") return undefined;
    if (word === "--") {
      more.push(...args.slice(at + 1));
      break;
    }
    if (args[at] === "--no-demo") demo = false;
    else if (VALUES.includes(word)) {
      const inline = args[at].length > word.length;
      const value = inline ? args[at].slice(word.length + 1) : args[(at += 1)];
      if (value === undefined || value === "") throw new UserError(`${word} takes a value`, 2);
      given.set(word, value);
    } else throw new UserError(`unknown flag ${args[at]}\n\n${HELP}`, 2);
  }
  return ["start", "--dev", ...(demo ? ["--demo"] : []), ...[...given].flat(), ...more];
}

async function main(args) {
  const line = commandLine(args);
  if (line === undefined) return void process.stdout.write(HELP);
  requireNode();
  const note = (text) => void process.stderr.write(`${text}\n`);
  await installIfNeeded(note);
  await buildIfNeeded({ note });
  // In this process: its pid is the node's, and signals reach the node as they are.
  const url = (path) => pathToFileURL(inRoot("dist", "cli", path)).href;
  const [{ processIo }, { run }] = await Promise.all([
    import(url("io.js")),
    import(url("program.js")),
  ]);
  return run(line, processIo());
}

runMain(main);
