import { concatBytes, equalBytes } from "../lib/bytes.ts";
import { u64FromKey, keyOfBytes } from "../lib/key.ts";
import { toSafeNumber } from "../lib/int.ts";
import type { Hasher } from "../types/crypto.ts";
import { HASH_BYTES, PAIR_BYTES, PART_PAIRS_MAX } from "./bucket_hash.ts";
import { BucketPool } from "./bucket_pool.ts";
import {
  CHECKPOINT_VERSION,
  type CheckpointMark,
  END_BYTES,
  FRAME_HEAD_BYTES,
  FRAME_MAGIC,
  FRAME_PAYLOAD_BYTES,
  HEADER_BYTES,
  KIND_COUNTS,
  KIND_END,
  KIND_HASHES,
  KIND_HEADER,
  KIND_PAIRS,
  KIND_SPLIT_PAIRS,
  readU32,
} from "./checkpoint_frames.ts";
import { Commitment } from "./commitment.ts";
import { MerkleNodes } from "./merkle_nodes.ts";

/** Why a checkpoint is not used; the host rebuilds the commitment from the state then. */
export type CheckpointFault =
  /** It ends before its end mark, or goes on after it. */
  | "torn"
  /** A frame does not match its checksum, or the last frame those before it. */
  | "checksum"
  | "version"
  /** Another depth of tree than the chain's. */
  | "depth"
  /** Whole and unharmed, but not what the writer writes. */
  | "malformed";

export type CheckpointResult =
  | ({ readonly commitment: Commitment } & CheckpointMark)
  | { readonly fault: CheckpointFault; readonly detail: string };

/** Loads a checkpoint of the chain's depth from its bytes, cut into pieces anywhere. */
export function loadCheckpoint(
  pieces: Iterable<Uint8Array>,
  options: { depth: number; hasher: Hasher },
): CheckpointResult {
  const loader = new CheckpointLoader(options);
  for (const piece of pieces) if (!loader.push(piece)) break;
  return loader.finish();
}

/**
 * Takes the bytes of a checkpoint as they are read. Bad bytes are a result, never an exception.
 * What is kept is copied (by `concatBytes`: a Buffer's slice would be a view), so the caller may read
 * into one buffer again and again.
 */
export class CheckpointLoader {
  readonly #hasher: Hasher;
  readonly #sections: Sections;
  #pending: Uint8Array = new Uint8Array(0);
  readonly #checksums: Uint8Array[] = [];
  #ended = false;
  #fault: { fault: CheckpointFault; detail: string } | undefined;

  constructor(options: { depth: number; hasher: Hasher }) {
    this.#hasher = options.hasher;
    this.#sections = new Sections(options.depth, options.hasher);
  }

  /** Takes the next bytes. False when the checkpoint is refused already: the rest is not needed. */
  push(bytes: Uint8Array): boolean {
    let rest = this.#pending.length === 0 ? bytes : concatBytes(this.#pending, bytes);
    while (this.#fault === undefined && rest.length > 0) {
      const used = this.#takeFrame(rest);
      if (used === 0) break;
      rest = rest.subarray(used);
    }
    this.#pending = concatBytes(rest);
    return this.#fault === undefined;
  }

