import type { RoutedTx } from "../../baseapp/ante.ts";
import type { Context } from "../../baseapp/context.ts";
import {
  bitCount,
  MULTISIG_TYPE,
  type MultisigKey,
  multisigAddress,
  readMultisigKey,
  setBits,
} from "../../codec/multisig_key.ts";
import { SIGN_MODE_LEGACY_AMINO_JSON, signBytesOf } from "../../codec/sign_bytes.ts";
import type { DecodedSigner } from "../../codec/tx_decode.ts";
import { MultiSignature } from "../../gen/cosmos/crypto/multisig/v1beta1/multisig.ts";
import type { AccountState, Params } from "../../gen/settled/auth/v1/state.ts";
import { equalBytes } from "../../lib/bytes.ts";
import { ChainError } from "../../lib/errors.ts";
import type { Verifier } from "../../types/crypto.ts";
import * as sdk from "../../types/sdk_errors.ts";

/** Whether a signer is to be checked as a multisig: by the key it states, else by its account. */
export function isMultisig({ multisigKey }: AccountState, { publicKey }: DecodedSigner): boolean {
  return publicKey === undefined ? multisigKey.length > 0 : publicKey.typeUrl === MULTISIG_TYPE;
}

/** The key of a multisig. @throws ChainError sdk/8 for one of another address, and as it reads */
export function multisigKeyOf(
  ctx: Context,
  account: AccountState,
  { publicKey }: DecodedSigner,
): MultisigKey {
  const { multisigKey } = account;
  if (publicKey === undefined || equalBytes(publicKey.value, multisigKey)) {
    return readMultisigKey(multisigKey);
  }
  const key = readMultisigKey(publicKey.value);
  const derived = multisigAddress(key, ctx.chain.bech32Prefix);
  if (derived === account.address) return key;
  const detail = `pubKey does not match signer address ${account.address}: it is of ${derived}`;
  throw new ChainError(sdk.ErrInvalidPubKey, detail);
}

/**
 * Gas of every signature that there is to verify. A simulated tx may leave open who signs: then as
 * many are charged as must.
 */
export function chargeMultisig(
  ctx: Context,
  { modeInfo }: DecodedSigner,
  { threshold, members }: MultisigKey,
  { sigVerifyCostSecp256k1 }: Params,
): void {
  const bits = modeInfo?.multi?.bitarray;
  // Only bits of members are counted; a bit array of another size is refused when it is verified.
  const isStated = bits !== undefined && bitCount(bits) === members.length;
  const count = isStated ? setBits(bits).length : threshold;
  ctx.gas.consume(sigVerifyCostSecp256k1 * BigInt(count), "ante verify: multisignature");
}

interface Multisigned {
  readonly tx: RoutedTx;
  readonly info: DecodedSigner;
  /** An encoded MultiSignature. */
  readonly signature: Uint8Array;
  readonly account: AccountState;
  readonly key: MultisigKey;
  /** The signatures are taken for good. */
  readonly isTrusted: boolean;
}

/**
 * Every signature that is given must be good, more of them than need be included; each stands for
 * the member whose bit is set, in order.
 * @throws ChainError sdk/4 with what is wrong, sdk/37 for a member that signed in another mode than
 * LEGACY_AMINO_JSON: in DIRECT mode nobody could sign before all have
 */
export function verifyMultisig(ctx: Context, verifier: Verifier, signed: Multisigned): void {
  const { tx, account, key, isTrusted } = signed;
  const { accountNumber, sequence } = account;
  const { chainId } = ctx.chain;
  const facts = { accountNumber, sequence, chainId };
  const { places, signatures } = statedSignatures(signed, (why) => badSignature(facts, why));
  // Amino JSON refuses a tx that it cannot express, whoever trusts the signatures.
  const signBytes = signBytesOf(tx, { mode: SIGN_MODE_LEGACY_AMINO_JSON, ...facts });
  if (isTrusted) return;
  const digest = ctx.hasher.sha256(signBytes);
  for (let index = 0; index < places.length; index += 1) {
    const place = places[index] as number;
    const member = key.members[place] as Uint8Array;
    const signature = signatures[index] as Uint8Array;
    if (!verifier.verifySecp256k1(signature, digest, member)) {
      throw badSignature(facts, `unable to verify signature at index ${place}`);
    }
  }
}

/** Who has signed what; the number of signatures is that of bits and of modes. */
function statedSignatures(
  { info, signature, key }: Multisigned,
  refusal: (why: string) => ChainError,
): { places: readonly number[]; signatures: readonly Uint8Array[] } {
  const multi = info.modeInfo?.multi;
  if (multi === undefined) throw refusal("expected a multisignature, got a single one");
  const { threshold, members } = key;
  const { bitarray, modeInfos } = multi;
  if (bitarray === undefined || bitCount(bitarray) !== members.length) {
    throw refusal(`bit array size is incorrect, expecting: ${members.length}`);
  }
  // Bits of nobody must be 0: nothing that a member signs would cover them.
  const places = setBits(bitarray);
  if (bitarray.extraBitsStored > 7 || places.some((place) => place >= members.length)) {
    throw refusal("bit array has bits beyond its size");
  }
  const signatures = decodedSignatures(signature);
  if (signatures === undefined) throw refusal("the multisignature does not decode");
  const count = signatures.length;
  if (count < threshold || count > members.length) {
    throw refusal(`signature size is incorrect ${count}, expecting at least ${threshold}`);
  }
  if (places.length < threshold) {
    throw refusal(`not enough signatures set, have ${places.length}, expected ${threshold}`);
  }
  if (places.length !== count || modeInfos.length !== count) {
    throw refusal(`${count} signatures, ${places.length} bits set, ${modeInfos.length} modes`);
  }
  for (const { single } of modeInfos) {
    if (single?.mode === SIGN_MODE_LEGACY_AMINO_JSON) continue;
    const found = single === undefined ? "a multisig inside" : `sign mode ${single.mode}`;
    const detail = `${found}; members of a multisig sign with SIGN_MODE_LEGACY_AMINO_JSON`;
    throw new ChainError(sdk.ErrNotSupported, detail);
  }
  return { places, signatures };
}

/** undefined for bytes that are no MultiSignature in its plain encoding. */
function decodedSignatures(bytes: Uint8Array): readonly Uint8Array[] | undefined {
  try {
    const message = MultiSignature.decode(bytes);
    const isPlain = equalBytes(MultiSignature.encode(message).finish(), bytes);
    return isPlain ? message.signatures : undefined;
  } catch {
    return undefined;
  }
}

/** The text of the Cosmos SDK, which says what a signer has mistaken most often. */
export function badSignature(
  facts: { readonly accountNumber: bigint; readonly sequence: bigint; readonly chainId: string },
  why?: string,
): ChainError {
  const { accountNumber, sequence, chainId } = facts;
  const detail = `signature verification failed; please verify account number (${accountNumber}), sequence (${sequence}) and chain-id (${chainId})`;
  return new ChainError(sdk.ErrUnauthorized, why === undefined ? detail : `${detail}: (${why})`);
}
