import { gunzipSync } from "node:zlib";
import { BinaryReader } from "@bufbuild/protobuf/wire";

/** Flags and length of a message. */
export const HEAD_BYTES = 5;
const COMPRESSED = 1;

/** Length of the message that begins here, its head included; undefined: less than a head. */
export function messageLength(bytes: Buffer): number | undefined {
  return bytes.length < HEAD_BYTES ? undefined : HEAD_BYTES + bytes.readUInt32BE(1);
}

/** The first message of a gRPC body, unzipped; undefined when it cannot be read. */
export function firstMessage(bytes: Buffer): Uint8Array | undefined {
  const length = messageLength(bytes);
  if (length === undefined || bytes.length < length) return undefined;
  const message = bytes.subarray(HEAD_BYTES, length);
  if (bytes[0] !== COMPRESSED) return message;
  try {
    return gunzipSync(message);
  } catch {
    return undefined;
  }
}

export function messageFrame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

const DELIMITED = 2;
const VARINT = 0;

/** A field of bytes, the last one with this number; undefined: none, or no protobuf. */
export function bytesField(message: Uint8Array, number: number): Uint8Array | undefined {
  return field(message, number, DELIMITED, (reader) => reader.bytes());
}

/** A 32-bit field; undefined: none (which is 0), or no protobuf. */
export function uint32Field(message: Uint8Array, number: number): number | undefined {
  return field(message, number, VARINT, (reader) => reader.uint32());
}

function field<T>(
  message: Uint8Array,
  number: number,
  wireType: number,
  read: (reader: BinaryReader) => T,
): T | undefined {
  const reader = new BinaryReader(message);
  let found: T | undefined;
  try {
    while (reader.pos < reader.len) {
      const [no, type] = reader.tag();
      if (no === number && type === wireType) found = read(reader);
      else reader.skip(type, no);
    }
  } catch {
    return undefined;
  }
  return found;
}
