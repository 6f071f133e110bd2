import { BinaryReader, BinaryWriter as ReferenceWriter } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { messageTypeNamed } from "../../../src/codec/message_types.ts";
import { checkWire } from "../../../src/codec/strict_wire.ts";
import { READERS } from "../../../src/gen/readers.ts";
import { equalBytes } from "../../../src/lib/bytes.ts";
import { ChainError } from "../../../src/lib/errors.ts";
import { readPlain } from "../../../src/lib/wire_reader.ts";
import { BinaryWriter, RangeFault } from "../../../src/lib/wire_writer.ts";
import { messageOf } from "./arbitraries.ts";

const UINT64 = { min: 0n, max: 2n ** 64n - 1n };
const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

/** One call of a writer; `fork` opens a message that the end of the list closes. */
type Step = [method: string, value?: unknown];

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(fc.constant("uint32"), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
  fc.tuple(fc.constant("uint32"), fc.nat(300)),
  fc.tuple(fc.constant("int32"), fc.integer()),
  fc.tuple(fc.constant("bool"), fc.boolean()),
  fc.tuple(fc.constant("uint64"), fc.bigInt(UINT64)),
  fc.tuple(fc.constant("uint64"), fc.bigInt({ min: 0n, max: 2n ** 40n })),
  fc.tuple(fc.constant("int64"), fc.bigInt(INT64)),
  fc.tuple(fc.constant("int64"), fc.bigInt({ min: -300n, max: 300n })),
  fc.tuple(fc.constant("sfixed64"), fc.bigInt(INT64)),
  fc.tuple(fc.constant("double"), fc.double()),
  fc.tuple(fc.constant("bytes"), fc.uint8Array({ maxLength: 400 })),
  fc.tuple(fc.constant("string"), fc.string({ unit: "binary", maxLength: 200 })),
  fc.tuple(fc.constant("string"), fc.string({ unit: "grapheme-ascii", maxLength: 400 })),
  fc.constant<Step>(["fork"]),
  fc.constant<Step>(["join"]),
);

type AnyWriter = Record<string, (value?: unknown) => unknown> & { finish(): Uint8Array };

function write(writer: AnyWriter, steps: readonly Step[]): Uint8Array {
  let open = 0;
  for (const [method, value] of steps) {
    if (method === "join" && open === 0) continue;
    open += method === "fork" ? 1 : method === "join" ? -1 : 0;
    writer[method]?.(value);
  }
  for (; open > 0; open -= 1) writer["join"]?.();
  return writer.finish();
}

describe("the writer", () => {
  test("gives the bytes of the protobuf runtime", () => {
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const expected = write(new ReferenceWriter() as unknown as AnyWriter, steps);
      expect(write(new BinaryWriter() as unknown as AnyWriter, steps)).toEqual(expected);
    });
    fc.assert(property, { numRuns: 500 });
  });

  test("messages that are written at the same time do not mix, nor do results change later", () => {
    const outer = new BinaryWriter();
    outer.string("outer");
    const inner = new BinaryWriter().string("inner").finish();
    const first = outer.bytes(inner).finish();
    const copy = first.slice();
    new BinaryWriter().string("later, and longer than what was there").finish();
    expect(first).toEqual(copy);
    expect([...inner]).toEqual([5, ...new TextEncoder().encode("inner")]);
  });

  test("a message above the scratch buffer's size", () => {
    const large = new Uint8Array(3_000_000).fill(7);
    const writer = (Writer: typeof BinaryWriter) =>
      new Writer().uint32(10).fork().bytes(large).join().finish();
    // Not toEqual: it takes seconds over so many bytes.
    expect(equalBytes(writer(BinaryWriter), writer(ReferenceWriter as never))).toBe(true);
  });

  test.each([
    ["uint32", -1],
    ["uint32", 2 ** 32],
    ["uint32", 1.5],
    ["int32", 2 ** 31],
    ["int32", -(2 ** 31) - 1],
    ["uint64", -1n],
    ["uint64", 2n ** 64n],
    ["int64", 2n ** 63n],
    ["int64", -(2n ** 63n) - 1n],
    ["sfixed64", 2n ** 63n],
  ])("%s refuses %s", (method, value) => {
    const writer = new BinaryWriter() as unknown as AnyWriter;
    expect(() => writer[method]?.(value)).toThrow(RangeFault);
  });
});

