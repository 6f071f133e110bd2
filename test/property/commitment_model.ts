import { createHash } from "node:crypto";
import { bytesOfKey, keyOfBytes, type Key } from "../../src/lib/key.ts";

/** Contents as plain data: values by key. */
export type Contents = ReadonlyMap<Key, Uint8Array>;

interface Pair {
  readonly keyHash: Buffer;
  readonly valueHash: Buffer;
}

/** The app hash of contents as docs/proofs.md defines it, computed from nothing. */
export function modelAppHash(contents: Contents, depth: number): string {
  const pairs = [...contents]
    .map(([key, value]) => ({ keyHash: sha256(bytesOfKey(key)), valueHash: sha256(value) }))
    .sort((a, b) => Buffer.compare(a.keyHash, b.keyHash));
  const count = Buffer.alloc(8);
  count.writeBigUInt64BE(BigInt(pairs.length));
  const preimage = [Buffer.from("settled/app-hash/1"), Buffer.of(depth), count];
  return sha256(...preimage, nodeHash(pairs, 0, depth)).toString("hex");
}

const empty: Buffer[] = [Buffer.alloc(32)];

/** Hash of an empty tree of a height. */
function emptyHash(height: number): Buffer {
  for (let at = empty.length; at <= height; at += 1) {
    const below = empty[at - 1] as Buffer;
    empty.push(sha256(below, below));
  }
  return empty[height] as Buffer;
}

function nodeHash(pairs: readonly Pair[], bit: number, depth: number): Buffer {
  if (pairs.length === 0) return emptyHash(depth - bit);
  if (bit === depth) return partHash(pairs, bit, depth, firstBits(pairs[0] as Pair, depth));
  const [left, right] = divide(pairs, bit);
  return sha256(nodeHash(left, bit + 1, depth), nodeHash(right, bit + 1, depth));
}

function partHash(pairs: readonly Pair[], bit: number, depth: number, bucket: number): Buffer {
  const place = [Buffer.of(depth, bit), sixBytes(bucket)];
  if (pairs.length <= 64) {
    const body = pairs.flatMap(({ keyHash, valueHash }) => [keyHash, valueHash]);
    return sha256(Buffer.from("settled/bucket/1"), ...place, sixBytes(pairs.length), ...body);
  }
  const [left, right] = divide(pairs, bit);
  return sha256(
    Buffer.from("settled/split/1"),
    ...place,
    partHash(left, bit + 1, depth, bucket),
    partHash(right, bit + 1, depth, bucket),
  );
}

function divide(pairs: readonly Pair[], bit: number): [Pair[], Pair[]] {
  const isSet = ({ keyHash }: Pair): boolean =>
    ((keyHash[bit >> 3] as number) & (0x80 >> (bit & 7))) !== 0;
  return [pairs.filter((pair) => !isSet(pair)), pairs.filter(isSet)];
}

function firstBits(pair: Pair, depth: number): number {
  return Math.floor(pair.keyHash.readUInt32BE(0) / 2 ** (32 - depth));
}

function sixBytes(value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntBE(value, 0, 6);
  return bytes;
}

export function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** The key of a number. Its bytes take all values, so that text and bytes differ. */
export function keyOf(number: number): Key {
  const bytes = new Uint8Array(9).fill(0xf0);
  new DataView(bytes.buffer).setUint32(5, number);
  return keyOfBytes(bytes);
}

export function valueOf(number: number): Uint8Array {
  return Buffer.from(`value ${number}`);
}

/** The first keys, counted from `from`, whose hashes begin with the bits of a bucket. */
export function keysInBucket(bucket: number, depth: number, count: number, from = 0): Key[] {
  const keys: Key[] = [];
  for (let number = from; keys.length < count; number += 1) {
    const key = keyOf(number);
    const start = sha256(bytesOfKey(key)).readUInt32BE(0);
    if (Math.floor(start / 2 ** (32 - depth)) === bucket) keys.push(key);
  }
  return keys;
}
