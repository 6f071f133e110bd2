import { assert } from "../lib/assert.ts";
import { divFloorSize } from "../lib/int.ts";

/** A value of the current state with the height of the block that wrote it. */
export interface Entry {
  readonly value: Uint8Array;
  readonly from: number;
}

/** Bytes of the height behind every stored value: 48 bits, big-endian. */
export const FROM_BYTES = 6;
const WORD = 4_294_967_296;

/** Writes the height into the 6 bytes at `at`. */
export function putHeight(target: Uint8Array, at: number, height: number): void {
  const high = divFloorSize(height, WORD);
  const low = height >>> 0;
  target[at] = high >>> 8;
  target[at + 1] = high & 255;
  target[at + 2] = low >>> 24;
  target[at + 3] = (low >>> 16) & 255;
  target[at + 4] = (low >>> 8) & 255;
  target[at + 5] = low & 255;
}

export function heightAt(bytes: Uint8Array, at: number): number {
  const byte = (offset: number): number => bytes[at + offset] as number;
  const low = ((byte(2) << 24) | (byte(3) << 16) | (byte(4) << 8) | byte(5)) >>> 0;
  return ((byte(0) << 8) | byte(1)) * WORD + low;
}

/** An entry as the disk has it: the value, then the height. */
export function decodeEntry(stored: Uint8Array): Entry {
  const length = stored.length - FROM_BYTES;
  assert(length >= 0, "a stored value is too short", { bytes: stored.length });
  return { value: stored.subarray(0, length), from: heightAt(stored, length) };
}
