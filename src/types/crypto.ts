/** Hashing, injected: native in the node, portable elsewhere; both give the same bytes. */
export interface Hasher {
  /** "native" or "portable", for the start line. */
  readonly name: string;
  /** SHA-256: 32 bytes. */
  sha256(data: Uint8Array): Uint8Array;
}

/** Signature checks, injected. Low-S only; malformed input is false, never an exception. */
export interface Verifier {
  readonly name: string;
  /** 64-byte r‖s, 32-byte digest, 33-byte compressed key. */
  verifySecp256k1(signature: Uint8Array, digest: Uint8Array, publicKey: Uint8Array): boolean;
}

export interface Crypto {
  readonly hasher: Hasher;
  readonly verifier: Verifier;
}
