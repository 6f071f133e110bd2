import { signerFromPrivateKey } from "../../client/signer.ts";
import { fromHex, toHex } from "../../lib/bytes.ts";
import { must } from "../../lib/assert.ts";
import { CliError } from "../cli_error.ts";
import { EXIT } from "../exit_codes.ts";
import {
  checkKeyName,
  deleteKeyFile,
  findKeyFile,
  infoOf,
  type KeyFile,
  readKeyFiles,
  writeKeyFile,
} from "./key_files.ts";
import type { Keyring, KeySecret } from "./keyring.ts";
import type { PasswordSource } from "./password.ts";
import { type Sealed, seal, unseal } from "./sealed.ts";

interface SealedKeyFile extends KeyFile {
  readonly sealed: Sealed;
}

/**
 * Keys under one password: scrypt and AES-256-GCM, a file each. Names and public keys are in the
 * clear, so that listing needs no password, and are authenticated with the secret.
 */
export function openFileKeyring(
  directory: string,
  prefix: string,
  passwords: PasswordSource,
): Keyring {
  const find = (id: string) => findKeyFile<SealedKeyFile>(directory, id, prefix);
  const secret = async (id: string) => {
    const file = await find(id);
    return openSecret(file, await passwords.get(false));
  };
  return {
    backend: "file",
    add: async ({ name, privateKey, mnemonic, role }) => {
      checkKeyName(name);
      const files = await readKeyFiles<SealedKeyFile>(directory);
      const password = await passwords.get(files.length === 0);
      // One password for all: a second one would be found out only when a key is needed.
      if (files[0] !== undefined) await openSecret(files[0], password);
      const publicKey = toHex(signerFromPrivateKey(privateKey, prefix).publicKey);
      const text = JSON.stringify({ privateKey: toHex(privateKey), mnemonic });
      const sealed = await seal(text, password, boundText(name, publicKey));
      const file: SealedKeyFile = { version: 1, name, publicKey, role, sealed };
      await writeKeyFile(directory, file);
      return infoOf(file, prefix);
    },
    list: async () => (await readKeyFiles(directory)).map((file) => infoOf(file, prefix)),
    find: async (id) => infoOf(await find(id), prefix),
    secret,
    signer: async (id) => signerFromPrivateKey((await secret(id)).privateKey, prefix),
    delete: async (name) => deleteKeyFile(directory, (await find(name)).name),
  };
}

function boundText(name: string, publicKey: string): string {
  return `settled key ${name} ${publicKey}`;
}

async function openSecret(file: SealedKeyFile, password: string): Promise<KeySecret> {
  const text = await unseal(file.sealed, password, boundText(file.name, file.publicKey));
  if (text === undefined) {
    throw new CliError(
      EXIT.other,
      "wrong_password",
      `the password does not open key "${file.name}" (or its file was changed)`,
    );
  }
  const { privateKey, mnemonic } = JSON.parse(text) as { privateKey: string; mnemonic?: string };
  const key = must(fromHex(privateKey), `the key file of "${file.name}" is damaged`);
  return { privateKey: key, mnemonic };
}
