import type { Status } from "../services/unary.ts";
import { statusText } from "./status_text.ts";

/** Flags and length of a frame. */
export const HEAD_BYTES = 5;
const COMPRESSED = 0x01;
const TRAILERS = 0x80;

/** What a body of gRPC-Web holds: one message, a fault that its sender can mend. */
export type WebRequest =
  | { readonly message: Uint8Array }
  | { readonly status: "invalidArgument" | "unimplemented"; readonly fault: string };

/** The one message of a unary request: a byte of flags, four of length, the message. */
export function readRequestFrame(body: Uint8Array): WebRequest {
  const [flags = 0] = body;
  if (body.length < HEAD_BYTES) return invalid("the body is shorter than the head of a frame");
  if ((flags & COMPRESSED) !== 0) {
    return { status: "unimplemented", fault: "compressed messages are not taken" };
  }
  if (flags !== 0) return invalid(`a request has no frame with the flags ${flags}`);
  const length = new DataView(body.buffer, body.byteOffset).getUint32(1);
  const found = body.length - HEAD_BYTES;
  if (length !== found) {
    return invalid(`the frame says ${length} bytes, ${found} follow: one message is expected`);
  }
  return { message: body.subarray(HEAD_BYTES) };
}

function invalid(fault: string): WebRequest {
  return { status: "invalidArgument", fault };
}

/** A message as a frame. */
export function messageFrame(message: Uint8Array): Buffer {
  return frame(0, message);
}

/** The status as the last frame, in the form of HTTP/1 headers. */
export function trailersFrame(status: Status, message: string): Buffer {
  const text = encodeURI(statusText(message));
  return frame(TRAILERS, Buffer.from(`grpc-status:${status}\r\ngrpc-message:${text}\r\n`));
}

function frame(flags: number, content: Uint8Array): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES + content.length);
  bytes.writeUInt8(flags, 0);
  bytes.writeUInt32BE(content.length, 1);
  bytes.set(content, HEAD_BYTES);
  return bytes;
}

/**
 * The bytes of a grpc-web-text body: base64, which may be in several padded pieces. Undefined for
 * any other text.
 */
export function fromWebText(body: Buffer): Buffer | undefined {
  const text = body.toString("latin1");
  if (!/^(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)*$/.test(text)) return undefined;
  const pieces = text.match(/[^=]+={0,2}/g) ?? [];
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece, "base64")));
}
