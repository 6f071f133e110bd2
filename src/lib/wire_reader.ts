import { EMPTY_BYTES, fromUtf8 } from "./bytes.ts";

/** Beyond every input: a reader that has given up stands here, so that every loop ends. */
const PAST_ALL = 0x7fffffff;
const DEPTH_MAX = 40;
/** Texts up to this length are kept, see `#kept`. */
const KEPT_LENGTH_MAX = 64;
const KEPT_SLOTS = 4096;

// Texts read lately, by a hash of their bytes. The same addresses, ids, types and denoms come with
// every message; finding the text that is there already costs less than making it again, and what
// compares or hashes it later does less too. A slot holds whatever came last.
const kept: string[] = new Array<string>(KEPT_SLOTS).fill("");

// Puts 64-bit integers together.
const words = new DataView(new ArrayBuffer(8));

/** Reads one message from the reader's place to `end`. */
export type ReadMessage<T> = (reader: WireReader, end: number) => T;

/**
 * Reads protobuf that is plain: each singular field at most once, of known number and fitting wire
 * type, numbers in range, text in UTF-8. Of anything else it says only that it is not plain, and
 * who asks decides with slower and more lenient or more talkative means. So what is read here is
 * what a strict check would pass and a lenient decoder would give.
 */
export class WireReader {
  #bytes: Uint8Array = EMPTY_BYTES;
  #depth = 0;
  pos = 0;

  /** The message, or undefined when the bytes are not plain. */
  read<T>(bytes: Uint8Array, read: ReadMessage<T>): T | undefined {
    this.#bytes = bytes;
    this.#depth = 0;
    this.pos = 0;
    const message = read(this, bytes.length);
    return this.pos === bytes.length ? message : undefined;
  }

  /** Gives up: the bytes are not plain. */
  refuse(): void {
    this.pos = PAST_ALL;
  }

  /** Notes a singular field, or the oneof that it belongs to, by its bit. */
  once(seen: number, bit: number): number {
    if ((seen & bit) !== 0) this.refuse();
    return seen | bit;
  }

  /** A tag, a length or another unsigned 32-bit varint. */
  uint32(end: number): number {
    const { pos } = this;
    const first = this.#bytes[pos] as number;
    if (pos < end && first < 128) {
      this.pos = pos + 1;
      return first;
    }
    this.#varint(end);
    if (words.getUint32(0) !== 0) this.refuse();
    return words.getUint32(4);
  }

  /** Not negative: negative ones are rare, and not for this reader. */
  int32(end: number): number {
    const value = this.uint32(end);
    if (value > 0x7fffffff) this.refuse();
    return value;
  }

  bool(end: number): boolean {
    const value = this.uint32(end);
    if (value > 1) this.refuse();
    return value === 1;
  }

  uint64(end: number): bigint {
    this.#varint(end);
    return words.getBigUint64(0);
  }

  int64(end: number): bigint {
    this.#varint(end);
    return words.getBigInt64(0);
  }

  /** Where a message or packed list that begins here ends. */
  delimited(end: number): number {
    const length = this.uint32(end);
    if (length <= end - this.pos) return this.pos + length;
    this.refuse();
    return PAST_ALL;
  }

  /** A message inside a message. */
  message<T>(end: number, read: ReadMessage<T>): T {
    const inner = this.delimited(end);
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) this.refuse();
    const message = read(this, inner);
    this.#depth -= 1;
    if (this.pos !== inner) this.refuse();
    return message;
  }

  /** A view of the input. */
  bytes(end: number): Uint8Array {
    const to = this.delimited(end);
    const start = this.pos;
    if (start === PAST_ALL) return EMPTY_BYTES;
    this.pos = to;
    return this.#bytes.subarray(start, to);
  }

  string(end: number): string {
    const to = this.delimited(end);
    const start = this.pos;
    if (start === PAST_ALL || start === to) return "";
    this.pos = to;
    if (to - start > KEPT_LENGTH_MAX) return this.#text(start, to);
    const bytes = this.#bytes;
    let hash = to - start;
    for (let index = start; index < to; index += 1) {
      const byte = bytes[index] as number;
      if (byte >= 128) return this.#text(start, to);
      hash = ((hash << 5) - hash + byte) | 0;
    }
    return this.#kept(start, to, (hash ^ (hash >>> 13)) & (KEPT_SLOTS - 1));
  }

  /** A short ASCII text, the one that was made for the same bytes before if it is still there. */
  #kept(start: number, to: number, slot: number): string {
    const bytes = this.#bytes;
    const known = kept[slot] as string;
    if (known.length === to - start) {
      let index = start;
      while (index < to && bytes[index] === known.charCodeAt(index - start)) index += 1;
      if (index === to) return known;
    }
    const codes = bytes.subarray(start, to) as unknown as number[];
    const text = String.fromCharCode.apply(undefined, codes);
    kept[slot] = text;
    return text;
  }

  #text(start: number, to: number): string {
    const text = fromUtf8(this.#bytes.subarray(start, to));
    if (text === undefined) this.refuse();
    return text ?? "";
  }

  /** Reads a varint of up to 64 bits into `words`. */
  #varint(end: number): void {
    const bytes = this.#bytes;
    let at = this.pos;
    let [low, high] = [0, 0];
    for (let index = 0; index < 10; index += 1) {
      if (at >= end) break;
      const byte = bytes[at] as number;
      at += 1;
      const part = byte & 127;
      if (index < 4) low |= part << (7 * index);
      else if (index === 4) {
        low |= part << 28;
        high = part >> 4;
      } else high |= part << (7 * index - 32);
      if (index === 9 && byte > 1) break;
      if (byte < 128) {
        words.setUint32(0, high);
        words.setUint32(4, low);
        this.pos = at;
        return;
      }
    }
    this.refuse();
    words.setUint32(0, 0);
    words.setUint32(4, 0);
  }
}

// One is enough: nothing that it calls reads another message.
const reader = new WireReader();

/** A whole message, or undefined when the bytes are not plain (or no bytes). */
export function readPlain<T>(input: unknown, read: ReadMessage<T>): T | undefined {
  return input instanceof Uint8Array ? reader.read(input, read) : undefined;
}
