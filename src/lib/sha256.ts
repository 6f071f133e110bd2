import { ripemd160 as nobleRipemd160 } from "@noble/hashes/legacy.js";
import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";

/** SHA-256, portable. 32 bytes. Hot paths take an injected Hasher instead. */
export function sha256(data: Uint8Array): Uint8Array {
  return nobleSha256(data);
}

/** RIPEMD-160, portable. 20 bytes. */
export function ripemd160(data: Uint8Array): Uint8Array {
  return nobleRipemd160(data);
}
