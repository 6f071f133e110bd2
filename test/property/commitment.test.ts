import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toHex } from "../../src/lib/bytes.ts";
import type { Key } from "../../src/lib/key.ts";
import { verifyProof } from "../../src/lib/verify_proof.ts";
import { hashPairsOneByOne, nativeHasher } from "../../src/node/crypto_native.ts";
import { Commitment } from "../../src/store/commitment.ts";
import type { CommitmentFork } from "../../src/store/commitment_fork.ts";
import { PROOF_BYTES_MAX } from "../../src/store/proof.ts";
import type { Hasher } from "../../src/types/crypto.ts";
import { portableCrypto } from "../../src/types/portable_crypto.ts";
import { type Contents, keyOf, keysInBucket, modelAppHash, valueOf } from "./commitment_model.ts";
import { LONG, runs, TIMEOUT } from "./runs.ts";

const portable = portableCrypto.hasher;

function rootOf(entries: Iterable<[Key, Uint8Array]>, depth: number, hasher: Hasher): string {
  const commitment = new Commitment(depth, hasher);
  for (const [key, value] of entries) commitment.update(key, value);
  return toHex(commitment.appHash());
}

function bytesOf(key: Key): Uint8Array {
  return Buffer.from(key, "latin1");
}

function contentsOf(count: number): Map<Key, Uint8Array> {
  return new Map(Array.from({ length: count }, (_, at) => [keyOf(at), valueOf(at)]));
}

describe("equal contents give equal roots", () => {
  for (const depth of [4, 5, 6, 7, 8, 9, 10, 11, 12, 18]) {
    test(
      `in any order of writes, hashed in any portions, at depth ${depth}`,
      () => {
        const contents = contentsOf(depth === 4 ? 2_000 : 600);
        const expected = modelAppHash(contents, depth);
        fc.assert(
          fc.property(
            fc.shuffledSubarray([...contents.keys()], { minLength: contents.size }),
            fc.shuffledSubarray([...contents.keys()], { maxLength: 100 }),
            fc.integer({ min: 1, max: 700 }),
            (order, passing, portion) => {
              const commitment = new Commitment(depth, nativeHasher);
              const write = (key: Key, value: Uint8Array | undefined, at: number): void => {
                commitment.update(key, value);
                if (at % portion === 0) commitment.appHash();
              };
              // Keys that come and go leave no trace, nor do values that are written over.
              passing.forEach((key, at) => write(`${key}x` as Key, valueOf(at), at));
              passing.forEach((key, at) => write(key, valueOf(-1), at));
              order.forEach((key, at) => write(key, contents.get(key), at));
              passing.forEach((key, at) => write(`${key}x` as Key, undefined, at));
              expect(toHex(commitment.appHash())).toBe(expected);
              expect(commitment.pairCount).toBe(contents.size);
            },
          ),
          { ...runs(3) },
        );
      },
      TIMEOUT,
    );
  }

  test(
    "after any writes and removals in a bucket that splits and joins again",
    () => {
      const keys = [...keysInBucket(0, 4, 150), ...keysInBucket(9, 4, 20)];
      const change = fc.tuple(fc.nat(keys.length - 1), fc.option(fc.nat(3), { freq: 2 }));
      fc.assert(
        fc.property(
          fc.array(fc.array(change, { maxLength: 300, size: "max" }), { maxLength: 8 }),
          (blocks) => {
            const commitment = new Commitment(4, nativeHasher);
            const model = new Map<Key, Uint8Array>();
            for (const key of keys.slice(0, 60)) {
              commitment.update(key, valueOf(0));
              model.set(key, valueOf(0));
            }
            for (const block of blocks) {
              for (const [at, value] of block) {
                const key = keys[at] as Key;
                commitment.update(key, value === null ? undefined : valueOf(value));
                if (value === null) model.delete(key);
                else model.set(key, valueOf(value));
              }
              expect(toHex(commitment.appHash())).toBe(modelAppHash(model, 4));
            }
          },
        ),
        { ...runs(20) },
      );
    },
    TIMEOUT,
  );
});

test(
  "native and portable hashing give the same roots and proofs",
  () => {
    const contents = contentsOf(1_500);
    for (const depth of [4, 11]) {
      expect(rootOf(contents, depth, portable)).toBe(rootOf(contents, depth, nativeHasher));
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(40), (bytes, count) => {
        const key = Buffer.from(bytes).toString("latin1") as Key;
        const expected = portable.sha256(bytes);
        for (const hasher of [portable, nativeHasher]) {
          const output = new Uint8Array(96).fill(7);
          hasher.hashInto(bytes, output, 0);
          hasher.hashKeyInto(key, output, 32);
          expect(toHex(output)).toBe(toHex(expected).repeat(2) + "07".repeat(32));
        }
        const pairs = new Uint8Array(64 * (count + 1)).map((_, at) => at * 31 + bytes.length);
        const [native, plain, single] = [0, 1, 2].map(() => new Uint8Array(pairs.length / 2));
        nativeHasher.hashPairs(pairs, native as Uint8Array);
        portable.hashPairs(pairs, plain as Uint8Array);
        hashPairsOneByOne(pairs, single as Uint8Array);
        expect(native).toEqual(plain);
        expect(single).toEqual(plain);
      }),
      { ...runs(300) },
    );
  },
  TIMEOUT,
);

