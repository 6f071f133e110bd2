import { describe, expect, test } from "vitest";
import { codecLine } from "../../../src/cli/debug_codec.ts";
import { cli } from "./fake_io.ts";

interface Vector {
  type_url: string;
  json: unknown;
  hex: string;
}

const COIN: Vector = {
  type_url: "/cosmos.base.v1beta1.Coin",
  json: { denom: "uve", amount: "" },
  hex: "0a037576651200",
};

function translate(input: object): Record<string, unknown> {
  return JSON.parse(codecLine(JSON.stringify(input))) as Record<string, unknown>;
}

describe("debug codec", () => {
  test("adds the missing form and keeps presence", () => {
    const { type_url, json, hex } = COIN;
    expect(translate({ type_url, hex })).toEqual(COIN);
    expect(translate({ type_url, json })).toEqual(COIN);
    expect(translate({ ...COIN, id: 7 })).toEqual({ ...COIN, id: 7 });
  });

  test.each([
    ["not JSON", "{"],
    ["not an object", "[1]"],
    ["no type", "{}"],
    ["an unknown type", '{"type_url":"/a.B","hex":""}'],
    ["neither form", '{"type_url":"/cosmos.base.v1beta1.Coin"}'],
    ["odd hex", '{"type_url":"/cosmos.base.v1beta1.Coin","hex":"0a0"}'],
    ["a cut message", '{"type_url":"/cosmos.base.v1beta1.Coin","hex":"0a0375"}'],
    ["an unknown field", '{"type_url":"/cosmos.base.v1beta1.Coin","json":{"x":1}}'],
    ["two forms that differ", JSON.stringify({ ...COIN, hex: "0a03757665" })],
  ])("puts an error on a line with %s", (_what, line) => {
    expect(JSON.parse(codecLine(line))).toHaveProperty("error");
  });

  test("goes on after a bad line", async () => {
    const { type_url, hex } = COIN;
    const stdin = `nonsense\n\n${JSON.stringify({ type_url, hex })}\n`;
    const { exit, stdout } = await cli(["debug", "codec"], { stdin });
    const lines = stdout.trimEnd().split("\n");
    expect(exit).toBe(0);
    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[1] ?? "")).toEqual(COIN);
  });
});
