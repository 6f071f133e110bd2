import {
  type AminoMsg,
  encodeSecp256k1Pubkey,
  makeSignDoc as makeAminoSignDoc,
  Secp256k1HdWallet,
  type StdFee,
  serializeSignDoc,
} from "@cosmjs/amino";
import {
  DirectSecp256k1HdWallet,
  encodePubkey,
  type GeneratedType,
  makeAuthInfoBytes,
  makeSignBytes,
  makeSignDoc,
  Registry,
} from "@cosmjs/proto-signing";
import {
  AminoTypes,
  createBankAminoConverters,
  defaultRegistryTypes,
  SigningStargateClient,
} from "@cosmjs/stargate";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { describe, expect, it } from "vitest";
import { messageTypeOfUrl } from "../../../src/codec/message_types.ts";
import { aminoSignBytes, directSignBytes, signBytesOf } from "../../../src/codec/sign_bytes.ts";
import { decodeTx } from "../../../src/codec/tx_decode.ts";
import { AuthInfo, TxBody, TxRaw } from "../../../src/gen/cosmos/tx/v1beta1/tx.ts";
import { concatBytes, fromUtf8, toBase64 } from "../../../src/lib/bytes.ts";
import { sha256 } from "../../../src/lib/sha256.ts";

const mnemonic =
  "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
const chainId = "settled-1";
const fee: StdFee = { amount: [{ denom: "uve", amount: "500" }], gas: "200000" };
const memo = 'R&D <é ✓> "quoted" \u{1F680}';
const at = { accountNumber: 12n, sequence: 34, chainId };
const signerData = { chainId, accountNumber: 12n, sequence: 34n };
const S = "/virtengine.settlement.v1.";
const sender = "ve1sender";

/** Messages as clients hold them, each beside the amino JSON that its converter must give. */
const CASES: readonly { typeUrl: string; value: object; amino: AminoMsg }[] = [
  {
    typeUrl: "/cosmos.bank.v1beta1.MsgSend",
    value: { fromAddress: "ve1a", toAddress: "ve1b", amount: [{ denom: "uve", amount: "5" }] },
    amino: {
      type: "cosmos-sdk/MsgSend",
      value: { from_address: "ve1a", to_address: "ve1b", amount: [{ denom: "uve", amount: "5" }] },
    },
  },
  {
    typeUrl: "/cosmos.bank.v1beta1.MsgSend",
    value: { fromAddress: "ve1a", toAddress: "ve1b", amount: [] },
    amino: {
      type: "cosmos-sdk/MsgSend",
      value: { from_address: "ve1a", to_address: "ve1b", amount: [] },
    },
  },
  {
    typeUrl: `${S}MsgCreateEscrow`,
    value: {
      sender,
      orderId: "order-1",
      amount: [
        { denom: "ibc/27394FB0", amount: "1" },
        { denom: "uve", amount: "340282366920938463463374607431768211456" },
      ],
      expiresIn: 2n ** 64n - 1n,
    },
    amino: {
      type: "settlement/MsgCreateEscrow",
      value: {
        sender,
        order_id: "order-1",
        amount: [
          { denom: "ibc/27394FB0", amount: "1" },
          { denom: "uve", amount: "340282366920938463463374607431768211456" },
        ],
        expires_in: "18446744073709551615",
      },
    },
  },
  {
    typeUrl: `${S}MsgCreateEscrow`,
    value: { sender, orderId: "", amount: [], expiresIn: 0n },
    amino: { type: "settlement/MsgCreateEscrow", value: { sender } },
  },
  {
    typeUrl: `${S}MsgActivateEscrow`,
    value: { sender, escrowId: "escrow-1", leaseId: "a/b", recipient: "ve1p" },
    amino: {
      type: "settlement/MsgActivateEscrow",
      value: { sender, escrow_id: "escrow-1", lease_id: "a/b", recipient: "ve1p" },
    },
  },
  {
    typeUrl: `${S}MsgReleaseEscrow`,
    value: { sender, escrowId: "escrow-1", amount: [{ denom: "uve", amount: "1" }], reason: "" },
    amino: {
      type: "settlement/MsgReleaseEscrow",
      value: { sender, escrow_id: "escrow-1", amount: [{ denom: "uve", amount: "1" }] },
    },
  },
  {
    typeUrl: `${S}MsgRefundEscrow`,
    value: { sender, escrowId: "escrow-1", reason: "a < b & c > d" },
    amino: {
      type: "settlement/MsgRefundEscrow",
      value: { sender, escrow_id: "escrow-1", reason: "a < b & c > d" },
    },
  },
  {
    typeUrl: `${S}MsgDisputeEscrow`,
    value: { sender, escrowId: "escrow-1", reason: "défaut", evidence: "line\nline\ttab\u0001" },
    amino: {
      type: "settlement/MsgDisputeEscrow",
      value: {
        sender,
        escrow_id: "escrow-1",
        reason: "défaut",
        evidence: "line\nline\ttab\u0001",
      },
    },
  },
  {
    typeUrl: `${S}MsgSettleOrder`,
    value: { sender, orderId: "order-1", usageRecordIds: ["usage-2", "usage-1"], isFinal: true },
    amino: {
      type: "settlement/MsgSettleOrder",
      value: {
        sender,
        order_id: "order-1",
        usage_record_ids: ["usage-2", "usage-1"],
        is_final: true,
      },
    },
  },
  {
    typeUrl: `${S}MsgRecordUsage`,
    value: {
      sender,
      orderId: "order-1",
      leaseId: "lease-1",
      usageUnits: 3600n,
      usageType: "gpu",
      periodStart: -5n,
      periodEnd: 1_700_000_000n,
      unitPrice: { denom: "uve", amount: "1500000000000000001" },
      signature: new Uint8Array([251, 255, 0]),
    },
    amino: {
      type: "settlement/MsgRecordUsage",
      value: {
        sender,
        order_id: "order-1",
        lease_id: "lease-1",
        usage_units: "3600",
        usage_type: "gpu",
        period_start: "-5",
        period_end: "1700000000",
        unit_price: { denom: "uve", amount: "1.500000000000000001" },
        signature: "+/8A",
      },
    },
  },
  {
    typeUrl: `${S}MsgAcknowledgeUsage`,
    value: { sender, usageId: "usage-1", signature: new Uint8Array([1]) },
    amino: {
      type: "settlement/MsgAcknowledgeUsage",
      value: { sender, usage_id: "usage-1", signature: "AQ==" },
    },
  },
  {
    typeUrl: `${S}MsgClaimRewards`,
    value: { sender, source: "usage" },
    amino: { type: "settlement/MsgClaimRewards", value: { sender, source: "usage" } },
  },
];

