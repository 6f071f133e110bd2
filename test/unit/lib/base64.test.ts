import { expect, test } from "vitest";
import { fromBase64, toBase64 } from "../../../src/lib/bytes.ts";
import { bytesOfKey, keyOfBytes } from "../../../src/lib/key.ts";

const bytesOf = (length: number) => Uint8Array.from({ length }, (_, index) => index * 37 + length);

test("base64 is that of the platform for every length, within a piece and across pieces", () => {
  const lengths = [...Array.from({ length: 400 }, (_, length) => length), 767, 768, 769, 5000];
  for (const length of lengths) {
    const bytes = bytesOf(length);
    const text = Buffer.from(bytes).toString("base64");
    expect(toBase64(bytes)).toBe(text);
    expect(fromBase64(text)).toEqual(bytes);
  }
});

test("keys of bytes hold them all, within one call and across calls", () => {
  for (const length of [0, 1, 32, 1023, 1024, 1025, 3000]) {
    const bytes = bytesOf(length);
    const key = keyOfBytes(bytes);
    expect(key).toHaveLength(length);
    expect(bytesOfKey(key)).toEqual(bytes);
  }
});
