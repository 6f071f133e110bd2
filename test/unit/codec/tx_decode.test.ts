import { BinaryWriter } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packAny } from "../../../src/codec/any.ts";
import { messageTypeNamed } from "../../../src/codec/message_types.ts";
import { checkWire } from "../../../src/codec/strict_wire.ts";
import { decodeTx } from "../../../src/codec/tx_decode.ts";
import { encodeTxMsgData } from "../../../src/codec/tx_msg_data.ts";
import { TxMsgData } from "../../../src/gen/cosmos/base/abci/v1beta1/abci.ts";
import { AuthInfo, TxBody, TxRaw } from "../../../src/gen/cosmos/tx/v1beta1/tx.ts";
import { concatBytes } from "../../../src/lib/bytes.ts";
import { ChainError } from "../../../src/lib/errors.ts";
import { messageOf } from "./arbitraries.ts";

const key = new Uint8Array(33).fill(2);
const send = packAny("cosmos.bank.v1beta1.MsgSend", {
  fromAddress: "ve1a",
  toAddress: "ve1b",
  amount: [{ denom: "uve", amount: "5" }],
});
const body = TxBody.fromPartial({ messages: [send], memo: "naïve ✓", timeoutHeight: 9n });
const authInfo = AuthInfo.fromPartial({
  signerInfos: [
    {
      publicKey: packAny("cosmos.crypto.secp256k1.PubKey", { key }),
      modeInfo: { single: { mode: 1 } },
      sequence: 7n,
    },
  ],
  fee: { amount: [{ denom: "uve", amount: "500" }], gasLimit: 200_000n },
});
const bodyBytes = TxBody.encode(body).finish();
const authInfoBytes = AuthInfo.encode(authInfo).finish();
const signature = new Uint8Array(64).fill(9);

function rawTx(parts: Partial<TxRaw> = {}): Uint8Array {
  const base = { bodyBytes, authInfoBytes, signatures: [signature] };
  return Uint8Array.from(TxRaw.encode({ ...base, ...parts }).finish());
}

/** The text of the refusal; every refusal is sdk/2. */
function refusal(bytes: Uint8Array): string {
  try {
    decodeTx(bytes);
  } catch (error) {
    if (error instanceof ChainError && error.codespace === "sdk" && error.code === 2) {
      return error.message;
    }
    throw error;
  }
  throw new Error("not refused");
}

function withBody(build: (writer: BinaryWriter) => BinaryWriter): Uint8Array {
  return rawTx({ bodyBytes: concatBytes(bodyBytes, build(new BinaryWriter()).finish()) });
}

function withAuth(build: (writer: BinaryWriter) => BinaryWriter): Uint8Array {
  return rawTx({ authInfoBytes: concatBytes(authInfoBytes, build(new BinaryWriter()).finish()) });
}

function withMessage(typeUrl: string, value: Uint8Array): Uint8Array {
  return rawTx({
    bodyBytes: TxBody.encode(TxBody.fromPartial({ messages: [{ typeUrl, value }] })).finish(),
  });
}

