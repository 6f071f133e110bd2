import { pathToFileURL } from "node:url";
import { buildProgram } from "./lib/build_program.mjs";
import { installIfNeeded } from "./lib/install.mjs";
import { requireNode } from "./lib/node_version.mjs";
import { numberFlags } from "./lib/number_flags.mjs";
import { runMain, UserError } from "./lib/root.mjs";
import { run } from "./lib/run.mjs";

const HELP = `usage: npm run fuzz -- [--seed N] [--inputs N] [--only TARGET] [--from N]

Feeds random and mutated inputs (test/fuzz) to the decoders of txs and messages, the query language,
and the RPC of a node: JSON-RPC bodies, addresses of GET requests and WebSocket frames. Every input
gets an answer or an error for less than a second of processor time; nothing escapes, and no memory
is kept. The first that fails is shrunk and printed; exit code 1.

  --seed N       of the run (default: drawn, and printed)
  --inputs N     number of inputs, shared out among the targets (default 1000000)
  --only TARGET  decoders, query, rpc, uri or ws
  --from N       the number of the first input of each target (default 0)
  --help         this text
`;

const TARGETS = ["decoders", "query", "rpc", "uri", "ws"];

function parse(args) {
  const at = args.indexOf("--only");
  const [, only] = at < 0 ? [] : args.splice(at, 2);
  if (at >= 0 && !TARGETS.includes(only)) {
    throw new UserError(`--only takes one of ${TARGETS.join(", ")}`, 2);
  }
  const defaults = { "--seed": Date.now() % 1_000_000, "--inputs": 1_000_000, "--from": 0 };
  const numbers = numberFlags(args, defaults, HELP, 0);
  const [seed, inputs, from] = [numbers["--seed"], numbers["--inputs"], numbers["--from"]];
  return { seed, inputs, from, only };
}

async function main(args) {
  if (args.includes("--help")) return void process.stdout.write(HELP);
  const options = parse(args);
  requireNode();
  const note = (line) => void process.stderr.write(`${line}\n`);
  await installIfNeeded(note);
  const entry = await buildProgram("test/fuzz");
  note(`--seed ${options.seed} --inputs ${options.inputs}`);
  // A process of its own: it may be ended, and its memory is measured when nothing is to collect.
  const program = `import { main } from ${JSON.stringify(pathToFileURL(entry).href)};
process.exitCode = await main(${JSON.stringify(options)});`;
  const flags = ["--expose-gc", "--max-old-space-size=1024", "--input-type=module"];
  const { code } = await run(process.execPath, [...flags, "--eval", program]);
  return code ?? 1;
}

runMain(main);
