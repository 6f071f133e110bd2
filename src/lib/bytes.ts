interface TextCoding {
  TextEncoder: new () => { encode(text: string): Uint8Array };
  TextDecoder: new (
    label: string,
    options: { fatal: boolean; ignoreBOM: boolean },
  ) => { decode(bytes: Uint8Array): string };
}

// Part of every JavaScript host, but declared only by the types of Node and of the DOM.
const coding = globalThis as unknown as TextCoding;
const encoder = new coding.TextEncoder();
const strictDecoder = new coding.TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export const EMPTY_BYTES = new Uint8Array(0);

/** Texts up to this length are converted here when they are ASCII; the encoder's call costs more. */
const SHORT_TEXT_MAX = 40;

export function utf8(text: string): Uint8Array {
  const { length } = text;
  if (length > SHORT_TEXT_MAX) return encoder.encode(text);
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index += 1) {
    const code = text.charCodeAt(index);
    if (code >= 0x80) return encoder.encode(text);
    bytes[index] = code;
  }
  return bytes;
}

/** Text of UTF-8 bytes, or undefined when they are not well-formed UTF-8. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Length in bytes of the UTF-8 form. */
export function utf8Length(text: string): number {
  let length = 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) length += 1;
    else if (unit < 0x800) length += 2;
    else if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(index + 1))) {
      length += 4;
      index += 1;
    } else length += 3;
  }
  return length;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}

/** Byte order: negative, 0 or positive. A prefix comes before what it begins. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = a.length < b.length ? a.length : b.length;
  for (let index = 0; index < shared; index += 1) {
    const difference = (a[index] as number) - (b[index] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

const HEX = "0123456789abcdef";

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += (HEX[byte >> 4] as string) + (HEX[byte & 15] as string);
  return text;
}

/** Bytes of hex in either case, or undefined for odd length or another character. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  const bytes = new Uint8Array(text.length >> 1);
  for (let index = 0; index < bytes.length; index += 1) {
    bytes[index] = Number.parseInt(text.slice(index * 2, index * 2 + 2), 16);
  }
  return bytes;
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Standard base64 with padding (RFC 4648 section 4). */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let from = 0; from < bytes.length; from += BASE64_BYTES_PER_CALL) {
    const end = from + BASE64_BYTES_PER_CALL;
    text += base64Piece(bytes, from, end < bytes.length ? end : bytes.length);
  }
  return text;
}

/** A multiple of 3: as many as one call makes a text of. A signature has 64. */
const BASE64_BYTES_PER_CALL = 384;
const BASE64_CODES = utf8(BASE64);
const PADDING_CODE = 61;
// The characters of a piece, before they become a text.
const base64Scratch = new Uint8Array(512);

// One call for the whole text: put together of single characters it costs eight times as much.
function base64Piece(bytes: Uint8Array, from: number, end: number): string {
  const codes = base64Scratch;
  let at = 0;
  for (let index = from; index < end; index += 3) {
    const a = bytes[index] as number;
    const b = index + 1 < end ? (bytes[index + 1] as number) : 0;
    const c = index + 2 < end ? (bytes[index + 2] as number) : 0;
    codes[at] = base64Code(a >> 2);
    codes[at + 1] = base64Code(((a & 3) << 4) | (b >> 4));
    codes[at + 2] = index + 1 < end ? base64Code(((b & 15) << 2) | (c >> 6)) : PADDING_CODE;
    codes[at + 3] = index + 2 < end ? base64Code(c & 63) : PADDING_CODE;
    at += 4;
  }
  return String.fromCharCode.apply(undefined, codes.subarray(0, at) as unknown as number[]);
}

function base64Code(bits: number): number {
  return BASE64_CODES[bits] as number;
}

/** Bytes of standard or URL-safe base64, padded or not; undefined for anything else. */
export function fromBase64(text: string): Uint8Array | undefined {
  const body = text
    .replace(/={1,2}$/, "")
    .replaceAll("-", "+")
    .replaceAll("_", "/");
  if (!/^[A-Za-z0-9+/]*$/.test(body) || body.length % 4 === 1) return undefined;
  const bytes = new Uint8Array((body.length * 3) >> 2);
  let bits = 0;
  let width = 0;
  let at = 0;
  for (let index = 0; index < body.length; index += 1) {
    bits = ((bits << 6) | BASE64.indexOf(body.charAt(index))) & 0xffffff;
    width += 6;
    if (width >= 8) {
      width -= 8;
      bytes[at] = (bits >> width) & 0xff;
      at += 1;
    }
  }
  return bytes;
}
