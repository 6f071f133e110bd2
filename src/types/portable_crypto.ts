import { verifySecp256k1 } from "../lib/secp256k1.ts";
import { sha256 } from "../lib/sha256.ts";
import type { Crypto } from "./crypto.ts";

/** Hashing and verification without native code. */
export const portableCrypto: Crypto = {
  hasher: { name: "portable", sha256 },
  verifier: { name: "portable", verifySecp256k1 },
};
