import { readFileSync } from "node:fs";

/** Version of the package that this file is part of. */
export function packageVersion(): string {
  // Two folders up from both src/cli and dist/cli.
  const path = new URL("../../package.json", import.meta.url);
  const { version } = JSON.parse(readFileSync(path, "utf8")) as { version: string };
  return version;
}
