import { Secp256k1HdWallet } from "@cosmjs/amino";
import { DirectSecp256k1HdWallet, type GeneratedType, Registry } from "@cosmjs/proto-signing";
import {
  AminoTypes,
  createBankAminoConverters,
  defaultRegistryTypes,
  SigningStargateClient,
} from "@cosmjs/stargate";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { settledAminoConverters, settledTypes } from "../../../src/client/amino_types.ts";
import { messageTypeOfUrl } from "../../../src/codec/message_types.ts";
import { signBytesOf } from "../../../src/codec/sign_bytes.ts";
import { decodeTx } from "../../../src/codec/tx_decode.ts";
import { TxRaw } from "../../../src/gen/cosmos/tx/v1beta1/tx.ts";
import { SERVICES } from "../../../src/gen/schema.ts";
import { must } from "../../../src/lib/assert.ts";
import { verifySecp256k1 } from "../../../src/lib/secp256k1.ts";
import { sha256 } from "../../../src/lib/sha256.ts";
import { messageOf } from "../codec/arbitraries.ts";

const mnemonic = `${"abandon ".repeat(11)}about`;
const chainId = "settled-test";
const fee = { amount: [{ denom: "uve", amount: "500" }], gas: "200000" };
const urls = SERVICES.filter(({ name }) => name === "settled.settlement.v1.Msg")
  .flatMap(({ methods }) => methods)
  .map(({ input }) => `/${input}`);

const registry = new Registry([...defaultRegistryTypes, ...settledTypes()] as [
  string,
  GeneratedType,
][]);
const aminoTypes = new AminoTypes({ ...createBankAminoConverters(), ...settledAminoConverters() });

const modes = [
  { mode: "DIRECT", number: 1 },
  { mode: "LEGACY_AMINO_JSON", number: 127 },
] as const;

/** A client that signs as an unmodified CosmJS does, in the mode of its wallet. */
async function clientOf(mode: "DIRECT" | "LEGACY_AMINO_JSON") {
  const wallet = await (mode === "DIRECT"
    ? DirectSecp256k1HdWallet.fromMnemonic(mnemonic, { prefix: "ve" })
    : Secp256k1HdWallet.fromMnemonic(mnemonic, { prefix: "ve" }));
  const [account] = await wallet.getAccounts();
  const client = await SigningStargateClient.offline(wallet, { registry, aminoTypes });
  return { client, account: must(account, "a wallet has an account") };
}

test("every message has one signer and an amino name of its own", () => {
  expect(urls).toContain("/settled.settlement.v1.MsgUpdateParams");
  const schemas = urls.map((url) => must(messageTypeOfUrl(url), url).schema);
  const names = schemas.map(({ aminoName }) => aminoName ?? "");
  expect(new Set(names).size).toBe(urls.length);
  for (const name of names) {
    expect(name).toMatch(/^settled\/settlement\/Msg[A-Za-z]+$/);
    // The SDK registers none longer than 39: a Ledger would not sign it.
    expect(name.length).toBeLessThan(40);
  }
  expect(schemas.map(({ signers }) => signers?.length)).toEqual(urls.map(() => 1));
});

describe.each(modes)("what CosmJS signs as $mode, the chain verifies", ({ mode, number }) => {
  let signer: Awaited<ReturnType<typeof clientOf>>;
  beforeAll(async () => {
    signer = await clientOf(mode);
  });

  test.each(urls)("%s", async (typeUrl) => {
    const type = must(messageTypeOfUrl(typeUrl), typeUrl);
    const { client, account } = signer;
    for (const value of fc.sample(messageOf(type), { numRuns: 5, seed: 7 })) {
      const at = { accountNumber: 12n, sequence: 34, chainId };
      const signed = await client.sign(account.address, [{ typeUrl, value }], fee, "a memo", at);
      const tx = decodeTx(Uint8Array.from(TxRaw.encode(TxRaw.fromPartial(signed)).finish()));
      expect(tx.authInfo.signerInfos[0]?.mode).toBe(number);
      expect(tx.body.messages[0]?.typeUrl).toBe(typeUrl);
      const data = { chainId, accountNumber: 12n, sequence: 34n, mode: number };
      const digest = sha256(signBytesOf(tx, data));
      const signature = must(tx.signatures[0], "a tx has a signature");
      expect(verifySecp256k1(signature, digest, account.pubkey)).toBe(true);
      const other = sha256(signBytesOf(tx, { ...data, accountNumber: 13n }));
      expect(verifySecp256k1(signature, other, account.pubkey)).toBe(false);
    }
  });
});

test("params as a wallet shows them: nothing of a half that is left out", () => {
  const typeUrl = "/settled.settlement.v1.MsgUpdateParams";
  const type = must(messageTypeOfUrl(typeUrl), typeUrl);
  const value = type.codec.fromPartial({
    authority: "ve1a",
    extendedParams: { authority: "ve1a", billingEnabled: true, maxClockDrift: 60n },
  });
  expect(aminoTypes.toAmino({ typeUrl, value })).toEqual({
    type: "settled/settlement/MsgUpdateParams",
    value: {
      authority: "ve1a",
      extended_params: { authority: "ve1a", billing_enabled: true, max_clock_drift: "60" },
    },
  });
});