const messages = CASES.map(({ typeUrl, value }) => ({ typeUrl, value }));

/** The registry of a client that knows our messages, built as its documentation says. */
function clientRegistry(): Registry {
  const registry = new Registry(defaultRegistryTypes);
  for (const { typeUrl } of CASES) {
    const codec = messageTypeOfUrl(typeUrl)?.codec;
    // Same code, but cosmjs names the CommonJS twin of the writer's type.
    if (codec !== undefined) registry.register(typeUrl, codec as unknown as GeneratedType);
  }
  return registry;
}

/** Converters that look the expected amino value up, so that this test states every byte itself. */
function clientAminoTypes(): AminoTypes {
  const converters = CASES.filter(({ typeUrl }) => typeUrl.startsWith(S)).map(
    ({ typeUrl, amino }) => {
      const toAmino = (value: object) =>
        CASES.find((it) => it.typeUrl === typeUrl && it.value === value)?.amino.value;
      const fromAmino = (value: object) =>
        CASES.find((it) => it.typeUrl === typeUrl && it.amino.value === value)?.value;
      return [typeUrl, { aminoType: amino.type, toAmino, fromAmino }] as const;
    },
  );
  return new AminoTypes({ ...createBankAminoConverters(), ...Object.fromEntries(converters) });
}

async function sign(mode: "direct" | "amino", options: { timeoutHeight?: bigint; fee?: StdFee }) {
  const wallet = await (mode === "direct"
    ? DirectSecp256k1HdWallet.fromMnemonic(mnemonic, { prefix: "ve" })
    : Secp256k1HdWallet.fromMnemonic(mnemonic, { prefix: "ve" }));
  const [account] = await wallet.getAccounts();
  if (account === undefined) throw new Error("no account");
  const client = await SigningStargateClient.offline(wallet, {
    registry: clientRegistry(),
    aminoTypes: clientAminoTypes(),
  });
  const paid = options.fee ?? fee;
  const tx = await client.sign(account.address, messages, paid, memo, at, options.timeoutHeight);
  return { account, bytes: Uint8Array.from(TxRaw.encode(TxRaw.fromPartial(tx)).finish()) };
}

describe("what cosmjs signs, we verify", () => {
  it.each<["direct" | "amino", number, bigint | undefined, StdFee]>([
    ["direct", 1, undefined, fee],
    ["direct", 1, 99n, { ...fee, granter: "ve1granter" }],
    ["amino", 127, undefined, fee],
    ["amino", 127, 99n, { ...fee, payer: "ve1payer", granter: "ve1granter" }],
    ["amino", 127, undefined, { amount: [], gas: "0" }],
  ])("%s (mode %i), timeout %s, fee %o", async (mode, number, timeoutHeight, paid) => {
    const timeout = timeoutHeight === undefined ? {} : { timeoutHeight };
    const { account, bytes } = await sign(mode, { ...timeout, fee: paid });
    const tx = decodeTx(bytes);
    expect(tx.authInfo.signerInfos[0]?.mode).toBe(number);
    const digest = sha256(signBytesOf(tx, { ...signerData, mode: number }));
    const [signature] = tx.signatures;
    const verify = (message: Uint8Array) =>
      secp256k1.verify(signature as Uint8Array, message, account.pubkey, { prehash: false });
    expect(verify(digest)).toBe(true);
    const other = signBytesOf(tx, { ...signerData, accountNumber: 13n, mode: number });
    expect(verify(sha256(other))).toBe(false);
  });
});

