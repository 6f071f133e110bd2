import { signBytesOf } from "../codec/sign_bytes.ts";
import { PubKey } from "../gen/cosmos/crypto/secp256k1/keys.ts";
import { SignMode } from "../gen/cosmos/tx/signing/v1beta1/signing.ts";
import { AuthInfo, TxBody, TxRaw, type Fee as WireFee } from "../gen/cosmos/tx/v1beta1/tx.ts";
import { sha256 } from "../lib/sha256.ts";
import { ClientError } from "./errors.ts";
import type { Signer } from "./signer.ts";
import { type EncodedMessage, encodePartial } from "./wire.ts";

export type SignModeName = "direct" | "amino-json";

export interface Fee {
  readonly amount: readonly { readonly denom: string; readonly amount: string }[];
  readonly gasLimit: bigint;
}

/** What a tx says besides who signs it. */
export interface TxContent {
  readonly messages: readonly EncodedMessage[];
  readonly memo?: string;
  /** The last block height that may hold the tx; 0 or absent: no limit. */
  readonly timeoutHeight?: bigint;
}

export interface TxInput extends TxContent {
  readonly signer: Signer;
  readonly chainId: string;
  readonly accountNumber: bigint;
  readonly sequence: bigint;
  readonly fee: Fee;
  /** SIGN_MODE_DIRECT unless told otherwise. */
  readonly mode?: SignModeName;
}

const MODES: Record<SignModeName, SignMode> = {
  direct: SignMode.SIGN_MODE_DIRECT,
  "amino-json": SignMode.SIGN_MODE_LEGACY_AMINO_JSON,
};

/** TxRaw bytes of a signed tx with one signer. */
export function buildTx(input: TxInput): Uint8Array {
  const mode = input.mode ?? "direct";
  const bodyBytes = encodeBody(input);
  const authInfoBytes = encodeAuthInfo(
    input.signer.publicKey,
    MODES[mode],
    input.sequence,
    input.fee,
  );
  const tx = {
    ...{ bodyBytes, authInfoBytes, hasUnknownNonCriticals: false },
    body: TxBody.decode(bodyBytes),
    authInfo: { signerInfos: [], fee: wireFee(input.fee) },
  };
  const { chainId, accountNumber, sequence } = input;
  const signBytes = signBytesOf(tx, { chainId, accountNumber, sequence, mode: MODES[mode] });
  const signatures = [input.signer.sign(sha256(signBytes))];
  return encodePartial(TxRaw, { bodyBytes, authInfoBytes, signatures });
}

/**
 * TxRaw bytes for the node's Simulate: no signature, an unspecified mode and, unless one is given,
 * no fee. It needs only the public key of the signer.
 */
export function buildSimulationTx(
  input: TxContent & {
    readonly publicKey: Uint8Array;
    readonly sequence: bigint;
    readonly fee?: Fee;
  },
): Uint8Array {
  const mode = SignMode.SIGN_MODE_UNSPECIFIED;
  const fee = input.fee ?? { amount: [], gasLimit: 0n };
  return encodePartial(TxRaw, {
    bodyBytes: encodeBody(input),
    authInfoBytes: encodeAuthInfo(input.publicKey, mode, input.sequence, fee),
    signatures: [new Uint8Array(0)],
  });
}

/** TxBody bytes. @throws ClientError `no_messages` */
export function encodeBody(content: TxContent): Uint8Array {
  if (content.messages.length === 0) throw new ClientError("no_messages", "a tx needs a message");
  return encodePartial(TxBody, {
    messages: content.messages,
    memo: content.memo ?? "",
    timeoutHeight: content.timeoutHeight ?? 0n,
  });
}

function encodeAuthInfo(
  publicKey: Uint8Array,
  mode: SignMode,
  sequence: bigint,
  fee: Fee,
): Uint8Array {
  const value = encodePartial(PubKey, { key: publicKey });
  const key = { typeUrl: "/cosmos.crypto.secp256k1.PubKey", value };
  return encodePartial(AuthInfo, {
    signerInfos: [{ publicKey: key, modeInfo: { single: { mode } }, sequence }],
    fee: wireFee(fee),
  });
}

function wireFee({ amount, gasLimit }: Fee): WireFee {
  return { amount: [...amount], gasLimit, payer: "", granter: "" };
}
