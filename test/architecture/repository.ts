import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

export function inRoot(...parts: readonly string[]): string {
  return join(ROOT, ...parts);
}

export function read(path: string): string {
  return readFileSync(inRoot(path), "utf8");
}

/** Names of the modules: the folders of src/modules. */
export function moduleNames(): string[] {
  return readdirSync(inRoot("src/modules"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

/** Files that belong to the project: tracked, or new and not ignored. */
export function projectFiles(): string[] {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const list = execFileSync("git", args, { cwd: ROOT, encoding: "utf8" }).split("\0");
  return list.filter((path) => path !== "" && existsSync(inRoot(path)));
}
