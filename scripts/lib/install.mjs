import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { run } from "./run.mjs";
import { inRoot, UserError } from "./root.mjs";

const STAMP = inRoot("node_modules", ".settled-install");

/** What an installation is made of: the lock file, and the machine that native code is for. */
function wanted() {
  const hash = createHash("sha256").update(readFileSync(inRoot("package-lock.json")));
  return `${hash.digest("hex")} ${process.platform} ${process.arch}\n`;
}

function read(path) {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/**
 * Whether npm's own note of what is installed names every package of the lock file in its version:
 * then somebody has installed by hand. Packages for other systems are left out by npm.
 */
function isInstalledByHand() {
  const note = read(inRoot("node_modules", ".package-lock.json"));
  if (note === undefined) return false;
  const installed = JSON.parse(note).packages;
  const { packages } = JSON.parse(readFileSync(inRoot("package-lock.json"), "utf8"));
  return Object.entries(packages).every(
    ([path, { version, optional }]) =>
      path === "" || installed[path]?.version === version || (optional && !installed[path]),
  );
}

/**
 * Installs the dependencies if the lock file has changed since they were installed.
 * @param note called with a line about what is being done
 * @returns whether npm was run
 */
export async function installIfNeeded(note = () => undefined) {
  const stamp = wanted();
  if (read(STAMP) === stamp) return false;
  if (read(STAMP) === undefined && isInstalledByHand()) {
    writeFileSync(STAMP, stamp);
    return false;
  }
  note("installing dependencies (npm ci), once per change of package-lock.json");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  // Whatever NODE_ENV or the user's settings say: building takes the development dependencies.
  const args = ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  const { code, output } = await run(npm, args, { capture: true });
  if (code !== 0) {
    throw new UserError(`npm ci failed (exit code ${code}):\n${output.trimEnd()}`);
  }
  writeFileSync(STAMP, stamp);
  return true;
}
