import { buildIfNeeded } from "./lib/build.mjs";
import { installIfNeeded } from "./lib/install.mjs";
import { requireNode } from "./lib/node_version.mjs";
import { runMain, UserError } from "./lib/root.mjs";

const HELP = `usage: node scripts/build.mjs [--force]

Installs the dependencies if the lock file has changed, and compiles src to dist if a source has.

  --force  compile everything again
  --help   this text
`;

async function main(args) {
  if (args.includes("--help")) return void process.stdout.write(HELP);
  const unknown = args.find((arg) => arg !== "--force");
  if (unknown !== undefined) throw new UserError(`unknown argument ${unknown}\n\n${HELP}`, 2);
  requireNode();
  const note = (line) => void process.stderr.write(`${line}\n`);
  await installIfNeeded(note);
  const built = await buildIfNeeded({ note, force: args.includes("--force") });
  if (!built) note("dist is up to date");
}

runMain(main);
