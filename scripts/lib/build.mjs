import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { withBuildLock } from "./build_lock.mjs";
import { runTool } from "./run.mjs";
import { inRoot, root, UserError } from "./root.mjs";

const DIST = inRoot("dist");
const STAMP = join(DIST, ".build-stamp");
const INFO = join(DIST, ".tsbuildinfo");

/** Every file under a folder of the project, as sorted paths from the root. */
export function filesUnder(folder) {
  return readdirSync(inRoot(folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

/** The state of all that a build is made of. */
function sourceHash() {
  const hash = createHash("sha256");
  const inputs = ["package.json", "package-lock.json", "tsconfig.json", ...filesUnder("src")];
  for (const path of inputs)
    hash
      .update(`${path}\0`)
      .update(readFileSync(inRoot(path)))
      .update("\0");
  return `${hash.digest("hex")}\n`;
}

function isBuilt(hash) {
  if (!existsSync(STAMP) || !existsSync(join(DIST, "cli", "main.js"))) return false;
  return readFileSync(STAMP, "utf8") === hash;
}

/** What src has for browsers, which the compiler leaves behind. */
const ASSET = /\.(html|css|mjs)$/;

function copyAssets() {
  for (const path of filesUnder("src").filter((name) => ASSET.test(name))) {
    const target = join(DIST, path.slice(4));
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(inRoot(path), target);
  }
}

/** What an earlier build left of sources that are gone: it would still be imported and shipped. */
function removeOrphans() {
  const sources = new Set(filesUnder("src").map((path) => path.slice(4).replace(/\.ts$/, "")));
  for (const path of filesUnder("dist")) {
    const name = path.slice(5);
    if (name.startsWith(".")) continue;
    if (ASSET.test(name) && sources.has(name)) continue;
    if (!sources.has(name.replace(/(\.js|\.d\.ts)(\.map)?$/, ""))) rmSync(inRoot(path));
  }
}

/**
 * Compiles src to dist if a source has changed since the last build.
 * @param options.note called with a line about what is being done
 * @param options.force compiles everything again
 * @returns whether the compiler was run
 * @throws UserError with what the compiler says
 */
export async function buildIfNeeded({ note = () => undefined, force = false } = {}) {
  if (!force && isBuilt(sourceHash())) return false;
  return withBuildLock(async () => {
    const hash = sourceHash();
    if (!force && isBuilt(hash)) return false;
    note("building (tsc), once per change of src");
    rmSync(STAMP, { force: true });
    if (force || !existsSync(join(DIST, "cli", "main.js"))) rmSync(INFO, { force: true });
    const args = ["-p", "tsconfig.json", "--incremental", "--tsBuildInfoFile", INFO];
    const { code, output } = await runTool("typescript/bin/tsc", args, { capture: true });
    if (code !== 0) throw new UserError(`the build failed:\n${output.trimEnd()}`);
    removeOrphans();
    copyAssets();
    writeFileSync(STAMP, hash);
    return true;
  });
}
