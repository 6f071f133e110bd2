import type { AnteStep, RoutedTx } from "../../baseapp/ante.ts";
import type { Context } from "../../baseapp/context.ts";
import { signBytesOf } from "../../codec/sign_bytes.ts";
import { PubKey } from "../../gen/cosmos/crypto/secp256k1/keys.ts";
import type { AccountState } from "../../gen/settled/auth/v1/state.ts";
import { equalBytes, toBase64, utf8Length } from "../../lib/bytes.ts";
import { ChainError } from "../../lib/errors.ts";
import { addressOfPublicKey } from "../../types/address.ts";
import type { Verifier } from "../../types/crypto.ts";
import { event } from "../../types/event.ts";
import * as sdk from "../../types/sdk_errors.ts";
import type { SignerInfo } from "../../types/tx.ts";
import type { AuthKeeper } from "./keeper.ts";

const SECP256K1_TYPE = "/cosmos.crypto.secp256k1.PubKey";
const SIGN_MODE_DIRECT = 1;
const SIGN_MODE_LEGACY_AMINO_JSON = 127;

/** Those who must sign: each signer of the messages once, in order of appearance. */
export function requiredSigners(tx: RoutedTx): readonly string[] {
  const signers: string[] = [];
  for (const signer of tx.routed.flatMap((routed) => routed.signers)) {
    if (!signers.includes(signer)) signers.push(signer);
  }
  return signers;
}

/** Memo length, timeout height, number of signatures, no unknown extension, known signers. */
export function basicStep(keeper: AuthKeeper): AnteStep {
  return (ctx, tx) => {
    const params = keeper.params(ctx);
    const { memo, timeoutHeight } = tx.body;
    const length = BigInt(utf8Length(memo));
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
    if (BigInt(tx.signatures.length) > params.txSigLimit) {
      const detail = `signatures: ${tx.signatures.length}, limit: ${params.txSigLimit}`;
      throw new ChainError(sdk.ErrTooManySignatures, detail);
    }
    const signers = requiredSigners(tx);
    const needed = signers.length;
    const { signerInfos } = tx.authInfo;
    if (tx.signatures.length !== needed || signerInfos.length !== needed) {
      const detail = `wrong number of signers; expected ${needed}, got ${tx.signatures.length}`;
      throw new ChainError(sdk.ErrUnauthorized, detail);
    }
    // Whoever is unknown is told so, and not that a fee cannot be paid.
    for (const signer of signers) knownAccount(ctx, keeper, signer);
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
 */
export function signatureStep(keeper: AuthKeeper, verifier: Verifier): AnteStep {
  return (ctx, tx) => {
    const params = keeper.params(ctx);
    requiredSigners(tx).forEach((address, index) => {
      const info = tx.authInfo.signerInfos[index] as SignerInfo;
      const signature = tx.signatures[index] as Uint8Array;
      ctx.gas.consume(params.sigVerifyCostSecp256k1, "ante verify: secp256k1");
      const account = knownAccount(ctx, keeper, address);
      const publicKey = publicKeyOf(ctx, account, info);
      checkSequence(account, info);
      if (ctx.mode !== "simulate" && ctx.mode !== "recheck")
        verify(ctx, { tx, account, info, signature, publicKey, verifier });
      keeper.setAccount(ctx, { ...account, publicKey, sequence: account.sequence + 1n });
      ctx.emit(event("tx", { acc_seq: `${address}/${account.sequence}` }));
      ctx.emit(event("tx", { signature: toBase64(signature) }));
    });
  };
}

function knownAccount(ctx: Context, keeper: AuthKeeper, address: string): AccountState {
  const account = keeper.account(ctx, address);
  if (account === undefined) {
    throw new ChainError(sdk.ErrUnknownAddress, `account ${address} does not exist`);
  }
  return account;
}

function publicKeyOf(ctx: Context, account: AccountState, info: SignerInfo): Uint8Array {
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
  const { key } = PubKey.decode(info.publicKey.value);
  if (key.length !== 33) {
    throw new ChainError(sdk.ErrInvalidPubKey, `a compressed key has 33 bytes, got ${key.length}`);
  }
  // An account whose key is known has been through the derivation before.
  if (equalBytes(key, account.publicKey)) return key;
  const derived = addressOfPublicKey(key, ctx.chain.bech32Prefix);
  if (derived !== account.address) {
    const detail = `pubKey does not match signer address ${account.address}: it is of ${derived}`;
    throw new ChainError(sdk.ErrInvalidPubKey, detail);
  }
  return key;
}

function checkSequence(account: AccountState, info: SignerInfo): void {
  if (info.sequence === account.sequence) return;
  const detail = `account sequence mismatch, expected ${account.sequence}, got ${info.sequence}`;
  throw new ChainError(sdk.ErrWrongSequence, detail, { expected: account.sequence });
}

interface Claim {
  readonly tx: RoutedTx;
  readonly account: AccountState;
  readonly info: SignerInfo;
  readonly signature: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly verifier: Verifier;
}

function verify(ctx: Context, claim: Claim): void {
  const { account, info } = claim;
  if (info.mode !== SIGN_MODE_DIRECT && info.mode !== SIGN_MODE_LEGACY_AMINO_JSON) {
    const detail = `sign mode ${info.mode}; use SIGN_MODE_DIRECT or SIGN_MODE_LEGACY_AMINO_JSON`;
    throw new ChainError(sdk.ErrNotSupported, detail);
  }
  const { chainId } = ctx.chain;
  const { accountNumber, sequence } = account;
  const signBytes = signBytesOf(claim.tx, { mode: info.mode, chainId, accountNumber, sequence });
  const digest = ctx.hasher.sha256(signBytes);
  if (claim.verifier.verifySecp256k1(claim.signature, digest, claim.publicKey)) return;
  const detail = `signature verification failed; please verify account number (${accountNumber}), sequence (${sequence}) and chain-id (${chainId})`;
  throw new ChainError(sdk.ErrUnauthorized, detail);
}
