import { join } from "node:path";
import { toHex } from "../lib/bytes.ts";
import { writeFileAtomic } from "./files.ts";
import {
  newSigningKey,
  parsePrivateKeyJson,
  privateKeyJson,
  readJson,
  type SigningKey,
  validatorAddress,
} from "./validator_key.ts";

/** Where the node key of a home is kept. */
export function nodeKeyPath(home: string): string {
  return join(home, "config", "node_key.json");
}

/** 40 lower-case hex characters: the address form of the node's public key, as CometBFT's ids. */
export function nodeIdOf(key: SigningKey): string {
  return toHex(validatorAddress(key.publicKey));
}

/**
 * The key of a node_key.json in CometBFT's form; a new one is written (mode 0600) where none is.
 * @throws NodeStartError for a file that is not such a key
 */
export async function loadNodeKey(path: string): Promise<SigningKey> {
  const json = await readJson(path);
  if (json !== undefined) {
    return parsePrivateKeyJson((json as { priv_key?: unknown }).priv_key, path);
  }
  const key = newSigningKey();
  const content = JSON.stringify({ priv_key: privateKeyJson(key) }, undefined, 2);
  await writeFileAtomic(path, `${content}\n`, 0o600);
  return key;
}
