import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packAny } from "../../../src/codec/any.ts";
import { messageTypeNamed } from "../../../src/codec/message_types.ts";
import {
  messageFromJson,
  messageToJson,
  messageToJsonPieces,
} from "../../../src/codec/proto_json.ts";
import { MESSAGES } from "../../../src/gen/schema.ts";
import { ChainError } from "../../../src/lib/errors.ts";
import { messageOf } from "./arbitraries.ts";

const SETTLEMENT = "virtengine.settlement.v1";
const RECORD = `${SETTLEMENT}.MsgRecordUsage`;

function refusal(name: string, json: unknown): string {
  try {
    messageFromJson(name, json);
  } catch (error) {
    if (error instanceof ChainError && error.codespace === "sdk" && error.code === 29) {
      return error.message;
    }
    throw error;
  }
  throw new Error("not refused");
}

describe("to JSON", () => {
  it("shows what the message holds, the Cosmos way", () => {
    const { codec } = messageTypeNamed(RECORD);
    const message = codec.fromPartial({
      sender: "ve1p",
      orderId: "o",
      usageUnits: 2n ** 64n - 1n,
      periodStart: -5n,
      unitPrice: { denom: "uve", amount: "1500000000000000000" },
      signature: new Uint8Array([1, 2]),
    });
    expect(messageToJson(RECORD, message)).toStrictEqual({
      sender: "ve1p",
      order_id: "o",
      lease_id: "",
      usage_units: "18446744073709551615",
      usage_type: "",
      period_start: "-5",
      period_end: "0",
      unit_price: { denom: "uve", amount: "1.500000000000000000" },
      signature: "AQI=",
    });
    expect(
      messageToJson(RECORD, message, { emitDefaults: false, verbatimDecs: true }),
    ).toStrictEqual({
      sender: "ve1p",
      order_id: "o",
      usage_units: "18446744073709551615",
      period_start: "-5",
      unit_price: { denom: "uve", amount: "1500000000000000000" },
      signature: "AQI=",
    });
  });

  it("shows empty bytes and absent messages as null, empty lists and maps as such", () => {
    const page = "cosmos.base.query.v1beta1.PageResponse";
    expect(messageToJson(page, { nextKey: new Uint8Array(0), total: 0n })).toStrictEqual({
      next_key: null,
      total: "0",
    });
    const usage = messageTypeNamed(`${SETTLEMENT}.UsageRecord`).codec.fromPartial({});
    expect(messageToJson(`${SETTLEMENT}.UsageRecord`, usage)).toMatchObject({
      unit_price: null,
      total_cost: [],
      metadata: {},
      settled: false,
    });
  });

  it("shows enums by name, unknown numbers as numbers", () => {
    const single = "cosmos.tx.v1beta1.ModeInfo.Single";
    expect(messageToJson(single, { mode: 127 })).toStrictEqual({
      mode: "SIGN_MODE_LEGACY_AMINO_JSON",
    });
    expect(messageToJson(single, { mode: 77 })).toStrictEqual({ mode: 77 });
    expect(messageToJson(single, { mode: 0 })).toStrictEqual({ mode: "SIGN_MODE_UNSPECIFIED" });
  });

  it("shows the set member of a oneof, even when it is a default, and no other", () => {
    const key = "tendermint.crypto.PublicKey";
    expect(messageToJson(key, { ed25519: new Uint8Array(0), secp256k1: undefined })).toStrictEqual({
      ed25519: "",
    });
    expect(messageToJson(key, {})).toStrictEqual({});
  });

  it.each([
    [{ seconds: 0n, nanos: 0 }, "1970-01-01T00:00:00Z"],
    [{ seconds: 1_700_000_000n, nanos: 100_000_000 }, "2023-11-14T22:13:20.100Z"],
    [{ seconds: -1n, nanos: 1000 }, "1969-12-31T23:59:59.000001Z"],
    [{ seconds: 253_402_300_799n, nanos: 999_999_999 }, "9999-12-31T23:59:59.999999999Z"],
  ])("shows the time %o as %s", (timestamp, text) => {
    const status = "cosmos.base.node.v1beta1.StatusResponse";
    const { codec } = messageTypeNamed(status);
    expect(messageToJson(status, codec.fromPartial({ timestamp }))["timestamp"]).toBe(text);
  });

  it.each([
    [{ seconds: 172_800n, nanos: 0 }, "172800s"],
    [{ seconds: 0n, nanos: -500_000_000 }, "-0.500s"],
    [{ seconds: 1n, nanos: 1 }, "1.000000001s"],
  ])("shows the duration %o as %s", (maxAgeDuration, text) => {
    const params = "tendermint.types.EvidenceParams";
    const { codec } = messageTypeNamed(params);
    const json = messageToJson(params, codec.fromPartial({ maxAgeDuration }));
    expect(json["max_age_duration"]).toBe(text);
  });

  it("shows an Any by its fields, and one that cannot be read by its bytes", () => {
    const any = packAny("cosmos.bank.v1beta1.MsgSend", { fromAddress: "a" });
    const account = "cosmos.auth.v1beta1.QueryAccountResponse";
    expect(messageToJson(account, { account: any })).toStrictEqual({
      account: {
        "@type": "/cosmos.bank.v1beta1.MsgSend",
        from_address: "a",
        to_address: "",
        amount: [],
      },
    });
    const value = new Uint8Array([255]);
    for (const typeUrl of ["/no.Such", "/cosmos.bank.v1beta1.MsgSend"]) {
      expect(messageToJson(account, { account: { typeUrl, value } })).toStrictEqual({
        account: { "@type": typeUrl, value: "/w==" },
      });
    }
  });

  it("shows a Dec that is no number as it is", () => {
    const coin = "cosmos.base.v1beta1.DecCoin";
    expect(messageToJson(coin, { denom: "x", amount: "1.5" })["amount"]).toBe("1.5");
  });

  it("refuses a time that RFC 3339 cannot show", () => {
    const status = "cosmos.base.node.v1beta1.StatusResponse";
    const { codec } = messageTypeNamed(status);
    const message = codec.fromPartial({ timestamp: { seconds: 2n ** 62n, nanos: 0 } });
    expect(() => messageToJson(status, message)).toThrow("$.timestamp: out of the range");
  });
});

