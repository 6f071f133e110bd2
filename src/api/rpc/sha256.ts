import { nativeHasher } from "../../node/crypto_native.ts";

/** SHA-256, native. 32 bytes; of a tx, the hash that clients know it by. */
export function sha256(data: Uint8Array): Uint8Array {
  return nativeHasher.sha256(data);
}
