import { BinaryWriter } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageTypeNamed } from "../../../src/codec/message_types.ts";
import { checkWire } from "../../../src/codec/strict_wire.ts";
import { MESSAGES } from "../../../src/gen/schema.ts";
import { ChainError } from "../../../src/lib/errors.ts";
import { GrpcInvalidArgument } from "../../../src/types/query_errors.ts";
import { messageOf } from "./arbitraries.ts";

const MAP = "virtengine.settlement.v1.UsageRecord";
const PACKED = "tendermint.abci.ResponseApplySnapshotChunk";

describe("every message", () => {
  it.each(MESSAGES.map(({ name }) => name))(
    "%s: what is encoded passes, what passes decodes",
    (name) => {
      const type = messageTypeNamed(name);
      const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 });
      fc.assert(
        fc.property(messageOf(type), edits, (message, flips) => {
          const bytes = Uint8Array.from(type.codec.encode(message).finish());
          expect(checkWire(type, bytes)).toBe(false);
          for (const [at, value] of flips) if (bytes.length > 0) bytes[at % bytes.length] = value;
          try {
            checkWire(type, bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(ChainError);
            return;
          }
          const decoded: unknown = type.codec.decode(bytes);
          const again = type.codec.encode(decoded).finish();
          expect(type.codec.decode(again)).toStrictEqual(decoded);
        }),
        { numRuns: 10 },
      );
    },
  );
});

describe("forms that few writers use", () => {
  it.each<[string, string, Uint8Array]>([
    [
      "a list of numbers unpacked",
      PACKED,
      new BinaryWriter().uint32(16).uint32(5).uint32(16).uint32(6).finish(),
    ],
    ["a list of numbers in two packs", PACKED, Uint8Array.from([0x12, 1, 5, 0x12, 1, 6])],
    ["a map entry without key and value", MAP, Uint8Array.from([0x9a, 1, 0])],
    [
      "a negative enum in 32 bits",
      "cosmos.tx.v1beta1.ModeInfo.Single",
      Uint8Array.from([8, 0xff, 0xff, 0xff, 0xff, 0x0f]),
    ],
    [
      "a varint longer than needed",
      "cosmos.tx.v1beta1.ModeInfo.Single",
      Uint8Array.from([8, 0x81, 0]),
    ],
  ])("%s passes", (_, name, bytes) => {
    expect(checkWire(messageTypeNamed(name), bytes)).toBe(false);
  });

  it.each<[string, string, number[], string]>([
    ["a pack that ends inside a number", PACKED, [0x12, 1, 0x80], "truncated varint"],
    [
      "a number beyond 32 bits",
      PACKED,
      [0x10, 0xff, 0xff, 0xff, 0xff, 0x1f],
      "refetch_chunks is out of range for uint32",
    ],
    ["a boolean of 2", MAP, [0x78, 2], "settled is out of range for bool"],
    ["a map value before its key", MAP, [0x9a, 1, 6, 0x12, 1, 0x61, 0x0a, 1, 0x61], "bad entry of"],
    ["a third field in a map entry", MAP, [0x9a, 1, 2, 0x18, 1], "bad entry of"],
    ["a map key that is not UTF-8", MAP, [0x9a, 1, 3, 0x0a, 1, 0xff], "metadata is not UTF-8"],
    [
      "a message that ends inside its parent's next field",
      MAP,
      [0x52, 2, 0x0a, 5, 0x0a, 0],
      "length beyond the end",
    ],
    [
      "a fixed-width number cut short",
      "tendermint.types.CanonicalVote",
      [0x11, 1, 2],
      "truncated fixed-width value",
    ],
    [
      "a oneof with two members",
      "tendermint.crypto.PublicKey",
      [0x0a, 0, 0x12, 0],
      "sum given twice",
    ],
  ])("%s is refused", (_, name, bytes, message) => {
    expect(() => checkWire(messageTypeNamed(name), Uint8Array.from(bytes))).toThrow(message);
  });

  it("reports with the kind that is asked for", () => {
    const kind = GrpcInvalidArgument;
    expect(() => checkWire(messageTypeNamed(MAP), new Uint8Array([0]), { kind })).toThrow(
      expect.objectContaining({ codespace: "grpc", code: 3 }),
    );
  });
});