  /** The commitment, once all bytes were pushed, or why there is none. */
  finish(): CheckpointResult {
    if (this.#fault !== undefined) return this.#fault;
    if (!this.#ended || this.#pending.length > 0) {
      return { fault: "torn", detail: `after frame ${this.#checksums.length}` };
    }
    return this.#sections.finish();
  }

  /** Takes one frame; answers its length, or 0 when it is not whole or is refused. */
  #takeFrame(bytes: Uint8Array): number {
    if (this.#ended) return this.#refuse("torn", "bytes after the end mark");
    if (bytes.length < FRAME_HEAD_BYTES) return 0;
    const number = this.#checksums.length;
    const length = readU32(bytes, 12);
    const isHead =
      equalBytes(bytes.subarray(0, 4), FRAME_MAGIC) &&
      readU32(bytes, 8) === number &&
      length <= FRAME_PAYLOAD_BYTES;
    if (!isHead) return this.#refuse("checksum", `frame ${number} has a wrong head`);
    const end = FRAME_HEAD_BYTES + length;
    if (bytes.length < end + HASH_BYTES) return 0;
    const checksum = concatBytes(bytes.subarray(end, end + HASH_BYTES));
    if (!equalBytes(this.#hasher.sha256(bytes.subarray(0, end)), checksum)) {
      return this.#refuse("checksum", `frame ${number} does not match its checksum`);
    }
    const payload = bytes.subarray(FRAME_HEAD_BYTES, end);
    const kind = readU32(bytes, 4);
    if (kind === KIND_END << 24) this.#end(payload);
    else {
      const isKind = (kind & 0xffffff) === 0;
      const fault = isKind ? this.#sections.take(kind >>> 24, payload) : "malformed";
      if (fault !== undefined) return this.#refuse(fault, `frame ${number}`);
    }
    this.#checksums.push(checksum);
    return end + HASH_BYTES;
  }

  #end(payload: Uint8Array): void {
    this.#ended = true;
    const whole = this.#hasher.sha256(concatBytes(...this.#checksums));
    const isWhole =
      payload.length === END_BYTES &&
      readU32(payload, 0) === this.#checksums.length &&
      equalBytes(payload.subarray(4), whole);
    if (!isWhole) this.#refuse("checksum", "the end mark does not match the frames");
  }

  #refuse(fault: CheckpointFault, detail: string): 0 {
    this.#fault ??= { fault, detail };
    return 0;
  }
}

/** The sections of a checkpoint as they fill up. Each one's length follows from those before. */
class Sections {
  readonly #depth: number;
  readonly #hasher: Hasher;
  readonly #pool: BucketPool;
  readonly #nodes: MerkleNodes;
  #mark: CheckpointMark | undefined;
  #pairCount = 0;
  /** The section being filled, its length in bytes, and how much of it has come. */
  #kind = KIND_HEADER;
  #length = HEADER_BYTES;
  #filled = 0;
  readonly #counts: Uint32Array;
  /** Buckets that are not empty, in order, and of those the ones that are split. */
  readonly #used: number[] = [];
  readonly #split: number[] = [];
  #smallPairs = 0;
  /** Which of the used buckets the next pair goes to, and to which place in it. */
  #bucket = 0;
  #rank = 0;
  readonly #splitPairs: Uint8Array[] = [];

  constructor(depth: number, hasher: Hasher) {
    this.#depth = depth;
    this.#hasher = hasher;
    this.#pool = new BucketPool(depth);
    this.#nodes = new MerkleNodes(depth, hasher);
    this.#counts = new Uint32Array(2 ** depth);
  }

