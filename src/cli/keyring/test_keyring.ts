import { signerFromPrivateKey } from "../../client/signer.ts";
import { fromHex, toHex } from "../../lib/bytes.ts";
import { must } from "../../lib/assert.ts";
import {
  checkKeyName,
  deleteKeyFile,
  findKeyFile,
  infoOf,
  type KeyFile,
  readKeyFiles,
  writeKeyFile,
} from "./key_files.ts";
import type { Keyring } from "./keyring.ts";

interface TestKeyFile extends KeyFile {
  /** Hex, in plain text: this keyring is for dev chains only. */
  readonly privateKey: string;
  readonly mnemonic?: string | undefined;
}

/** Keys in plain text, mode 0600, for dev chains. Nothing prompts. */
export function openTestKeyring(directory: string, prefix: string): Keyring {
  const find = (id: string) => findKeyFile<TestKeyFile>(directory, id, prefix);
  return {
    backend: "test",
    add: async ({ name, privateKey, mnemonic, role }) => {
      checkKeyName(name);
      const publicKey = toHex(signerFromPrivateKey(privateKey, prefix).publicKey);
      const file: TestKeyFile = {
        ...{ version: 1, name, publicKey, role },
        ...{ privateKey: toHex(privateKey), mnemonic },
      };
      await writeKeyFile(directory, file);
      return infoOf(file, prefix);
    },
    list: async () => (await readKeyFiles(directory)).map((file) => infoOf(file, prefix)),
    find: async (id) => infoOf(await find(id), prefix),
    secret: async (name) => {
      const file = await find(name);
      return { privateKey: keyOf(file), mnemonic: file.mnemonic };
    },
    signer: async (id) => signerFromPrivateKey(keyOf(await find(id)), prefix),
    delete: async (name) => deleteKeyFile(directory, (await find(name)).name),
  };
}

function keyOf(file: TestKeyFile): Uint8Array {
  return must(fromHex(file.privateKey), `the key file of "${file.name}" is damaged`);
}
