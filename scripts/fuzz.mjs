import { pathToFileURL } from "node:url";
import { buildTests } from "./lib/build_tests.mjs";
import { installIfNeeded } from "./lib/install.mjs";
import { requireNode } from "./lib/node_version.mjs";
import { runMain, UserError } from "./lib/root.mjs";
import { run } from "./lib/run.mjs";

const HELP = `usage: npm run fuzz -- [--seed N] [--inputs N] [--only TARGET] [--from N]

Feeds random and mutated inputs (test/fuzz) to the decoders of txs and messages, the query language,
and the RPC of a node: JSON-RPC bodies, addresses of GET requests and WebSocket frames. Every input
gets an answer or an error within a second; nothing escapes, and no memory is kept. The first that
fails is shrunk and printed; exit code 1.

  --seed N       of the run (default: drawn, and printed)
  --inputs N     number of inputs, shared out among the targets (default 1000000)
  --only TARGET  decoders, query, rpc, uri or ws
  --from N       the number of the first input of each target (default 0)
  --help         this text
`;

const TARGETS = ["decoders", "query", "rpc", "uri", "ws"];

function parse(args) {
  const values = {
    "--seed": String(Date.now() % 1_000_000),
    ...{ "--inputs": "1000000", "--from": "0", "--only": undefined },
  };
  for (let at = 0; at < args.length; at += 2) {
    const [flag, value = ""] = args.slice(at);
    if (!(flag in values)) throw new UserError(`unknown argument ${flag}\n\n${HELP}`, 2);
    const fits = flag === "--only" ? TARGETS.includes(value) : /^[0-9]{1,10}$/.test(value);
    const wanted = flag === "--only" ? `one of ${TARGETS.join(", ")}` : "a whole number";
    if (!fits) throw new UserError(`${flag} takes ${wanted}`, 2);
    values[flag] = value;
  }
  const [seed, inputs, from] = ["--seed", "--inputs", "--from"].map((flag) => Number(values[flag]));
  return { seed, inputs, from, only: values["--only"] };
}

async function main(args) {
  if (args.includes("--help")) return void process.stdout.write(HELP);
  const options = parse(args);
  requireNode();
  const note = (line) => void process.stderr.write(`${line}\n`);
  await installIfNeeded(note);
  const entry = await buildTests("fuzz");
  note(`--seed ${options.seed} --inputs ${options.inputs}`);
  // A process of its own: it may be ended, and its memory is measured when nothing is to collect.
  const program = `import { main } from ${JSON.stringify(pathToFileURL(entry).href)};
process.exitCode = await main(${JSON.stringify(options)});`;
  const flags = ["--expose-gc", "--max-old-space-size=1024", "--input-type=module"];
  const { code } = await run(process.execPath, [...flags, "--eval", program]);
  return code ?? 1;
}

runMain(main);
