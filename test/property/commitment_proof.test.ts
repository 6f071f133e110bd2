import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesOfKey, type Key } from "../../src/lib/key.ts";
import { verifyProof } from "../../src/lib/verify_proof.ts";
import { nativeHasher } from "../../src/node/crypto_native.ts";
import { Commitment } from "../../src/store/commitment.ts";
import { keyOf, keysInBucket, sha256, valueOf } from "./commitment_model.ts";
import { LONG, runs, TIMEOUT } from "./runs.ts";

const HEAD_BYTES = 43;

function commitmentOf(keys: readonly Key[], depth: number): Commitment {
  const commitment = new Commitment(depth, nativeHasher);
  keys.forEach((key, at) => commitment.update(key, valueOf(at)));
  commitment.appHash();
  return commitment;
}

function range(from: number, count: number): Key[] {
  return Array.from({ length: count }, (_, at) => keyOf(from + at));
}

/** A claim that holds: what `verifyProof` takes. */
interface Claim {
  readonly root: Uint8Array;
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
  readonly proof: Uint8Array;
}

function claimOf(commitment: Commitment, key: Key, value: Uint8Array | null): Claim {
  return { root: commitment.appHash(), key: bytesOfKey(key), value, proof: commitment.prove(key) };
}

function holds({ root, key, value, proof }: Claim): boolean {
  return verifyProof(root, key, value, proof);
}

/** The bytes with one of them replaced by every other that the pattern of changes gives. */
function* flipped(bytes: Uint8Array): Generator<Uint8Array> {
  const masks = LONG ? [1, 2, 4, 8, 16, 32, 64, 128, 255] : [1, 128];
  for (let at = 0; at < bytes.length; at += 1) {
    for (const mask of masks) {
      const copy = bytes.slice();
      copy[at] = (copy[at] as number) ^ mask;
      yield copy;
    }
  }
}

// Buckets that are empty, full, split once and split deeply.
const shapes: [name: string, keys: Key[], depth: number, probe: Key[]][] = [
  ["one key", range(0, 1), 4, [keyOf(0), keyOf(1)]],
  ["no key", [], 4, [keyOf(0)]],
  ["a few keys in a bucket", range(0, 60), 4, [keyOf(7), keyOf(100)]],
  ["a deep tree", range(0, 500), 18, [keyOf(7), keyOf(1000)]],
  ["a full bucket", keysInBucket(5, 4, 64), 4, keysInBucket(5, 4, 65).slice(63)],
  ["a split bucket", keysInBucket(5, 4, 65), 4, keysInBucket(5, 4, 66).slice(64)],
  ["a bucket split deeply", keysInBucket(15, 4, 600), 4, keysInBucket(15, 4, 601).slice(599)],
];

describe("every proof holds, and none with an altered byte", () => {
  for (const [name, keys, depth, probe] of shapes) {
    test(
      `${name}`,
      () => {
        const commitment = commitmentOf(keys, depth);
        for (const key of probe) {
          const at = keys.indexOf(key);
          const value = at < 0 ? null : valueOf(at);
          const claim = claimOf(commitment, key, value);
          expect(holds(claim)).toBe(true);
          for (const proof of flipped(claim.proof)) expect(holds({ ...claim, proof })).toBe(false);
          for (const root of flipped(claim.root)) expect(holds({ ...claim, root })).toBe(false);
          for (const other of flipped(claim.key)) {
            expect(holds({ ...claim, key: other })).toBe(false);
          }
          for (const other of flipped(value ?? new Uint8Array(0))) {
            expect(holds({ ...claim, value: other })).toBe(false);
          }
          expect(holds({ ...claim, value: value === null ? new Uint8Array(0) : null })).toBe(false);
        }
      },
      TIMEOUT,
    );
  }

  test(
    "of random contents, for all keys of them and others",
    () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 4, max: 12 }),
          fc.integer({ min: 0, max: 3_000 }),
          fc.nat(1_000),
          (depth, count, from) => {
            const commitment = commitmentOf(range(from, count), depth);
            for (let at = -3; at < count + 3; at += 1 + (count >> 4)) {
              const isHeld = at >= 0 && at < count;
              const claim = claimOf(commitment, keyOf(from + at + 10_000), null);
              expect(holds(claim)).toBe(true);
              const own = claimOf(commitment, keyOf(from + at), isHeld ? valueOf(at) : null);
              if (from + at >= 0) expect(holds(own)).toBe(true);
              expect(holds({ ...own, value: valueOf(at + 1) })).toBe(false);
            }
          },
        ),
        { ...runs(20) },
      );
    },
    TIMEOUT,
  );
});

