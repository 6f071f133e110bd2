import type { AnteStep, RoutedTx } from "../../baseapp/ante.ts";
import { type Context, showsEvents } from "../../baseapp/context.ts";
import type { SignerFacts } from "../../baseapp/verdicts.ts";
import { signBytesOf } from "../../codec/sign_bytes.ts";
import type { DecodedSigner } from "../../codec/tx_decode.ts";
import { PubKey } from "../../gen/cosmos/crypto/secp256k1/keys.ts";
import type { AccountState, Params } from "../../gen/settled/auth/v1/state.ts";
import { EMPTY_BYTES, equalBytes, toBase64, utf8Length } from "../../lib/bytes.ts";
import { ChainError } from "../../lib/errors.ts";
import { addressOfPublicKey } from "../../types/address.ts";
import type { SignatureClaim } from "../../types/application.ts";
import type { Verifier } from "../../types/crypto.ts";
import { attribute, type Event } from "../../types/event.ts";
import * as sdk from "../../types/sdk_errors.ts";
import type { AnyMsg, SignerInfo, SignMode } from "../../types/tx.ts";
import {
  badSignature,
  chargeMultisig,
  isMultisig,
  multisigKeyOf,
  verifyMultisig,
} from "./ante_multisig.ts";
import type { AuthKeeper } from "./keeper.ts";

const SECP256K1_TYPE = "/cosmos.crypto.secp256k1.PubKey";
const SIGN_MODE_DIRECT = 1;
const SIGN_MODE_LEGACY_AMINO_JSON = 127;

/** Memo length, timeout height, number of signatures, no unknown extension, known signers. */
export function basicStep(keeper: AuthKeeper): AnteStep {
  return (ctx, tx) => {
    const params = keeper.params(ctx);
    const { memo, timeoutHeight } = tx.body;
    const length = utf8Length(memo);
    if (length > params.maxMemoCharacters) {
      const detail = `maximum number of characters is ${params.maxMemoCharacters} but received ${length} characters`;
      throw new ChainError(sdk.ErrMemoTooLarge, detail);
    }
    if (timeoutHeight !== 0n && ctx.height > timeoutHeight) {
      const detail = `block height: ${ctx.height}, timeout height: ${timeoutHeight}`;
      throw new ChainError(sdk.ErrTxTimeoutHeight, detail);
    }
    if (tx.body.extensionOptions.length > 0) {
      const [option] = tx.body.extensionOptions;
      throw new ChainError(sdk.ErrUnknownExtensionOptions, option?.typeUrl.slice(0, 200));
    }
    if (tx.signatures.length === 0) throw new ChainError(sdk.ErrNoSignatures);
    checkKeyCount(tx.signatures.length, params);
    const { signers } = tx;
    const needed = signers.length;
    const { signerInfos } = tx.authInfo;
    if (tx.signatures.length !== needed || signerInfos.length !== needed) {
      const detail = `wrong number of signers; expected ${needed}, got ${tx.signatures.length}`;
      throw new ChainError(sdk.ErrUnauthorized, detail);
    }
    // Whoever is unknown is told so, and not that a fee cannot be paid.
    for (const signer of signers) {
      if (keeper.account(ctx, signer) === undefined) throw unknownAccount(signer);
    }
  };
}

/** Gas of the tx's size. */
export function sizeGasStep(keeper: AuthKeeper): AnteStep {
  return (ctx, tx) => {
    const cost = keeper.params(ctx).txSizeCostPerByte;
    ctx.gas.consume(cost * BigInt(tx.bytes.length), "txSize");
  };
}

/**
 * Keys, signatures and sequences of all signers. A simulated tx is not signed, and a rechecked one
 * was verified when it came, so both pass over the signature itself.
 * @param trustSignatures takes those of txs in blocks for good
 */
