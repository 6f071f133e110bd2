/** Upper-case hex, as CometBFT writes hashes and addresses. */
export function hex(bytes: Uint8Array): string {
  return view(bytes).toString("hex").toUpperCase();
}

/** Base64 with padding, as CometBFT writes txs, keys, data and signatures. */
export function base64(bytes: Uint8Array): string {
  return view(bytes).toString("base64");
}

/** Base64, or null for no bytes, as Go writes an empty slice of a protobuf message. */
export function base64OrNull(bytes: Uint8Array): string | null {
  return bytes.length === 0 ? null : base64(bytes);
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
