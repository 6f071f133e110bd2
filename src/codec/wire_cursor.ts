import { ChainError, type ErrorKind } from "../lib/errors.ts";

/** Wire types of protobuf that may occur; groups are refused. */
export const VARINT = 0;
export const FIXED64 = 1;
export const DELIMITED = 2;
export const FIXED32 = 5;

/**
 * Walks protobuf bytes and refuses what is truncated, overlong or a group. It reads tags and
 * lengths only; values are read by the generated code, after this check.
 */
export class WireCursor {
  readonly bytes: Uint8Array;
  pos: number;
  end: number;
  /** The last varint as two unsigned 32-bit halves, and how many bytes it took. */
  low = 0;
  high = 0;
  width = 0;
  readonly #kind: ErrorKind;

  constructor(bytes: Uint8Array, kind: ErrorKind) {
    this.bytes = bytes;
    this.pos = 0;
    this.end = bytes.length;
    this.#kind = kind;
  }

  /** An error of the kind that this cursor reports, with the offset. */
  fault(detail: string): ChainError {
    return new ChainError(this.#kind, `${detail} at byte ${this.pos}`);
  }

  /** Reads a varint into `low`, `high`, `width`. @throws ChainError beyond 64 bits or the end. */
  readVarint(): void {
    const start = this.pos;
    const first = this.bytes[start] as number;
    if (start < this.end && first < 0x80) {
      this.low = first;
      this.high = 0;
      this.width = 1;
      this.pos = start + 1;
      return;
    }
    let low = 0;
    let high = 0;
    for (let index = 0; index < 10; index += 1) {
      if (this.pos >= this.end) throw this.fault("truncated varint");
      const byte = this.bytes[this.pos] as number;
      this.pos += 1;
      const part = byte & 0x7f;
      if (index < 4) low |= part << (7 * index);
      else if (index === 4) {
        low |= part << 28;
        high = part >> 4;
      } else high |= part << (7 * index - 32);
      if (index === 9 && byte > 1) break;
      if (byte < 0x80) {
        this.low = low >>> 0;
        this.high = high >>> 0;
        this.width = this.pos - start;
        return;
      }
    }
    throw this.fault("varint longer than 64 bits");
  }

  /** True when the last varint took no more bytes than its value needs. */
  isMinimal(): boolean {
    return this.width === 1 || (this.bytes[this.pos - 1] as number) !== 0;
  }

  /** Reads a tag: field number × 8 + wire type. @throws ChainError for number 0 or a group. */
  readTag(): number {
    this.readVarint();
    const type = this.low & 7;
    if (this.high !== 0 || this.low < 8) throw this.fault("illegal field number");
    if (type !== VARINT && type !== FIXED64 && type !== DELIMITED && type !== FIXED32) {
      throw this.fault(`illegal wire type ${type}`);
    }
    return this.low;
  }

  /** Reads a length prefix and returns where its payload ends. @throws ChainError past the end. */
  readLength(): number {
    this.readVarint();
    if (this.high !== 0 || this.low > this.end - this.pos) {
      throw this.fault("length beyond the end");
    }
    return this.pos + this.low;
  }

  /** Confines the cursor to a length-delimited payload; returns the end to restore afterwards. */
  enter(): number {
    const outer = this.end;
    this.end = this.readLength();
    return outer;
  }

  /** Moves past a value of a wire type. */
  skip(type: number): void {
    if (type === VARINT) this.readVarint();
    else if (type === DELIMITED) this.pos = this.readLength();
    else this.skipFixed(type === FIXED64 ? 8 : 4);
  }

  private skipFixed(width: number): void {
    if (width > this.end - this.pos) throw this.fault("truncated fixed-width value");
    this.pos += width;
  }
}