describe("what is no proof", () => {
  const keys = [...range(0, 200), ...keysInBucket(5, 4, 70)];
  const commitment = commitmentOf(keys, 4);
  const claims = [
    claimOf(commitment, keyOf(3), valueOf(3)),
    claimOf(commitment, keyOf(777), null),
    claimOf(commitment, keys[260] as Key, valueOf(260)),
  ];

  test("a shorter or a longer one", () => {
    for (const claim of claims) {
      for (let length = 0; length < claim.proof.length; length += 1) {
        expect(holds({ ...claim, proof: claim.proof.slice(0, length) })).toBe(false);
      }
      for (const more of [1, 31, 32, 64, 1_000_000]) {
        const proof = new Uint8Array(claim.proof.length + more);
        proof.set(claim.proof);
        expect(holds({ ...claim, proof })).toBe(false);
      }
    }
  });

  test("one of the same contents in a tree of another depth", () => {
    const other = commitmentOf(keys, 5);
    for (const key of [keyOf(3), keyOf(777)]) {
      const value = key === keyOf(3) ? valueOf(3) : null;
      const claim = claimOf(commitment, key, value);
      expect(holds({ ...claim, proof: other.prove(key) })).toBe(false);
      const relabelled = other.prove(key);
      relabelled[1] = 4;
      expect(holds({ ...claim, proof: relabelled })).toBe(false);
      expect(holds({ ...claim, proof: relabelled.slice(0, -32) })).toBe(false);
    }
  });

  test("one of another height, or of another key", () => {
    const [held, absent] = claims as [Claim, Claim, Claim];
    const later = commitmentOf([...keys, keyOf(5_000)], 4);
    expect(holds({ ...held, root: later.appHash() })).toBe(false);
    expect(holds({ ...held, proof: later.prove(keyOf(3)) })).toBe(false);
    expect(holds({ ...absent, key: held.key })).toBe(false);
    expect(holds({ ...held, key: absent.key, value: null })).toBe(false);
  });

  test("one whose pairs are out of order, left out, doubled or of another bucket", () => {
    const claim = claims[0] as Claim;
    const count = claim.proof[HEAD_BYTES] as number;
    expect(count).toBeGreaterThan(3);
    const pair = (at: number): Uint8Array => {
      const from = HEAD_BYTES + 1 + at * 64;
      return claim.proof.slice(from, from + 64);
    };
    const own = sha256(claim.key).toString("hex");
    const all = Array.from({ length: count }, (_, at) => pair(at));
    const isOwn = (each: Uint8Array): boolean => Buffer.from(each).toString("hex").startsWith(own);
    const build = (pairs: readonly Uint8Array[]): Uint8Array =>
      Buffer.concat([
        claim.proof.slice(0, HEAD_BYTES),
        Buffer.of(pairs.length),
        ...pairs,
        claim.proof.slice(-4 * 32),
      ]);
    expect(holds({ ...claim, proof: build(all) })).toBe(true);
    expect(holds({ ...claim, proof: build(all.toReversed()) })).toBe(false);
    expect(holds({ ...claim, proof: build([pair(0), ...all]) })).toBe(false);
    expect(holds({ ...claim, value: null, proof: build(all.filter((p) => !isOwn(p))) })).toBe(
      false,
    );
    expect(holds({ ...claim, value: null, proof: build([]) })).toBe(false);
    expect(holds({ ...claim, proof: build(all.filter(isOwn)) })).toBe(false);
  });

  test("an inner node of the tree offered as a bucket", () => {
    // All keys begin with the bits 0101, so the path to them is known, and its siblings are empty.
    const only = keysInBucket(5, 4, 3);
    const small = commitmentOf(only, 4);
    const root = small.appHash();
    const proof = small.prove(only[0] as Key);
    const siblings = proof.slice(-4 * 32);
    const buckets = nodesOf(proof);
    for (let level = 0; level < 4; level += 1) {
      // The node's 64 bytes, taken for a pair: its left child as a key hash.
      const pair = buckets[level] as Uint8Array;
      const rest = siblings.slice((level + 1) * 32);
      for (const depth of [4, 3 - level]) {
        for (const padding of [0, level + 1]) {
          const head = proof.slice(0, HEAD_BYTES);
          head[1] = depth;
          const forged = Buffer.concat([
            head,
            Buffer.of(1),
            pair,
            new Uint8Array(padding * 32),
            rest,
          ]);
          for (const key of only) {
            const claim = { root, key: bytesOfKey(key), proof: forged };
            for (const value of [null, valueOf(0)]) expect(holds({ ...claim, value })).toBe(false);
          }
        }
      }
      // The node taken for a split, and for an empty bucket.
      const splitHead = proof.slice(0, HEAD_BYTES);
      splitHead[HEAD_BYTES - 1] = 1;
      const asSplit = [splitHead, pair.slice(32), Buffer.of(0), new Uint8Array(32), siblings];
      const asEmpty = [proof.slice(0, HEAD_BYTES), Buffer.of(0), siblings];
      for (const parts of [asSplit, asEmpty]) {
        const forged = Buffer.concat(parts);
        const key = bytesOfKey(only[1] as Key);
        expect(verifyProof(root, key, null, forged)).toBe(false);
      }
    }
  });

  test("one for a root that no honest state has", () => {
    // Pairs as an honest bucket would never hold them, with the root that does commit to them.
    const ground = keysInBucket(5, 4, 66);
    const asked = ground[65] as Key;
    const own = ground.slice(0, 65).map((key) => Buffer.concat([hashOf(key), hashOf(key)]));
    own.sort((a, b) => Buffer.compare(a, b));
    const foreign = keysInBucket(6, 4, 1).map((key) => Buffer.concat([hashOf(key), hashOf(key)]));
    const [first, second] = own as [Buffer, Buffer];
    expect(forged(asked, [first, second])).toBe(true);
    expect(forged(asked, [second, first])).toBe(false);
    expect(forged(asked, [first, first])).toBe(false);
    expect(forged(asked, [first, ...foreign])).toBe(false);
    expect(forged(asked, own.slice(0, 64))).toBe(true);
    expect(forged(asked, own)).toBe(false);
  });

  test(
    "any bytes: they are answered, and refused",
    () => {
      const bytes = fc.uint8Array({ maxLength: 3_000, size: "max" });
      const mutated = fc
        .tuple(fc.nat(2), fc.nat(9_999), fc.nat(200), bytes)
        .map(([which, at, cut, put]) => {
          const { proof } = claims[which] as Claim;
          const from = at % proof.length;
          return Buffer.concat([proof.slice(0, from), put, proof.slice(from + cut)]);
        });
      fc.assert(
        fc.property(fc.oneof(bytes, mutated), fc.nat(2), (proof, which) => {
          const claim = claims[which] as Claim;
          fc.pre(Buffer.compare(claim.proof, proof) !== 0);
          expect(holds({ ...claim, proof })).toBe(false);
        }),
        { ...runs(2_000) },
      );
      const { root, key, value, proof } = claims[0] as Claim;
      for (const wrong of [undefined, null, "proof", 7, {}, [], new ArrayBuffer(64)] as never[]) {
        expect(verifyProof(wrong, key, value, proof)).toBe(false);
        expect(verifyProof(root, wrong, value, proof)).toBe(false);
        expect(verifyProof(root, key, value, wrong)).toBe(false);
        expect(verifyProof(root, key, wrong, proof)).toBe(false);
      }
    },
    TIMEOUT,
  );
});