describe.each(READERS.map(([name, read]) => ({ name, read })))("the reader of $name", (it) => {
  const type = messageTypeNamed(it.name);
  const holdsAny = /TxBody|AuthInfo|SignerInfo|Any$/.test(it.name);
  // Not through decode(bytes), which would ask the reader first.
  const decode = (bytes: Uint8Array) => type.codec.decode(new BinaryReader(bytes));

  test("gives what the decoder gives, property for property", () => {
    const property = fc.property(messageOf(type), (message) => {
      const bytes = type.codec.encode(message).finish();
      const read = readPlain(bytes, it.read);
      const decoded = decode(bytes) as object;
      if (read === undefined) return;
      expect(read).toEqual(decoded);
      expect(Object.keys(read)).toEqual(Object.keys(decoded));
    });
    fc.assert(property, { numRuns: 60 });
  });

  test("takes only what the strict check passes", () => {
    const property = fc.property(
      messageOf(type),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }),
      fc.option(fc.nat(40)),
      (message, changes, cut) => {
        const whole = type.codec.encode(message).finish();
        const bytes = whole.slice(0, cut === null ? whole.length : whole.length - cut);
        for (const [at, value] of changes) bytes[at % (bytes.length || 1)] = value;
        const read = readPlain(bytes, it.read);
        if (read === undefined) return;
        expect(read).toEqual(decode(bytes));
        if (!holdsAny) expect(() => checkWire(type, bytes)).not.toThrow(ChainError);
      },
    );
    fc.assert(property, { numRuns: 150 });
  });

  test("most plain messages are read", () => {
    const messages = fc.sample(messageOf(type), { numRuns: 50, seed: 3 });
    const read = messages.filter((message) => {
      return readPlain(type.codec.encode(message).finish(), it.read) !== undefined;
    });
    expect(read.length).toBeGreaterThan(5);
  });
});

test("what is unusual is left to the strict path: given twice, unknown, nested too deep", () => {
  const coin = messageTypeNamed("cosmos.base.v1beta1.Coin");
  const plain = (bytes: number[]) => readPlain(Uint8Array.from(bytes), coin.read as never);
  expect(plain([10, 1, 97, 18, 1, 49])).toEqual({ denom: "a", amount: "1" });
  expect(plain([18, 1, 49, 10, 1, 97])).toEqual({ denom: "a", amount: "1" });
  expect(plain([10, 1, 97, 10, 1, 98])).toBeUndefined();
  expect(plain([10, 1, 97, 24, 1])).toBeUndefined();
  expect(plain([8, 1])).toBeUndefined();
  expect(plain([10, 5, 97])).toBeUndefined();
  expect(plain([10, 1, 255])).toBeUndefined();
  expect(plain([10])).toBeUndefined();
  expect(plain([0x8a, 0x80])).toBeUndefined();
  const mode = messageTypeNamed("cosmos.tx.v1beta1.ModeInfo");
  let nested = Uint8Array.of(10, 2, 8, 1);
  for (let depth = 0; depth < 30; depth += 1) {
    const multi = new BinaryWriter().uint32(18).bytes(nested).finish();
    nested = new Uint8Array(new BinaryWriter().uint32(18).bytes(multi).finish());
  }
  if (mode.read !== undefined) expect(readPlain(nested, mode.read)).toBeUndefined();
});

test("an input that is hostile to the loops ends at once", () => {
  for (const [, read] of READERS) {
    for (let first = 0; first < 256; first += 1) {
      expect(() =>
        readPlain(Uint8Array.from([first, 0xff, 0xff, 0xff, 0xff, 0x0f]), read),
      ).not.toThrow();
    }
  }
});
