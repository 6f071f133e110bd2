import { afterAll, describe, expect, test } from "vitest";
import { nativeVerifier } from "../../src/node/crypto_native.ts";
import { openVerifyPool } from "../../src/node/verify_pool.ts";
import type { Verifier } from "../../src/types/crypto.ts";
import { portableCrypto } from "../../src/types/portable_crypto.ts";
import vectors from "./signatures.json" with { type: "json" };

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
const digest = bytes(vectors.digest);
const publicKey = bytes(vectors.public_key);
const native = nativeVerifier();
const pool = openVerifyPool(2, native ?? portableCrypto.verifier);

afterAll(async () => pool.close());

describe.each<[name: string, verifier: Verifier | undefined]>([
  ["native", native],
  ["portable", portableCrypto.verifier],
])("the %s verifier", (_name, verifier) => {
  test.skipIf(verifier === undefined).each(vectors.signatures)(
    "$what: $valid",
    ({ signature, valid }) => {
      expect(verifier?.verifySecp256k1(bytes(signature), digest, publicKey)).toBe(valid);
    },
  );
});

test("the verifying threads take the same signatures, over the message of the digest", async () => {
  const signBytes = new TextEncoder().encode(vectors.message);
  const verdicts: (boolean | undefined)[] = vectors.signatures.map(() => undefined);
  await pool.verify(
    vectors.signatures.map(({ signature }, index) => ({
      signBytes,
      signature: bytes(signature),
      publicKey,
      settle: (valid: boolean) => {
        verdicts[index] = valid;
      },
    })),
  );
  expect(verdicts).toEqual(vectors.signatures.map(({ valid }) => valid));
});
