import { readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { compareKeys } from "../../lib/key_map.ts";
import { fromHex } from "../../lib/bytes.ts";
import { addressOfPublicKey } from "../../types/address.ts";
import { writeFileAtomic } from "../atomic_file.ts";
import { CliError, usageError } from "../cli_error.ts";
import { EXIT } from "../exit_codes.ts";
import type { KeyInfo } from "./keyring.ts";

/** The part that every key file has, whatever its backend. */
export interface KeyFile {
  readonly version: 1;
  readonly name: string;
  /** Hex. */
  readonly publicKey: string;
  readonly role?: string | undefined;
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/;

/** A name becomes a file name, so it is kept to characters that every file system takes. */
export function checkKeyName(name: string): void {
  if (NAME.test(name)) return;
  throw usageError(
    `not a key name: "${name}"; 1 to 64 of a-z A-Z 0-9 . _ - and a letter or digit first`,
  );
}

export function infoOf(file: KeyFile, prefix: string): KeyInfo {
  const publicKey = fromHex(file.publicKey) ?? new Uint8Array(0);
  const address = addressOfPublicKey(publicKey, prefix);
  return { name: file.name, address, publicKey, role: file.role };
}

/** Writes a new key file, mode 0600. */
export async function writeKeyFile(directory: string, file: KeyFile): Promise<void> {
  const text = `${JSON.stringify(file, undefined, 2)}\n`;
  try {
    await writeFileAtomic(pathOf(directory, file.name), text, { mode: 0o600, overwrite: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new CliError(EXIT.other, "key_exists", `there is a key named "${file.name}" already`, {
      hint: `settled keys show ${file.name}, or choose another name`,
    });
  }
}

/** Every key file of a directory by name; none when there is no directory. */
export async function readKeyFiles<F extends KeyFile>(directory: string): Promise<F[]> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const files = names.filter((name) => name.endsWith(".json")).sort(compareKeys);
  return Promise.all(files.map((name) => readOne<F>(join(directory, name))));
}

async function readOne<F extends KeyFile>(path: string): Promise<F> {
  const text = await readFile(path, "utf8");
  try {
    const file = JSON.parse(text) as F;
    if (file.version === 1 && typeof file.publicKey === "string") return file;
  } catch {
    // Said below with the path.
  }
  throw new CliError(EXIT.other, "bad_key_file", `${path} is not a key file of this program`);
}

/** The key file of a name, or of the account with an address. */
export async function findKeyFile<F extends KeyFile>(
  directory: string,
  nameOrAddress: string,
  prefix: string,
): Promise<F> {
  const files = await readKeyFiles<F>(directory);
  const found =
    files.find(({ name }) => name === nameOrAddress) ??
    files.find((file) => infoOf(file, prefix).address === nameOrAddress);
  if (found !== undefined) return found;
  const names = files.map(({ name }) => name).join(", ");
  throw new CliError(EXIT.notFound, "key_not_found", `no key "${nameOrAddress}" in ${directory}`, {
    hint:
      names === ""
        ? `settled keys add ${NAME.test(nameOrAddress) ? nameOrAddress : "NAME"}`
        : `use one of: ${names}`,
  });
}

export async function deleteKeyFile(directory: string, name: string): Promise<void> {
  await unlink(pathOf(directory, name));
}

function pathOf(directory: string, name: string): string {
  return join(directory, `${name}.json`);
}
