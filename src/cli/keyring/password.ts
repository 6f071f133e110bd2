import { readFile } from "node:fs/promises";
import { CliError } from "../cli_error.ts";
import { EXIT } from "../exit_codes.ts";
import type { Io } from "../io.ts";

/** The environment variable that holds the password of the file keyring. */
export const PASSWORD_VARIABLE = "SETTLED_KEYRING_PASSWORD";

const LENGTH_MIN = 8;

/** Where the password of the file keyring comes from; asked for once per process. */
export interface PasswordSource {
  /** `fresh`: the first key of a keyring, so the password is being chosen. */
  get(fresh: boolean): Promise<string>;
}

/**
 * From `--password-file`, else from the environment, else from the terminal without echo. Where
 * there is none of these it fails at once: nothing waits for a person who is not there.
 */
export function passwordSource(io: Io, passwordFile: string | undefined): PasswordSource {
  let known: string | undefined;
  return {
    get: async (fresh) => {
      known ??= await readPassword(io, passwordFile, fresh);
      if (fresh) checkLength(known);
      return known;
    },
  };
}

async function readPassword(io: Io, file: string | undefined, fresh: boolean): Promise<string> {
  if (file !== undefined) return firstLine(await readPasswordFile(file));
  const variable = io.env[PASSWORD_VARIABLE];
  if (variable !== undefined && variable !== "") return variable;
  if (!io.interactive) {
    throw new CliError(
      EXIT.usage,
      "no_password",
      "the file keyring needs a password, and there is no terminal to ask for it",
      { hint: `give --password-file FILE, or set ${PASSWORD_VARIABLE}` },
    );
  }
  const password = await io.promptSecret(fresh ? "New keyring password: " : "Keyring password: ");
  if (!fresh) return password;
  checkLength(password);
  if ((await io.promptSecret("Again: ")) === password) return password;
  throw new CliError(EXIT.usage, "password_mismatch", "the two passwords differ");
}

async function readPasswordFile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? "unreadable";
    throw new CliError(EXIT.usage, "no_password", `cannot read --password-file ${path} (${why})`);
  }
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? "";
}

function checkLength(password: string): void {
  if (password.length >= LENGTH_MIN) return;
  throw new CliError(
    EXIT.usage,
    "short_password",
    `a keyring password has at least ${LENGTH_MIN} characters`,
  );
}
