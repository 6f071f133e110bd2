import { createHash, hash } from "node:crypto";
import { createRequire } from "node:module";
import type { Crypto, Hasher, Verifier } from "../types/crypto.ts";
import { portableCrypto } from "../types/portable_crypto.ts";

/** What is used of package `@chainsafe/hashtree`. */
interface Hashtree {
  hashInto(input: Uint8Array, output: Uint8Array): void;
}

/** What is used of the bindings of package `secp256k1`. */
interface Secp256k1 {
  ecdsaVerify(signature: Uint8Array, digest: Uint8Array, publicKey: Uint8Array): boolean;
}

/**
 * Native hashing and verification where they load, else the portable ones, which give the same
 * answers. `SETTLED_CRYPTO=portable` in the environment forces those.
 */
export function nodeCrypto(environment: NodeJS.ProcessEnv = process.env): Crypto {
  if (environment["SETTLED_CRYPTO"] === "portable") return portableCrypto;
  return { hasher: nativeHasher, verifier: nativeVerifier() ?? portableCrypto.verifier };
}

// The one-shot function is a third faster than an object per hash; Node has it from 20.12 on.
const oneShot = typeof hash === "function";

// A digest as a text of one byte per character costs a third of a digest in a buffer of its own.
const digestText = oneShot
  ? (data: Uint8Array) => hash("sha256", data, "binary")
  : (data: Uint8Array) => createHash("sha256").update(data).digest("binary");

/** Keys up to this length are laid out in one buffer; a view per length saves making one each. */
const KEY_BYTES_MAX = 256;
const keyBuffer = new Uint8Array(KEY_BYTES_MAX);
const keyViews = Array.from({ length: KEY_BYTES_MAX + 1 }, (_, end) => keyBuffer.subarray(0, end));

/** Writes one byte per character. For texts this short a loop is as fast as a Buffer's method. */
function writeText(text: string, output: Uint8Array, offset: number): void {
  for (let index = 0; index < text.length; index += 1) {
    output[offset + index] = text.charCodeAt(index);
  }
}

const hashtree = loadHashtree();

/** Plain bytes: a Buffer answers slice() with a view of itself, the portable hasher with a copy. */
function sha256(data: Uint8Array): Uint8Array {
  const digest = new Uint8Array(32);
  writeText(digestText(data), digest, 0);
  return digest;
}

export const nativeHasher: Hasher = {
  name: "native",
  sha256,
  hashInto: (data, output, offset) => {
    writeText(digestText(data), output, offset);
  },
  hashKeyInto: (key, output, offset) => {
    const view = keyViews[key.length];
    if (view !== undefined) writeText(key, keyBuffer, 0);
    writeText(digestText(view ?? Buffer.from(key, "latin1")), output, offset);
  },
  hashPairs: (input, output) => {
    if (hashtree !== undefined) hashtree.hashInto(input, output);
    else hashPairsOneByOne(input, output);
  },
};

/** What `hashPairs` does where hashtree's addon does not load. */
export function hashPairsOneByOne(input: Uint8Array, output: Uint8Array): void {
  for (let at = 0; at < input.length; at += 64) {
    writeText(digestText(input.subarray(at, at + 64)), output, at >> 1);
  }
}

/** The batch hasher of pairs; undefined where its addon does not load or answers wrongly. */
function loadHashtree(): Hashtree | undefined {
  try {
    const library = createRequire(import.meta.url)("@chainsafe/hashtree") as Hashtree;
    const output = new Uint8Array(32);
    library.hashInto(new Uint8Array(64), output);
    const expected = sha256(new Uint8Array(64));
    return expected.every((byte, index) => byte === output[index]) ? library : undefined;
  } catch {
    return undefined;
  }
}

/** Verification by libsecp256k1; undefined where its addon does not load. */
export function nativeVerifier(): Verifier | undefined {
  let library: Secp256k1;
  try {
    // The package's main file falls back to another implementation; its bindings throw instead.
    library = createRequire(import.meta.url)("secp256k1/bindings.js") as Secp256k1;
  } catch {
    return undefined;
  }
  return {
    name: "native",
    verifySecp256k1: (signature, digest, publicKey) => {
      if (signature.length !== 64 || digest.length !== 32 || publicKey.length !== 33) return false;
      try {
        // libsecp256k1 refuses signatures with a high s by itself.
        return library.ecdsaVerify(signature, digest, publicKey);
      } catch {
        // Thrown for r or s outside the group and for a key that is no point of the curve.
        return false;
      }
    },
  };
}
