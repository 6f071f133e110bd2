import fc from "fast-check";
import { type MessageType, messageTypeNamed } from "../../../src/codec/message_types.ts";
import { ENUMS, type FieldSchema } from "../../../src/gen/schema.ts";

/** Text of any code points, without lone surrogates, which have no UTF-8 form. */
const text = fc.string({ unit: "binary", maxLength: 12 });
const bytes = fc.uint8Array({ maxLength: 12 });
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
// JSON text has no -0.
const double = fc.double().map((value) => (value === 0 ? 0 : value));
const atomics = fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }).map(String);

const timestamp = fc.record({
  seconds: fc.bigInt({ min: -62_135_596_800n, max: 253_402_300_799n }),
  nanos: fc.integer({ min: 0, max: 999_999_999 }),
});

const duration = fc
  .tuple(
    fc.bigInt({ min: 0n, max: 315_576_000_000n }),
    fc.integer({ min: 0, max: 999_999_999 }),
    fc.boolean(),
  )
  .map(([seconds, nanos, minus]) =>
    minus ? { seconds: -seconds, nanos: 0 - nanos } : { seconds, nanos },
  );

/** Any message of a type as the generated code shapes it, nested to a depth of 3. */
export function messageOf(type: MessageType, depth = 3): fc.Arbitrary<object> {
  if (type.name === "google.protobuf.Timestamp") return timestamp;
  if (type.name === "google.protobuf.Duration") return duration;
  if (type.name === "google.protobuf.Any") return anyOf(depth);
  const members = type.fields.map((field) =>
    fc.option(fieldOf(field, depth), { nil: undefined, freq: depth > 1 ? 3 : 1 }),
  );
  return fc.tuple(...members).map((values) => {
    const partial: Record<string, unknown> = {};
    const taken = new Set<string>();
    type.fields.forEach((field, index) => {
      if (values[index] === undefined) return;
      if (field.oneof !== undefined && taken.has(field.oneof)) return;
      if (field.oneof !== undefined) taken.add(field.oneof);
      partial[field.key] = values[index];
    });
    return type.codec.fromPartial(partial) as object;
  });
}

function anyOf(depth: number): fc.Arbitrary<object> {
  const names = [
    "cosmos.bank.v1beta1.MsgSend",
    "google.protobuf.Duration",
    "tendermint.types.Vote",
  ];
  return fc.constantFrom(...names).chain((name) => {
    const type = messageTypeNamed(name);
    return messageOf(type, depth - 1).map((message) => {
      return { typeUrl: type.typeUrl, value: Uint8Array.from(type.codec.encode(message).finish()) };
    });
  });
}

function fieldOf(field: FieldSchema, depth: number): fc.Arbitrary<unknown> {
  if (field.map === true) {
    const keys = text.filter((key) => key !== "__proto__");
    return fc.dictionary(keys, itemOf(field, depth), { maxKeys: 3, noNullPrototype: true });
  }
  if (field.repeated === true) return fc.array(itemOf(field, depth), { maxLength: 3 });
  return itemOf(field, depth);
}

function itemOf(field: FieldSchema, depth: number): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case "string":
      return field.scalar === "cosmos.Dec" ? atomics : text;
    case "bytes":
      return bytes;
    case "bool":
      return fc.boolean();
    case "enum": {
      const values = ENUMS.find(({ name }) => name === field.typeName)?.values ?? [];
      return fc.constantFrom(...values.map(({ no }) => no));
    }
    case "message":
      return depth <= 1
        ? fc.constant(undefined)
        : messageOf(messageTypeNamed(field.typeName ?? ""), depth - 1);
    case "double":
      return double;
    case "float":
      return double.map(Math.fround);
    case "int32":
    case "sint32":
    case "sfixed32":
      return int32;
    case "uint32":
    case "fixed32":
      return uint32;
    case "int64":
    case "sint64":
    case "sfixed64":
      return int64;
    case "uint64":
    case "fixed64":
      return uint64;
  }
}
