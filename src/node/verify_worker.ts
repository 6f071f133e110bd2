/** What a worker is started with. */
export interface WorkerFiles {
  /** Path of the bindings of package `secp256k1`; undefined where the portable code is used. */
  readonly native: string | undefined;
  /** Path of @noble/curves' secp256k1. */
  readonly portable: string;
}

/** Bytes of a claim in a packed batch besides its sign bytes: their length, signature, key. */
export const CLAIM_HEAD_BYTES = 4 + 64 + 33;
/** Bytes in front of the claims besides one verdict each: their number. */
export const BATCH_HEAD_BYTES = 4;

/**
 * What runs in a verifying thread. It gets batches as one packed buffer each and sends the buffer
 * back with the verdicts filled in:
 *
 *   number of claims: 4 bytes | verdicts: 1 byte each | claims: length of the sign bytes: 4 bytes,
 *   signature: 64, public key: 33, sign bytes
 *
 * Numbers are little-endian; a verdict is 1 for a valid signature, else 0. The thread is started
 * from the text of this function, because a worker cannot load TypeScript: nothing of this file or
 * any other may be used inside.
 */
export function verifyingThread(load: (name: string) => unknown): void {
  const { parentPort, workerData } = load("node:worker_threads") as {
    parentPort: {
      on(event: "message", listener: (batch: ArrayBuffer) => void): void;
      postMessage(batch: ArrayBuffer, transfer: ArrayBuffer[]): void;
    };
    workerData: WorkerFiles;
  };
  const crypto = load("node:crypto") as {
    hash?: (name: string, data: Uint8Array, encoding: "buffer") => Uint8Array;
    createHash(name: string): { update(data: Uint8Array): { digest(): Uint8Array } };
  };
  const sha256 = (data: Uint8Array): Uint8Array =>
    crypto.hash?.("sha256", data, "buffer") ?? crypto.createHash("sha256").update(data).digest();

  type Verify = (signature: Uint8Array, digest: Uint8Array, publicKey: Uint8Array) => boolean;
  /** Uncompressed keys: a compressed one costs a square root, a tenth of a verification. */
  const wholeKeys = new Map<string, Uint8Array>();
  const WHOLE_KEYS_MAX = 4096;
  const nativeVerify = (path: string): Verify => {
    const library = load(path) as {
      ecdsaVerify: Verify;
      publicKeyConvert(key: Uint8Array, compressed: boolean): Uint8Array;
    };
    const wholeKey = (key: Uint8Array): Uint8Array => {
      const text = String.fromCharCode.apply(undefined, key as unknown as number[]);
      const known = wholeKeys.get(text);
      if (known !== undefined) return known;
      const whole = library.publicKeyConvert(key, false);
      if (wholeKeys.size >= WHOLE_KEYS_MAX) wholeKeys.clear();
      wholeKeys.set(text, whole);
      return whole;
    };
    return (signature, digest, key) => library.ecdsaVerify(signature, digest, wholeKey(key));
  };
  const portableVerify = (path: string): Verify => {
    const { secp256k1 } = load(path) as {
      secp256k1: { verify(...input: [...Parameters<Verify>, object]): boolean };
    };
    const rules = { prehash: false, lowS: true };
    return (signature, digest, key) => secp256k1.verify(signature, digest, key, rules);
  };
  const { native, portable } = workerData;
  const verify = native === undefined ? portableVerify(portable) : nativeVerify(native);

  const isValid: Verify = (signature, digest, publicKey) => {
    try {
      return verify(signature, digest, publicKey);
    } catch {
      // Thrown for r or s outside the group and for a key that is no point of the curve.
      return false;
    }
  };
  parentPort.on("message", (batch) => {
    const bytes = new Uint8Array(batch);
    const view = new DataView(batch);
    const count = view.getUint32(0, true);
    let at = 4 + count;
    for (let index = 0; index < count; index += 1) {
      const length = view.getUint32(at, true);
      const signature = bytes.subarray(at + 4, at + 68);
      const publicKey = bytes.subarray(at + 68, at + 101);
      const digest = sha256(bytes.subarray(at + 101, at + 101 + length));
      bytes[4 + index] = isValid(signature, digest, publicKey) ? 1 : 0;
      at += 101 + length;
    }
    parentPort.postMessage(batch, [batch]);
  });
}
