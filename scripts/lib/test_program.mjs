import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildProgram } from "./build_program.mjs";
import { installIfNeeded } from "./install.mjs";
import { requireNode } from "./node_version.mjs";

/**
 * Installs and builds what is missing, and loads the main program of a folder of test/.
 * @param name of the folder
 * @returns its module, and the command line of the same build: a node that is started is of the
 * state of the sources that loads it
 */
export async function openTestProgram(name) {
  requireNode();
  await installIfNeeded((line) => void process.stderr.write(`${line}\n`));
  const entry = await buildProgram(`test/${name}`);
  const cli = join(entry, "..", "..", "..", "src", "cli", "main.js");
  return { program: await import(pathToFileURL(entry).href), cli };
}
