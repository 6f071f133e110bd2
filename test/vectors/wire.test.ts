import { describe, expect, it } from "vitest";
import { hexToJson, jsonToHex } from "../../src/cli/presence_codec.ts";
import { messageTypeOfUrl } from "../../src/codec/message_types.ts";
import { messageFromJson, messageToJson } from "../../src/codec/proto_json.ts";
import { checkWire } from "../../src/codec/strict_wire.ts";
import { fromHex, toHex } from "../../src/lib/bytes.ts";
import { readVectors, type WireVector } from "./read_vectors.ts";

const OWN = new URL("./wire.json", import.meta.url);
const GIVEN = new URL("../../../shared/vectors/settlement-wire.json", import.meta.url);

describe("wire vectors of our own", () => {
  const vectors = readVectors(OWN) ?? [];
  it("there are some", () => expect(vectors.length).toBeGreaterThan(15));
  it.each(vectors.map((vector, index) => [index, vector.type_url, vector] as const))(
    "line %i, %s",
    (_, __, vector) => checkVector(vector),
  );
});

const given = readVectors(GIVEN);
describe.skipIf(given === undefined)(
  given === undefined
    ? "settlement-wire.json (skipped: the file is not beside the repository)"
    : "settlement-wire.json",
  () => {
    it("names 71 messages, four times each", () => {
      const names = (given ?? []).map(({ type_url }) => type_url);
      expect(new Set(names).size).toBe(71);
      expect(names.length).toBe(284);
    });

    it.each((given ?? []).map((vector, index) => [index, vector.type_url, vector] as const))(
      "line %i, %s",
      (_, __, vector) => checkVector(vector),
    );
  },
);

function checkVector({ type_url: typeUrl, json, hex }: WireVector): void {
  expect(hexToJson({ typeUrl, hex })).toStrictEqual(json);
  expect(jsonToHex({ typeUrl, json })).toBe(hex);
  checkStatic({ type_url: typeUrl, json, hex });
}

/** The generated codec reads the same values, and its own encoding keeps them. */
function checkStatic({ type_url: typeUrl, hex }: WireVector): void {
  const type = messageTypeOfUrl(typeUrl);
  if (type === undefined) throw new Error(`no type ${typeUrl}`);
  const bytes = fromHex(hex) ?? new Uint8Array(0);
  checkWire(type, bytes, { resolveAny: () => "opaque" });
  const message = type.codec.decode(bytes);
  const again = type.codec.encode(message).finish();
  expect(type.codec.decode(again)).toStrictEqual(message);
  // The reflected reading of the static encoding is the vector without its defaults.
  const shown = hexToJson({ typeUrl, hex: toHex(again) });
  expect(withoutDefaults(shown)).toStrictEqual(withoutDefaults(hexToJson({ typeUrl, hex })));
  if (hasUnresolvedAny(typeUrl)) return;
  const text = messageToJson(type.name, message);
  expect(messageFromJson(type.name, text)).toStrictEqual(message);
}

function hasUnresolvedAny(typeUrl: string): boolean {
  return typeUrl === "/cosmos.tx.v1beta1.TxBody";
}

/** Drops members that have a default value, in objects and not in lists. */
function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDefaults);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value)
    .filter(([, member]) => !["", "0", 0, false].includes(member as never))
    .filter(([, member]) => !/_(UNKNOWN|UNSPECIFIED)$/.test(String(member)))
    .map(([name, member]) => [name, withoutDefaults(member)]);
  return Object.fromEntries(kept);
}
