import { describe, expect, test } from "vitest";
import { messageTypeNamed } from "../../../src/codec/message_types.ts";
import { parseFieldTexts } from "../../../src/cli/flag_values.ts";
import { timeOfSeconds } from "../../../src/types/time.ts";

const context = {
  address: (text: string) => (text === "alice" ? "ve1alice" : text),
  now: () => timeOfSeconds(1_767_225_600n),
};

function parse(message: string, field: string, ...texts: string[]): unknown {
  const schema = messageTypeNamed(message).fieldOfName(field);
  if (schema === undefined) throw new Error(`no field ${field}`);
  return parseFieldTexts(schema, `--${field}`, texts, context);
}

const RECORD = "virtengine.settlement.v1.MsgRecordUsage";
const CREATE = "virtengine.settlement.v1.MsgCreateEscrow";

describe("values of flags", () => {
  test("coins are sorted and checked", () => {
    expect(parse(CREATE, "amount", "10uve,5uusd")).toEqual([
      { denom: "uusd", amount: "5" },
      { denom: "uve", amount: "10" },
    ]);
    expect(parse(CREATE, "amount", "10uve", "5uusd")).toHaveLength(2);
    expect(() => parse(CREATE, "amount", "uve")).toThrow(/--amount.*expected <amount><denom>/);
    expect(() => parse(CREATE, "amount", "1uve,2uve")).toThrow(/twice/);
  });

  test("prices become atomics", () => {
    expect(parse(RECORD, "unit_price", "1.5uve")).toEqual({
      denom: "uve",
      amount: "1500000000000000000",
    });
    expect(() => parse(RECORD, "unit_price", "1.5")).toThrow(/--unit_price/);
    expect(() => parse(RECORD, "unit_price", "0.1234567890123456789uve")).toThrow(/price/);
  });

  test("times are RFC 3339, unix seconds, now or ago", () => {
    expect(parse(RECORD, "period_start", "2026-01-01T00:00:00Z")).toBe(1_767_225_600n);
    expect(parse(RECORD, "period_start", "1767225600")).toBe(1_767_225_600n);
    expect(parse(RECORD, "period_start", "now")).toBe(1_767_225_600n);
    expect(parse(RECORD, "period_start", "2h ago")).toBe(1_767_218_400n);
    expect(() => parse(RECORD, "period_start", "yesterday")).toThrow(/expected time/);
  });

  test("durations are seconds or have a unit", () => {
    expect(parse(CREATE, "expires_in", "3600")).toBe(3600n);
    expect(parse(CREATE, "expires_in", "30d")).toBe(2_592_000n);
  });

  test("integers keep their range", () => {
    expect(parse(RECORD, "usage_units", "18446744073709551615")).toBe(2n ** 64n - 1n);
    expect(() => parse(RECORD, "usage_units", "18446744073709551616")).toThrow(/from 0 to/);
    expect(() => parse(RECORD, "usage_units", "-1")).toThrow(/from 0 to/);
    expect(() => parse(RECORD, "usage_units", "1.0")).toThrow(/expected number/);
  });

  test("names of keys become addresses; bytes are hex or base64", () => {
    expect(parse("cosmos.bank.v1beta1.MsgSend", "to_address", "alice")).toBe("ve1alice");
    expect(parse(RECORD, "signature", "0x0aff")).toEqual(Uint8Array.of(10, 255));
    expect(parse(RECORD, "signature", "Cv8=")).toEqual(Uint8Array.of(10, 255));
    expect(() => parse(RECORD, "signature", "0x0")).toThrow(/hex/);
  });

  test("other messages are JSON with proto names", () => {
    const input = '{"address":"ve1x","coins":[{"denom":"uve","amount":"2"}]}';
    expect(parse("cosmos.bank.v1beta1.MsgMultiSend", "inputs", input)).toEqual([
      { address: "ve1x", coins: [{ denom: "uve", amount: "2" }] },
    ]);
    expect(() => parse("cosmos.bank.v1beta1.MsgMultiSend", "inputs", '{"nope":1}')).toThrow(
      /--inputs/,
    );
  });
});