export function signatureStep(
  keeper: AuthKeeper,
  verifier: Verifier,
  trustSignatures: boolean,
): AnteStep {
  return (ctx, tx) => {
    const params = keeper.params(ctx);
    let keyCount = 0;
    for (let index = 0; index < tx.signers.length; index += 1) {
      const address = tx.signers[index] as string;
      const info = tx.authInfo.signerInfos[index] as DecodedSigner;
      const signature = tx.signatures[index] as Uint8Array;
      const account = knownAccount(ctx, keeper, address);
      const isTrusted = trustSignatures && ctx.mode === "deliver";
      if (isMultisig(account, info)) {
        const key = multisigKeyOf(ctx, account, info);
        keyCount += key.members.length;
        checkKeyCount(keyCount, params);
        chargeMultisig(ctx, info, key, params);
        checkSequence(account, info);
        if (isVerified(ctx)) {
          verifyMultisig(ctx, verifier, { tx, info, signature, account, key, isTrusted });
        }
        keeper.setUsed(ctx, account, { publicKey: EMPTY_BYTES, multisigKey: key.encoded });
      } else {
        keyCount += 1;
        checkKeyCount(keyCount, params);
        ctx.gas.consume(params.sigVerifyCostSecp256k1, "ante verify: secp256k1");
        const publicKey = publicKeyOf(ctx, account, info);
        checkSequence(account, info);
        if (isVerified(ctx)) {
          const { accountNumber, sequence } = account;
          const { chainId } = ctx.chain;
          const facts = { index, publicKey, accountNumber, sequence, chainId };
          verify(ctx, verifier, { tx, mode: info.mode, signature, facts, isTrusted });
        }
        keeper.setUsed(ctx, account, { publicKey, multisigKey: EMPTY_BYTES });
      }
      if (!showsEvents(ctx)) continue;
      ctx.emit(txEvent("acc_seq", `${address}/${account.sequence}`));
      ctx.emit(txEvent("signature", toBase64(signature)));
    }
  };
}

function isVerified({ mode }: Context): boolean {
  return mode !== "simulate" && mode !== "recheck";
}

/** Each member of a multisig counts, as in the Cosmos SDK. */
function checkKeyCount(count: number, { txSigLimit }: Params): void {
  if (count <= txSigLimit) return;
  const counted = "each member of a multisig counts, whether it signs or not";
  const detail = `signatures: ${count}, limit: ${txSigLimit} (tx_sig_limit of auth; ${counted})`;
  throw new ChainError(sdk.ErrTooManySignatures, detail);
}

function txEvent(key: string, value: string): Event {
  return { type: "tx", attributes: [attribute(key, value)] };
}

function knownAccount(ctx: Context, keeper: AuthKeeper, address: string): AccountState {
  const account = keeper.account(ctx, address);
  if (account === undefined) throw unknownAccount(address);
  return account;
}

function unknownAccount(address: string): ChainError {
  return new ChainError(sdk.ErrUnknownAddress, `account ${address} does not exist`);
}

function publicKeyOf(ctx: Context, account: AccountState, info: DecodedSigner): Uint8Array {
  if (info.publicKey === undefined) {
    if (account.publicKey.length > 0) return account.publicKey;
    if (ctx.mode === "simulate") return account.publicKey;
    throw new ChainError(
      sdk.ErrInvalidPubKey,
      `account ${account.address}: no public key is known`,
    );
  }
  if (info.publicKey.typeUrl !== SECP256K1_TYPE) {
    const detail = `expected ${SECP256K1_TYPE}, got ${info.publicKey.typeUrl.slice(0, 100)}`;
    throw new ChainError(sdk.ErrInvalidPubKey, detail);
  }
  const key = statedKey(info.publicKey, info);
  if (key.length !== 33) {
    throw new ChainError(sdk.ErrInvalidPubKey, `a compressed key has 33 bytes, got ${key.length}`);
  }
  // An account whose key is known has been through the derivation before. Its own bytes are given
  // back: those of the tx are a view, and would keep the whole tx in memory with the account.
  if (equalBytes(key, account.publicKey)) return account.publicKey;
  const derived = addressOfPublicKey(key, ctx.chain.bech32Prefix);
  if (derived !== account.address) {
    const detail = `pubKey does not match signer address ${account.address}: it is of ${derived}`;
    throw new ChainError(sdk.ErrInvalidPubKey, detail);
  }
  return Uint8Array.from(key);
}

/** The key that a signer states, which its tx may hold decoded. */
function statedKey({ value }: AnyMsg, { keyMessage }: DecodedSigner): Uint8Array {
  return ((keyMessage as PubKey | undefined) ?? PubKey.decode(value)).key;
}

