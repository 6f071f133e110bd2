import { describe, expect, it } from "vitest";
import { hexToJson, jsonToHex } from "../../../src/cli/presence_codec.ts";

const typeUrl = "/virtengine.settlement.v1.MsgSettleOrder";

describe("the presence codec", () => {
  it("keeps what is there, and only that", () => {
    expect(jsonToHex({ typeUrl, json: { is_final: false } })).toBe("2000");
    expect(hexToJson({ typeUrl, hex: " 2000\n" })).toStrictEqual({ is_final: false });
    expect(hexToJson({ typeUrl, hex: "" })).toStrictEqual({});
  });

  it("takes a name without a slash too", () => {
    expect(jsonToHex({ typeUrl: typeUrl.slice(1), json: { order_id: "a" } })).toBe("120161");
  });

  it.each<[string, unknown, string]>([
    ["/no.Such", {}, "no message type /no.Such"],
    [typeUrl, [], "$: expected an object"],
    [
      typeUrl,
      { isFinal: true },
      "$.isFinal: no such field in virtengine.settlement.v1.MsgSettleOrder",
    ],
    [typeUrl, { is_final: 1 }, "$.is_final: expected true or false"],
    [typeUrl, { usage_record_ids: ["a", 1] }, "$.usage_record_ids[1]: expected text"],
    [
      "/cosmos.tx.v1beta1.Fee",
      { gas_limit: "-1" },
      "$.gas_limit: expected an integer that fits uint64",
    ],
    ["/cosmos.tx.v1beta1.Fee", { amount: [{ amount: 5 }] }, "$.amount[0].amount: expected text"],
    [
      "/cosmos.tx.v1beta1.ModeInfo",
      { single: { mode: "X" } },
      "$.single.mode: expected a value of",
    ],
    ["/cosmos.tx.v1beta1.TxRaw", { body_bytes: "?" }, "$.body_bytes: expected base64"],
  ])("%s refuses %j", (url, json, message) => {
    expect(() => jsonToHex({ typeUrl: url, json })).toThrow(message);
  });

  it.each([
    ["0", "not hex"],
    ["zz", "not hex"],
    ["2800", "unknown field 5"],
    ["1205", "length beyond the end"],
  ])("refuses the hex %s", (hex, message) => {
    expect(() => hexToJson({ typeUrl, hex })).toThrow(message);
  });
});
