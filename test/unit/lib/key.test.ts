import fc from "fast-check";
import { expect, test } from "vitest";
import { utf8 } from "../../../src/lib/bytes.ts";
import { divFloor } from "../../../src/lib/int.ts";
import * as k from "../../../src/lib/key.ts";

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const uint48 = fc.integer({ min: 0, max: 2 ** 48 - 1 });

/** Big-endian bytes, by division. */
function bytesOf(value: bigint, width: number): number[] {
  return Array.from({ length: width }, (_, at) =>
    Number((value >> BigInt(8 * (width - 1 - at))) & 255n),
  );
}

test("numbers are big-endian bytes, and read back", () => {
  fc.assert(
    fc.property(uint64, int64, uint48, (unsigned, signed, small) => {
      expect([...k.bytesOfKey(k.u64Key(unsigned))]).toEqual(bytesOf(unsigned, 8));
      expect([...k.u64Bytes(unsigned)]).toEqual(bytesOf(unsigned, 8));
      expect(k.u64OfBytes(k.u64Bytes(unsigned))).toBe(unsigned);
      expect(k.u64FromKey(`x${k.u64Key(unsigned)}` as k.Key, 1)).toBe(unsigned);
      expect([...k.bytesOfKey(k.i64Key(signed))]).toEqual(bytesOf(signed + 2n ** 63n, 8));
      expect(k.i64FromKey(k.i64Key(signed), 0)).toBe(signed);
      expect([...k.bytesOfKey(k.u48Key(small))]).toEqual(bytesOf(BigInt(small), 6));
    }),
  );
});

test("the order of keys is that of the numbers", () => {
  fc.assert(
    fc.property(int64, int64, (a, b) => {
      expect(k.i64Key(a) < k.i64Key(b)).toBe(a < b);
    }),
  );
});

test.each([
  () => k.u64Key(-1n),
  () => k.u64Key(2n ** 64n),
  () => k.i64Key(2n ** 63n),
  () => k.i64Key(-(2n ** 63n) - 1n),
  () => k.u48Key(-1),
  () => k.u48Key(2 ** 48),
  () => k.u64Bytes(-1n),
  () => k.u64OfBytes(new Uint8Array(7)),
  () => k.byteKey(256),
])("what does not fit is refused: %s", (make) => {
  expect(make).toThrow();
});

test("text in UTF-8 is that of the platform's encoder, short or long", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 100 }), (text) => {
      expect([...utf8(text)]).toEqual([...new TextEncoder().encode(text)]);
    }),
  );
});

test("a floor is below or at the quotient, by less than one", () => {
  const small = fc.bigInt({ min: -1000n, max: 1000n });
  fc.assert(
    fc.property(
      small,
      small.filter((value) => value !== 0n),
      (dividend, divisor) => {
        const floor = divFloor(dividend, divisor);
        const rest = dividend - floor * divisor;
        expect(divisor > 0n ? rest >= 0n && rest < divisor : rest <= 0n && rest > divisor).toBe(
          true,
        );
      },
    ),
  );
});
