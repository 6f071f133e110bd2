import { buildIfNeeded } from "./lib/build.mjs";
import { installIfNeeded } from "./lib/install.mjs";
import { requireNode } from "./lib/node_version.mjs";
import { runMain, UserError } from "./lib/root.mjs";
import { runTool } from "./lib/run.mjs";

const HELP = `usage: node scripts/crash.mjs [--seed N] [--rounds N]

Kills a node with SIGKILL at seeded random moments while txs flow, starts it again, and compares
what it then has with what it had told before. Every round is one kill.

  --seed N    of the moments (default: drawn, and printed)
  --rounds N  kills (default 50)
  --help      this text
`;

async function main(args) {
  if (args.includes("--help")) return void process.stdout.write(HELP);
  const values = { "--seed": String(Date.now() % 1_000_000), "--rounds": "50" };
  for (let at = 0; at < args.length; at += 2) {
    const [flag, value] = [args[at], args[at + 1]];
    if (!(flag in values)) throw new UserError(`unknown argument ${flag}\n\n${HELP}`, 2);
    if (!/^[0-9]{1,9}$/.test(value ?? "")) throw new UserError(`${flag} takes a whole number`, 2);
    values[flag] = value;
  }
  requireNode();
  const note = (line) => void process.stderr.write(`${line}\n`);
  await installIfNeeded(note);
  await buildIfNeeded({ note });
  const [seed, rounds] = [values["--seed"], values["--rounds"]];
  note(`seed ${seed}, ${rounds} rounds`);
  const env = { SETTLED_CRASH_SEED: seed, SETTLED_CRASH_ROUNDS: rounds };
  const { code } = await runTool("vitest/vitest.mjs", ["run", "test/crash"], { env });
  return code;
}

runMain(main);
