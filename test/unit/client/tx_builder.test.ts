import { Secp256k1HdWallet } from "@cosmjs/amino";
import { DirectSecp256k1HdWallet } from "@cosmjs/proto-signing";
import { SigningStargateClient } from "@cosmjs/stargate";
import { MsgSend } from "cosmjs-types/cosmos/bank/v1beta1/tx";
import { TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import { describe, expect, test } from "vitest";
import { newMnemonic, signerFromMnemonic } from "../../../src/client/signer.ts";
import { buildTx, type SignModeName } from "../../../src/client/tx_builder.ts";

const MNEMONIC =
  "economy stock theory fatal elder harbor betray wasp final emotion task crumble siren bottom lizard educate guess current outdoor pair theory focus wife stone";

async function signBoth(
  mode: SignModeName,
  o: { memo: string; timeoutHeight: bigint; sequence: number },
) {
  const wallet =
    mode === "direct"
      ? await DirectSecp256k1HdWallet.fromMnemonic(MNEMONIC, { prefix: "ve" })
      : await Secp256k1HdWallet.fromMnemonic(MNEMONIC, { prefix: "ve" });
  const signer = await signerFromMnemonic(MNEMONIC);
  const [account] = await wallet.getAccounts();
  expect(signer.address).toBe(account?.address);
  const value = MsgSend.fromPartial({
    fromAddress: signer.address,
    toAddress: signer.address,
    amount: [{ denom: "uve", amount: "12" }],
  });
  const fee = { amount: [{ denom: "uve", amount: "5000" }], gas: "200000" };
  const client = await SigningStargateClient.offline(wallet);
  const theirs = await client.sign(
    signer.address,
    [{ typeUrl: "/cosmos.bank.v1beta1.MsgSend", value }],
    fee,
    o.memo,
    { accountNumber: 7n, sequence: o.sequence, chainId: "settled-1" },
    o.timeoutHeight,
  );
  const ours = buildTx({
    messages: [{ typeUrl: "/cosmos.bank.v1beta1.MsgSend", value: MsgSend.encode(value).finish() }],
    signer,
    chainId: "settled-1",
    accountNumber: 7n,
    sequence: BigInt(o.sequence),
    fee: { amount: fee.amount, gasLimit: 200_000n },
    memo: o.memo,
    timeoutHeight: o.timeoutHeight,
    mode,
  });
  return { ours, theirs: TxRaw.encode(theirs).finish() };
}

describe.each(["direct", "amino-json"] as const)("buildTx in mode %s", (mode) => {
  test.each([
    { name: "plain", memo: "", timeoutHeight: 0n, sequence: 0 },
    { name: "memo and timeout", memo: "job <1> & more ✓", timeoutHeight: 12_345n, sequence: 41 },
  ])("gives the bytes of SigningStargateClient: $name", async (o) => {
    const { ours, theirs } = await signBoth(mode, o);
    expect(Buffer.from(ours).toString("hex")).toBe(Buffer.from(theirs).toString("hex"));
  });
});

test("new mnemonics have 12 or 24 words and give different accounts", async () => {
  const [short, long] = [await newMnemonic(12), await newMnemonic(24)];
  expect([short.split(" ").length, long.split(" ").length]).toEqual([12, 24]);
  const [a, b] = [await signerFromMnemonic(short), await signerFromMnemonic(long)];
  expect(a.address).not.toBe(b.address);
});

test("a bad mnemonic is refused by name", async () => {
  await expect(signerFromMnemonic("one two three")).rejects.toMatchObject({ code: "bad_mnemonic" });
});
