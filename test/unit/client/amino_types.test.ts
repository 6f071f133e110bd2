import { fromBase64 } from "@cosmjs/encoding";
import { AminoTypes } from "@cosmjs/stargate";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { settledAminoConverters, settledTypes } from "../../../src/client/amino_types.ts";
import { aminoMsg } from "../../../src/codec/amino_json.ts";
import { messageTypeOfUrl } from "../../../src/codec/message_types.ts";
import { SERVICES } from "../../../src/gen/schema.ts";
import { must } from "../../../src/lib/assert.ts";
import { messageOf } from "../codec/arbitraries.ts";

const aminoTypes = new AminoTypes(settledAminoConverters());
const urls = settledTypes().map(([url]) => url);

test("every message of the chain's own services has a type and a converter", () => {
  const own = SERVICES.filter(({ isMsg, name }) => isMsg === true && !name.startsWith("cosmos."));
  const expected = own.flatMap(({ methods }) => methods.map(({ input }) => `/${input}`));
  expect(urls).toEqual(expected);
  expect(Object.keys(settledAminoConverters())).toEqual(expected);
});

test("a usage report as a wallet signs it, and back", () => {
  const typeUrl = "/virtengine.settlement.v1.MsgRecordUsage";
  const value = {
    ...{ sender: "ve1a", orderId: "o", leaseId: "l", usageType: "cpu" },
    ...{ usageUnits: 7n, periodStart: 10n, periodEnd: 20n },
    unitPrice: { denom: "uve", amount: "1500000000000000000" },
    signature: new Uint8Array([1, 2, 3]),
  };
  const amino = aminoTypes.toAmino({ typeUrl, value });
  expect(amino).toEqual({
    type: "settlement/MsgRecordUsage",
    value: {
      ...{ sender: "ve1a", order_id: "o", lease_id: "l", usage_type: "cpu" },
      ...{ usage_units: "7", period_start: "10", period_end: "20" },
      unit_price: { denom: "uve", amount: "1.500000000000000000" },
      signature: "AQID",
    },
  });
  expect(fromBase64("AQID")).toEqual(value.signature);
  expect(aminoTypes.fromAmino(amino)).toEqual({ typeUrl, value });
});

test("what is no amino JSON of the message is refused with its field", () => {
  const back = (value: object) => () =>
    aminoTypes.fromAmino({ type: "settlement/MsgRecordUsage", value });
  expect(back({ usage_units: 7 })).toThrow(/usage_units: expected an integer as text/);
  expect(back({ surprise: 1 })).toThrow(/no field "surprise"/);
  expect(back({ signature: "?" })).toThrow(/signature: expected base64/);
  expect(back({ unit_price: { amount: "1,5" } })).toThrow(/amount: expected a decimal/);
  expect(back([])).toThrow(/expected an object/);
});

describe.each(urls)("%s", (typeUrl) => {
  test("comes back from amino JSON with the same bytes to sign", () => {
    const type = must(messageTypeOfUrl(typeUrl), typeUrl);
    fc.assert(
      fc.property(messageOf(type), (value) => {
        const amino = aminoTypes.toAmino({ typeUrl, value });
        const back = aminoTypes.fromAmino(amino).value as object;
        expect(aminoMsg(type, back)).toEqual(amino);
        expect(aminoTypes.toAmino({ typeUrl, value: back })).toEqual(amino);
      }),
      { numRuns: 50 },
    );
  });
});
