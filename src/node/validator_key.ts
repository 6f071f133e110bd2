import {
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
  createPublicKey,
} from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { concatBytes, equalBytes, fromBase64, fromHex, toBase64, toHex } from "../lib/bytes.ts";
import { sha256 } from "../lib/sha256.ts";
import { NodeStartError } from "./errors.ts";
import { writeFileAtomic } from "./files.ts";

/** An ed25519 key pair that signs: of the validator, or of the node. */
export interface SigningKey {
  /** 32 bytes. */
  readonly seed: Uint8Array;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes, ed25519 (RFC 8032) over the whole message. */
  sign(message: Uint8Array): Uint8Array;
}

// PKCS #8 and SPKI forms of ed25519 keys (RFC 8410) up to the 32 key bytes.
const PKCS8_PREFIX = fromHex("302e020100300506032b657004220420") as Uint8Array;
const SPKI_PREFIX = fromHex("302a300506032b6570032100") as Uint8Array;

/** The first 20 bytes of sha256(public key), as CometBFT addresses ed25519 keys. */
export function validatorAddress(publicKey: Uint8Array): Uint8Array {
  return sha256(publicKey).slice(0, 20);
}

/** The key pair of a 32-byte seed. */
export function signingKeyOfSeed(seed: Uint8Array): SigningKey {
  const der = Buffer.from(concatBytes(PKCS8_PREFIX, seed));
  return signingKeyOf(createPrivateKey({ key: der, format: "der", type: "pkcs8" }), seed);
}

/** A new key pair of the system's random numbers. */
export function newSigningKey(): SigningKey {
  const { privateKey } = generateKeyPairSync("ed25519");
  const der = privateKey.export({ format: "der", type: "pkcs8" });
  return signingKeyOf(privateKey, Uint8Array.from(der.subarray(PKCS8_PREFIX.length)));
}

function signingKeyOf(privateKey: KeyObject, seed: Uint8Array): SigningKey {
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return {
    seed,
    publicKey: Uint8Array.from(spki.subarray(SPKI_PREFIX.length)),
    sign: (message) => Uint8Array.from(sign(undefined, message, privateKey)),
  };
}

/** Whether `signature` is the key's over `message`; false for malformed input. */
export function verifyEd25519(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const der = Buffer.from(concatBytes(SPKI_PREFIX, publicKey));
  return verify(
    undefined,
    message,
    createPublicKey({ key: der, format: "der", type: "spki" }),
    signature,
  );
}

/** Where the validator key of a home is kept. */
export function validatorKeyPath(home: string): string {
  return join(home, "config", "priv_validator_key.json");
}

/** JSON of CometBFT for a private ed25519 key: seed and public key, 64 bytes in base64. */
export function privateKeyJson(key: SigningKey): unknown {
  const value = toBase64(concatBytes(key.seed, key.publicKey));
  return { type: "tendermint/PrivKeyEd25519", value };
}

/**
 * The key of the JSON that `privateKeyJson` writes.
 * @throws NodeStartError naming path and field
 */
export function parsePrivateKeyJson(json: unknown, path: string): SigningKey {
  const bad = (problem: string) => new NodeStartError(`${path}: priv_key: ${problem}`, { path });
  const { type, value } = (json ?? {}) as { type?: unknown; value?: unknown };
  if (type !== "tendermint/PrivKeyEd25519") throw bad("expected type tendermint/PrivKeyEd25519");
  const bytes = typeof value === "string" ? fromBase64(value) : undefined;
  if (bytes?.length !== 64) throw bad("expected 64 bytes in base64");
  const key = signingKeyOfSeed(bytes.slice(0, 32));
  if (!equalBytes(key.publicKey, bytes.slice(32)))
    throw bad("its two halves do not belong together");
  return key;
}

/**
 * The validator key of a file in CometBFT's form; a new one is written (mode 0600) where none is.
 * @throws NodeStartError for a file that is not such a key
 */
export async function loadValidatorKey(path: string): Promise<SigningKey> {
  const json = await readJson(path);
  if (json !== undefined) {
    return parsePrivateKeyJson((json as { priv_key?: unknown }).priv_key, path);
  }
  const key = newSigningKey();
  const content = {
    address: toHex(validatorAddress(key.publicKey)).toUpperCase(),
    pub_key: { type: "tendermint/PubKeyEd25519", value: toBase64(key.publicKey) },
    priv_key: privateKeyJson(key),
  };
  await writeFileAtomic(path, `${JSON.stringify(content, undefined, 2)}\n`, 0o600);
  return key;
}

/** The JSON object of a file; undefined where there is no file. @throws NodeStartError */
export async function readJson(path: string): Promise<object | undefined> {
  let body: string;
  try {
    body = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const json: unknown = JSON.parse(body);
    if (typeof json === "object" && json !== null) return json;
  } catch {
    // Said below, without the content: it is a secret.
  }
  throw new NodeStartError(`${path}: expected a JSON object`, { path });
}
