import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { ProviderError } from "./errors.ts";

/**
 * Lines of a text file as they are read, without their ends.
 * @throws ProviderError `bad_file` when it cannot be read.
 */
export async function* linesOf(file: string): AsyncGenerator<string> {
  const input = createReadStream(file, "utf8");
  // readline does not pass on errors of its input.
  let failure: unknown;
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  input.on("error", (error) => {
    failure = error;
    lines.close();
  });
  try {
    yield* lines;
  } finally {
    lines.close();
    input.destroy();
  }
  if (failure !== undefined) {
    throw new ProviderError("bad_file", `cannot read ${file}: ${(failure as Error).message}`);
  }
}
