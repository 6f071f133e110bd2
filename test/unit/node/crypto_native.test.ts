import { secp256k1 } from "@noble/curves/secp256k1.js";
import { describe, expect, test } from "vitest";
import { toHex } from "../../../src/lib/bytes.ts";
import { nativeHasher, nativeVerifier, nodeCrypto } from "../../../src/node/crypto_native.ts";
import { startVerifier, WorkerPool } from "../../../src/node/verify_pool.ts";
import type { SignatureClaim } from "../../../src/types/application.ts";
import type { Verifier } from "../../../src/types/crypto.ts";
import { portableCrypto } from "../../../src/types/portable_crypto.ts";

const INPUTS = process.env["SETTLED_LONG"] === "1" ? 100_000 : 2000;
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const FIELD = 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2fn;

/** Repeatable bytes of a seed: each 32 are a hash of the last. */
function* random(seed: number): Generator<Uint8Array> {
  let state = portableCrypto.hasher.sha256(Uint8Array.of(seed));
  for (;;) {
    yield state.slice();
    state = portableCrypto.hasher.sha256(state);
  }
}

function bytes32(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(64, "0"), "hex"));
}

function bigintOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`);
}

type Input = [signature: Uint8Array, digest: Uint8Array, publicKey: Uint8Array];

const withPart = (whole: Uint8Array, at: number, part: Uint8Array) => {
  const changed = whole.slice();
  changed.set(part, at);
  return changed;
};

/** What can be wrong with a signature, a digest or a key; the first is what is right. */
const CASES: { name: string; change: (input: Input, noise: Uint8Array) => Input }[] = [
  { name: "valid", change: (input) => input },
  {
    name: "high s",
    change: ([s, d, k]) => [withPart(s, 32, bytes32(ORDER - bigintOf(s.slice(32)))), d, k],
  },
  { name: "r = 0", change: ([s, d, k]) => [withPart(s, 0, new Uint8Array(32)), d, k] },
  { name: "s = 0", change: ([s, d, k]) => [withPart(s, 32, new Uint8Array(32)), d, k] },
  { name: "r = order", change: ([s, d, k]) => [withPart(s, 0, bytes32(ORDER)), d, k] },
  { name: "s = order", change: ([s, d, k]) => [withPart(s, 32, bytes32(ORDER)), d, k] },
  { name: "r above the order", change: ([s, d, k]) => [withPart(s, 0, bytes32(FIELD)), d, k] },
  { name: "another digest", change: ([s, , k], noise) => [s, noise, k] },
  { name: "a digest of zeros", change: ([s, , k]) => [s, new Uint8Array(32), k] },
  { name: "a short digest", change: ([s, d, k]) => [s, d.slice(1), k] },
  { name: "a long digest", change: ([s, d, k]) => [s, Uint8Array.of(...d, 0), k] },
  { name: "a short signature", change: ([s, d, k]) => [s.slice(0, 63), d, k] },
  { name: "a long signature", change: ([s, d, k]) => [Uint8Array.of(...s, 1), d, k] },
  { name: "an empty signature", change: ([, d, k]) => [new Uint8Array(0), d, k] },
  {
    name: "noise for a signature",
    change: ([, d, k], noise) => [Uint8Array.of(...noise, ...noise), d, k],
  },
  {
    name: "a bit of r",
    change: ([s, d, k]) => [withPart(s, 5, Uint8Array.of((s[5] ?? 0) ^ 1)), d, k],
  },
  {
    name: "the other parity",
    change: ([s, d, k]) => [s, d, withPart(k, 0, Uint8Array.of(5 - (k[0] ?? 0)))],
  },
  { name: "prefix 0", change: ([s, d, k]) => [s, d, withPart(k, 0, Uint8Array.of(0))] },
  { name: "prefix 4", change: ([s, d, k]) => [s, d, withPart(k, 0, Uint8Array.of(4))] },
  { name: "prefix 6", change: ([s, d, k]) => [s, d, withPart(k, 0, Uint8Array.of(6))] },
  {
    name: "noise for x, often off the curve",
    change: ([s, d, k], noise) => [s, d, withPart(k, 1, noise)],
  },
  { name: "x = field", change: ([s, d, k]) => [s, d, withPart(k, 1, bytes32(FIELD))] },
  { name: "x = 0", change: ([s, d, k]) => [s, d, withPart(k, 1, new Uint8Array(32))] },
  { name: "a short key", change: ([s, d, k]) => [s, d, k.slice(0, 32)] },
  {
    name: "an uncompressed key",
    change: ([s, d, k]) => [s, d, secp256k1.Point.fromBytes(k).toBytes(false)],
  },
];

describe("native crypto", () => {
  const native = nativeVerifier() as Verifier;

  test(`verifies as the portable does, over ${INPUTS} inputs`, () => {
    const { verifier } = portableCrypto;
    const noise = random(7);
    const next = () => noise.next().value as Uint8Array;
    const accepted = new Set<string>();
    let valid: Input | undefined;
    for (let count = 0; count < INPUTS; count += 1) {
      const { name, change } = CASES[count % CASES.length] as (typeof CASES)[number];
      if (valid === undefined || count % CASES.length === 0) {
        const [secret, digest] = [next(), next()];
        valid = [
          secp256k1.sign(digest, secret, { prehash: false, lowS: true }),
          digest,
          secp256k1.getPublicKey(secret, true),
        ];
      }
      const input = change(valid, next());
      const answer = native.verifySecp256k1(...input);
      expect(answer, `${name}: ${input.map(toHex).join(" ")}`).toBe(
        verifier.verifySecp256k1(...input),
      );
      if (answer) accepted.add(name);
    }
    expect([...accepted]).toEqual(["valid"]);
  }, 600_000);

  test.each([true, false])(
    "verifies in other threads as the portable does (native: %s)",
    async (isNative) => {
      const noise = random(9);
      const next = () => noise.next().value as Uint8Array;
      const claims: SignatureClaim[] = [];
      const verdicts: boolean[] = [];
      const expected: boolean[] = [];
      for (const { change } of [...CASES, ...CASES]) {
        const [secret, signBytes] = [next(), next()];
        const digest = portableCrypto.hasher.sha256(signBytes);
        const signature = secp256k1.sign(digest, secret, { prehash: false, lowS: true });
        const valid: Input = [signature, digest, secp256k1.getPublicKey(secret, true)];
        const input = change(valid, next());
        // The thread hashes by itself: another digest is another text.
        const text = input[1] === digest ? signBytes : input[1];
        const [changed, , publicKey] = input;
        const hashed = portableCrypto.hasher.sha256(text);
        expected.push(portableCrypto.verifier.verifySecp256k1(changed, hashed, publicKey));
        const at = claims.length;
        const settle = (isValid: boolean) => {
          verdicts[at] = isValid;
        };
        claims.push({ signBytes: text, signature: changed, publicKey, settle });
      }
      const pool = new WorkerPool(2, startVerifier(isNative));
      await pool.verify(claims);
      await pool.close();
      expect(verdicts).toEqual(expected);
      expect(expected.filter((isValid) => isValid)).toHaveLength(2);
    },
  );

  test("hashes as the portable does", () => {
    const noise = random(8);
    for (let length = 0; length < 300; length += 1) {
      const data = new Uint8Array(length).fill((noise.next().value as Uint8Array)[0] ?? 0);
      expect(nativeHasher.sha256(data)).toEqual(portableCrypto.hasher.sha256(data));
    }
    expect(nativeHasher.sha256(new Uint8Array(1)).constructor).toBe(Uint8Array);
  });

  test("gives way to the portable on request", () => {
    expect(nodeCrypto({ SETTLED_CRYPTO: "portable" })).toBe(portableCrypto);
    expect(nodeCrypto({}).hasher.name).toBe("native");
    expect(nodeCrypto({}).verifier.name).toBe("native");
  });
});
