import { buildIfNeeded } from "./lib/build.mjs";
import { installIfNeeded } from "./lib/install.mjs";
import { requireNode } from "./lib/node_version.mjs";
import { runMain } from "./lib/root.mjs";
import { runTool } from "./lib/run.mjs";

const HELP = `usage: node scripts/test.mjs [ARGUMENTS OF VITEST]

Installs, builds and runs all tests: from a clean checkout nothing else is needed.

  node scripts/test.mjs test/unit/codec    the tests of a folder
  node scripts/test.mjs -t "escrow"        tests by name
  SETTLED_CRYPTO=portable                  without native code
  SETTLED_LONG=1                           long forms of the crash tests; builds grpcurl with go
`;

async function main(args) {
  if (args.includes("--help")) return void process.stdout.write(HELP);
  requireNode();
  const note = (line) => void process.stderr.write(`${line}\n`);
  await installIfNeeded(note);
  await buildIfNeeded({ note });
  const { code } = await runTool("vitest/vitest.mjs", ["run", ...args]);
  return code;
}

runMain(main);