function checkSequence(account: AccountState, info: SignerInfo): void {
  if (info.sequence === account.sequence) return;
  const detail = `account sequence mismatch, expected ${account.sequence}, got ${info.sequence}`;
  throw new ChainError(sdk.ErrWrongSequence, detail, { expected: account.sequence });
}

interface Signed {
  readonly tx: RoutedTx;
  readonly mode: SignMode;
  readonly signature: Uint8Array;
  readonly facts: SignerFacts;
  /** The signature is taken for good. */
  readonly isTrusted: boolean;
}

/** A verdict that was found before with the same facts spares the work. */
function verify(ctx: Context, verifier: Verifier, signed: Signed): void {
  const { tx, mode, signature, facts, isTrusted } = signed;
  if (!isSupported(mode)) {
    const detail = `sign mode ${mode}; use SIGN_MODE_DIRECT or SIGN_MODE_LEGACY_AMINO_JSON`;
    throw new ChainError(sdk.ErrNotSupported, detail);
  }
  if (isTrusted) {
    // Amino JSON refuses a tx that it cannot express, whoever trusts the signature.
    if (mode !== SIGN_MODE_DIRECT) signBytesOf(tx, signerData(mode, facts));
    return;
  }
  let isValid = tx.verdicts.find(facts);
  if (isValid === undefined) {
    const digest = ctx.hasher.sha256(signBytesOf(tx, signerData(mode, facts)));
    isValid = verifier.verifySecp256k1(signature, digest, facts.publicKey);
    tx.verdicts.put(facts, isValid);
  }
  if (isValid) return;
  throw badSignature(facts);
}

function signerData(mode: SignMode, { chainId, accountNumber, sequence }: SignerFacts) {
  return { mode, chainId, accountNumber, sequence };
}

function isSupported(mode: SignMode): boolean {
  return mode === SIGN_MODE_DIRECT || mode === SIGN_MODE_LEGACY_AMINO_JSON;
}

/**
 * The signatures of a tx that can be verified ahead of its ante steps, by what the state says of
 * the signers now. None for a tx that the ante steps refuse before they come to signatures.
 */
export function signatureClaims(ctx: Context, keeper: AuthKeeper, tx: RoutedTx): SignatureClaim[] {
  const { signers, signatures } = tx;
  const { signerInfos } = tx.authInfo;
  if (signatures.length !== signers.length || signerInfos.length !== signers.length) return [];
  const claims: SignatureClaim[] = [];
  for (const [index, address] of signers.entries()) {
    const info = signerInfos[index] as DecodedSigner;
    const account = keeper.account(ctx, address);
    const publicKey = account && claimedKey(account, info);
    // A sequence behind the account's is refused whatever the signature; one ahead may come right.
    if (account === undefined || info.sequence < account.sequence) return [];
    if (publicKey === undefined || !isSupported(info.mode)) return [];
    const { accountNumber } = account;
    const { chainId } = ctx.chain;
    const facts = { index, publicKey, accountNumber, sequence: info.sequence, chainId };
    if (tx.verdicts.find(facts) !== undefined) continue;
    const signBytes = signBytesIfAny(tx, signerData(info.mode, facts));
    if (signBytes === undefined) return [];
    const signature = signatures[index] as Uint8Array;
    const settle = (isValid: boolean): void => tx.verdicts.put(facts, isValid);
    const claim = { signBytes, signature, publicKey, settle };
    if (signers.length === 1) return [claim];
    claims.push(claim);
  }
  return claims;
}

/** The key that the ante steps would verify with, if they accept it; they check it then. */
function claimedKey(account: AccountState, info: DecodedSigner): Uint8Array | undefined {
  const { publicKey } = info;
  if (publicKey === undefined) {
    return account.publicKey.length === 0 ? undefined : account.publicKey;
  }
  const key = publicKey.typeUrl === SECP256K1_TYPE ? statedKey(publicKey, info) : undefined;
  return key?.length === 33 ? key : undefined;
}

/** undefined for a tx that amino JSON cannot express, which is refused by name when it is run. */
function signBytesIfAny(
  tx: RoutedTx,
  signer: Parameters<typeof signBytesOf>[1],
): Uint8Array | undefined {
  try {
    return signBytesOf(tx, signer);
  } catch (error) {
    if (error instanceof ChainError) return undefined;
    throw error;
  }
}
