import { assert, must } from "../lib/assert.ts";
import { concatBytes, equalBytes, utf8 } from "../lib/bytes.ts";
import { toSafeNumber } from "../lib/int.ts";
import type { Hasher } from "../types/crypto.ts";
import { HASH_BYTES, hashApp, PART_PAIRS_MAX, putCount } from "./bucket_hash.ts";
import { leavesOf } from "./bucket_part.ts";
import type { CommitmentView } from "./commitment_view.ts";

/**
 * A checkpoint is a row of frames. A frame: 4 bytes "SCKP", 1 byte of kind, 3 zero bytes, its number
 * and the length of its payload in 4 bytes each, the payload, and the SHA-256 of all of that. All
 * integers are big-endian. The payloads of a kind, one after the other, are its section; the
 * sections come in the order of their numbers.
 */
export const FRAME_MAGIC = utf8("SCKP");
export const FRAME_HEAD_BYTES = 16;
export const CHECKPOINT_VERSION = 1;
/** Payload of a full frame; a frame with head and checksum stays under 1 MiB. */
export const FRAME_PAYLOAD_BYTES = 524_288;

/** Version, depth, 8 bytes each of height and pair count, app hash. */
export const KIND_HEADER = 1;
/** 4 bytes per bucket: its pairs. */
export const KIND_COUNTS = 2;
/** 32 bytes per bucket that is not empty: its hash. */
export const KIND_HASHES = 3;
/** 64 bytes per pair of the buckets with up to 64 pairs. */
export const KIND_PAIRS = 4;
/** 64 bytes per pair of the buckets that are split. */
export const KIND_SPLIT_PAIRS = 5;
/** 4 bytes of frames before it, then the SHA-256 of their checksums in a row. */
export const KIND_END = 6;

export const HEADER_BYTES = 50;
export const END_BYTES = 36;

/** The block of a checkpoint. */
export interface CheckpointMark {
  readonly height: bigint;
  readonly appHash: Uint8Array;
}

/** The frames of a view whose app hash is `at.appHash`. */
export function* checkpointFrames(
  view: CommitmentView,
  at: CheckpointMark,
  hasher: Hasher,
): Generator<Uint8Array, void> {
  const appHash = hashApp(hasher, {
    depth: view.depth,
    pairCount: view.pairCount,
    root: view.node(1),
  });
  assert(equalBytes(appHash, at.appHash), "a checkpoint is of another app hash", {
    height: at.height,
  });
  const writer = new FrameWriter(hasher);
  yield writer.frame(KIND_HEADER, headerOf(view, at));
  yield* writer.section(KIND_COUNTS, counts(view));
  yield* writer.section(KIND_HASHES, hashes(view));
  yield* writer.section(KIND_PAIRS, pairs(view, false));
  yield* writer.section(KIND_SPLIT_PAIRS, pairs(view, true));
  yield writer.frame(KIND_END, writer.ending());
}

/** Reads 4 bytes, big-endian. */
export function readU32(bytes: Uint8Array, at: number): number {
  const [a, b] = [bytes[at] as number, bytes[at + 1] as number];
  const [c, d] = [bytes[at + 2] as number, bytes[at + 3] as number];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Lays out and numbers frames, and remembers their checksums for the last. */
class FrameWriter {
  readonly #hasher: Hasher;
  readonly #checksums: Uint8Array[] = [];
  readonly #payload = new Uint8Array(FRAME_PAYLOAD_BYTES);

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
  }

  frame(kind: number, payload: Uint8Array): Uint8Array {
    const end = FRAME_HEAD_BYTES + payload.length;
    const frame = new Uint8Array(end + HASH_BYTES);
    frame.set(FRAME_MAGIC);
    frame[4] = kind;
    putU32(frame, 8, this.#checksums.length);
    putU32(frame, 12, payload.length);
    frame.set(payload, FRAME_HEAD_BYTES);
    this.#hasher.hashInto(frame.subarray(0, end), frame, end);
    this.#checksums.push(frame.slice(end));
    return frame;
  }

  /** Packs pieces, which are taken at once, into as few frames as hold them. */
  *section(kind: number, pieces: Iterable<Uint8Array>): Generator<Uint8Array, void> {
    let length = 0;
    for (const piece of pieces) {
      let rest = piece;
      while (length + rest.length >= FRAME_PAYLOAD_BYTES) {
        const room = FRAME_PAYLOAD_BYTES - length;
        this.#payload.set(rest.subarray(0, room), length);
        yield this.frame(kind, this.#payload);
        rest = rest.subarray(room);
        length = 0;
      }
      this.#payload.set(rest, length);
      length += rest.length;
    }
    if (length > 0) yield this.frame(kind, this.#payload.subarray(0, length));
  }

  ending(): Uint8Array {
    const payload = new Uint8Array(END_BYTES);
    putU32(payload, 0, this.#checksums.length);
    payload.set(this.#hasher.sha256(concatBytes(...this.#checksums)), 4);
    return payload;
  }
}

function headerOf(view: CommitmentView, at: CheckpointMark): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  header[0] = CHECKPOINT_VERSION;
  header[1] = view.depth;
  putCount(header, 2, toSafeNumber(at.height));
  putCount(header, 10, view.pairCount);
  header.set(at.appHash, 18);
  return header;
}

function* counts(view: CommitmentView): Generator<Uint8Array, void> {
  const piece = new Uint8Array(4 * 2 ** 4);
  for (let first = 0; first < 2 ** view.depth; first += 2 ** 4) {
    for (let at = 0; at < 2 ** 4; at += 1) putU32(piece, 4 * at, view.count(first + at));
    yield piece;
  }
}

function* hashes(view: CommitmentView): Generator<Uint8Array, void> {
  const bucketCount = 2 ** view.depth;
  for (let index = 0; index < bucketCount; index += 1) {
    if (view.count(index) > 0) yield view.node(bucketCount + index);
  }
}

function* pairs(view: CommitmentView, isSplit: boolean): Generator<Uint8Array, void> {
  for (let index = 0; index < 2 ** view.depth; index += 1) {
    const count = view.count(index);
    if (count === 0 || count > PART_PAIRS_MAX !== isSplit) continue;
    const part = must(view.part(index), "a bucket with pairs has no part");
    if (part.split) for (const leaf of leavesOf(part)) yield leaf.pairs;
    else yield part.pairs;
  }
}
