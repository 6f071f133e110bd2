import { describe, expect, it } from "vitest";
import { aminoMsg } from "../../../src/codec/amino_json.ts";
import { packAny, unpackAny } from "../../../src/codec/any.ts";
import { messageTypeNamed } from "../../../src/codec/message_types.ts";

function amino(name: string, partial: object) {
  const type = messageTypeNamed(name);
  return aminoMsg(type, type.codec.fromPartial(partial));
}

const key = new Uint8Array(33).fill(2);

describe("amino JSON", () => {
  it("shows an unset list as null, or as [] where it is of coins", () => {
    expect(amino("cosmos.bank.v1beta1.MsgMultiSend", {})).toEqual({
      type: "cosmos-sdk/MsgMultiSend",
      value: { inputs: null, outputs: null },
    });
    expect(amino("cosmos.bank.v1beta1.MsgMultiSend", { inputs: [{ address: "a" }] })).toEqual({
      type: "cosmos-sdk/MsgMultiSend",
      value: { inputs: [{ address: "a", coins: [] }], outputs: null },
    });
  });

  it("shows an empty amount as 0, a message that is set but empty as {}", () => {
    const record = "virtengine.settlement.v1.MsgRecordUsage";
    expect(amino(record, { unitPrice: {} }).value).toEqual({ unit_price: {} });
    const send = amino("cosmos.bank.v1beta1.MsgSend", { amount: [{}] });
    expect(send.value).toEqual({ amount: [{ amount: "0" }] });
  });

  it("shows keys and nested Anys as the SDK does", () => {
    const member = packAny("cosmos.crypto.secp256k1.PubKey", { key });
    const publicKeys = [member, member];
    const pubKey = packAny("cosmos.crypto.multisig.LegacyAminoPubKey", {
      threshold: 2,
      publicKeys,
    });
    const single = { type: "tendermint/PubKeySecp256k1", value: expect.stringMatching(/^AgICAg/) };
    expect(
      amino("cosmos.auth.v1beta1.BaseAccount", { address: "a", pubKey, sequence: 4n }),
    ).toEqual({
      type: "cosmos-sdk/BaseAccount",
      value: {
        address: "a",
        pub_key: {
          type: "tendermint/PubKeyMultisigThreshold",
          value: { threshold: "2", pubkeys: [single, single] },
        },
        sequence: "4",
      },
    });
  });

  it.each<[string, object, string]>([
    ["cosmos.base.v1beta1.Coin", {}, "/cosmos.base.v1beta1.Coin has no amino name"],
    [
      "virtengine.settlement.v1.MsgRecordUsage",
      { unitPrice: { amount: "1.5" } },
      'cosmos.base.v1beta1.DecCoin.amount: "1.5" is not a number',
    ],
    [
      "cosmos.auth.v1beta1.BaseAccount",
      { pubKey: packAny("cosmos.base.v1beta1.Coin", {}) },
      "has no amino name",
    ],
  ])("refuses %s %o", (name, partial, message) => {
    expect(() => amino(name, partial)).toThrow(message);
  });
});

describe("Any", () => {
  it("packs and unpacks", () => {
    const any = packAny("cosmos.base.v1beta1.Coin", { denom: "uve" });
    expect(any.typeUrl).toBe("/cosmos.base.v1beta1.Coin");
    const { type, message } = unpackAny(any);
    expect(type.name).toBe("cosmos.base.v1beta1.Coin");
    expect(message).toEqual({ denom: "uve", amount: "" });
  });

  it.each([
    ["/no.Such", new Uint8Array(0)],
    ["cosmos.base.v1beta1.Coin", new Uint8Array(0)],
    ["/cosmos.base.v1beta1.Coin", new Uint8Array([0x18, 1])],
  ])("refuses %s with %o", (typeUrl, value) => {
    expect(() => unpackAny({ typeUrl, value })).toThrow(
      expect.objectContaining({ codespace: "sdk", code: 34 }),
    );
  });
});
