import { describe, expect, it } from "vitest";
import { canonicalJson, canonicalJsonForSigning } from "../../../src/codec/canonical_json.ts";

describe("canonical JSON", () => {
  it("sorts keys by bytes, at every depth, and adds no space", () => {
    const value = { b: [{ z: 1, a: null }], a: true, B: "x", "10": 1, "9": 2 };
    expect(canonicalJson(value)).toBe('{"10":1,"9":2,"B":"x","a":true,"b":[{"a":null,"z":1}]}');
  });

  it("orders beyond U+FFFF as UTF-8 does, not as UTF-16 does", () => {
    expect(canonicalJson({ "\u{1F600}": 1, "\uFF5E": 2 })).toBe('{"\uFF5E":2,"\u{1F600}":1}');
  });

  it("keeps a member named __proto__", () => {
    expect(canonicalJson(JSON.parse('{"__proto__":1}'))).toBe('{"__proto__":1}');
  });

  it("escapes as JSON does", () => {
    expect(canonicalJson('a"\\\n\u0001é✓')).toBe('"a\\"\\\\\\n\\u0001é✓"');
    expect(canonicalJson(-0)).toBe("0");
  });

  it("escapes & < > for signing", () => {
    expect(canonicalJsonForSigning({ "<": "a & b > c" })).toBe(
      '{"\\u003c":"a \\u0026 b \\u003e c"}',
    );
  });

  it.each<[string, unknown]>([
    ["$.a: bigint has no JSON form", { a: 1n }],
    ["$.a[1]: 0.5 is not an exact integer", { a: [1, 0.5] }],
    ["$: 9007199254740992 is not an exact integer", 2 ** 53],
    ["$: NaN is not an exact integer", Number.NaN],
    ["$.a: undefined has no JSON form", { a: undefined }],
    ["$: Uint8Array has no JSON form", new Uint8Array(1)],
    ["$: Date has no JSON form", new Date(0)],
    ["$: Map has no JSON form", new Map()],
    ["$: function has no JSON form", () => 1],
    ["$: an array with holes", new Array(2)],
  ])("refuses: %s", (message, value) => {
    expect(() => canonicalJson(value)).toThrow(message);
  });

  it("refuses a cycle", () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    expect(() => canonicalJson(cycle)).toThrow("nested deeper than 128");
  });
});
