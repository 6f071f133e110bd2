import { createHash } from "node:crypto";
import { signerFromPrivateKey } from "../../src/client/signer.ts";
import { nativeVerifier } from "../../src/node/crypto_native.ts";
import { portableCrypto } from "../../src/types/portable_crypto.ts";

const CASES = 64;
const sha256 = (text: string) => createHash("sha256").update(text).digest();

/** Measures the limit that all figures are compared with: bare verifications on this thread. */
export class LimitMeter {
  readonly #cases = Array.from({ length: CASES }, (_, index) => {
    const signer = signerFromPrivateKey(sha256(`limit key ${index}`), "ve");
    const digest = sha256(`limit digest ${index}`);
    return { digest, signature: signer.sign(digest), publicKey: signer.publicKey };
  });
  readonly #verifier = nativeVerifier() ?? portableCrypto.verifier;
  readonly #milliseconds: number;
  /** Of every measurement, in order. */
  readonly measured: number[] = [];

  /** @param milliseconds how long one measurement takes */
  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
    this.#run(milliseconds / 2);
  }

  get crypto(): string {
    return this.#verifier.name;
  }

  /** Verifications per second. */
  measure(): number {
    const rate = this.#run(this.#milliseconds);
    this.measured.push(rate);
    return rate;
  }

  #run(milliseconds: number): number {
    const started = performance.now();
    let done = 0;
    let elapsed = 0;
    do {
      for (const { signature, digest, publicKey } of this.#cases) {
        if (!this.#verifier.verifySecp256k1(signature, digest, publicKey))
          throw new Error("a good signature was refused");
      }
      done += CASES;
      elapsed = performance.now() - started;
    } while (elapsed < milliseconds);
    return (done * 1000) / elapsed;
  }
}