describe("keys ground into one bucket", () => {
  const count = LONG ? 100_000 : 5_000;

  test(
    `${count} of them: what an update hashes, and a proof's size, stay in bounds`,
    () => {
      const depth = 4;
      const counter = countingHasher(nativeHasher);
      const commitment = new Commitment(depth, counter.hasher);
      const keys = keysInBucket(3, depth, count);
      const last = new Map<Key, Uint8Array>();
      let most = 0;
      keys.forEach((key, at) => {
        counter.bytes = 0;
        commitment.update(key, valueOf(at));
        commitment.appHash();
        most = counter.bytes > most ? counter.bytes : most;
        last.set(key, valueOf(at));
      });
      expect(toHex(commitment.appHash())).toBe(modelAppHash(last, depth));
      // Leaves of 64 pairs: the one that changed, or the two or more that it was split into, which
      // hold 65; 87 bytes per split above it, of which there are log2(count / 32) and a few; 64 per
      // node; the key, the value and the app hash.
      const splits = Math.ceil(Math.log2(count / 32)) + 16;
      expect(most).toBeLessThan(65 * 64 + splits * (87 + 30) + depth * 64 + 200);
      for (const key of keys.slice(0, 50)) {
        const proof = commitment.prove(key);
        expect(proof.length).toBeLessThan(44 + (splits + depth) * 32 + 64 * 64);
        expect(proof.length).toBeLessThanOrEqual(PROOF_BYTES_MAX);
        const value = last.get(key) as Uint8Array;
        expect(verifyProof(commitment.appHash(), bytesOf(key), value, proof)).toBe(true);
      }
      for (const key of keys.slice(100)) commitment.update(key, undefined);
      const kept = new Map([...last].slice(0, 100));
      expect(toHex(commitment.appHash())).toBe(modelAppHash(kept, depth));
    },
    TIMEOUT,
  );
});

function countingHasher(hasher: Hasher): { hasher: Hasher; bytes: number } {
  const counter = {
    bytes: 0,
    hasher: {
      name: "counting",
      sha256: (data: Uint8Array) => {
        counter.bytes += data.length;
        return hasher.sha256(data);
      },
      hashInto: (data: Uint8Array, output: Uint8Array, offset: number) => {
        counter.bytes += data.length;
        hasher.hashInto(data, output, offset);
      },
      hashKeyInto: (key: Key, output: Uint8Array, offset: number) => {
        counter.bytes += key.length;
        hasher.hashKeyInto(key, output, offset);
      },
      hashPairs: (input: Uint8Array, output: Uint8Array) => {
        counter.bytes += input.length;
        hasher.hashPairs(input, output);
      },
    },
  };
  return counter;
}

type Step =
  | { do: "base" | "fork"; key: number; value: number | null; fork: number }
  | { do: "open" | "close" | "compare"; fork: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constantFrom("base" as const, "fork" as const),
      key: fc.nat(119),
      value: fc.option(fc.nat(3), { freq: 2 }),
      fork: fc.nat(3),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "open" as const,
        "compare" as const,
        "compare" as const,
        "close" as const,
      ),
      fork: fc.nat(3),
    }),
  },
);

describe("a fork", () => {
  const keys = [...keysInBucket(0, 4, 100), ...keysInBucket(7, 4, 20)];

  function set(model: Map<Key, Uint8Array>, key: Key, value: Uint8Array | undefined): void {
    if (value === undefined) model.delete(key);
    else model.set(key, value);
  }

  function expectSame(view: Commitment | CommitmentFork, model: Contents): void {
    const appHash = view.appHash();
    expect(toHex(appHash)).toBe(modelAppHash(model, 4));
    expect(view.pairCount).toBe(model.size);
    for (const key of keys.filter((_, at) => at % 30 === 0)) {
      const value = model.get(key) ?? null;
      expect(verifyProof(appHash, bytesOf(key), value, view.prove(key))).toBe(true);
    }
  }

  test(
    "keeps the contents of its moment and its own changes, whatever the base does",
    () => {
      fc.assert(
        fc.property(fc.array(step, { minLength: 20, maxLength: 400, size: "max" }), (steps) => {
          const base = new Commitment(4, nativeHasher);
          const model = new Map<Key, Uint8Array>();
          for (const key of keys.slice(0, 70)) {
            base.update(key, valueOf(9));
            model.set(key, valueOf(9));
          }
          let forks: { fork: CommitmentFork; model: Map<Key, Uint8Array> }[] = [];
          for (const each of steps) {
            const of = forks[each.fork % (forks.length || 1)];
            if (each.do === "open") {
              expectSame(base, model);
              if (forks.length < 4) forks.push({ fork: base.fork(), model: new Map(model) });
            } else if (each.do === "close") {
              of?.fork.close();
              forks = forks.filter((other) => other !== of);
            } else if (each.do === "compare") {
              if (of !== undefined) expectSame(of.fork, of.model);
            } else if ("key" in each) {
              const key = keys[each.key] as Key;
              const value = each.value === null ? undefined : valueOf(each.value);
              if (each.do === "base") {
                base.update(key, value);
                set(model, key, value);
              } else {
                of?.fork.update(key, value);
                if (of !== undefined) set(of.model, key, value);
              }
            }
          }
          for (const of of forks) expectSame(of.fork, of.model);
          expectSame(base, model);
        }),
        { ...runs(30) },
      );
    },
    TIMEOUT,
  );

  test("is refused while updates are not hashed, and ends when it is closed", () => {
    const base = new Commitment(4, nativeHasher);
    base.update(keyOf(1), valueOf(1));
    expect(() => base.fork()).toThrow("app hash first");
    expect(() => base.prove(keyOf(1))).toThrow("app hash first");
    base.appHash();
    const fork = base.fork();
    fork.update(keyOf(2), valueOf(2));
    expect(() => fork.prove(keyOf(2))).toThrow("app hash first");
    fork.close();
    expect(() => fork.appHash()).toThrow("closed");
  });
});
