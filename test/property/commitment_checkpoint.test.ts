import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toHex } from "../../src/lib/bytes.ts";
import type { Key } from "../../src/lib/key.ts";
import { nativeHasher } from "../../src/node/crypto_native.ts";
import { Commitment } from "../../src/store/commitment.ts";
import { type CheckpointResult, loadCheckpoint } from "../../src/store/load_checkpoint.ts";
import { keyOf, keysInBucket, modelAppHash, sha256, valueOf } from "./commitment_model.ts";
import { LONG, runs, TIMEOUT } from "./runs.ts";

function commitmentOf(keys: readonly Key[], depth: number): Commitment {
  const commitment = new Commitment(depth, nativeHasher);
  keys.forEach((key, at) => commitment.update(key, valueOf(at)));
  return commitment;
}

function framesOf(commitment: Commitment, height = 9n): Uint8Array[] {
  return [...commitment.serialize({ height, appHash: commitment.appHash() })];
}

function load(pieces: Iterable<Uint8Array>, depth: number): CheckpointResult {
  return loadCheckpoint(pieces, { depth, hasher: nativeHasher });
}

function faultOf(result: CheckpointResult): string {
  return "fault" in result ? result.fault : "none";
}

/** The bytes in pieces of the given lengths, each read into the same buffer, as from a file. */
function* piecesOf(bytes: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  const buffer = Buffer.alloc(40_000);
  for (let at = 0, piece = 0; at < bytes.length; piece += 1) {
    const part = bytes.subarray(at, at + (lengths[piece % lengths.length] as number));
    buffer.fill(0).set(part);
    yield buffer.subarray(0, part.length);
    at += part.length;
  }
}

/** One frame with bytes of its payload replaced and its checksum set right again. */
function withPayload(frame: Uint8Array, at: number, bytes: Uint8Array): Uint8Array {
  const changed = frame.slice();
  changed.set(bytes, 16 + at);
  changed.set(sha256(changed.subarray(0, -32)), changed.length - 32);
  return changed;
}

describe("a checkpoint", () => {
  test(
    "gives back what was written, whatever pieces it is read in",
    () => {
      const ground = keysInBucket(2, 4, 300);
      fc.assert(
        fc.property(
          fc.constantFrom(4, 6, 10),
          fc.nat(3_000),
          fc.nat(300),
          fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1 }),
          (depth, count, groundCount, cuts) => {
            const keys = Array.from({ length: count }, (_, at) => keyOf(at));
            const all = [...new Set([...keys, ...ground.slice(0, groundCount)])];
            const commitment = commitmentOf(all, depth);
            const frames = framesOf(commitment);
            for (const frame of frames) expect(frame.length).toBeLessThanOrEqual(1 << 20);
            const bytes = Buffer.concat(frames);
            const loaded = load(piecesOf(bytes, cuts), depth);
            if ("fault" in loaded) throw new Error(loaded.detail);
            expect(loaded.height).toBe(9n);
            expect(loaded.appHash).toEqual(commitment.appHash());
            expect(loaded.commitment.pairCount).toBe(all.length);
            expect(framesOf(loaded.commitment).map(toHex)).toEqual(frames.map(toHex));
            const contents = new Map<Key, Uint8Array>();
            all.forEach((key, at) => contents.set(key, valueOf(at)));
            // What was loaded goes on changing and proving like what was written.
            for (let at = 0; at < all.length; at += 3) {
              const value = at % 2 === 0 ? undefined : valueOf(-at);
              for (const each of [commitment, loaded.commitment])
                each.update(all[at] as Key, value);
              if (value === undefined) contents.delete(all[at] as Key);
              else contents.set(all[at] as Key, value);
            }
            expect(toHex(loaded.commitment.appHash())).toBe(modelAppHash(contents, depth));
            expect(commitment.appHash()).toEqual(loaded.commitment.appHash());
            expect(loaded.commitment.prove(keyOf(1))).toEqual(commitment.prove(keyOf(1)));
          },
        ),
        { ...runs(20) },
      );
    },
    TIMEOUT,
  );

  test(
    "of several frames in every section is whole at any depth",
    () => {
      const commitment = commitmentOf(
        Array.from({ length: 30_000 }, (_, at) => keyOf(at)),
        18,
      );
      const frames = framesOf(commitment);
      expect(frames.length).toBeGreaterThan(7);
      const loaded = load(frames, 18);
      expect("commitment" in loaded && loaded.commitment.appHash()).toEqual(commitment.appHash());
    },
    TIMEOUT,
  );

  test("keeps the contents of its first frame when they change between frames", () => {
    const keys = Array.from({ length: 2_000 }, (_, at) => keyOf(at));
    for (const depth of [4, 10]) {
      const commitment = commitmentOf(keys, depth);
      const appHash = commitment.appHash();
      const frames: Uint8Array[] = [];
      for (const frame of commitment.serialize({ height: 1n, appHash })) {
        frames.push(frame);
        for (let at = 0; at < 300; at += 1) {
          const value = at % 3 === 0 ? undefined : valueOf(frames.length);
          commitment.update(keyOf(at * frames.length), value);
        }
        if (frames.length % 2 === 0) commitment.appHash();
      }
      const loaded = load(frames, depth);
      expect("commitment" in loaded && loaded.commitment.appHash()).toEqual(appHash);
    }
  });

  test("is refused when it is written for another app hash", () => {
    const commitment = commitmentOf([keyOf(1)], 4);
    commitment.appHash();
    const frames = commitment.serialize({ height: 1n, appHash: new Uint8Array(32) });
    expect(() => [...frames]).toThrow("another app hash");
  });
});

