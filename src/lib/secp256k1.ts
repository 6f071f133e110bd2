import { secp256k1 as curve } from "@noble/curves/secp256k1.js";

/**
 * Portable ECDSA verification over secp256k1: 64-byte r‖s with low s only, 32-byte digest,
 * 33-byte compressed key. Anything else is false, never an exception.
 */
export function verifySecp256k1(
  signature: Uint8Array,
  digest: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  if (signature.length !== 64 || digest.length !== 32 || publicKey.length !== 33) return false;
  try {
    return curve.verify(signature, digest, publicKey, { prehash: false, lowS: true });
  } catch {
    return false;
  }
}
