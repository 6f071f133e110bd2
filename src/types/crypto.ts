import type { Key } from "../lib/key.ts";

/** Hashing, injected: native in the node, portable elsewhere; both give the same bytes. */
export interface Hasher {
  /** "native" or "portable", for the start line. */
  readonly name: string;
  /** SHA-256: 32 bytes. */
  sha256(data: Uint8Array): Uint8Array;
  /** SHA-256 of `data`, written to the 32 bytes of `output` at `offset`. */
  hashInto(data: Uint8Array, output: Uint8Array, offset: number): void;
  /** SHA-256 of a key's bytes, written to the 32 bytes of `output` at `offset`. */
  hashKeyInto(key: Key, output: Uint8Array, offset: number): void;
  /**
   * SHA-256 of each 64 bytes of `input`, written to `output` 32 bytes each, in one native call
   * where there is one. `input` holds a multiple of 64 bytes, `output` exactly half as many.
   */
  hashPairs(input: Uint8Array, output: Uint8Array): void;
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
