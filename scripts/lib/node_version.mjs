import { readFileSync } from "node:fs";
import { inRoot, UserError } from "./root.mjs";

/**
 * Refuses a Node.js that is older than package.json's engines.
 * @throws UserError naming both versions
 */
export function requireNode(version = process.versions.node) {
  const { engines } = JSON.parse(readFileSync(inRoot("package.json"), "utf8"));
  const least = engines.node.replace(/^>=/, "");
  const [wantMajor, wantMinor] = least.split(".").map(Number);
  const [major, minor] = version.split(".").map(Number);
  if (major > wantMajor || (major === wantMajor && minor >= wantMinor)) return;
  throw new UserError(
    `Settled needs Node.js ${least} or newer; this is ${version} (${process.execPath}). ` +
      "Install a newer one from https://nodejs.org and run the command again.",
  );
}