  /** Takes a frame's payload, or says why not. */
  take(kind: number, payload: Uint8Array): CheckpointFault | undefined {
    const skipped = this.#skipFull();
    if (skipped !== undefined) return skipped;
    if (kind !== this.#kind || payload.length === 0) return "malformed";
    // Another version may have a header of another length.
    if (kind === KIND_HEADER && payload[0] !== CHECKPOINT_VERSION) return "version";
    if (this.#filled + payload.length > this.#length) return "malformed";
    const fault = this.#fill(kind, payload);
    this.#filled += payload.length;
    return fault;
  }

  finish(): CheckpointResult {
    const isFull = this.#skipFull() === undefined && this.#kind === KIND_SPLIT_PAIRS;
    if (this.#mark === undefined || !isFull || this.#filled !== this.#length) {
      return { fault: "malformed", detail: "a section is not complete" };
    }
    const splitPairs = concatBytes(...this.#splitPairs);
    let at = 0;
    for (const index of this.#split) {
      const end = at + (this.#counts[index] as number) * PAIR_BYTES;
      this.#pool.loadSplit(index, splitPairs.slice(at, end));
      at = end;
    }
    this.#nodes.loaded();
    const commitment = new Commitment(this.#depth, this.#hasher, {
      pool: this.#pool,
      nodes: this.#nodes,
      pairCount: this.#pairCount,
    });
    if (!equalBytes(commitment.appHash(), this.#mark.appHash)) {
      return { fault: "malformed", detail: "the hashes do not give the app hash" };
    }
    return { commitment, ...this.#mark };
  }

  #fill(kind: number, payload: Uint8Array): CheckpointFault | undefined {
    switch (kind) {
      case KIND_HEADER:
        return this.#header(payload);
      case KIND_COUNTS:
        return this.#fillCounts(payload);
      case KIND_HASHES:
        return this.#fillHashes(payload);
      case KIND_PAIRS:
        if (payload.length % PAIR_BYTES !== 0) return "malformed";
        this.#fillPairs(payload);
        return undefined;
      default:
        this.#splitPairs.push(concatBytes(payload));
        return undefined;
    }
  }

  #header(header: Uint8Array): CheckpointFault | undefined {
    if (header[1] !== this.#depth) return "depth";
    if (header.length !== HEADER_BYTES) return "malformed";
    const pairCount = u64FromKey(keyOfBytes(header.subarray(10, 18)), 0);
    if (pairCount > 1n << 32n) return "malformed";
    this.#pairCount = toSafeNumber(pairCount);
    const height = u64FromKey(keyOfBytes(header.subarray(2, 10)), 0);
    this.#mark = { height, appHash: concatBytes(header.subarray(18)) };
    return undefined;
  }

  /** Goes on to the next section that is not empty, when this one is full. */
  #skipFull(): CheckpointFault | undefined {
    while (this.#filled === this.#length && this.#kind < KIND_SPLIT_PAIRS) {
      if (this.#kind === KIND_COUNTS && !this.#reserve()) return "malformed";
      this.#kind += 1;
      this.#filled = 0;
      this.#length = this.#sectionBytes();
    }
    return undefined;
  }

  #sectionBytes(): number {
    if (this.#kind === KIND_COUNTS) return 4 * this.#counts.length;
    if (this.#kind === KIND_HASHES) return HASH_BYTES * this.#used.length;
    if (this.#kind === KIND_PAIRS) return PAIR_BYTES * this.#smallPairs;
    return PAIR_BYTES * (this.#pairCount - this.#smallPairs);
  }

  /** Makes room in all buckets, when the counts add up to that of the header. */
  #reserve(): boolean {
    let total = 0;
    for (const index of this.#used) total += this.#counts[index] as number;
    if (total !== this.#pairCount) return false;
    for (const index of this.#used) {
      const count = this.#counts[index] as number;
      if (count <= PART_PAIRS_MAX) this.#pool.loadCount(index, count);
    }
    return true;
  }

  #fillCounts(payload: Uint8Array): CheckpointFault | undefined {
    if (payload.length % 4 !== 0) return "malformed";
    for (let at = 0; at < payload.length; at += 4) {
      const index = (this.#filled + at) >> 2;
      const count = readU32(payload, at);
      this.#counts[index] = count;
      if (count > 0) this.#used.push(index);
      if (count > PART_PAIRS_MAX) this.#split.push(index);
      else this.#smallPairs += count;
    }
    return undefined;
  }

  /** A bucket's pairs may begin in one frame and end in the next. */
  #fillPairs(payload: Uint8Array): void {
    let at = 0;
    while (at < payload.length) {
      const index = this.#used[this.#bucket] as number;
      const count = this.#counts[index] as number;
      const missing = count > PART_PAIRS_MAX ? 0 : (count - this.#rank) * PAIR_BYTES;
      const piece = payload.subarray(at, at + missing);
      if (missing > 0) this.#pool.loadPairs(index, this.#rank, piece);
      at += piece.length;
      if (piece.length === missing) {
        this.#bucket += 1;
        this.#rank = 0;
      } else this.#rank += piece.length >> 6;
    }
  }

  #fillHashes(payload: Uint8Array): CheckpointFault | undefined {
    if (payload.length % HASH_BYTES !== 0) return "malformed";
    for (let at = 0; at < payload.length; at += HASH_BYTES) {
      const index = this.#used[(this.#filled + at) >> 5] as number;
      this.#nodes.load(index, payload.subarray(at, at + HASH_BYTES));
    }
    return undefined;
  }
}
