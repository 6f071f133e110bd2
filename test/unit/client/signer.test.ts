import { describe, expect, test } from "vitest";
import { portableSigningCurve, signingCurve } from "../../../src/client/native_secp256k1.ts";
import { signerFromPrivateKey } from "../../../src/client/signer.ts";
import { verifySecp256k1 } from "../../../src/lib/secp256k1.ts";
import { sha256 } from "../../../src/lib/sha256.ts";

const KEY = Uint8Array.from({ length: 32 }, (_, index) => 200 - index);

describe("signer", () => {
  test("native and portable curves give the same key and signatures, with low s", () => {
    const [native, portable] = [signingCurve(), portableSigningCurve()];
    expect(native.publicKey(KEY)).toEqual(portable.publicKey(KEY));
    for (let index = 0; index < 50; index += 1) {
      const digest = sha256(Uint8Array.of(index));
      const signature = native.sign(digest, KEY);
      expect(signature).toEqual(portable.sign(digest, KEY));
      expect(verifySecp256k1(signature, digest, native.publicKey(KEY))).toBe(true);
    }
  });

  test("keeps the private key to itself and refuses what is none", () => {
    const signer = signerFromPrivateKey(KEY, "ve");
    expect(Object.keys(signer).sort()).toEqual(["address", "publicKey", "sign"]);
    for (const bad of [new Uint8Array(32), new Uint8Array(31), new Uint8Array(32).fill(255)]) {
      expect(() => signerFromPrivateKey(bad, "ve")).toThrow(/not a private key/);
    }
  });
});