describe("a damaged checkpoint is refused", () => {
  const keys = [...keysInBucket(2, 4, 70), keyOf(1), keyOf(2)];
  const frames = framesOf(commitmentOf(keys, 4));
  const bytes = new Uint8Array(Buffer.concat(frames));

  test(
    "at every length short of all of it, and one past it",
    () => {
      for (let length = 0; length < bytes.length; length += 1) {
        expect(faultOf(load([bytes.subarray(0, length)], 4))).toBe("torn");
      }
      expect(faultOf(load([bytes, Uint8Array.of(0)], 4))).toBe("torn");
      expect(faultOf(load([bytes], 4))).toBe("none");
    },
    TIMEOUT,
  );

  test(
    "with any byte changed",
    () => {
      for (let at = 0; at < bytes.length; at += 1) {
        for (const mask of LONG ? [1, 2, 4, 8, 16, 32, 64, 128, 255] : [1 << (at & 7)]) {
          const copy = bytes.slice();
          copy[at] = (copy[at] as number) ^ mask;
          expect(faultOf(load([copy], 4))).not.toBe("none");
        }
      }
    },
    TIMEOUT,
  );

  test("with frames left out, doubled, exchanged or of another checkpoint", () => {
    const other = framesOf(commitmentOf([...keys, keyOf(99)], 4));
    for (let at = 0; at < frames.length; at += 1) {
      const frame = frames[at] as Uint8Array;
      expect(faultOf(load(frames.toSpliced(at, 1), 4))).not.toBe("none");
      expect(faultOf(load(frames.toSpliced(at, 0, frame), 4))).not.toBe("none");
      const foreign = other[at] as Uint8Array;
      if (toHex(foreign) === toHex(frame)) continue;
      expect(faultOf(load(frames.toSpliced(at, 1, foreign), 4))).not.toBe("none");
    }
  });

  test("of another depth or version, by name", () => {
    const [header, ...rest] = frames as [Uint8Array, ...Uint8Array[]];
    expect(faultOf(load(frames, 5))).toBe("depth");
    expect(faultOf(load([withPayload(header, 0, Uint8Array.of(2)), ...rest], 4))).toBe("version");
  });

  test(
    "with right checksums and an end mark, but contents that do not belong together",
    () => {
      const [header, counts, hashes] = frames as [Uint8Array, Uint8Array, Uint8Array];
      const cases: [at: number, frame: Uint8Array, from: number][] = [
        // From the pair count on: nothing but the host's own record says what the height is.
        [0, header, 10],
        [1, counts, 0],
        [2, hashes, 0],
      ];
      for (const [at, frame, from] of cases) {
        for (let offset = from; offset < frame.length - 48; offset += 1) {
          const other = (frame[16 + offset] as number) ^ 0x81;
          const changed = withPayload(frame, offset, Uint8Array.of(other));
          const sealed = withEndMark(frames.with(at, changed));
          expect(faultOf(load(sealed, 4))).toBe("malformed");
        }
      }
      expect(faultOf(load(withEndMark(frames), 4))).toBe("none");
    },
    TIMEOUT,
  );
});

/** Frames whose end mark fits them again. */
function withEndMark(frames: readonly Uint8Array[]): Uint8Array[] {
  const body = frames.slice(0, -1);
  const whole = sha256(...body.map((frame) => frame.subarray(-32)));
  return [...body, withPayload(frames.at(-1) as Uint8Array, 4, whole)];
}
