import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { ProviderError } from "./errors.ts";

/**
 * Lines of a text file as they are read, without their ends.
 * @throws ProviderError `bad_file` when it cannot be read.
 */
export async function* linesOf(file: string): AsyncGenerator<string> {
  const input = createReadStream(file, "utf8");
  // Only what the file itself reports is a bad file; an error of the reader's own loop is its own.
  let failure: Error | undefined;
  input.once("error", (error) => {
    failure = error;
  });
  try {
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  } catch (error) {
    if (error !== failure || failure === undefined) throw error;
    throw new ProviderError("bad_file", `cannot read ${file}: ${failure.message}`);
  } finally {
    input.destroy();
  }
}
