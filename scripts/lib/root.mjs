import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the project. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** A path inside the project. */
export const inRoot = (...parts) => join(root, ...parts);

/** An error whose message is all that a user needs: no stack is shown. */
export class UserError extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Runs the main function of a script: its number is the exit code, its UserError one message. */
export function runMain(main) {
  main(process.argv.slice(2)).then(
    (code) => {
      process.exitCode = code ?? 0;
    },
    (error) => {
      const known = error instanceof UserError;
      process.stderr.write(`error: ${known ? error.message : (error.stack ?? error)}\n`);
      process.exitCode = known ? error.exitCode : 1;
    },
  );
}
