import { existsSync, readFileSync } from "node:fs";

/** A message as JSON and as bytes; a field is in one exactly when it is in the other. */
export interface WireVector {
  readonly type_url: string;
  readonly json: Record<string, unknown>;
  readonly hex: string;
}

/** The vectors of a file, or undefined when it is not there. */
export function readVectors(url: URL): readonly WireVector[] | undefined {
  if (!existsSync(url)) return undefined;
  return JSON.parse(readFileSync(url, "utf8")) as WireVector[];
}
