import { keyOfBytes } from "../lib/key.ts";
import { Lru } from "../lib/lru.ts";
import type { Verifier } from "./crypto.ts";

const SIGNATURES_MAX = 20_000;

/**
 * Remembers verdicts, so that a tx that was checked when it came is not verified again in its
 * block. A verdict depends on signature, digest and key alone, all of which are in the memo's key.
 */
export function memoVerifier(verifier: Verifier): Verifier {
  const verdicts = new Lru<boolean>(SIGNATURES_MAX);
  return {
    name: verifier.name,
    verifySecp256k1: (signature, digest, publicKey) => {
      const key = keyOfBytes(signature) + keyOfBytes(digest) + keyOfBytes(publicKey);
      const known = signature.length === 64 ? verdicts.get(key) : undefined;
      if (known !== undefined) return known;
      const verdict = verifier.verifySecp256k1(signature, digest, publicKey);
      if (signature.length === 64) verdicts.set(key, verdict);
      return verdict;
    },
  };
}
