import { bytesOfKey } from "../lib/key.ts";
import { verifySecp256k1 } from "../lib/secp256k1.ts";
import { sha256 } from "../lib/sha256.ts";
import type { Crypto, Hasher } from "./crypto.ts";

const hasher: Hasher = {
  name: "portable",
  sha256,
  hashInto: (data, output, offset) => {
    output.set(sha256(data), offset);
  },
  hashKeyInto: (key, output, offset) => {
    output.set(sha256(bytesOfKey(key)), offset);
  },
  hashPairs: (input, output) => {
    for (let at = 0; at < input.length; at += 64) {
      output.set(sha256(input.subarray(at, at + 64)), at >> 1);
    }
  },
};

/** Hashing and verification without native code. */
export const portableCrypto: Crypto = {
  hasher,
  verifier: { name: "portable", verifySecp256k1 },
};
