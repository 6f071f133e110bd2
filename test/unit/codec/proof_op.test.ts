import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeProofData, encodeProofData } from "../../../src/codec/proof_op.ts";
import { toHex } from "../../../src/lib/bytes.ts";

const bytes = fc.uint8Array({ maxLength: 400 });

test("an envelope gives back the value, or its absence, and the proof", () => {
  fc.assert(
    fc.property(fc.option(bytes, { nil: undefined }), bytes, (value, proof) => {
      const decoded = decodeProofData(encodeProofData({ value, proof }));
      expect(decoded).toEqual({ value, proof });
    }),
  );
});

test("the layout is the one that is written down", () => {
  const [value, proof] = [Uint8Array.of(0xaa, 0xbb), Uint8Array.of(0xcc)];
  expect(toHex(encodeProofData({ value, proof }))).toBe("010100000002aabbcc");
  expect(toHex(encodeProofData({ value: new Uint8Array(0), proof }))).toBe("010100000000cc");
  expect(toHex(encodeProofData({ value: undefined, proof }))).toBe("0100cc");
});

test("other bytes are no envelope, and what is decoded encodes to the same bytes", () => {
  for (const hex of [
    "",
    "01",
    "0200cc",
    "0102cc",
    "0101000000",
    "010100000002aa",
    "0101ffffffffaa",
  ]) {
    expect(decodeProofData(Buffer.from(hex, "hex")), hex).toBeUndefined();
  }
  const head = fc.constantFrom([1, 0], [1, 1, 0, 0, 0, 3], [1, 1, 0, 0], [0, 0], []);
  fc.assert(
    fc.property(head, bytes, (start, rest) => {
      const data = Uint8Array.from([...start, ...rest]);
      const decoded = decodeProofData(data);
      if (decoded !== undefined) expect(encodeProofData(decoded)).toEqual(data);
    }),
  );
});
