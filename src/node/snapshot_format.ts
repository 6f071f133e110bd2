import { concatBytes, equalBytes, fromHex, fromUtf8, toHex, utf8 } from "../lib/bytes.ts";
import type { Hasher } from "../types/crypto.ts";
import type { TimeNs } from "../types/time.ts";

/**
 * A snapshot file, all numbers big-endian:
 *
 *   "settled snapshot"     16 bytes
 *   header                 length u32, JSON, sha256 of both
 *   chunks, one or more    "C", kind (1), index u32, entries u32, length u32, payload, sha256 of all
 *   end                    "E", chunks u32, keys u64, app hash (32), sha256 of the checksums of
 *                          header and chunks in order (32), sha256 of all
 *
 * Kinds, in this order: "G" a piece of the genesis file; "B" entries of the block, its results,
 * commit, txs and index; "S" entries of the state. Entries: see src/store/snapshot.ts.
 */
/** Goes up with the layout of the state too (src/store/layout.ts). */
export const FORMAT_VERSION = 4;
export const MAGIC = utf8("settled snapshot");
export const CHECKSUM_BYTES = 32;
export const CHUNK_HEAD_BYTES = 14;
export const END_BYTES = 1 + 4 + 8 + 32 + 32 + CHECKSUM_BYTES;
const HEADER_BYTES_MAX = 65_536;

/** What a file says first. */
export interface SnapshotHeader {
  readonly format: number;
  readonly chainId: string;
  readonly height: bigint;
  /** Of the block. */
  readonly time: TimeNs;
  /** 32 bytes: after the block of this height. */
  readonly appHash: Uint8Array;
}

export type ChunkKind = "G" | "B" | "S";

export interface ChunkHead {
  readonly kind: ChunkKind;
  /** From 0. */
  readonly index: number;
  readonly entryCount: number;
  /** Bytes of the payload. */
  readonly length: number;
}

export interface SnapshotEnd {
  readonly chunkCount: number;
  /** Of the state. */
  readonly keyCount: number;
  readonly appHash: Uint8Array;
  /** Over the checksums of header and chunks. */
  readonly digest: Uint8Array;
}

/** A snapshot file that cannot be used; the message names the place. */
export class SnapshotError extends Error {
  readonly code = "snapshot";

  constructor(message: string) {
    super(message);
    this.name = "SnapshotError";
  }
}

/** Magic and header, with its checksum. */
export function encodeSnapshotHeader(header: SnapshotHeader, hasher: Hasher): Uint8Array {
  const json = utf8(
    JSON.stringify({
      format: header.format,
      chain_id: header.chainId,
      height: header.height.toString(),
      time: header.time.toString(),
      app_hash: toHex(header.appHash),
    }),
  );
  const body = concatBytes(u32(json.length), json);
  return concatBytes(MAGIC, body, hasher.sha256(body));
}

/** Bytes of magic and header, of the first 20 bytes of a file. @throws SnapshotError */
export function headerBytes(start: Uint8Array): number {
  if (start.length < MAGIC.length + 4 || !equalBytes(start.subarray(0, MAGIC.length), MAGIC)) {
    throw new SnapshotError("this is no snapshot file");
  }
  const length = readU32(start, MAGIC.length);
  if (length > HEADER_BYTES_MAX) throw new SnapshotError("the header is damaged: its length");
  return MAGIC.length + 4 + length + CHECKSUM_BYTES;
}

/** The header of what `headerBytes` counted. @throws SnapshotError */
export function decodeSnapshotHeader(bytes: Uint8Array, hasher: Hasher): SnapshotHeader {
  const body = bytes.subarray(MAGIC.length, bytes.length - CHECKSUM_BYTES);
  const fault = checksumFault(body, bytes.subarray(bytes.length - CHECKSUM_BYTES), hasher);
  if (fault !== undefined) throw new SnapshotError(`the header: ${fault}`);
  return headerOfJson(fromUtf8(body.subarray(4)) ?? "");
}

function headerOfJson(text: string): SnapshotHeader {
  const json = objectOf(text);
  const format = Number(json["format"]);
  if (format !== FORMAT_VERSION) {
    throw new SnapshotError(`format ${format} is not known here: this reads ${FORMAT_VERSION}`);
  }
  const [chainId, height, time] = [json["chain_id"], json["height"], json["time"]];
  const appHash = fromHex(String(json["app_hash"]));
  // 48 bits of height, and 64 of time, are what a database holds.
  const isHeight = typeof height === "string" && /^[0-9]{1,14}$/.test(height);
  const isTime = typeof time === "string" && /^-?[0-9]{1,18}$|^[0-9]{19}$/.test(time);
  if (typeof chainId !== "string" || !isHeight || !isTime || appHash?.length !== 32) {
    throw new SnapshotError("the header is not what a snapshot says first");
  }
  return { format, chainId, height: BigInt(height), time: BigInt(time) as TimeNs, appHash };
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null) return json as Record<string, unknown>;
  } catch {
    // Told as any other text that is no header.
  }
  throw new SnapshotError("the header is no JSON object");
}

/** A chunk with head and checksum. */
export function encodeChunk(
  chunk: { kind: ChunkKind; index: number; entryCount: number; payload: Uint8Array },
  hasher: Hasher,
): Uint8Array {
  const { kind, index, entryCount, payload } = chunk;
  const head = [utf8(`C${kind}`), u32(index), u32(entryCount), u32(payload.length)];
  const body = concatBytes(...head, payload);
  return concatBytes(body, hasher.sha256(body));
}

/** undefined for bytes that are no head of a chunk. */
export function decodeChunkHead(bytes: Uint8Array): ChunkHead | undefined {
  if (bytes.length < CHUNK_HEAD_BYTES) return undefined;
  const mark = fromUtf8(bytes.subarray(0, 2));
  const kind = (["G", "B", "S"] as const).find((each) => mark === `C${each}`);
  if (kind === undefined) return undefined;
  return {
    kind,
    index: readU32(bytes, 2),
    entryCount: readU32(bytes, 6),
    length: readU32(bytes, 10),
  };
}

export function encodeEnd(end: SnapshotEnd, hasher: Hasher): Uint8Array {
  const keys = new Uint8Array(8);
  new DataView(keys.buffer).setBigUint64(0, BigInt(end.keyCount));
  const body = concatBytes(utf8("E"), u32(end.chunkCount), keys, end.appHash, end.digest);
  return concatBytes(body, hasher.sha256(body));
}

/** undefined for bytes that are no whole end record. */
export function decodeEnd(bytes: Uint8Array, hasher: Hasher): SnapshotEnd | undefined {
  if (bytes.length !== END_BYTES || bytes[0] !== 0x45) return undefined;
  const body = bytes.subarray(0, END_BYTES - CHECKSUM_BYTES);
  const fault = checksumFault(body, bytes.subarray(END_BYTES - CHECKSUM_BYTES), hasher);
  if (fault !== undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    chunkCount: readU32(bytes, 1),
    keyCount: Number(view.getBigUint64(5)),
    appHash: bytes.slice(13, 45),
    digest: bytes.slice(45, 77),
  };
}

/** What is wrong with bytes that should have this checksum; undefined: nothing. */
export function checksumFault(
  body: Uint8Array,
  checksum: Uint8Array,
  hasher: Hasher,
): string | undefined {
  const found = hasher.sha256(body);
  if (equalBytes(found, checksum)) return undefined;
  return `checksum ${toHex(found)}, expected ${toHex(checksum)}`;
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

function readU32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
}