describe("amino sign bytes", () => {
  it.each(CASES.map((it, index) => [index, it.amino.type, it] as const))(
    "case %i, %s, are those of @cosmjs/amino",
    (_, __, { typeUrl, value, amino }) => {
      const doc = makeAminoSignDoc([amino], fee, chainId, memo, 12, 34);
      const bytes = aminoSignBytes(decodeTx(encodeTx([{ typeUrl, value }])), signerData);
      expect(fromUtf8(bytes)).toBe(fromUtf8(serializeSignDoc(doc)));
    },
  );

  it("are these, to the byte", () => {
    const [send] = messages;
    const bytes = aminoSignBytes(decodeTx(encodeTx(send === undefined ? [] : [send])), signerData);
    expect(fromUtf8(bytes)).toBe(
      '{"account_number":"12","chain_id":"settled-1","fee":{"amount":[{"amount":"500","denom":"uve"}],"gas":"200000"},' +
        '"memo":"R\\u0026D \\u003cé ✓\\u003e \\"quoted\\" \u{1F680}","msgs":[{"type":"cosmos-sdk/MsgSend","value":' +
        '{"amount":[{"amount":"5","denom":"uve"}],"from_address":"ve1a","to_address":"ve1b"}}],"sequence":"34"}',
    );
  });

  it("do not exist for a tx that amino JSON cannot express", () => {
    const option = { typeUrl: "/x.Y", value: new Uint8Array(0) };
    const refused = (tx: Uint8Array) => {
      expect(() => aminoSignBytes(decodeTx(tx), signerData)).toThrow(
        expect.objectContaining({ codespace: "sdk", code: 37 }),
      );
    };
    refused(encodeTx([], { extensionOptions: [option] }));
    refused(encodeTx([], { nonCriticalExtensionOptions: [option] }));
    const unknown = new Uint8Array([0x82, 0x40, 0]);
    refused(encodeTx([], {}, unknown));
  });
});

describe("direct sign bytes", () => {
  it("are those of @cosmjs/proto-signing", async () => {
    const wallet = await DirectSecp256k1HdWallet.fromMnemonic(mnemonic, { prefix: "ve" });
    const [account] = await wallet.getAccounts();
    const pubkey = encodePubkey(encodeSecp256k1Pubkey(account?.pubkey ?? new Uint8Array(33)));
    const bodyBytes = clientRegistry().encodeTxBody({ messages, memo });
    const authInfoBytes = makeAuthInfoBytes(
      [{ pubkey, sequence: 34 }],
      fee.amount,
      200_000,
      undefined,
      undefined,
    );
    const raw = TxRaw.encode({ bodyBytes, authInfoBytes, signatures: [] }).finish();
    for (const accountNumber of [0, 12]) {
      const doc = makeSignDoc(bodyBytes, authInfoBytes, chainId, accountNumber);
      const ours = directSignBytes(decodeTx(raw), {
        chainId,
        accountNumber: BigInt(accountNumber),
      });
      expect(toBase64(ours)).toBe(toBase64(makeSignBytes(doc)));
    }
  });

  it("are of the bytes received, however they were encoded", () => {
    // The timeout height before the memo: no writer that knows the fields would do that.
    const bodyBytes = Uint8Array.from([0x18, 5, 0x12, 1, 0x61]);
    const authInfoBytes = new Uint8Array(0);
    const tx = decodeTx(TxRaw.encode({ bodyBytes, authInfoBytes, signatures: [] }).finish());
    const bytes = directSignBytes(tx, { chainId: "c", accountNumber: 0n });
    expect(bytes).toStrictEqual(Uint8Array.from([0x0a, 5, ...bodyBytes, 0x1a, 1, 0x63]));
  });

  it("do not exist in another mode", () => {
    const tx = decodeTx(encodeTx([]));
    expect(() => signBytesOf(tx, { ...signerData, mode: 2 })).toThrow("sign mode 2");
  });
});

function encodeTx(
  list: readonly { typeUrl: string; value: object }[],
  more: Partial<TxBody> = {},
  tail = new Uint8Array(0),
): Uint8Array {
  const registry = clientRegistry();
  const packed = list.map((it) => ({ typeUrl: it.typeUrl, value: registry.encode(it) }));
  const body = TxBody.encode(TxBody.fromPartial({ messages: packed, memo, ...more })).finish();
  const amount = [...fee.amount];
  const authInfo = AuthInfo.fromPartial({ fee: { amount, gasLimit: BigInt(fee.gas) } });
  return TxRaw.encode({
    bodyBytes: concatBytes(body, tail),
    authInfoBytes: AuthInfo.encode(authInfo).finish(),
    signatures: [],
  }).finish();
}
