import { createHash, hash } from "node:crypto";
import { createRequire } from "node:module";
import type { Crypto, Hasher, Verifier } from "../types/crypto.ts";
import { portableCrypto } from "../types/portable_crypto.ts";

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
const sha256 =
  typeof hash === "function"
    ? (data: Uint8Array) => hash("sha256", data, "buffer")
    : (data: Uint8Array) => createHash("sha256").update(data).digest();

export const nativeHasher: Hasher = {
  name: "native",
  // Plain bytes: a Buffer answers slice() with a view of itself, the portable hasher with a copy.
  sha256: (data) => {
    const digest = sha256(data);
    return new Uint8Array(digest.buffer, digest.byteOffset, digest.length);
  },
};

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
