import { createHash } from "node:crypto";
import { ProviderError } from "../errors.ts";

/** So many bytes before the place tell whether a file is still the one that was read. */
export const TAIL_BYTES = 256;

/** How far a file was read; JSON. */
export interface FilePosition {
  /** Decimal text: it may be beyond what a number holds. */
  readonly inode: string;
  /** Bytes read: the next line begins here. */
  readonly offset: number;
  /** Lines read. */
  readonly line: number;
  /** Length and hash of the last bytes before `offset`: inodes are used again. */
  readonly tail: readonly [bytes: number, hash: string];
  /** Whether the place is within a line that is too long, whose rest is passed over. */
  readonly isSkipping?: true;
  /** What of the file's beginning its later lines need: the header of CSV. */
  readonly header?: string;
}

/** @throws ProviderError `bad_cursor` when another program or version wrote it. */
export function readPosition(cursor: unknown, name: string): FilePosition | undefined {
  if (cursor === undefined || cursor === null) return undefined;
  const position = cursor as FilePosition;
  const isRead =
    /^[0-9]+$/.test(position.inode) &&
    Number.isSafeInteger(position.offset) &&
    Number.isSafeInteger(position.line) &&
    Array.isArray(position.tail) &&
    (position.header === undefined || typeof position.header === "string");
  if (isRead) return position;
  const found = JSON.stringify(cursor).slice(0, 100);
  throw new ProviderError("bad_cursor", `${name}: the place kept for it is not one: ${found}`);
}

export function tailOf(bytes: Uint8Array): FilePosition["tail"] {
  return [bytes.length, createHash("sha256").update(bytes).digest("hex").slice(0, 16)];
}