describe("a good tx", () => {
  it("decodes to its parts, with the received bytes", () => {
    const bytes = rawTx();
    const tx = decodeTx(bytes);
    expect(tx.body).toStrictEqual(body);
    expect(tx.authInfo.fee).toStrictEqual(authInfo.fee);
    expect(tx.authInfo.signerInfos).toMatchObject([{ mode: 1, sequence: 7n }]);
    expect(tx.signatures).toStrictEqual([signature]);
    expect(tx.hasUnknownNonCriticals).toBe(false);
    expect(tx.bodyBytes).toStrictEqual(bodyBytes);
    expect(tx.authInfoBytes).toStrictEqual(authInfoBytes);
    expect(tx.bodyBytes.buffer).toBe(bytes.buffer);
  });

  it("may have nothing in it: what is missing is for the ante steps to say", () => {
    const tx = decodeTx(new Uint8Array(0));
    expect(tx.body.messages).toEqual([]);
    expect(tx.authInfo.fee.gasLimit).toBe(0n);
    expect(tx.signatures).toEqual([]);
  });

  it("may hold a non-canonical body, which is kept as received", () => {
    const memoFirst = new BinaryWriter().uint32(18).string("m").finish();
    const received = concatBytes(
      memoFirst,
      TxBody.encode(TxBody.fromPartial({ messages: [send] })).finish(),
    );
    const tx = decodeTx(rawTx({ bodyBytes: received }));
    expect(tx.bodyBytes).toStrictEqual(received);
    expect(tx.body.memo).toBe("m");
  });

  it("may hold unknown non-critical fields in the body and its messages", () => {
    expect(decodeTx(withBody((w) => w.uint32(1024 * 8).uint64(5n))).hasUnknownNonCriticals).toBe(
      true,
    );
    const value = concatBytes(
      send.value,
      new BinaryWriter()
        .uint32(1025 * 8 + 2)
        .string("x")
        .finish(),
    );
    expect(decodeTx(withMessage(send.typeUrl, value)).hasUnknownNonCriticals).toBe(true);
  });

  it("may hold extension options that nobody knows", () => {
    const option = { typeUrl: "/any.Thing", value: new Uint8Array([1, 2, 3]) };
    const extended = { ...body, extensionOptions: [option], nonCriticalExtensionOptions: [option] };
    const tx = decodeTx(rawTx({ bodyBytes: TxBody.encode(extended).finish() }));
    expect(tx.body.extensionOptions).toStrictEqual([option]);
  });

  it("states a multisig by its mode info, without a mode of its own", () => {
    const modeInfo = {
      multi: {
        bitarray: { extraBitsStored: 2, elems: new Uint8Array([192]) },
        modeInfos: [{ single: { mode: 127 as const } }],
      },
    };
    const publicKey = packAny("cosmos.crypto.multisig.LegacyAminoPubKey", {
      threshold: 1,
      publicKeys: [packAny("cosmos.crypto.secp256k1.PubKey", { key })],
    });
    const auth = AuthInfo.fromPartial({ signerInfos: [{ publicKey, modeInfo }] });
    const tx = decodeTx(rawTx({ authInfoBytes: AuthInfo.encode(auth).finish() }));
    expect(tx.authInfo.signerInfos[0]).toMatchObject({ mode: 0, modeInfo });
  });
});

