import { hash } from "node:crypto";
import { PubKey } from "../../src/gen/cosmos/crypto/secp256k1/keys.ts";
import { SignMode } from "../../src/gen/cosmos/tx/signing/v1beta1/signing.ts";
import { AuthInfo, SignDoc, TxBody, TxRaw } from "../../src/gen/cosmos/tx/v1beta1/tx.ts";
import type { BenchAccount } from "./accounts.ts";

export const CHAIN_ID = "settled-bench";

/** A message of a tx. */
export interface BenchMessage {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** What a tx pays. */
export interface BenchFee {
  readonly gasLimit: bigint;
  /** In uve; "" is no fee. */
  readonly uve: string;
}

/** Without a fee; gas for a record or for a hundred, but no more than fits many times in a block. */
export const freeFee = (messages: number): BenchFee => ({
  gasLimit: 100_000n + 20_000n * BigInt(messages),
  uve: "",
});

/** Without a fee; gas for the settlement of so many records by one message. */
export const settlementFee = (records: number): BenchFee => ({
  gasLimit: 200_000n + 3000n * BigInt(records),
  uve: "",
});

/**
 * A tx signed in SIGN_MODE_DIRECT; the account's sequence goes up by one. Made here, not with the
 * client's builder, because benches sign tens of thousands of them.
 */
export function signedTx(
  account: BenchAccount,
  messages: readonly BenchMessage[],
  fee: BenchFee = freeFee(messages.length),
): Uint8Array {
  const { signer, number, sequence } = account;
  const bodyBytes = TxBody.encode({
    messages: [...messages],
    memo: "",
    timeoutHeight: 0n,
    extensionOptions: [],
    nonCriticalExtensionOptions: [],
  }).finish();
  const key = PubKey.encode({ key: signer.publicKey }).finish();
  const amount = fee.uve === "" ? [] : [{ denom: "uve", amount: fee.uve }];
  const authInfoBytes = AuthInfo.encode({
    signerInfos: [
      {
        publicKey: { typeUrl: "/cosmos.crypto.secp256k1.PubKey", value: key },
        modeInfo: { single: { mode: SignMode.SIGN_MODE_DIRECT } },
        sequence,
      },
    ],
    fee: { amount, gasLimit: fee.gasLimit, payer: "", granter: "" },
  }).finish();
  const doc = { bodyBytes, authInfoBytes, chainId: CHAIN_ID, accountNumber: number };
  const digest = hash("sha256", SignDoc.encode(doc).finish(), "buffer");
  const signatures = [signer.sign(digest)];
  account.sequence += 1n;
  return TxRaw.encode({ bodyBytes, authInfoBytes, signatures }).finish();
}