describe("from JSON", () => {
  it("reads proto names, camel case, numbers and null", () => {
    const json = {
      order_id: "o",
      leaseId: "l",
      usage_units: 5,
      period_start: "-9223372036854775808",
      unit_price: { denom: "uve", amount: "0.5" },
      signature: "-_8",
      usage_type: null,
    };
    expect(messageFromJson(RECORD, json)).toStrictEqual({
      sender: "",
      orderId: "o",
      leaseId: "l",
      usageUnits: 5n,
      usageType: "",
      periodStart: -(2n ** 63n),
      periodEnd: 0n,
      unitPrice: { denom: "uve", amount: "500000000000000000" },
      signature: new Uint8Array([251, 255]),
    });
  });

  it("reads atomics verbatim when told to", () => {
    const json = { unit_price: { amount: "500000000000000000" } };
    const message = messageFromJson<{ unitPrice: { amount: string } }>(RECORD, json, {
      verbatimDecs: true,
    });
    expect(message.unitPrice.amount).toBe("500000000000000000");
  });

  it("reads an Any, also of a message that JSON shows as text", () => {
    const account = "cosmos.auth.v1beta1.QueryAccountResponse";
    const json = { account: { "@type": "/google.protobuf.Duration", value: "1.5s" } };
    const expected = packAny("google.protobuf.Duration", { seconds: 1n, nanos: 500_000_000 });
    expect(messageFromJson(account, json)).toStrictEqual({ account: expected });
  });

  const tx = {
    body: { messages: [{ "@type": "/cosmos.bank.v1beta1.MsgSend", amount: [{ x: 1 }] }] },
  };
  it.each<[string, unknown, string]>([
    [RECORD, [], "$: expected object, found array"],
    [RECORD, { nope: 1 }, "$.nope: unknown field of virtengine.settlement.v1.MsgRecordUsage"],
    [RECORD, { order_id: "a", orderId: "b" }, "$.orderId: given twice"],
    [RECORD, { order_id: 5 }, "$.order_id: expected string, found 5"],
    [RECORD, { usage_units: "-1" }, "$.usage_units: -1 is out of range for uint64"],
    [RECORD, { usage_units: "18446744073709551616" }, "is out of range for uint64"],
    [RECORD, { usage_units: 0.5 }, "$.usage_units: expected integer (uint64), found 0.5"],
    [RECORD, { usage_units: 2 ** 53 }, "expected integer (uint64), found 9007199254740992"],
    [RECORD, { usage_units: "1e3" }, 'expected integer (uint64), found "1e3"'],
    [RECORD, { signature: "%" }, '$.signature: expected base64 text, found "%"'],
    [
      RECORD,
      { unit_price: { amount: "0.1234567890123456789" } },
      "$.unit_price.amount: expected a decimal",
    ],
    [RECORD, { order_id: "\ud800" }, "$.order_id: text with a lone surrogate"],
    [
      `${SETTLEMENT}.MsgSettleOrder`,
      { is_final: "true" },
      '$.is_final: expected boolean, found "true"',
    ],
    [
      `${SETTLEMENT}.MsgSettleOrder`,
      { usage_record_ids: ["a", null] },
      "$.usage_record_ids[1]: expected string, found null",
    ],
    [`${SETTLEMENT}.UsageRecord`, { metadata: { a: 1 } }, "$.metadata.a: expected string, found 1"],
    [
      `${SETTLEMENT}.UsageRecord`,
      JSON.parse('{"metadata":{"__proto__":"x"}}'),
      "not a possible key",
    ],
    ["cosmos.tx.v1beta1.ModeInfo", { single: {}, multi: {} }, "$.multi: sum is set already"],
    [
      "cosmos.tx.v1beta1.ModeInfo",
      { single: { mode: "NOPE" } },
      '$.single.mode: expected a value of cosmos.tx.signing.v1beta1.SignMode, found "NOPE"',
    ],
    [
      "cosmos.tx.v1beta1.Tx",
      tx,
      "$.body.messages[0].amount[0].x: unknown field of cosmos.base.v1beta1.Coin",
    ],
    [
      "cosmos.tx.v1beta1.Tx",
      { body: { messages: [{}] } },
      "$.body.messages[0].@type: expected string, found undefined",
    ],
    [
      "cosmos.tx.v1beta1.Tx",
      { body: { messages: [{ "@type": "/x.Y" }] } },
      'unable to resolve type URL "/x.Y"',
    ],
    [
      "cosmos.base.node.v1beta1.StatusResponse",
      { timestamp: "2024-02-30T00:00:00Z" },
      "$.timestamp: expected an RFC 3339 time",
    ],
    [
      "tendermint.types.EvidenceParams",
      { max_age_duration: "1h" },
      "$.max_age_duration: expected seconds",
    ],
  ])("%s refuses %j", (name, json, message) => {
    expect(refusal(name, json)).toContain(message);
  });

  it("refuses nesting without end", () => {
    let json: unknown = {};
    for (let depth = 0; depth < 5000; depth += 1) json = { multi: { mode_infos: [json] } };
    expect(refusal("cosmos.tx.v1beta1.ModeInfo", json)).toContain("nested deeper than 48");
  });
});

describe("both ways", () => {
  it.each(MESSAGES.map(({ name }) => name))("%s", (name) => {
    const type = messageTypeNamed(name);
    if (/^google\.protobuf\./.test(name)) return;
    fc.assert(
      fc.property(
        messageOf(type),
        fc.boolean(),
        fc.boolean(),
        (message, emitDefaults, verbatim) => {
          const json = messageToJson(name, message, { emitDefaults, verbatimDecs: verbatim });
          const text = JSON.parse(JSON.stringify(json)) as unknown;
          expect(messageFromJson(name, text, { verbatimDecs: verbatim })).toStrictEqual(message);
          const pieces = [...messageToJsonPieces(name, message, JSON.stringify)].join("");
          expect(pieces).toBe(JSON.stringify(messageToJson(name, message)));
        },
      ),
      { numRuns: 8 },
    );
  });
});
