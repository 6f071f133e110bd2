import { readFileSync } from "node:fs";
import { inRoot } from "./root.mjs";

/** What is wrong with the lock file; empty when it is fine. */
export function lockFileFaults(text = readFileSync(inRoot("package-lock.json"), "utf8")) {
  const { packages } = JSON.parse(text);
  return Object.entries(packages).flatMap(([path, entry]) => [...faultsOf(packages, path, entry)]);
}

function* faultsOf(packages, path, entry) {
  // A registry's address in the lock file ties every installation to it.
  if ("resolved" in entry) yield `package-lock.json: ${path} names its registry (resolved)`;
  // Builds for other systems are not in every registry; where one is installed, npm asks for it.
  const isForOthers = entry.optional === true && entry.os !== undefined;
  if (path !== "" && entry.integrity === undefined && !isForOthers) {
    yield `package-lock.json: ${path} has no integrity`;
  }
  // Without them npm ci refuses to install anything. A lock file that is made from an installation,
  // or with a registry that lacks them, leaves them out.
  for (const name of Object.keys(entry.optionalDependencies ?? {})) {
    if (packages[`node_modules/${name}`] !== undefined) continue;
    if (packages[`${path}/node_modules/${name}`] !== undefined) continue;
    yield `package-lock.json: ${path} wants ${name}, which is not listed`;
  }
}