/** The messages of the inner nodes on a proof's path, from the bucket's parent up to the root. */
function nodesOf(proof: Uint8Array): Uint8Array[] {
  const count = proof[HEAD_BYTES] as number;
  const pairs = proof.slice(HEAD_BYTES + 1, HEAD_BYTES + 1 + count * 64);
  const place = Buffer.of(4, 4, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, count);
  let hash: Uint8Array = sha256(Buffer.from("settled/bucket/1"), place, pairs);
  return [0, 1, 2, 3].map((level) => {
    const sibling = proof.slice(proof.length - (4 - level) * 32).slice(0, 32);
    // Bucket 5 is 0101: right, left, right, left from the bottom up.
    const message = level % 2 === 0 ? [sibling, hash] : [hash, sibling];
    hash = sha256(...message);
    return Buffer.concat(message);
  });
}

function hashOf(key: Key): Buffer {
  return sha256(bytesOfKey(key));
}

/** Whether absence is accepted from a leaf of any pairs, under the root that goes with it. */
function forged(key: Key, pairs: readonly Buffer[]): boolean {
  const place = Buffer.of(4, 4, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, pairs.length);
  const sibling = Buffer.alloc(32, 1);
  let hash = sha256(Buffer.from("settled/bucket/1"), place, ...pairs);
  for (const level of [0, 1, 2, 3]) {
    hash = level % 2 === 0 ? sha256(sibling, hash) : sha256(hash, sibling);
  }
  const head = Buffer.of(4, 0, 0, 0, 0, 0, 0, 0, pairs.length);
  const root = sha256(Buffer.from("settled/app-hash/1"), head, hash);
  const siblings = [0, 1, 2, 3].map(() => sibling);
  const leaf = [Buffer.of(0, pairs.length), ...pairs];
  const proof = Buffer.concat([Buffer.of(1), head, hashOf(key), ...leaf, ...siblings]);
  return verifyProof(root, bytesOfKey(key), null, proof);
}
