import { createRequire } from "node:module";
import process from "node:process";
import { secp256k1 as curve } from "@noble/curves/secp256k1.js";

/** ECDSA over secp256k1 as a signer needs it. Both implementations give the same bytes (RFC 6979). */
export interface SigningCurve {
  /** "native" or "portable". */
  readonly name: string;
  /** 33-byte compressed public key of a 32-byte private key. */
  publicKey(privateKey: Uint8Array): Uint8Array;
  /** 64-byte r‖s with low s. */
  sign(digest32: Uint8Array, privateKey: Uint8Array): Uint8Array;
  isPrivateKey(key: Uint8Array): boolean;
}

interface NativeBindings {
  publicKeyCreate(privateKey: Uint8Array, compressed: boolean): Uint8Array;
  ecdsaSign(digest: Uint8Array, privateKey: Uint8Array): { signature: Uint8Array };
  privateKeyVerify(privateKey: Uint8Array): boolean;
}

const portable: SigningCurve = {
  name: "portable",
  publicKey: (privateKey) => curve.getPublicKey(privateKey, true),
  sign: (digest, privateKey) => curve.sign(digest, privateKey, { prehash: false, lowS: true }),
  isPrivateKey: (key) => curve.utils.isValidSecretKey(key),
};

let chosen: SigningCurve | undefined;

/**
 * The native library where its prebuilt addon loads, else the portable one. Its package's own
 * fallback (elliptic) is passed by on purpose: only the bindings are loaded.
 */
export function signingCurve(): SigningCurve {
  chosen ??= loadNative() ?? portable;
  return chosen;
}

/** The implementation without native code. */
export function portableSigningCurve(): SigningCurve {
  return portable;
}

function loadNative(): SigningCurve | undefined {
  if (process.env["SETTLED_CRYPTO"] === "portable") return undefined;
  try {
    const native = createRequire(import.meta.url)("secp256k1/bindings.js") as NativeBindings;
    return {
      name: "native",
      publicKey: (privateKey) => Uint8Array.from(native.publicKeyCreate(privateKey, true)),
      sign: (digest, privateKey) => Uint8Array.from(native.ecdsaSign(digest, privateKey).signature),
      isPrivateKey: (key) => key.length === 32 && native.privateKeyVerify(key),
    };
  } catch {
    return undefined;
  }
}
