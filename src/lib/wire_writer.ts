import { assert } from "./assert.ts";
import { utf8 } from "./bytes.ts";
import { INT64_MAX, UINT64_MAX } from "./int.ts";

const SCRATCH_SIZE = 1024;
/** A scratch buffer that has grown beyond this is not kept. */
const SCRATCH_KEPT_MAX = 1 << 20;
/** Texts up to this length are written byte by byte; the encoder's call costs more. */
const SHORT_TEXT_MAX = 127;
const INT64_MIN = -INT64_MAX - 1n;

// The buffer of the writer that finished last. A message is encoded in one go, so one is enough; a
// writer that finds it taken makes its own.
let spare: Uint8Array | undefined = new Uint8Array(SCRATCH_SIZE);

/** A number that does not fit its field. What it comes from decides what becomes of it. */
export class RangeFault extends Error {
  constructor(kind: string, value: number | bigint) {
    super(`${value} is no ${kind}`);
    this.name = "RangeFault";
  }
}

// Takes numbers of 64 bits apart.
const words = new DataView(new ArrayBuffer(8));

/**
 * Writes protobuf: what generated code calls, with the names of the protobuf runtime and the same
 * bytes. It encodes in a buffer that is used again, so a message costs one allocation, its result.
 */
export class BinaryWriter {
  #bytes: Uint8Array;
  #pos = 0;
  /** Where each open message began: the place of its length. */
  readonly #forks: number[] = [];

  constructor() {
    this.#bytes = spare ?? new Uint8Array(SCRATCH_SIZE);
    spare = undefined;
  }

  /** The bytes written. The writer must not be used afterwards. */
  finish(): Uint8Array {
    assert(this.#forks.length === 0, "a message is left open");
    const result = this.#bytes.slice(0, this.#pos);
    if (this.#bytes.length <= SCRATCH_KEPT_MAX) spare = this.#bytes;
    this.#bytes = result;
    return result;
  }

  /** Begins a message or packed list; `join` writes its length in front. */
  fork(): this {
    this.#reserve(1);
    this.#forks.push(this.#pos);
    this.#pos += 1;
    return this;
  }

  join(): this {
    const start = this.#forks.pop();
    assert(start !== undefined, "no message is open");
    const length = this.#pos - start - 1;
    const width = widthOf(length);
    if (width > 1) {
      this.#reserve(width);
      this.#bytes.copyWithin(start + width, start + 1, this.#pos);
    }
    this.#pos = start;
    this.#varint(length);
    this.#pos += length;
    return this;
  }

  /** An unsigned 32-bit varint; tags and lengths too. */
  uint32(value: number): this {
    if (value >>> 0 !== value) throw new RangeFault("uint32", value);
    this.#reserve(5);
    this.#varint(value);
    return this;
  }

  int32(value: number): this {
    if ((value | 0) !== value) throw new RangeFault("int32", value);
    if (value >= 0) return this.uint32(value);
    this.#reserve(10);
    this.#varint64(value >>> 0, 0xffffffff);
    return this;
  }

  bool(value: boolean): this {
    this.#reserve(1);
    this.#bytes[this.#pos] = value ? 1 : 0;
    this.#pos += 1;
    return this;
  }

  uint64(value: bigint): this {
    if (value < 0n || value > UINT64_MAX) throw new RangeFault("uint64", value);
    words.setBigUint64(0, value, true);
    this.#reserve(10);
    this.#varint64(words.getUint32(0, true), words.getUint32(4, true));
    return this;
  }

  int64(value: bigint): this {
    if (value > INT64_MAX || value < INT64_MIN) throw new RangeFault("int64", value);
    words.setBigInt64(0, value, true);
    this.#reserve(10);
    this.#varint64(words.getUint32(0, true), words.getUint32(4, true));
    return this;
  }

  sfixed64(value: bigint): this {
    if (value > INT64_MAX || value < INT64_MIN) throw new RangeFault("sfixed64", value);
    words.setBigInt64(0, value, true);
    return this.#words();
  }

  double(value: number): this {
    words.setFloat64(0, value, true);
    return this.#words();
  }

  bytes(value: Uint8Array): this {
    const { length } = value;
    this.#reserve(length + 5);
    this.#varint(length);
    this.#bytes.set(value, this.#pos);
    this.#pos += length;
    return this;
  }

  string(value: string): this {
    const { length } = value;
    if (length > SHORT_TEXT_MAX) return this.bytes(utf8(value));
    this.#reserve(length + 1);
    const bytes = this.#bytes;
    let at = this.#pos;
    bytes[at] = length;
    for (let index = 0; index < length; index += 1) {
      const code = value.charCodeAt(index);
      if (code >= 0x80) return this.bytes(utf8(value));
      at += 1;
      bytes[at] = code;
    }
    this.#pos = at + 1;
    return this;
  }

  /** The eight bytes of `words`. */
  #words(): this {
    this.#reserve(8);
    for (let index = 0; index < 8; index += 1) {
      this.#bytes[this.#pos + index] = words.getUint8(index);
    }
    this.#pos += 8;
    return this;
  }

  /** A varint of two unsigned 32-bit halves, for which there is room. */
  #varint64(low: number, high: number): void {
    if (high === 0) {
      this.#varint(low);
      return;
    }
    const bytes = this.#bytes;
    let at = this.#pos;
    for (let shift = 0; shift < 28; shift += 7) {
      bytes[at] = ((low >>> shift) & 127) | 128;
      at += 1;
    }
    // The fifth byte holds the last 4 bits of the low half and the first 3 of the high one.
    bytes[at] = (low >>> 28) | ((high & 7) << 4) | (high > 7 ? 128 : 0);
    at += 1;
    let rest = high >>> 3;
    while (rest > 0) {
      bytes[at] = (rest & 127) | (rest > 127 ? 128 : 0);
      at += 1;
      rest >>>= 7;
    }
    this.#pos = at;
  }

  /** A varint of an unsigned 32-bit number, for which there is room. */
  #varint(value: number): void {
    const bytes = this.#bytes;
    let at = this.#pos;
    let rest = value;
    while (rest > 127) {
      bytes[at] = (rest & 127) | 128;
      at += 1;
      rest >>>= 7;
    }
    bytes[at] = rest;
    this.#pos = at + 1;
  }

  #reserve(size: number): void {
    const needed = this.#pos + size;
    if (needed > this.#bytes.length) this.#grow(needed);
  }

  #grow(needed: number): void {
    let size = this.#bytes.length * 2;
    while (size < needed) size *= 2;
    const grown = new Uint8Array(size);
    grown.set(this.#bytes.subarray(0, this.#pos));
    this.#bytes = grown;
  }
}

/** Bytes of the varint of a length. */
function widthOf(length: number): number {
  if (length < 128) return 1;
  if (length < 16_384) return 2;
  if (length < 2_097_152) return 3;
  return length < 268_435_456 ? 4 : 5;
}