describe("refused with sdk/2", () => {
  const nested = (levels: number) => {
    let bytes = new Uint8Array(0);
    for (let level = 0; level < levels; level += 1) {
      const inner = new BinaryWriter().uint32(18).bytes(bytes).finish();
      bytes = Uint8Array.from(new BinaryWriter().uint32(18).bytes(inner).finish());
    }
    const info = new BinaryWriter().uint32(18).bytes(bytes).finish();
    return new BinaryWriter().uint32(10).bytes(info).finish();
  };
  const longForm = Uint8Array.from([
    0x0a,
    0x80 | (bodyBytes.length % 128),
    bodyBytes.length >> 7,
    ...bodyBytes,
  ]);
  const overlong = Uint8Array.from([0x92, 0x00, 0x00]);
  const cases: [string, Uint8Array, string][] = [
    ["garbage after the end", concatBytes(rawTx(), new Uint8Array([0])), "illegal field number"],
    ["an unknown field", concatBytes(rawTx(), new Uint8Array([0x20, 1])), "unknown field 4"],
    [
      "fields out of order",
      concatBytes(rawTx({ signatures: [] }), new Uint8Array([0x0a, 0])),
      "not in order",
    ],
    ["a field twice", Uint8Array.from([0x0a, 0, 0x0a, 0]), "not in order"],
    ["a tag longer than needed", overlong, "tag is not in its shortest form"],
    [
      "a length longer than needed",
      Uint8Array.from([0x0a, 0x80, 0x00]),
      "length is not in its shortest form",
    ],
    ["truncation", rawTx().slice(0, -1), "length beyond the end"],
    [
      "a length of 2^63",
      Uint8Array.from([0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
      "length beyond the end",
    ],
    [
      "a varint of 11 bytes",
      Uint8Array.from([0x0a, ...new Array<number>(10).fill(0x80), 1]),
      "varint longer than 64 bits",
    ],
    ["a group", Uint8Array.from([0x0b, 0x0c]), "illegal wire type 3"],
    [
      "a wire type that does not fit",
      withBody((w) => w.uint32(3 * 8 + 2).string("x")),
      "timeout_height",
    ],
    [
      "an unknown critical field of the body",
      withBody((w) => w.uint32(4 * 8).uint64(1n)),
      "unknown field 4 of cosmos.tx.v1beta1.TxBody",
    ],
    [
      "an unknown field of the auth info, critical or not",
      withAuth((w) => w.uint32(1024 * 8).uint64(1n)),
      "unknown field 1024 of cosmos.tx.v1beta1.AuthInfo",
    ],
    ["a second memo", withBody((w) => w.uint32(18).string("again")), "memo given twice"],
    [
      "text that is not UTF-8",
      rawTx({ bodyBytes: Uint8Array.from([0x12, 1, 0xff]) }),
      "memo is not UTF-8",
    ],
    [
      "a message of an unknown type",
      withMessage("/no.Such", new Uint8Array(0)),
      "unable to resolve type URL /no.Such: tx parse error",
    ],
    [
      "a message without a slash",
      withMessage("cosmos.bank.v1beta1.MsgSend", send.value),
      "unable to resolve type URL",
    ],
    [
      "a message that no tx carries",
      withMessage("/cosmos.base.v1beta1.Coin", new Uint8Array(0)),
      "unable to resolve type URL /cosmos.base.v1beta1.Coin",
    ],
    [
      "a type named like a member of objects",
      withMessage("/constructor", new Uint8Array(0)),
      "unable to resolve type URL /constructor",
    ],
    [
      "a malformed message",
      withMessage(send.typeUrl, new Uint8Array([0x0a, 9])),
      "length beyond the end",
    ],
    [
      "a key that is none",
      rawTx({
        authInfoBytes: AuthInfo.encode(
          AuthInfo.fromPartial({ signerInfos: [{ publicKey: send }] }),
        ).finish(),
      }),
      "unable to resolve type URL",
    ],
    [
      "a oneof given twice",
      rawTx({ authInfoBytes: Uint8Array.from([0x0a, 8, 0x12, 6, 0x0a, 2, 8, 1, 0x12, 0]) }),
      "sum given twice",
    ],
    ["nesting", rawTx({ authInfoBytes: nested(40) }), "nested deeper than 48"],
    ["nesting without end", rawTx({ authInfoBytes: nested(3000) }), "nested deeper than 48"],
  ];
  it.each(cases)("%s", (_, bytes, message) => {
    expect(refusal(bytes)).toContain(message);
  });

  it("keeps the shortest form apart from the long one", () => {
    expect(bodyBytes.length).toBeGreaterThan(30);
    expect(refusal(longForm)).toContain("shortest form");
  });
});

describe("hostile bytes", () => {
  const isOnlyRefused = (bytes: Uint8Array) => {
    try {
      decodeTx(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(ChainError);
      expect(error).toMatchObject({ codespace: "sdk", code: 2 });
    }
  };

  it("random ones", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), isOnlyRefused), { numRuns: 3000 });
  });

  it("mutations of a good tx", () => {
    const good = rawTx();
    const edit = fc.record({
      at: fc.nat(good.length - 1),
      remove: fc.nat(4),
      insert: fc.uint8Array({ maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        let bytes = [...good];
        for (const { at, remove, insert } of edits) {
          bytes = [...bytes.slice(0, at), ...insert, ...bytes.slice(at + remove)];
        }
        isOnlyRefused(Uint8Array.from(bytes));
      }),
      { numRuns: 5000 },
    );
  });

  it("mutations inside the body and the auth info, in a canonical TxRaw", () => {
    const flips = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 3 });
    const flip = (bytes: Uint8Array, edits: [number, number][]) => {
      const copy = Uint8Array.from(bytes);
      for (const [at, value] of edits) copy[at % copy.length] = value;
      return copy;
    };
    fc.assert(
      fc.property(flips, flips, (a, b) => {
        isOnlyRefused(
          rawTx({ bodyBytes: flip(bodyBytes, a), authInfoBytes: flip(authInfoBytes, b) }),
        );
      }),
      { numRuns: 5000 },
    );
  });

  it("what passes decodes as the generated code decodes it", () => {
    const type = messageTypeNamed("cosmos.tx.v1beta1.Tx");
    fc.assert(
      fc.property(messageOf(type, 5), (message) => {
        const bytes = type.codec.encode(message).finish();
        expect(checkWire(type, bytes)).toBe(false);
        const again = type.codec.encode(type.codec.decode(bytes)).finish();
        expect(again).toStrictEqual(bytes);
      }),
      { numRuns: 200 },
    );
  });

  it("a large tx takes linear time", () => {
    const messages = new Array(20_000).fill(send);
    const large = rawTx({ bodyBytes: TxBody.encode(TxBody.fromPartial({ messages })).finish() });
    expect(large.length).toBeGreaterThan(1_000_000);
    expect(decodeTx(large).body.messages.length).toBe(20_000);
  });
});

it("encodes the data of a tx result", () => {
  const response = { typeUrl: "/cosmos.bank.v1beta1.MsgSendResponse", value: new Uint8Array(0) };
  const data = TxMsgData.decode(encodeTxMsgData([response, response]));
  expect(data).toStrictEqual({ data: [], msgResponses: [response, response] });
});
