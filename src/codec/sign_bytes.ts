import { SignDoc } from "../gen/cosmos/tx/v1beta1/tx.ts";
import { utf8 } from "../lib/bytes.ts";
import { ChainError } from "../lib/errors.ts";
import { ErrNotSupported } from "../types/sdk_errors.ts";
import type { SignMode } from "../types/tx.ts";
import { aminoMsg } from "./amino_json.ts";
import { unpackAny } from "./any.ts";
import { canonicalJsonForSigning, type JsonObject } from "./canonical_json.ts";
import type { DecodedTx } from "./tx_decode.ts";

export const SIGN_MODE_DIRECT: SignMode = 1;
export const SIGN_MODE_LEGACY_AMINO_JSON: SignMode = 127;

/** For whom, on which chain, the bytes are made: what a signature covers besides the tx. */
export interface SignerData {
  readonly chainId: string;
  readonly accountNumber: bigint;
  /** Enters amino sign bytes; in DIRECT mode it is part of the auth info. */
  readonly sequence: bigint;
}

/** The parts of a decoded tx that sign bytes are made of. */
export type SignableTx = Pick<
  DecodedTx,
  "bodyBytes" | "authInfoBytes" | "body" | "authInfo" | "hasUnknownNonCriticals"
>;

/**
 * What a signature in the given mode covers; clients sign its sha256.
 * @throws ChainError sdk/37 for another mode, and for a tx that amino JSON cannot express.
 */
export function signBytesOf(
  tx: SignableTx,
  signer: SignerData & { readonly mode: SignMode },
): Uint8Array {
  if (signer.mode === SIGN_MODE_DIRECT) return directSignBytes(tx, signer);
  if (signer.mode === SIGN_MODE_LEGACY_AMINO_JSON) return aminoSignBytes(tx, signer);
  throw new ChainError(ErrNotSupported, `sign mode ${signer.mode}`);
}

/** SIGN_MODE_DIRECT: the SignDoc of the received body and auth info, as received. */
export function directSignBytes(
  tx: Pick<DecodedTx, "bodyBytes" | "authInfoBytes">,
  { chainId, accountNumber }: Pick<SignerData, "chainId" | "accountNumber">,
): Uint8Array {
  const { bodyBytes, authInfoBytes } = tx;
  return SignDoc.encode({ bodyBytes, authInfoBytes, chainId, accountNumber }).finish();
}

/** SIGN_MODE_LEGACY_AMINO_JSON: the canonical JSON of the StdSignDoc. @throws ChainError sdk/37 */
export function aminoSignBytes(tx: SignableTx, signer: SignerData): Uint8Array {
  return utf8(canonicalJsonForSigning(stdSignDoc(tx, signer)));
}

/**
 * The StdSignDoc of a tx, whose canonical JSON hardware wallets and multisig members sign.
 * @throws ChainError sdk/37 when the tx has extension options, unknown fields or a message that
 * amino JSON cannot express.
 */
export function stdSignDoc(tx: SignableTx, signer: SignerData): JsonObject {
  const { body } = tx;
  if (
    body.extensionOptions.length > 0 ||
    body.nonCriticalExtensionOptions.length > 0 ||
    tx.hasUnknownNonCriticals
  ) {
    throw new ChainError(ErrNotSupported, "amino JSON cannot express extension options");
  }
  const doc: JsonObject = {
    account_number: `${signer.accountNumber}`,
    chain_id: signer.chainId,
    fee: stdFee(tx.authInfo.fee),
    memo: body.memo,
    msgs: body.messages.map((any) => {
      const { type, message } = unpackAny(any);
      return aminoMsg(type, message);
    }),
    sequence: `${signer.sequence}`,
  };
  if (body.timeoutHeight !== 0n) doc["timeout_height"] = `${body.timeoutHeight}`;
  return doc;
}

/** The fee of a StdSignDoc: payer and granter only where they are named. */
export function stdFee(fee: DecodedTx["authInfo"]["fee"]): JsonObject {
  const json: JsonObject = {
    amount: fee.amount.map(({ denom, amount }) => ({ denom, amount })),
    gas: `${fee.gasLimit}`,
  };
  if (fee.payer !== "") json["payer"] = fee.payer;
  if (fee.granter !== "") json["granter"] = fee.granter;
  return json;
}
